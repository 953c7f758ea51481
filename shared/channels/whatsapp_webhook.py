"""WhatsApp's webhooks → events: `entry[] × changes[] × value`, where a value holds lists of messages, statuses,
echoes, …, or is itself what happened to the account.

https://developers.facebook.com/docs/whatsapp/cloud-api/webhooks (up to 1000 updates in a request)
https://developers.facebook.com/docs/whatsapp/embedded-signup/custom-flows/onboarding-business-app-users (echoes of
the WhatsApp Business app, history)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from shared.channels import meta_errors
from shared.channels import whatsapp_message as content
from shared.channels.fields import Json, called, content_key, digits, inner, key, number_id, written
from shared.channels.whatsapp_account import account_event, group_event, preference_event, user_id_event
from shared.channels.whatsapp_message import identity, list_of, when
from shared.model import InboundEvent, Kind, Me

EVENTS_MAX = 1000
_NAMED_MAX = 2000  # contacts of one value that are looked at


@dataclass(frozen=True, slots=True)
class Scope:
    """What the events of one value share. account: our number's id. display: its digits. people: the contacts'
    entries by each of their ids. alone: the entry, where there is only one."""

    field: str
    account: str | None
    display: frozenset[str]
    people: dict[str, dict[str, Any]]
    alone: dict[str, Any]

    def person(self, *ids: Any) -> dict[str, Any]:
        known = (self.people[found] for each in ids if (found := identity(each)) in self.people)
        return next(known, {})


def parse(body: Json, me: Me) -> list[InboundEvent]:
    """All events of a request, at least one, in order. Never raises on a JSON object."""
    events = list(islice(_events(body, me), EVENTS_MAX + 1))
    if len(events) > EVENTS_MAX:  # nobody real sends so many; the raw body is kept
        events[EVENTS_MAX - 1 :] = [_nothing("too_many_events", content_key("too_many", dict(body)))]
    return events or [_nothing("unknown_update", content_key("unknown", dict(body)))]


def shard_key(body: Json) -> str:
    """The chat of the first message, status or echo."""
    for field, value, _ in islice(_values(body), 1):
        scope = _scope(field, value, Me())
        for name in ("messages", "statuses", "message_echoes", "smb_message_echoes"):
            for item in list_of(value.get(name))[:1]:
                group = identity(item.get("group_id"))
                if name == "messages":
                    return group or _customer(item, scope) or ""
                if name == "statuses":
                    return _recipient(item, scope)[1] or ""
                return group or _addressee(item, scope) or ""
    return ""


def _nothing(reason: str, dedupe_key: str) -> InboundEvent:
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
        scope = _scope(field, value, me)
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


def _scope(field: str, value: dict[str, Any], me: Me) -> Scope:
    metadata = inner(value, "metadata")
    contacts = list_of(value.get("contacts"))[:_NAMED_MAX]
    people: dict[str, dict[str, Any]] = {}
    for person in contacts:
        for each in (person.get("wa_id"), person.get("user_id"), person.get("parent_user_id")):
            if (found := identity(each)) is not None:
                people.setdefault(found, person)
    ours = (digits(metadata.get("display_phone_number")), digits(me.handle))
    return Scope(
        field=field,
        account=identity(metadata.get("phone_number_id"), value.get("phone_number_id")),
        display=frozenset(number for number in ours if number),
        people=people,
        alone=contacts[0] if len(contacts) == 1 else {},
    )


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


def _name_of(person: dict[str, Any]) -> str | None:
    profile = inner(person, "profile")
    return called(profile.get("name")) or called(profile.get("username")) or called(person.get("username"))


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
        sender_name=_name_of(person),
        sent_at=when(message.get("timestamp")),
        reply_to=identity(inner(message, "context").get("id"), inner(message, "context").get("message_id")),
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
        attachments=content.attachments(message),
        payload=content.payload(message),
    )


def _forbidden(event: InboundEvent, message: dict[str, Any], group: str | None, scope: Scope) -> str | None:
    """Why the bot must not answer."""
    if event.sender is None:
        return "no_sender"
    if event.sender.isdigit() and event.sender in scope.display:
        return "echo"
    if scope.field == "standby":
        return "standby"
    if event.text is None and not event.attachments:
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
    target, emoji = identity(value.get("message_id")), content.unescaped(value.get("emoji"), 64)
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


def _recipient(status: dict[str, Any], scope: Scope) -> tuple[str | None, str | None]:
    """The customer that a status speaks of, and the chat. In groups the recipient is the group."""
    user = identity(status.get("recipient_user_id"))
    older = inner(status, "message").get("recipient_id")  # as the API that one hosted oneself named it
    whom = identity(status.get("recipient_id"), older, scope.person(user).get("wa_id"), user)
    whom = whom or identity(scope.alone.get("wa_id"), scope.alone.get("user_id"))
    if status.get("recipient_type") != "group":
        return whom, whom
    return identity(status.get("recipient_participant_id"), status.get("recipient_participant_user_id")), whom


_STATUSES: dict[str, tuple[Kind, str]] = {
    "sent": ("delivery", "sent"),
    "delivered": ("delivery", "delivered"),
    "failed": ("delivery", "failed"),
    "deleted": ("delivery", "deleted"),
    "read": ("read", "read"),
    "played": ("read", "read"),  # a voice note was listened to
}


def _status(status: dict[str, Any], scope: Scope) -> InboundEvent:
    """What became of a message of ours. What it cost is not looked at."""
    named = written(status.get("status"), 32) or ""
    unknown: tuple[Kind, str | None] = ("other", None)
    kind, word = _STATUSES.get(named.lower(), unknown)
    sender, chat = _recipient(status, scope)
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
        sender_name=_name_of(scope.person(sender, status.get("recipient_user_id")) or scope.alone),
        sent_at=when(status.get("timestamp")),
        targets=(target,) if target else (),
        status=word,
        meaning=_meaning(status) if word == "failed" else None,
        ref=written(status.get("biz_opaque_callback_data"), 512),
    )


def _meaning(status: dict[str, Any]) -> str:
    errors = list_of(status.get("errors"))[:1]
    code = number_id(errors[0].get("code")) if errors else None
    found = meta_errors.meaning(int(code)) if code is not None else None
    return found.word if found is not None else "not_delivered"


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
        ref=written(echo.get("biz_opaque_callback_data"), 512),
    )


def _plain(name: str, reason: str) -> Callable[[dict[str, Any], Scope], InboundEvent]:
    """What only counts."""

    def read(item: dict[str, Any], scope: Scope) -> InboundEvent:
        chat = identity(item.get("from"), item.get("wa_id"), item.get("user_id"))
        return replace(_nothing(reason, content_key(name, item)), account=scope.account, sender=chat, chat=chat)

    return read


def _error(item: dict[str, Any], scope: Scope) -> InboundEvent:
    """Something went wrong at WhatsApp that belongs to no message."""
    found = _nothing("error", content_key("error", item))
    return replace(found, account=scope.account, meaning=_meaning({"errors": [item]}))


LISTS: dict[str, Callable[[dict[str, Any], Scope], InboundEvent]] = {
    "messages": _message,
    "statuses": _status,
    "message_echoes": _echo,
    "smb_message_echoes": _echo,
    "groups": lambda item, scope: group_event(item, scope.account),
    "user_preferences": lambda item, scope: preference_event(item, scope.account),
    "user_id_update": lambda item, scope: user_id_event(item, scope.account),
    "calls": _plain("call", "call"),
    "history": _plain("history", "history"),
    "state_sync": _plain("state_sync", "contact_sync"),
    "errors": _error,
}
