"""The control API from outside, for tests, the demo and benchmarks."""

from __future__ import annotations

import base64
from types import TracebackType
from typing import Any, Self

import httpx

Record = dict[str, Any]

ANSWER_S = 10.0  # beyond what the stand-in was asked to wait


class ControlError(RuntimeError):
    """The stand-in did not take a request; the message says why."""


class NotReached(AssertionError):
    """Waiting ended before enough had happened; the message says how much had."""


class Standin:
    """A running stand-in. base_url: what it printed after `ready`. control_token: its STANDIN_CONTROL_TOKEN.

    telegram_url, openai_url, slack_url and graph_url are what a product would be configured with.
    """

    def __init__(self, base_url: str, control_token: str) -> None:
        self.base_url = base_url.rstrip("/")
        self.telegram_url = self.base_url
        self.graph_url = self.base_url
        self.openai_url = f"{self.base_url}/v1"
        self.slack_url = f"{self.base_url}/api"
        # Loopback only: a proxy of the surroundings must not see it.
        self.control_token = control_token
        self._http = httpx.Client(
            base_url=f"{self.base_url}/_control/", timeout=ANSWER_S, trust_env=False,
            headers={"x-standin-token": control_token},
        )  # fmt: skip

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # Who may call

    def register_bot(self, token: str, username: str) -> None:
        """token: `<number>:<letters>`, as Telegram makes them."""
        self._call("POST", "tokens", token=token, username=username)

    def revoke_bot(self, token: str) -> None:
        """From now on 401 Unauthorized."""
        self._call("DELETE", "tokens", token=token)

    def register_key(self, key: str) -> None:
        self._call("POST", "keys", key=key)

    def revoke_key(self, key: str) -> None:
        self._call("DELETE", "keys", key=key)

    def register_workspace(
        self, token: str, *, team_id: str, user_id: str = "U0BOT", bot_id: str = "B0BOT", app_id: str = "A0APP",
        webhook: str | None = None, signing_secret: str = "",
    ) -> None:  # fmt: skip
        """An installation in Slack, and its bot's token. webhook: where `post_event` posts to, signed."""
        self._call(
            "POST", "workspaces", token=token, team_id=team_id, user_id=user_id, bot_id=bot_id, app_id=app_id,
            webhook=webhook, signing_secret=signing_secret,
        )  # fmt: skip

    def revoke_workspace(self, token: str) -> None:
        """From now on token_revoked."""
        self._call("DELETE", "workspaces", token=token)

    def register_receiver(self, name: str, secret: str) -> str:
        """A program that takes answers signed with the secret (whsec_…); returns its address."""
        self._call("POST", "receivers", name=name, secret=secret)
        return f"{self.base_url}/receiver/{name}"

    def register_node(self, node_id: str, kind: str, token: str, **fields: Any) -> None:
        """A page, an Instagram account or a phone number of the Graph API (kind: `page`, `instagram`, …; fields: see
        standin.graph_wire.Node)."""
        self._call("POST", "nodes", id=node_id, kind=kind, token=token, **fields)

    def revoke_node(self, token: str) -> None:
        """From now on error 190 with a subcode."""
        self._call("DELETE", "nodes", token=token)

    def register_number(
        self, number_id: str, token: str, *, app_secret: str, display: str = "4940700100", account_id: str = "900",
        webhook: str | None = None, pair_per_s: float | None = None,
    ) -> None:  # fmt: skip
        """A telephone number of WhatsApp's. webhook: where `post_status` posts to. pair_per_s: how many messages to one
        person it may send in the long run, one in 6 s if not said."""
        self._call(
            "POST", "numbers", number_id=number_id, token=token, display=display, account_id=account_id,
            app_secret=app_secret, webhook=webhook, pair_per_s=pair_per_s,
        )  # fmt: skip

    def revoke_number(self, number_id: str) -> None:
        """From now on its token is none."""
        self._call("DELETE", "numbers", number_id=number_id)

    def post_status(self, number_id: str, message_id: str, status: str, code: int | None = None) -> int:
        """Post what became of a message (sent, delivered, read; failed with an error's code) to the number's webhook;
        returns what that answered."""
        answer = self._call("POST", "statuses", number_id=number_id, message_id=message_id, status=status, code=code)
        return int(answer["answered"])

    # What customers send

    def post_message(
        self, token: str, chat_id: int, text: str | None = None, *, kind: str = "text", topic: int | None = None,
        more: Record | None = None,
    ) -> Record:  # fmt: skip
        """Post a customer's message of that kind (see standin.customers.CONTENTS) to the bot's webhook, as Telegram
        does; returns the update. Raises ControlError when it was not taken."""
        return self._posted(
            "messages", token=token, chat_id=chat_id, kind=kind, text=text, topic=topic, more=more
        )  # fmt: skip

    def post_update(self, token: str, name: str, value: Record) -> Record:
        """As post_message, any other update."""
        return self._posted("updates", token=token, name=name, value=value)

    def post_event(self, token: str, event: Record) -> None:
        """Post an event to the workspace's webhook, as Slack does. Raises ControlError when it was not taken."""
        self._posted("events", token=token, event=event)

    def post_whatsapp(
        self, number_id: str, kind: str, wa_id: str | None = None, *, message_id: str,
        contacts: list[Record] | None = None, more: Record | None = None,
    ) -> None:  # fmt: skip
        """Post a customer's message of that kind (see standin.meta_customers.WHATSAPP) to the number's webhook. Raises
        ControlError when it was not taken."""
        self._posted(
            "whatsapp", number_id=number_id, kind=kind, wa_id=wa_id, message_id=message_id, contacts=contacts, more=more
        )  # fmt: skip

    def post_change(self, number_id: str, field: str, value: Record) -> None:
        """As post_whatsapp, anything else that Meta tells of a number."""
        self._posted("whatsapp", number_id=number_id, field=field, value=value)

    def post_page(self, node_id: str, *items: Record) -> None:
        """Post items of `messaging` of a page or an Instagram account to the application's webhook. Raises ControlError
        when they were not taken."""
        self._posted("pages", node_id=node_id, items=list(items))

    def _posted(self, path: str, **values: Any) -> Record:
        answer = self._call("POST", path, **values)
        if answer["answered"] != 200:
            raise ControlError(f"the webhook answered {answer['answered']}")
        update: Record = answer.get("update", {})
        return update

    # What should go wrong

    def fault(self, target: str, kind: str, *, count: int | None = 1, **fields: Any) -> int:
        """Add a fault (fields: see standin.faults.Fault) for the next `count` requests that match, None until it
        is cleared. target: telegram, slack, graph, whatsapp, receiver or openai; without `method` it means the call
        that matters (see faults.DEFAULT_METHODS), with `*` every one. Returns its id."""
        return int(self._call("POST", "faults", target=target, kind=kind, count=count, **fields)["id"])

    def faults(self) -> list[Record]:
        """Those still to come."""
        return list(self._call("GET", "faults")["faults"])

    def clear(self, fault_id: int | None = None) -> None:
        """Take back one fault, or all."""
        self._call("DELETE", "faults", **({} if fault_id is None else {"id": fault_id}))

    def chat_state(
        self, chat_id: int | str, state: str, migrate_to_chat_id: int | None = None, silent_s: float | None = None
    ) -> None:
        """state: ok, blocked, kicked, deactivated, migrated (with the new id), not_found, unreachable, other_app.
        silent_s: how long ago the customer wrote."""
        self._call(
            "POST", "chats", chat_id=chat_id, state=state, migrate_to_chat_id=migrate_to_chat_id, silent_s=silent_s
        )

    def add_file(self, file_id: str, content: bytes, *, path: str, mime: str) -> None:
        """A file that a customer's message may name by its id."""
        self._call(
            "POST", "files", file_id=file_id, file_path=path, mime=mime, base64=base64.b64encode(content).decode()
        )

    def limits(self, **limits: float | bool) -> None:
        """enforced (True at first), chat_per_s, chat_burst, bot_per_s, group_per_min, context_tokens."""
        self._call("POST", "limits", **limits)

    def set_latency(
        self, first_byte_s: float = 0.0, chunk_s: float = 0.0, *, target: str = "openai", model: str | None = None
    ) -> None:
        """Seconds until an answer begins, and between streamed pieces (a whole answer takes the sum)."""
        self._call("POST", "latency", target=target, model=model, first_byte_s=first_byte_s, chunk_s=chunk_s)

    def script(self, *texts: str, model: str | None = None) -> None:
        """What the next completions say, one each, in this order."""
        self._call("POST", "script", texts=list(texts), model=model)

    def reset(self, *, keep_registrations: bool = False) -> None:
        """Forget faults, chats, limits, scripts and records; requests in flight are cut off without effect."""
        self._call("POST", "reset", keep_registrations=keep_registrations)

    # What happened

    def messages(self, chat_id: int | str | None = None, **filters: Any) -> list[Record]:
        """Telegram messages that were accepted, in order: token, chat_id, text, parse_mode, message_id, index, at."""
        return self.effects(target="telegram", kind="message", chat_id=chat_id, **filters)

    def completions(self, **filters: Any) -> list[Record]:
        """Requests for a chat completion, refused and abandoned ones too: model, messages, stream, text (None where
        none was made), outcome (open, ok, error, dropped, client_gone), fault, status."""
        return self.attempts(target="openai", method="chat.completions", **filters)

    def effects(self, **filters: Any) -> list[Record]:
        """Whatever took effect; kind: message, edit, chat_action, callback_answer, webhook, completion, embedding.
        Filters: target, kind, token, chat_id, model, key, since (an index), limit."""
        return list(self._call("GET", "effects", **filters)["items"])

    def attempts(self, **filters: Any) -> list[Record]:
        """Every request. Filters: target, method, token, chat_id, model, key, outcome, fault, since, limit."""
        return list(self._call("GET", "attempts", **filters)["items"])

    def wait_messages(
        self, count: int, chat_id: int | str | None = None, timeout_s: float = 10, **filters: Any
    ) -> list[Record]:
        """Accepted messages as soon as there are at least `count`. Raises NotReached after timeout_s."""
        return self.wait_effects(count, timeout_s, target="telegram", kind="message", chat_id=chat_id, **filters)

    def wait_effects(self, count: int, timeout_s: float = 10, **filters: Any) -> list[Record]:
        return list(self._wait("effects", count, timeout_s, filters)["items"])

    def wait_attempts(self, count: int, timeout_s: float = 10, **filters: Any) -> list[Record]:
        """Requests, counted as they arrive: with outcome="client_gone" those that were abandoned, and so on."""
        return list(self._wait("attempts", count, timeout_s, filters)["items"])

    def wait_count(self, count: int, timeout_s: float = 10, **filters: Any) -> int:
        """How many effects there are, once at least `count`; for benchmarks, which do not want the records."""
        return int(self._wait("effects", count, timeout_s, {**filters, "items": 0})["count"])

    def _wait(self, log: str, count: int, timeout_s: float, filters: Record) -> Record:
        answer = self._call("GET", "wait", timeout_s=timeout_s, log=log, count=count, **filters)
        if not answer["reached"]:
            wanted = ", ".join(f"{name}={value}" for name, value in filters.items() if value is not None)
            raise NotReached(f"{answer['count']} of {count} {log} within {timeout_s} s ({wanted})")
        return answer

    def _call(self, verb: str, path: str, **values: Any) -> Record:
        given = {name: value for name, value in values.items() if value is not None or name == "count"}
        query, body = (given, None) if verb == "GET" else (None, given)
        wait_s = ANSWER_S + float(values.get("timeout_s", 0))
        response = self._http.request(verb, path, timeout=wait_s, params=query, json=body)
        if response.status_code != 200:
            raise ControlError(f"{verb} {path}: {response.status_code} {response.text}")
        answer: Record = response.json()
        return answer
