"""WhatsApp's webhooks → events: `entry[] × changes[] × value`, where a value holds lists of messages, statuses,
echoes, …, or is itself what happened to the account.

https://developers.facebook.com/docs/whatsapp/cloud-api/webhooks (up to 1000 updates in a request)
https://developers.facebook.com/docs/whatsapp/embedded-signup/custom-flows/onboarding-business-app-users (echoes of
the WhatsApp Business app, history)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice
from typing import Any

from shared.channels.fields import Json, content_key, digits, inner, key, written
from shared.channels.whatsapp import message as content
from shared.channels.whatsapp.account import account_event, group_event, preference_event, user_id_event
from shared.channels.whatsapp.scope import Scope, name_of, scope_of
from shared.channels.whatsapp.status import error_event, recipient, status_event
from shared.channels.whatsapp.values import identity, list_of, unescaped, when
from shared.model import InboundEvent, Me, Reason

EVENTS_MAX = 1000


def parse(body: Json, me: Me) -> list[InboundEvent]:
    """All events of a request, at least one, in order. Never raises on a JSON object."""
    events = list(islice(_events(body, me), EVENTS_MAX + 1))
    if len(events) > EVENTS_MAX:  # nobody real sends so many; the raw body is kept
        events[EVENTS_MAX - 1 :] = [_nothing("too_many_events", content_key("too_many", dict(body)))]
    return events or [_nothing("unknown_update", content_key("unknown", dict(body)))]


def shard_key(body: Json) -> str:
    """The chat of the first message, status or echo."""
    for field, value, _ in islice(_values(body), 1):
        scope = scope_of(field, value, Me())
        for name in ("messages", "statuses", "message_echoes", "smb_message_echoes"):
            for item in list_of(value.get(name))[:1]:
                group = identity(item.get("group_id"))
                if name == "messages":
                    return group or _customer(item, scope) or ""
                if name == "statuses":
                    return recipient(item, scope)[1] or ""
                return group or _addressee(item, scope) or ""
    return ""


def _nothing(reason: Reason, dedupe_key: str) -> InboundEvent:
    return InboundEvent("other", False, reason, None, None, None, dedupe_key)


def _values(body: Json) -> Iterator[tuple[str, dict[str, Any], str | None]]:
    """Each change's field and value, and the business account's id. A change or a value alone counts too: the
    dashboard's test button sends the one, and some who pass webhooks on send the other."""
    for entry in list_of(body.get("entry")):
        for change in list_of(entry.get("changes")):
            yield _field(change), inner(change, "value"), identity(entry.get("id"))
    if "entry" not in body and isinstance(body.get("value"), dict):
        yield _field(body), inner(body, "value"), None
    elif "entry" not in body and any(name in body for name in LISTS):
        yield "", dict(body), None


def _field(change: Json) -> str:
    named = change.get("field")
    return (written(named, 64) or "") if isinstance(named, str) else ""


def _events(body: Json, me: Me) -> Iterator[InboundEvent]:
    for field, value, held_by in _values(body):
        scope = scope_of(field, value, me)
        for event in _of_value(field, value, scope):
            yield event if event.account is not None else replace(event, business_account=held_by)


def _of_value(field: str, value: dict[str, Any], scope: Scope) -> Iterator[InboundEvent]:
    found = False
    for name, read in LISTS.items():
        for item in list_of(value.get(name)):
            found = True
            yield read(item, scope)
    if not found:
        yield account_event(field, value, scope.account)


def _customer(message: dict[str, Any], scope: Scope) -> str | None:
    """Who wrote: the number, else the number that goes with the business-scoped user id, else that id. System messages
    name the one who changed."""
    user = message.get("from_user_id")
    named = identity(message.get("from"), scope.person(user).get("wa_id"), user)
    if named is not None:
        return named
    system = inner(message, "system")
    return identity(
        system.get("customer"), scope.alone.get("wa_id"), scope.alone.get("user_id"), system.get("wa_id"),
        system.get("user_id"),
    )  # fmt: skip


def _message(message: dict[str, Any], scope: Scope) -> InboundEvent:
    sender = _customer(message, scope)
    group = identity(message.get("group_id"))
    person = scope.person(sender, message.get("from_user_id")) or scope.alone
    own_id = identity(message.get("id"))
    event = InboundEvent(
        kind="message",
        reply=True,
        reason=None,
        sender=sender,
        chat=group or sender,
        external_id=own_id,
        dedupe_key=key("message", own_id) if own_id else content_key("message", message),
        account=scope.account,
        sender_name=name_of(person),
        sent_at=when(message.get("timestamp")),
        reply_to=identity(inner(message, "context").get("id"), inner(message, "context").get("message_id")),
        aliases=scope.others(sender, message.get("from_user_id"), message.get("from_parent_user_id")),
    )
    kind = content.kind_of(message)
    if kind in _CHANGES:
        return _CHANGES[kind](event, message)
    event = _with_content(event, message)
    reason = _forbidden(event, message, group, scope)
    if reason == "no_content" and inner(message, "referral"):
        return replace(event, kind="referral", reply=False, reason="referral")
    if reason == "echo":
        return replace(event, kind="echo", reply=False, reason=reason)
    return replace(event, reply=reason is None, reason=reason)


def _with_content(event: InboundEvent, message: dict[str, Any]) -> InboundEvent:
    return replace(
        event,
        text=content.text(message),
        referral=content.referred(message),
        attachments=content.attachments(message),
        payload=content.payload(message),
    )


