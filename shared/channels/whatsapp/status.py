"""What became of a message of ours on WhatsApp, and what went wrong there that belongs to no message."""

from __future__ import annotations

from typing import Any

from shared.channels.fields import content_key, inner, key, number_id, written
from shared.channels.meta import errors as meta_errors
from shared.channels.whatsapp.scope import Scope, name_of
from shared.channels.whatsapp.values import identity, list_of, when
from shared.model import InboundEvent, Kind


def recipient(status: dict[str, Any], scope: Scope) -> tuple[str | None, str | None]:
    """The customer that a status speaks of, and the chat. In groups the recipient is the group."""
    user = identity(status.get("recipient_user_id"))
    older = inner(status, "message").get("recipient_id")  # as the API that one hosted oneself named it
    whom = identity(status.get("recipient_id"), older, scope.person(user).get("wa_id"), user)
    whom = whom or identity(scope.alone.get("wa_id"), scope.alone.get("user_id"))
    if status.get("recipient_type") != "group":
        return whom, whom
    return identity(status.get("recipient_participant_id"), status.get("recipient_participant_user_id")), whom


def _user_ids(status: dict[str, Any]) -> tuple[Any, ...]:
    in_group = status.get("recipient_type") == "group"
    names = ("recipient_participant_user_id",) if in_group else ("recipient_user_id", "recipient_parent_user_id")
    return tuple(status.get(name) for name in names)


_STATUSES: dict[str, tuple[Kind, str]] = {
    "sent": ("delivery", "sent"),
    "delivered": ("delivery", "delivered"),
    "failed": ("delivery", "failed"),
    "deleted": ("delivery", "deleted"),
    "read": ("read", "read"),
    "played": ("read", "read"),  # a voice note was listened to
}


def status_event(status: dict[str, Any], scope: Scope) -> InboundEvent:
    """What became of a message of ours. What it cost is not looked at."""
    named = written(status.get("status"), 32) or ""
    unknown: tuple[Kind, str | None] = ("other", None)
    kind, word = _STATUSES.get(named.lower(), unknown)
    sender, chat = recipient(status, scope)
    target = identity(status.get("id"))
    parts = ("status", target or "", named, sender or "") if sender != chat else ("status", target or "", named)
    return InboundEvent(
        kind=kind,
        reply=False,
        reason="unknown_status" if kind == "other" else kind,
        sender=sender,
        chat=chat,
        external_id=target,
        dedupe_key=key(*parts) if target and named else content_key("status", status),
        account=scope.account,
        sender_name=name_of(scope.person(sender, status.get("recipient_user_id")) or scope.alone),
        sent_at=when(status.get("timestamp")),
        targets=(target,) if target else (),
        status=word,
        meaning=_meaning(status) if word == "failed" else None,
        ref=written(status.get("biz_opaque_callback_data"), 512),
        aliases=scope.others(sender, *_user_ids(status)),
    )


def _meaning(status: dict[str, Any]) -> str:
    errors = list_of(status.get("errors"))[:1]
    code = number_id(errors[0].get("code")) if errors else None
    found = meta_errors.meaning(int(code)) if code is not None else None
    return found.word if found is not None else "not_delivered"


def error_event(item: dict[str, Any], scope: Scope) -> InboundEvent:
    """Something went wrong at WhatsApp that belongs to no message."""
    return InboundEvent(
        "other", False, "error", None, None, None, content_key("error", item), account=scope.account,
        meaning=_meaning({"errors": [item]}),
    )  # fmt: skip
