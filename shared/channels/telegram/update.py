"""Telegram updates → events.

An update should hold one kind. One that holds several is malformed; it is read as one event per known kind,
each with a key of its own, so that nothing in it is lost and nothing counts twice. Unknown fields beside a
known kind are ignored; an update of nothing known is one event with the reason `unknown_update`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from shared.channels.fields import (
    Json,
    bounded,
    called,
    content_key,
    inner,
    key,
    language,
    moment,
    number_id,
    opaque_id,
    written,
)
from shared.channels.telegram import message as content
from shared.model import InboundEvent, Kind, Me, Reason

_DELETED_AT_ONCE = 1000  # Telegram names at most 100
_REACTIONS_MAX = 20  # of one person to one message; Telegram allows three


@dataclass(frozen=True, slots=True)
class Update:
    """One kind of one update. name: the kind's name. value: what stands under it."""

    name: str
    value: dict[str, Any]
    update_id: str | None

    def fallback_key(self) -> str:
        """For what has no better id: the update's, else a hash of the content."""
        if self.update_id is not None:
            return key(self.name, "update", self.update_id)
        return content_key(self.name, self.value)


Reader = Callable[[Update, Me], list[InboundEvent]]


def parse(body: Json, me: Me) -> list[InboundEvent]:
    """All events of an update, at least one, in the order of the body. Never raises on a JSON object."""
    update_id = number_id(body.get("update_id"))
    events: list[InboundEvent] = []
    for name, value in body.items():
        if name in READERS and value is not None:
            events += _read(name, value, update_id, me)
    return events or [_without_content(_update_key("unknown", body, update_id), "unknown_update")]


def shard_key(body: Json) -> str:
    """The chat of the first known kind, else its sender; '' if there is neither."""
    for name, value in body.items():
        if name in READERS and isinstance(value, dict):
            found = number_id(inner(value, "chat").get("id")) or number_id(inner(value, "message", "chat").get("id"))
            return found or number_id(_person(value).get("id")) or ""
    return ""


def _read(name: str, value: Any, update_id: str | None, me: Me) -> list[InboundEvent]:
    if not isinstance(value, dict):
        return [_without_content(_update_key(name, value, update_id), "malformed_update")]
    return READERS[name](Update(name, value, update_id), me)


def _update_key(name: str, value: Any, update_id: str | None) -> str:
    return key(name, "update", update_id) if update_id is not None else content_key(name, value)


def _without_content(dedupe_key: str, reason: Reason) -> InboundEvent:
    return InboundEvent("other", False, reason, None, None, None, dedupe_key)


def _person(value: dict[str, Any]) -> dict[str, Any]:
    """Who caused it: a chat where somebody acts in its name, else a user."""
    for name in ("sender_chat", "from", "user", "actor_chat", "voter_chat"):
        if isinstance(value.get(name), dict):
            return inner(value, name)
    return {}


def _event(update: Update, kind: Kind, reason: Reason | None, dedupe_key: str, *, holds_text: bool) -> InboundEvent:
    """An event from the fields that nearly all kinds share."""
    value = update.value
    chat, person = inner(value, "chat"), _person(value)
    private = content.chat_type(chat) == "private"
    # The contact of a private chat is the person in it, also where Telegram names nobody.
    sender = number_id(person.get("id")) or (number_id(chat.get("id")) if private else None)
    name = called(person.get("first_name"), person.get("last_name")) or called(person.get("title"))
    message_id = _message_id(value)
    return InboundEvent(
        kind=kind,
        reply=reason is None,
        reason=reason,
        sender=sender,
        chat=content.chat_address(value),
        external_id=message_id,
        dedupe_key=dedupe_key,
        text=content.text(value) if holds_text else None,
        attachments=content.attachments(value, new=kind == "message") if holds_text else (),
        reply_to=_message_id(inner(value, "reply_to_message")),
        sender_name=name or called(person.get("username")),
        sent_at=moment(value.get("date")),
        migrated_to=number_id(value.get("migrate_to_chat_id")) if holds_text else None,
        language=language(person.get("language_code")),
    )


def _message_id(message: dict[str, Any]) -> str | None:
    """Telegram gives 0 to messages that have no id yet; it would make different messages equal."""
    found = number_id(message.get("message_id"))
    return None if found == "0" else found


def _message_key(update: Update, *more: str) -> str:
    """The kind, chat and message make the key, so that an update sent again under another id is the same event."""
    chat, message_id = content.chat_address(update.value), _message_id(update.value)
    if chat is None or message_id is None:
        return update.fallback_key()
    return key(update.name, chat, message_id, *more)


def _message(update: Update, me: Me) -> list[InboundEvent]:
    kind, reason = content.judge(update.value, me)
    event = _event(update, kind, reason, _message_key(update), holds_text=True)
    event = replace(event, text=content.said(update.value, me))
    if kind == "message":
        return [replace(event, referral=content.start_parameter(update.value))]
    # what was the group's id before; with this half alone the event is of the chat that it was
    before = number_id(update.value.get("migrate_from_chat_id"))
    return [event if before is None else replace(event, chat=before, migrated_to=event.chat)]


def _post(reason: Reason) -> Reader:
    def read(update: Update, me: Me) -> list[InboundEvent]:
        return [_event(update, "other", reason, _message_key(update), holds_text=True)]

    return read


def _edited(reason: Reason) -> Reader:
    def read(update: Update, me: Me) -> list[InboundEvent]:
        event = _event(update, "edited", reason, _edit_key(update), holds_text=True)
        edited_at = moment(update.value.get("edit_date"))
        return [replace(event, text=content.said(update.value, me), sent_at=edited_at or event.sent_at)]

    return read


