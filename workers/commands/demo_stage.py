"""Plays one scene of the demo: webhooks go in, the answer is awaited at the stand-in and compared with the rows."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import click
import httpx
import psycopg

from shared.store.answers import receipts
from shared.store.db.redis import connect
from shared.store.inbound import balance
from shared.store.inbound.journal import Reader
from shared.store.inbox import conversation_list
from workers.local import System, control
from workers.sandbox.bots import private_message

ANSWER_WITHIN_S = 60.0
REST_WITHIN_S = 60.0
"""Bounds for a machine that is busy with other things; on an idle one each takes a second or less."""


@dataclass(frozen=True, slots=True)
class Scene:
    """One customer and what should become of it. cites: a title that the answer must point at."""

    chat: int
    says: tuple[str, ...]
    step: str
    cites: str | None = None


@dataclass(slots=True)
class Stage:
    system: System
    owner: psycopg.Connection
    http: httpx.Client
    failures: list[str] = field(default_factory=list)
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(10_000))

    def expect(self, promise: str, held: bool) -> None:
        if not held:
            self.failures.append(promise)

    def update(self, chat: int, text: str) -> dict[str, Any]:
        """A Telegram update as the platform posts it."""
        return private_message(next(self._numbers), chat, text)

    def post(self, body: dict[str, Any], secret: str | None = None) -> int:
        headers = {"x-telegram-bot-api-secret-token": secret or self.system.webhook_secret}
        return self.http.post(self.system.webhook_url, json=body, headers=headers).status_code

    def arrived(self, chat: int, count: int = 1) -> list[dict[str, Any]]:
        """The bot's messages in a chat, as soon as there are so many."""
        assert self.system.standin_url is not None
        answer = control(
            self.system.standin_url, "GET", "wait",
            target="telegram", kind="message", chat_id=chat, count=count, timeout_s=ANSWER_WITHIN_S,
        )  # fmt: skip
        return list(answer["items"])

    def play(self, scene: Scene) -> None:
        for text in scene.says:
            status = self.post(self.update(scene.chat, text))
            self.expect(f"the webhook of chat {scene.chat} is accepted (got {status})", status == 200)

    def check(self, scene: Scene) -> None:
        """The answer arrived once, came from the right step, and cites what the key names."""
        messages = self.arrived(scene.chat)
        self.wait(lambda found: found.at_rest)  # so that the time of the send is written down
        listed = self.conversation(scene.chat)
        found = receipts.of_conversation(self.owner, self.system.company_id, listed.id) if listed else []
        self.expect(f"chat {scene.chat} got one reply (got {len(messages)})", len(messages) == 1)
        self.expect(f"chat {scene.chat} has one receipt (has {len(found)})", len(found) == 1)
        if not (messages and found and listed):
            return
        receipt = found[0]
        titles = [citation["title"] for citation in receipt["citations"]]
        self.expect(
            f"chat {scene.chat} answered by step {scene.step} (got {receipt['step']})", receipt["step"] == scene.step
        )
        if scene.cites is not None:
            cited = any(scene.cites in title for title in titles)
            self.expect(f"chat {scene.chat} cites {scene.cites!r} (got {titles})", cited)
        self.expect(f"chat {scene.chat} counts its unread", listed.unread == len(scene.says))
        _print(self.system.company_id, scene, messages[0]["text"], titles, listed, receipt)

    def conversation(self, chat: int) -> conversation_list.Listed | None:
        rows = conversation_list.recent(self.owner, self.system.company_id)
        return next((row for row in rows if row.chat == str(chat)), None)

    def rest(self) -> None:
        """Wait until nothing is under way."""
        self.wait(lambda found: found.at_rest)

    def wait(self, enough: Callable[[balance.Balance], bool]) -> balance.Balance:
        """The balance as soon as it is as wanted, or as it is when the time is over."""
        ends_at = time.monotonic() + REST_WITHIN_S
        while True:
            found = self.balance()
            if enough(found) or time.monotonic() > ends_at:
                return found
            time.sleep(0.1)

    def balance(self) -> balance.Balance:
        config = self.system.settings
        return balance.take(self.owner, Reader(connect(config.need("JOURNAL_URL")), config.journal.shards))


def _print(
    company_id: int, scene: Scene, answer: str, titles: list[str], listed: conversation_list.Listed,
    receipt: dict[str, Any],
) -> None:  # fmt: skip
    click.echo(f"\n── conversation {company_id}/{listed.id} " + "─" * 60)
    for text in scene.says:
        click.echo(f"customer  {text}")
    click.echo("answer    " + answer.replace("\n", "\n          "))
    click.echo("sources   " + ("; ".join(dict.fromkeys(titles)) or "none"))
    ms = receipt["ms"]
    stages = ("waited", "gather", "embed", "search", "model", "total", "send")
    click.echo("time      " + ", ".join(f"{stage} {ms[stage]} ms" for stage in stages if ms.get(stage) is not None))
    click.echo(f"step      {receipt['step']} ({receipt['reason']})   unread {listed.unread}")
