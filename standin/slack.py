"""Slack's Web API: answers, refusals and limits as https://docs.slack.dev/reference/methods words them.

It refuses with a 200 and `ok: false`; only its rate limits are a status (429) of their own.
"""

from __future__ import annotations

import itertools
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import parse_qsl

import orjson

from standin.faults import Fault
from standin.serving import Reply, serve
from standin.wire import Exchange, Request
from standin.world import World

TEXT_MAX = 40_000
_CHANNEL = re.compile(r"[CDGU][A-Z0-9]{1,30}")
_TS = re.compile(r"\d{1,12}\.\d{1,6}")
_STATES = {"not_found": "channel_not_found", "archived": "is_archived", "not_in_channel": "not_in_channel",
           "kicked": "not_in_channel", "internal_error": "internal_error"}  # fmt: skip
_messages = itertools.count(1)

Params = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Workspace:
    """An installation of an application, with the token of its bot. webhook: where its events are posted to, signed."""

    token: str
    team_id: str
    user_id: str
    bot_id: str
    app_id: str
    team: str
    revoked: bool = False
    webhook: str | None = None
    signing_secret: str = ""


class Refused(Exception):
    """An answer with ok false; the message is Slack's word for it. retry_after: of a 429."""

    def __init__(self, error: str, retry_after: int | None = None) -> None:
        super().__init__(error)
        self.retry_after = retry_after


async def handle(world: World, exchange: Exchange) -> None:
    """One call of `/api/<method>`."""
    request = exchange.request
    method = request.path.removeprefix("/api/")
    params = _params(request)
    token = request.headers.get("authorization", "").removeprefix("Bearer ") or str((params or {}).get("token", ""))
    channel = str((params or {}).get("channel") or (params or {}).get("channel_id") or "")
    attempt = world.attempts.append(
        target="slack", method=method, token=token, chat_id=channel, text=(params or {}).get("text"), outcome="open"
    )
    await serve(world, exchange, attempt, partial(_act, world, method, token, params), _refuse)


