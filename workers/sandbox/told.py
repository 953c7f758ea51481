"""Posts what platforms report afterwards: WhatsApp's statuses, Slack's events of our own messages.

Pages echo by themselves in the stand-in; Telegram and programs tell nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import httpx

from workers.local import control
from workers.sandbox import places
from workers.sandbox.bots import Bot, post

TELL_EVERY_S = 0.5


@dataclass
class Told:
    """Tells of everything that the stand-in takes, until it was heard. A context manager."""

    http: httpx.Client
    standin_url: str
    bots: Iterable[Bot]
    _since: dict[int, int] = field(default_factory=dict)
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> Told:
        self._thread = threading.Thread(target=self._run, name="told", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=10)

    def _run(self) -> None:
        while not self._stop.wait(TELL_EVERY_S):
            for bot in list(self.bots):
                if bot.platform in ("whatsapp", "slack"):
                    self._tell(bot)

    def _tell(self, bot: Bot) -> None:
        """Post reports in order, and again from the first one that was not accepted."""
        target, kind = places.target_of(bot)
        since = self._since.get(bot.channel_id, 0)
        try:
            found = control(
                self.standin_url, "GET", "effects", target=target, kind=kind, since=since, **places.filter_of(bot)
            )
            for item in found["items"]:
                if self._stop.is_set() or not self._heard(bot, item):
                    return
                self._since[bot.channel_id] = int(item["index"])
        except httpx.HTTPError:
            return

    def _heard(self, bot: Bot, item: dict[str, Any]) -> bool:
        if bot.platform == "whatsapp":
            given = {"number_id": bot.account, "message_id": item["message_id"], "status": "sent"}
            return bool(control(self.standin_url, "POST", "statuses", **given)["answered"] == 200)
        event = {
            "type": "message", "channel": item["chat_id"], "channel_type": "im", "user": places.SLACK_USER,
            "bot_id": places.SLACK_BOT, "app_id": places.SLACK_APP, "text": item["text"], "ts": item["ts"],
            "metadata": {"event_type": "switchboard_part", "event_payload": {"ref": item["ref"]}},
        }  # fmt: skip
        if item.get("thread_ts"):
            event["thread_ts"] = item["thread_ts"]
        body = places.slack_event(bot.account, f"EvOwn{item['ts']}", event)
        return post(self.http, places.signed(bot, body, int(item["index"]))) == 200
