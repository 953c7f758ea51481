"""Messages of other programs, as Standard Webhooks → events: one a body.

The specification leaves to the parties what a webhook is about. This is what we take:

    {"type": "message.received",            also message.edited, message.deleted
     "timestamp": "2026-03-01T09:30:00Z",   when it was written (ISO 8601, or seconds since 1970)
     "data": {
        "id": "m-17",                        the message's name in that program (wanted for edits and replies)
        "conversation": "order-4711",        where the answer belongs; without it the sender's id
        "sender": {"id": "ada", "name": "Ada Byron", "language": "en"},      or only the id, as text
        "text": "When do you open?",
        "reply_to": "m-12",
        "attachments": [{"type": "image", "url": "https://…", "name": "a.png", "mime": "image/png", "size": 4711}]}}

What has come before is told by the header webhook-id, which the specification makes the key for that: it is stored
beside the body and names the event (see InboundEvent.dedupe_key in tasks/inbound/intake.py). `data.id` does so only
for a body without its headers; a program that sends "yes" twice means it, and need not name its messages.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from shared.channels.fields import Json, bounded, called, content_key, inner, key, language, moment, opaque_id, written
from shared.model import Attachment, InboundEvent, Kind, Reason, read_ref

ID_LIMIT = 256
_ATTACHMENTS_MAX = 100
_KINDS: dict[str, Kind] = {
    "message.received": "message",
    "message.edited": "edited",
    "message.updated": "edited",
    "message.deleted": "deleted",
}


def parse(body: Json) -> list[InboundEvent]:
    """The one event of a body of any shape."""
    named, data = body.get("type"), inner(body, "data")
    kind = _KINDS.get(named) if isinstance(named, str) else None
    if kind is None:
        return [_other(body, "unknown_type" if isinstance(named, str) and named else "malformed")]
    sender, chat = sender_of(data), conversation_of(data)
    text = written(data.get("text")) if kind != "deleted" else None
    attachments = _attachments(data.get("attachments")) if kind == "message" else ()
    message_id = _id(data.get("id"))
    if kind == "message" and text is None and not attachments:
        # a thin payload wants to be asked for the rest, of a program whose interface we do not know
        return [_other(body, "thin_payload" if set(data) <= {"id"} else "no_content")]
    ours = read_ref(message_id) is not None  # a program that hands on whatever was said would have us answer ourselves
    if kind == "message" and ours:
        kind = "echo"
    reason: Reason | None = _forbidden(sender, chat) if kind == "message" else kind
    return [
        InboundEvent(
            kind=kind,
            reply=reason is None,
            reason=reason,
            sender=sender,
            chat=chat,
            external_id=message_id,
            dedupe_key=_key(kind, chat, message_id, body),
            text=text,
            attachments=attachments,
            reply_to=_id(data.get("reply_to")),
            sender_name=called(inner(data, "sender").get("name")),
            language=language(inner(data, "sender").get("language")),
            sent_at=when(body.get("timestamp")),
            targets=(message_id,) if kind in ("edited", "deleted") and message_id is not None else (),
            ref=message_id if ours else None,
        )
    ]


def conversation_of(data: Json) -> str | None:
    return _id(data.get("conversation")) or _id(inner(data, "conversation").get("id")) or _sender_id(data)


def sender_of(data: Json) -> str | None:
    """Whoever wrote it; in a conversation of a program that names nobody, the conversation itself."""
    return _sender_id(data) or _id(data.get("conversation")) or _id(inner(data, "conversation").get("id"))


def _sender_id(data: Json) -> str | None:
    return _id(data.get("sender")) or _id(inner(data, "sender").get("id"))


def _id(value: Any) -> str | None:
    return bounded(opaque_id(value), ID_LIMIT)


def _forbidden(sender: str | None, chat: str | None) -> Reason | None:
    if sender is None:
        return "no_sender"
    return None if chat is not None else "no_chat"


def _key(kind: Kind, chat: str | None, message_id: str | None, body: Json) -> str:
    if kind == "message" and chat is not None and message_id is not None:
        return key("message", chat, message_id)
    return content_key(kind, dict(body))  # the same message may be edited twice


def _other(body: Json, reason: Reason) -> InboundEvent:
    external_id = _id(inner(body, "data").get("id"))
    name = content_key("other", dict(body))
    return InboundEvent(
        "other", False, reason, None, None, external_id, name, sent_at=when(body.get("timestamp"))
    )  # fmt: skip


def when(value: Any) -> datetime | None:
    """A time in ISO 8601 (UTC where it names no zone) or in seconds since 1970."""
    if not isinstance(value, str):
        return moment(value)
    try:
        found = datetime.fromisoformat(value.strip()) if len(value) <= 64 else None
        return None if found is None else found.replace(tzinfo=found.tzinfo or UTC).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _attachments(listed: Any) -> tuple[Attachment, ...]:
    found = [one for one in listed[:_ATTACHMENTS_MAX] if isinstance(one, dict)] if isinstance(listed, list) else []
    return tuple(_attachment(one) for one in found)


def _attachment(value: Json) -> Attachment:
    size = value.get("size")
    return Attachment(
        type=written(value.get("type"), 64) or "file",
        id=bounded(opaque_id(value.get("id"))),
        url=bounded(written(value.get("url"), 4096), 2048),
        mime=written(value.get("mime"), 128),
        name=written(value.get("name"), 255),
        size_bytes=size if type(size) is int and 0 <= size < 2**63 else None,
    )
