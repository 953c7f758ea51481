"""A platform whose bodies are lists of events, for trying what events do whatever platform they come from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

from shared.channels.telegram.platform import Telegram
from shared.model import Attachment, InboundEvent, Me
from tasks.inbound.batch import Stored
from tasks.inbound.drain import Drain
from tests.factories import Bot, Inbox

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


class Scripted(Telegram):
    """Sends as Telegram does; reads `{"events": [...]}` as they are."""

    def parse(self, body: Mapping[str, Any], me: Me) -> list[InboundEvent]:
        return [_event(one) for one in body["events"]] if "events" in body else super().parse(body, me)


def _event(fields: dict[str, Any]) -> InboundEvent:
    times = {name: datetime.fromisoformat(fields[name]) for name in ("sent_at", "until") if fields.get(name)}
    attachments = tuple(Attachment.from_json(one) for one in fields.get("attachments", ()))
    return InboundEvent(**{**fields, **times, "attachments": attachments, "targets": tuple(fields["targets"])})


def event(kind: str, text: str | None = None, *, chat: str | None = "5", at_s: float = 0, **more: Any) -> InboundEvent:
    """One event of a chat, `at_s` seconds after noon. Its key is made of what it says."""
    fields: dict[str, Any] = {"kind": kind, "reply": kind == "message", "reason": None if kind == "message" else kind,
                              "sender": chat, "chat": chat, "external_id": None, "text": text,
                              "sent_at": NOON + timedelta(seconds=at_s), **more}  # fmt: skip
    name = f"{kind}:{chat}:{fields['external_id']}:{more.get('targets')}:{text}:{at_s}:{more.get('status')}"
    fields.setdefault("dedupe_key", name)
    return InboundEvent(**fields)


def message(text: str, external_id: str, **more: Any) -> InboundEvent:
    return event("message", text, external_id=external_id, **more)


def receive(inbox: Inbox, bot: Bot, *events: InboundEvent, key: str = "5") -> Stored:
    """One request with these events, stored."""
    post(inbox, bot, *events, key=key)
    return inbox.drain_all()


def post(inbox: Inbox, bot: Bot, *events: InboundEvent, key: str = "5") -> str:
    body = json.dumps({"events": [asdict(one) for one in events]}, default=datetime.isoformat)
    return inbox.journal(bot, body.encode(), key=key)


def speak(inbox: Inbox) -> None:
    """From now on the inbox reads scripted bodies."""
    inbox.drain = Drain(inbox.db, inbox.reader, {"telegram": Scripted()}, inbox.settings)
