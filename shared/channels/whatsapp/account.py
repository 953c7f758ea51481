"""What WhatsApp's webhooks say of accounts, groups and people rather than of messages.

https://developers.facebook.com/docs/whatsapp/cloud-api/webhooks/reference/account_update and its neighbours
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from shared.channels.fields import content_key, digits, inner, written
from shared.channels.whatsapp.values import identity, list_of, when
from shared.model import InboundEvent, Kind, Reason

# What a person should hear of: the value's `event` → a word for it.
_MEANINGS = {
    "ACCOUNT_RESTRICTION": "account_restricted",
    "ACCOUNT_VIOLATION": "policy",
    "ACCOUNT_DELETED": "account_deleted",
    "ACCOUNT_OFFBOARDED": "account_deleted",
    "PARTNER_REMOVED": "access_removed",
    "PARTNER_APP_UNINSTALLED": "access_removed",
    "PIN_CHANGED": "security",
    "PIN_RESET_REQUEST": "security",
    "FLAGGED": "quality_low",
    "UNFLAGGED": "quality_restored",
    "DOWNGRADE": "limit_lowered",
    "UPGRADE": "limit_raised",
}
_OF_TEMPLATES = {
    "REJECTED": "template_rejected",
    "PAUSED": "template_paused",
    "DISABLED": "template_disabled",
    "FLAGGED": "template_quality_low",
}
_BANS = {"REINSTATE": "account_reinstated", "SCHEDULE_FOR_DISABLE": "account_disable_scheduled"}
_HANDOVERS = {
    "pass_thread_control": "pass", "control_passed": "pass", "request_thread_control": "request",
    "control_requested": "request", "take_thread_control": "take", "control_taken": "take", "app_roles": "app_roles",
}  # fmt: skip


def account_event(field: str, value: dict[str, Any], account: str | None) -> InboundEvent:
    """A change without messages: news of the account, its numbers and its templates. status: the field's name."""
    event_key = content_key(f"account:{field[:40]}", value)
    if field == "messaging_handovers":
        passed = next((word for name, word in _HANDOVERS.items() if name in value), None)
        whom = identity(inner(value, "sender").get("phone_number"), value.get("from"), value.get("wa_id"))
        return InboundEvent(
            "handover", False, "handover", whom, whom, None, event_key, account=account, status=passed,
            sent_at=when(value.get("timestamp")),
        )  # fmt: skip
    if field in ("", "messages", "standby", "smb_message_echoes", "message_echoes"):
        return InboundEvent("other", False, "unknown_update", None, None, None, event_key, account=account)
    said = written(value.get("event"), 64) or ""
    return InboundEvent(
        "account", False, "account", None, None, None, event_key, account=account, status=field,
        meaning=_meaning(field, said, value), sent_at=when(value.get("timestamp")),
        number=digits(value.get("display_phone_number")) or digits(value.get("phone_number")),
    )  # fmt: skip


def _meaning(field: str, said: str, value: dict[str, Any]) -> str | None:
    if field.startswith("message_template_"):
        low = value.get("new_quality_score") == "RED"
        return "template_quality_low" if low else _OF_TEMPLATES.get(said)
    if field == "account_alerts":
        return "account_alert"
    if value.get("decision") == "REJECTED":
        return "name_rejected" if field == "phone_number_name_update" else "account_review_rejected"
    if said == "DISABLED_UPDATE":
        ban = written(inner(value, "ban_info").get("waba_ban_state"), 64) or ""
        return _BANS.get(ban, "account_disabled")
    return _MEANINGS.get(said)


def group_event(item: dict[str, Any], account: str | None) -> InboundEvent:
    """Somebody joined, left or asked to; a group was made, changed or deleted."""
    named = next(
        (found for name in ("added_participants", "removed_participants") if (found := list_of(item.get(name)))), [item]
    )
    person = named[0] if len(named) == 1 else {}
    return InboundEvent(
        "other", False, "membership",
        sender=identity(person.get("wa_id"), person.get("user_id"), person.get("input")),
        chat=identity(item.get("group_id")), external_id=None, dedupe_key=content_key("group", item),
        account=account, sent_at=when(item.get("timestamp")),
    )  # fmt: skip


def preference_event(item: dict[str, Any], account: str | None) -> InboundEvent:
    """A customer wants our marketing no more (`stop`), or again (`resume`)."""
    return _about_person("optin", "optin", item, account, written(item.get("value"), 32))


def user_id_event(item: dict[str, Any], account: str | None) -> InboundEvent:
    """A customer's business-scoped user id changed. Where it was all that we knew, the chat moves to the new one."""
    ids = inner(item, "user_id")
    before, now = identity(ids.get("previous")), identity(ids.get("current"))
    number = identity(item.get("wa_id"))
    known = {**item, "user_id": before or now}
    event = _about_person("account", "account", known, account, "user_id_update")
    if number is not None or before is None or now is None:
        return event
    return replace(event, migrated_to=now)


def _about_person(
    kind: Kind, reason: Reason, item: dict[str, Any], account: str | None, status: str | None
) -> InboundEvent:
    whom, user = identity(item.get("wa_id"), item.get("user_id")), identity(item.get("user_id"))
    return InboundEvent(
        kind, False, reason, whom, whom, None, content_key(reason, item), account=account, status=status,
        sent_at=when(item.get("timestamp")), aliases=(user,) if user not in (None, whom) else (),
    )  # fmt: skip