def _edit_key(update: Update) -> str:
    # Two edits within one second share their edit_date: the update's id tells them apart.
    edit = update.update_id or number_id(update.value.get("edit_date"))
    return _message_key(update, edit) if edit is not None else content_key(update.name, update.value)


def _deleted(update: Update, me: Me) -> list[InboundEvent]:
    """One event per deleted message."""
    found = update.value.get("message_ids")
    listed = found[:_DELETED_AT_ONCE] if isinstance(found, list) else []
    ids = dict.fromkeys(number for number in map(number_id, listed) if number is not None)
    single = [Update(update.name, {**update.value, "message_id": number}, update.update_id) for number in ids]
    return [_event(one, "deleted", "deleted", _deleted_key(one), holds_text=False) for one in single or [update]]


def _deleted_key(update: Update) -> str:
    message_id = _message_id(update.value)
    if message_id is None or content.chat_address(update.value) is not None:
        return _message_key(update)
    return key(update.fallback_key(), message_id)


def _callback(update: Update, me: Me) -> list[InboundEvent]:
    """A pressed button: the customer says what stands on it. Its own id is the query's; the message that
    carries the button, always one of ours, is what it answers. Telegram leaves that message out when it is
    too old: then the person's private chat with us is the conversation."""
    query, carrier = update.value, inner(update.value, "message")
    query_id, sender = opaque_id(query.get("id")), number_id(inner(query, "from").get("id"))
    chat = content.chat_address(carrier) if carrier else sender
    pressed = written(query.get("data"))
    person = inner(query, "from")
    reason = _callback_forbidden(query, carrier, chat, pressed)
    event = InboundEvent(
        kind="message",
        reply=reason is None,
        reason=reason,
        sender=sender,
        chat=chat,
        external_id=bounded(query_id, 128),
        dedupe_key=key("callback", query_id) if query_id else update.fallback_key(),
        text=pressed,
        reply_to=_message_id(carrier),
        sender_name=called(person.get("first_name"), person.get("last_name")) or called(person.get("username")),
        language=language(person.get("language_code")),
    )
    return [event]


def _callback_forbidden(
    query: dict[str, Any], carrier: dict[str, Any], chat: str | None, data: str | None
) -> Reason | None:
    person = inner(query, "from")
    if person.get("is_bot"):
        return "from_bot"
    if number_id(person.get("id")) is None:
        return "no_sender"
    if not carrier and query.get("inline_message_id") is not None:
        return "inline"  # pressed in a chat that we are not told
    if chat is None:
        return "no_chat"
    if content.chat_type(inner(carrier, "chat")) == "channel":
        return "channel_post"
    return None if data is not None else "no_content"


def _reaction(update: Update, me: Me) -> list[InboundEvent]:
    """A person's reactions to a message, all of them as they are now."""
    event = _event(update, "reaction", "reaction", update.fallback_key(), holds_text=False)
    now, before = (_reactions(update.value.get(name)) for name in ("new_reaction", "old_reaction"))
    targets = () if event.external_id is None else (event.external_id,)
    status = "removed" if not now else "changed" if before else "added"
    return [replace(event, targets=targets, text=" ".join(now) or None, status=status)]


def _reactions(listed: Any) -> list[str]:
    """As people see them; one of a set of somebody's own has no character."""
    found = [inner(one) for one in listed[:_REACTIONS_MAX]] if isinstance(listed, list) else []
    return [
        written(one.get("emoji"), 64) or {"paid": "⭐", "custom_emoji": ":custom_emoji:"}.get(str(one.get("type")), "?")
        for one in found
    ]


def _plain(kind: Kind, reason: Reason) -> Reader:
    """A kind that only counts: its key is the update's."""

    def read(update: Update, me: Me) -> list[InboundEvent]:
        return [_event(update, kind, reason, update.fallback_key(), holds_text=False)]

    return read


WANTED = (
    "message", "edited_message", "business_connection", "business_message", "edited_business_message",
    "deleted_business_messages", "callback_query", "message_reaction", "my_chat_member",
)  # fmt: skip
"""The kinds that a webhook asks for. Telegram sends reactions to nobody who does not name them."""
READERS: dict[str, Reader] = {
    "message": _message,
    "business_message": _message,
    "edited_message": _edited("edited"),
    "edited_business_message": _edited("edited"),
    "channel_post": _post("channel_post"),
    "edited_channel_post": _edited("channel_post"),
    # answered by a method of its own, in a chat that the bot is no member of
    "guest_message": _post("guest_message"),
    "deleted_business_messages": _deleted,
    "callback_query": _callback,
    "message_reaction": _reaction,
    "message_reaction_count": _plain("reaction", "reaction"),
    "my_chat_member": _plain("account", "membership"),
    "business_connection": _plain("account", "business_connection"),
    "chat_member": _plain("other", "membership"),
    "chat_join_request": _plain("other", "membership"),
    "chat_boost": _plain("other", "boost"),
    "removed_chat_boost": _plain("other", "boost"),
    "inline_query": _plain("other", "inline"),
    "chosen_inline_result": _plain("other", "inline"),
    "shipping_query": _plain("other", "payment"),
    "pre_checkout_query": _plain("other", "payment"),
    "purchased_paid_media": _plain("other", "payment"),
    "poll": _plain("other", "poll"),
    "poll_answer": _plain("other", "poll"),
    "managed_bot": _plain("other", "managed_bot"),
}
