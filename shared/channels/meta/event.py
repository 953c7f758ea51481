"""One event of `messaging` or `standby`, by Messenger or Instagram → our events.

It has a sender, a recipient, a time, and one thing that happened under its name. One that holds several is read as
one event for each. One that holds nothing known is an event of kind `other`.
https://developers.facebook.com/docs/messenger-platform/reference/webhook-events
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from shared.channels.fields import KEY_LIMIT, bounded, content_key, inner, key, moment, number_id, opaque_id, written
from shared.channels.meta import message as content
from shared.model import InboundEvent, Kind, Me, Reason

GUEST = "user_ref:"
"""Begins the chat of somebody who has no id yet: a guest of the chat or checkbox on a page."""

TARGETS_MAX = 1000
_MILLISECONDS = (1e11, 1e16)  # the lower bound, as seconds, is the year 5138


@dataclass(frozen=True, slots=True)
class Parties:
    """Who it is between. us: our page's or account's id. customer: the other's id. chat: where an answer goes.
    from_us: we, or somebody in our name, caused it."""

    us: str | None
    customer: str | None
    chat: str | None
    from_us: bool


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that happened. value: what stands under its name. time: its timestamp as it was written. standby:
    another application has the thread."""

    value: dict[str, Any]
    parties: Parties
    time: str | None
    sent_at: datetime | None
    standby: bool

    def fallback_key(self, name: str) -> str:
        """For what has no id."""
        return content_key(name, [self.value, self.parties.us, self.parties.chat, self.time])


def parties(item: dict[str, Any], entry_id: str | None, me: Me) -> Parties:
    """Who is who. The entry's id is ours, except in tests from a dashboard, where it is 0."""
    sender, recipient = _party(item.get("sender")), _party(item.get("recipient"))
    echo = content.flag(inner(item, "message").get("is_echo"))
    ours = next((one for one in (entry_id, me.external_id) if one is not None and one in (sender, recipient)), None)
    if ours is None:
        ours = (sender if echo else recipient) or entry_id
    other_way = sender is not None and sender == ours
    customer = recipient if other_way else sender
    named = item.get("recipient" if other_way else "sender")
    chat = customer
    if customer is None:  # a guest, in an echo too
        customer = _guest(named) or _guest(item.get("optin"))
        chat = f"{GUEST}{customer}" if customer else None
    return Parties(ours, customer, chat, other_way or echo)


def _party(value: Any) -> str | None:
    return bounded(opaque_id(value.get("id") if isinstance(value, dict) else value), KEY_LIMIT)


def _guest(value: Any) -> str | None:
    return bounded(opaque_id(value.get("user_ref")), KEY_LIMIT - len(GUEST)) if isinstance(value, dict) else None


def read_time(value: Any) -> datetime | None:
    """A time from seconds or milliseconds since 1970, as number or text, or from a date in ISO 8601."""
    if isinstance(value, str):
        number = number_id(value.strip()) if len(value) < 40 else None
        if number is None:
            return _iso(value)
        value = int(number)
    if isinstance(value, int | float) and _MILLISECONDS[0] <= value < _MILLISECONDS[1]:
        value = value / 1000
    return moment(value)