def _forbidden(event: InboundEvent, message: dict[str, Any], group: str | None, scope: Scope) -> Reason | None:
    """Why the bot must not answer."""
    if event.sender is None:
        return "no_sender"
    if event.sender.isdigit() and event.sender in scope.display:
        return "echo"
    if scope.field == "standby":
        return "standby"
    if event.text is None and all(one.type in ("ad", "product") for one in event.attachments):
        return "no_content"
    if group is not None and not _addressed(event, message, scope):
        return "group_without_mention"
    return None


def _addressed(event: InboundEvent, message: dict[str, Any], scope: Scope) -> bool:
    """In a group: an answer to a message of ours, or our number mentioned."""
    if digits(inner(message, "context").get("from")) in scope.display:
        return True
    return any(f"@{number}" in (event.text or "") for number in scope.display)


def _edited(event: InboundEvent, message: dict[str, Any]) -> InboundEvent:
    value = inner(message, "edit")
    edited = inner(value, "message")
    target = identity(value.get("original_message_id"), value.get("message_id"))
    quoted = identity(inner(edited, "context").get("id"))
    event = _with_content(event, edited)
    return replace(
        event, kind="edited", reply=False, reason="edited", targets=(target,) if target else (),
        reply_to=quoted or event.reply_to,
    )  # fmt: skip


def _deleted(event: InboundEvent, message: dict[str, Any]) -> InboundEvent:
    value = inner(message, "revoke")
    target = identity(value.get("original_message_id"), value.get("message_id"))
    return replace(event, kind="deleted", reply=False, reason="deleted", targets=(target,) if target else ())


def _reaction(event: InboundEvent, message: dict[str, Any]) -> InboundEvent:
    value = inner(message, "reaction")
    target, emoji = identity(value.get("message_id")), unescaped(value.get("emoji"), 64)
    return replace(
        event, kind="reaction", reply=False, reason="reaction", text=emoji, targets=(target,) if target else (),
        status="added" if emoji else "removed",
    )  # fmt: skip


def _system(event: InboundEvent, message: dict[str, Any]) -> InboundEvent:
    """`user_changed_number` moves the chat to another number; other news have no effect."""
    value = inner(message, "system")
    moved_to = identity(value.get("wa_id"), value.get("new_wa_id"))
    elsewhere = moved_to if moved_to != event.chat and value.get("type") != "customer_identity_changed" else None
    return replace(
        event, kind="other", reply=False, reason="service_message", text=written(value.get("body")),
        migrated_to=elsewhere,
    )  # fmt: skip


def _welcome(event: InboundEvent, message: dict[str, Any]) -> InboundEvent:
    """Somebody opened the chat and has written nothing yet."""
    return replace(event, kind="optin", reply=False, reason="optin", status="request_welcome")


_CHANGES: dict[str, Callable[[InboundEvent, dict[str, Any]], InboundEvent]] = {
    "edit": _edited,
    "revoke": _deleted,
    "reaction": _reaction,
    "system": _system,
    "request_welcome": _welcome,
}


def _addressee(echo: dict[str, Any], scope: Scope) -> str | None:
    """The customer on the other side of what was sent in our name."""
    if digits(echo.get("to")) in scope.display and digits(echo.get("from")) not in scope.display:
        return identity(echo.get("from"))
    user = echo.get("to_user_id")
    named = identity(echo.get("to"), scope.person(user).get("wa_id"), user)
    return named or identity(scope.alone.get("wa_id"), scope.alone.get("user_id"))


def _echo(echo: dict[str, Any], scope: Scope) -> InboundEvent:
    """A person wrote by the WhatsApp Business app, or changed what they had written: `edited`, `deleted` in status."""
    customer = _addressee(echo, scope)
    swapped = customer is not None and customer == identity(echo.get("from"))
    event = _message({**echo, "referral": None}, scope)
    made = _with_content(event, echo) if event.kind in ("echo", "message") else event
    status = event.kind if event.kind in ("edited", "deleted", "reaction") else None
    own_id = event.external_id
    return replace(
        made,
        kind="echo",
        reply=False,
        reason="echo",
        sender=identity(echo.get("to") if swapped else echo.get("from")) or scope.account,
        chat=identity(echo.get("group_id")) or customer,
        dedupe_key=key("echo", own_id) if own_id else content_key("echo", echo),
        sender_name=None,
        status=status,
        migrated_to=None,
        aliases=scope.others(customer, echo.get("to_user_id")),
        ref=written(echo.get("biz_opaque_callback_data"), 512),
    )


def _plain(name: str, reason: Reason) -> Callable[[dict[str, Any], Scope], InboundEvent]:
    """What only counts."""

    def read(item: dict[str, Any], scope: Scope) -> InboundEvent:
        chat = identity(item.get("from"), item.get("wa_id"), item.get("user_id"))
        return replace(_nothing(reason, content_key(name, item)), account=scope.account, sender=chat, chat=chat)

    return read


LISTS: dict[str, Callable[[dict[str, Any], Scope], InboundEvent]] = {
    "messages": _message,
    "statuses": status_event,
    "message_echoes": _echo,
    "smb_message_echoes": _echo,
    "groups": lambda item, scope: group_event(item, scope.account),
    "user_preferences": lambda item, scope: preference_event(item, scope.account),
    "user_id_update": lambda item, scope: user_id_event(item, scope.account),
    "calls": _plain("call", "call"),
    "history": _plain("history", "history"),
    "state_sync": _plain("state_sync", "contact_sync"),
    "errors": error_event,
}