def _params(request: Request) -> Params | None:
    """None when the body is no JSON object though it says so."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/json":
        try:
            body = orjson.loads(request.body)
        except orjson.JSONDecodeError:
            return None
        return {**request.query, **body} if isinstance(body, dict) else None
    return {**request.query, **dict(parse_qsl(request.body.decode(errors="replace"), keep_blank_values=True))}


def _act(world: World, method: str, token: str, params: Params | None, fault: Fault | None) -> Reply:
    try:
        if params is None:
            raise Refused("invalid_json")
        perform = METHODS.get(method)
        if perform is None:
            raise Refused("unknown_method")
        workspace = world.workspaces.get(token)
        if workspace is None:
            raise Refused("invalid_auth" if token else "not_authed")
        if workspace.revoked:
            raise Refused("token_revoked")
        answer = {"ok": True, **perform(world, workspace, params)}
    except Refused as refused:
        return _refusal(str(refused), refused.retry_after)
    return Reply(200, orjson.dumps(answer), latency=world.latency("slack"))


def _refusal(error: str, retry_after: int | None = None, status: int = 200) -> Reply:
    body = orjson.dumps({"ok": False, "error": error})
    if retry_after is None:
        return Reply(status, body)
    return Reply(429, body, (("retry-after", str(retry_after)),))


def _refuse(fault: Fault) -> Reply:
    if fault.status == 429:
        return _refusal("ratelimited", fault.retry_after if fault.retry_after is not None else 1)
    words = "service_unavailable" if fault.status == 503 else "fatal_error"
    return _refusal(fault.description or words, status=fault.status)


def _auth_test(world: World, workspace: Workspace, params: Params) -> Params:
    return {
        "url": f"https://{workspace.team.lower()}.slack.com/", "team": workspace.team, "user": "switchboard",
        "team_id": workspace.team_id, "user_id": workspace.user_id, "bot_id": workspace.bot_id,
        "is_enterprise_install": False,
    }  # fmt: skip


def _bots_info(world: World, workspace: Workspace, params: Params) -> Params:
    if params.get("bot") != workspace.bot_id:
        raise Refused("bot_not_found")
    bot = {"id": workspace.bot_id, "app_id": workspace.app_id, "user_id": workspace.user_id, "name": "switchboard"}
    return {"bot": {**bot, "deleted": False}}


def _conversations_info(world: World, workspace: Workspace, params: Params) -> Params:
    channel, state = _channel(params), _state(world, params)
    if state == "not_found":
        raise Refused("channel_not_found")
    direct = channel.startswith("D")
    return {
        "channel": {
            "id": channel, "name": None if direct else f"channel-{channel.lower()}", "is_im": direct,
            "is_channel": not direct, "is_member": state != "not_in_channel", "is_archived": state == "archived",
        }
    }  # fmt: skip


def _channel(params: Params, name: str = "channel") -> str:
    channel = params.get(name)
    if not isinstance(channel, str) or not _CHANNEL.fullmatch(channel):
        raise Refused("channel_not_found")
    return channel


def _state(world: World, params: Params) -> str:
    chat = world.chats.get(str(params.get("channel")))
    return chat.condition if chat else "ok"


def _post_message(world: World, workspace: Workspace, params: Params) -> Params:
    channel, thread, text = _channel(params), params.get("thread_ts"), str(params.get("text") or "")
    if (state := _state(world, params)) in _STATES:
        raise Refused(_STATES[state])
    if not text.strip():
        raise Refused("no_text")
    if thread is not None and not (isinstance(thread, str) and _TS.fullmatch(thread)):
        raise Refused("invalid_thread_ts")
    metadata = _metadata(params)
    retry_after = world.limits.take(f"slack:{workspace.token}", channel)
    if retry_after is not None:
        raise Refused("ratelimited", retry_after)
    ts, shown = f"{int(time.time())}.{next(_messages):06}", text[:TEXT_MAX]
    payload = metadata.get("event_payload", {})
    world.effects.append(
        target="slack", kind="message", token=workspace.token, chat_id=channel, thread_ts=thread, text=shown,
        ts=ts, ref=payload.get("ref"), team_id=workspace.team_id,
    )  # fmt: skip
    profile = {"id": workspace.bot_id, "app_id": workspace.app_id, "name": "switchboard", "deleted": False}
    message = {
        "type": "message", "user": workspace.user_id, "bot_id": workspace.bot_id, "app_id": workspace.app_id,
        "team": workspace.team_id, "text": shown, "ts": ts, "bot_profile": profile,
    }  # fmt: skip
    message |= {"metadata": metadata} if metadata else {}
    message |= {"thread_ts": thread} if thread else {}
    return {"channel": channel, "ts": ts, "message": message}


def _metadata(params: Params) -> Params:
    found = params.get("metadata") or {}
    if isinstance(found, str):  # as forms hold it
        try:
            found = orjson.loads(found)
        except orjson.JSONDecodeError:
            raise Refused("invalid_metadata_format") from None
    metadata: Params = found if isinstance(found, dict) else {"event_type": None}
    if metadata and not (
        isinstance(metadata.get("event_type"), str) and isinstance(metadata.get("event_payload"), dict)
    ):
        raise Refused("invalid_metadata_format")
    return metadata


def _set_status(world: World, workspace: Workspace, params: Params) -> Params:
    channel, thread = _channel(params, "channel_id"), params.get("thread_ts")
    if not channel.startswith("D") or not thread:
        raise Refused("invalid_thread_ts")
    world.effects.append(
        target="slack", kind="status", token=workspace.token, chat_id=channel, thread_ts=thread,
        text=str(params.get("status") or ""),
    )  # fmt: skip
    return {}


METHODS: dict[str, Callable[[World, Workspace, Params], Params]] = {
    "auth.test": _auth_test,
    "bots.info": _bots_info,
    "conversations.info": _conversations_info,
    "chat.postMessage": _post_message,
    "assistant.threads.setStatus": _set_status,
}