def _iso(value: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(value[:40].strip())
        return moment((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp())
    except (ValueError, OverflowError):
        return None


def read(item: dict[str, Any], entry_id: str | None, me: Me, *, standby: bool) -> Iterator[InboundEvent]:
    """The events of one item, at least one."""
    between, sent_at = parties(item, entry_id, me), read_time(item.get("timestamp"))
    time = bounded(opaque_id(item.get("timestamp")))
    found = False
    for name, value in item.items():
        if name not in READERS or value is None:
            continue
        found = True
        if isinstance(value, dict):
            yield READERS[name](Item(value, between, time, sent_at, standby))
        else:
            malformed = content_key(name, [value, between.us, between.chat, time])
            yield _event(Item({}, between, time, sent_at, standby), "other", "malformed_update", malformed)
    if not found:
        unknown = content_key("unknown", item)
        yield _event(Item({}, between, time, sent_at, standby), "other", "unknown_update", unknown)


def _event(item: Item, kind: Kind, reason: Reason | None, dedupe_key: str, **more: Any) -> InboundEvent:
    return InboundEvent(
        kind=kind, reply=reason is None, reason=reason,
        sender=item.parties.us if kind == "echo" else item.parties.customer,
        chat=item.parties.chat, account=item.parties.us, sent_at=item.sent_at, dedupe_key=dedupe_key,
        **{"external_id": None, **more},
    )  # fmt: skip


def _mid(value: dict[str, Any]) -> str | None:
    return bounded(opaque_id(value.get("mid")))


def _key(item: Item, name: str, mid: str | None, *more: str) -> str:
    """By the message's id, which repeats between senders."""
    return item.fallback_key(name) if mid is None else key(name, item.parties.customer or "", mid, *more)


def _message(item: Item) -> InboundEvent:
    message, mid = item.value, _mid(item.value)
    if content.flag(message.get("is_deleted")):
        return _about(item, "deleted", mid, _key(item, "deleted", mid))
    attachments, text = content.attachments(message), content.text(message)
    held: dict[str, Any] = {
        "external_id": mid, "text": text, "attachments": attachments, "reply_to": content.replied_to(message),
        "payload": content.payload(message), "referral": content.referred(inner(message, "referral")),
    }  # fmt: skip
    if item.parties.from_us or content.flag(message.get("is_self")):
        return _event(
            item, "echo", "echo", _key(item, "echo", mid), **held, targets=(mid,) if mid else (),
            ref=written(message.get("metadata"), 200), app=bounded(opaque_id(message.get("app_id"))),
        )  # fmt: skip
    empty = text is None and not attachments
    return _event(item, "message", _forbidden(item, empty=empty), _key(item, "message", mid), **held)


def _forbidden(item: Item, *, empty: bool) -> Reason | None:
    """Why the bot must not answer what a customer said or pressed; None if it may."""
    if item.standby:
        return "standby"
    if item.parties.customer is None:
        return "no_sender"
    return "no_content" if empty else None


def _postback(item: Item) -> InboundEvent:
    """A pressed button, menu entry or ice breaker: the customer says what stands on it."""
    text, payload = content.pressed(item.value)
    mid = _mid(item.value)
    if item.parties.from_us:
        return _event(item, "echo", "echo", _key(item, "echo", mid), external_id=mid, text=text, payload=payload)
    reason = _forbidden(item, empty=text is None)
    dedupe_key = _key(item, "postback", mid)
    referral = content.referred(inner(item.value, "referral"))
    return _event(item, "message", reason, dedupe_key, external_id=mid, text=text, payload=payload, referral=referral)


def _about(item: Item, kind: Kind, mid: str | None, dedupe_key: str, **more: Any) -> InboundEvent:
    """An event that speaks of a message."""
    targets = (mid,) if mid else ()
    return _event(item, kind, kind, dedupe_key, **{"external_id": mid, "targets": targets, **more})


def _edit(item: Item) -> InboundEvent:
    mid, number = _mid(item.value), number_id(item.value.get("num_edit"))
    # without the count the content is what tells two edits apart
    dedupe_key = _key(item, "edited", mid, number) if number else item.fallback_key("edited")
    return _about(item, "edited", mid, dedupe_key, text=written(item.value.get("text")))


def _reaction(item: Item) -> InboundEvent:
    value = item.value
    removed = value.get("action") == "unreact"
    emoji = None if removed else written(value.get("emoji"), 64) or written(value.get("reaction"), 64)
    status = "removed" if removed else "added"
    # the same may be given, taken back and given again: its time tells them apart
    return _about(item, "reaction", _mid(value), item.fallback_key("reaction"), text=emoji, status=status)


def _receipt(kind: Kind, status: str) -> Callable[[Item], InboundEvent]:
    """Up to which time, and which messages, the customer has got or seen what we sent."""

    def read(item: Item) -> InboundEvent:
        named = item.value.get("mids")
        listed = [*(named[:TARGETS_MAX] if isinstance(named, list) else [named]), item.value.get("mid")]
        mids = tuple(dict.fromkeys(mid for mid in (bounded(opaque_id(one)) for one in listed) if mid))
        return _event(
            item, kind, kind, item.fallback_key(kind), status=status, targets=mids,
            external_id=mids[0] if len(mids) == 1 else None, until=read_time(item.value.get("watermark")),
        )  # fmt: skip

    return read


def _referral(item: Item) -> InboundEvent:
    return _event(item, "referral", "referral", item.fallback_key("referral"), payload=content.referred(item.value))


def _optin(item: Item) -> InboundEvent:
    """Consent by a plugin, or to be notified later; the token that comes with the latter stays in the raw body."""
    payload = written(item.value.get("ref"), content.PAYLOAD_LIMIT)
    payload = payload or written(item.value.get("payload"), content.PAYLOAD_LIMIT)
    return _event(item, "optin", "optin", item.fallback_key("optin"), payload=payload)


def _handover(status: str, named: str | None) -> Callable[[Item], InboundEvent]:
    """Which application has the thread. named: the field with the application that the event names."""

    def read(item: Item) -> InboundEvent:
        app = bounded(opaque_id(item.value.get(named))) if named else None
        payload = written(item.value.get("metadata"), content.PAYLOAD_LIMIT)
        return _event(
            item, "handover", "handover", item.fallback_key(f"handover_{status}"), status=status, app=app,
            payload=payload,
        )  # fmt: skip

    return read


_POLICY = {"warning": "warning", "block": "block", "unblock": "unblock"}
"""What the platform does to a page that broke its rules. https://developers.facebook.com/docs/messenger-platform/policy"""


def _account(name: Reason, said: str) -> Callable[[Item], InboundEvent]:
    def read(item: Item) -> InboundEvent:
        return _event(
            item, "account", name, item.fallback_key(name), status=name, payload=written(item.value.get(said), 64),
            meaning=_POLICY.get(str(item.value.get(said))) if name == "policy_enforcement" else None,
        )  # fmt: skip

    return read


def _other(reason: Reason) -> Callable[[Item], InboundEvent]:
    def read(item: Item) -> InboundEvent:
        payload = written(item.value.get("payload"), content.PAYLOAD_LIMIT)
        return _event(item, "other", reason, item.fallback_key(reason), payload=payload)

    return read


READERS: dict[str, Callable[[Item], InboundEvent]] = {
    "message": _message,
    "message_edit": _edit,
    "postback": _postback,
    "reaction": _reaction,
    "delivery": _receipt("delivery", "delivered"),
    "read": _receipt("read", "read"),
    "referral": _referral,
    "optin": _optin,
    "pass_thread_control": _handover("pass", "new_owner_app_id"),
    "take_thread_control": _handover("take", "previous_owner_app_id"),
    "request_thread_control": _handover("request", "requested_owner_app_id"),
    "app_roles": _handover("app_roles", None),
    "account_linking": _account("account_linking", "status"),
    "policy_enforcement": _account("policy_enforcement", "action"),
    "policy-enforcement": _account("policy_enforcement", "action"),
    "game_play": _other("game_play"),
    "payment": _other("payment"),
    "pre_checkout": _other("payment"),
    "checkout_update": _other("payment"),
    "messaging_feedback": _other("feedback"),
    "response_feedback": _other("feedback"),
}
