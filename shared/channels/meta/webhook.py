"""Bodies of Messenger's and Instagram's webhooks: entry[] × (messaging[] | standby[] | changes[]) → events.

Up to 1000 updates come in one request, of several pages: each event says whose it is (`account`).
https://developers.facebook.com/docs/messenger-platform/webhooks
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from shared.channels.fields import KEY_LIMIT, bounded, called, content_key, inner, opaque_id, written
from shared.channels.meta import event as meta_event
from shared.channels.meta.message import listed
from shared.model import InboundEvent, Me, Reason

EVENTS_MAX = 1000
"""What is beyond stays in the raw body; the platforms send no more."""

_NO_ENTRY = "0"  # the id in tests that a dashboard sends

# Fields of `changes` that hold the same as an item of `messaging` does.
_AS_MESSAGING = {
    "messages", "message_echoes", "message_edit", "message_edits", "message_reactions", "message_deliveries",
    "message_reads", "messaging_postbacks", "messaging_optins", "messaging_referral", "messaging_referrals",
    "messaging_seen", "messaging_handover", "messaging_handovers", "messaging_account_linking", "standby",
}  # fmt: skip
_COMMENTS = {"comments", "live_comments"}
_MENTIONS = {"mention", "mentions"}

Json = Mapping[str, Any]


def parse(body: Json, me: Me) -> list[InboundEvent]:
    """All events of a body, at least one, in order. Never raises on a JSON object."""
    events = list(islice(_events(body, me), EVENTS_MAX + 1))
    if len(events) > EVENTS_MAX:
        events[EVENTS_MAX] = _without_content("too_many_events", "too_many", {"first": events[0].dedupe_key})
    return events or [_without_content("unknown_update", "unknown", dict(body))]


def account(body: Json) -> str | None:
    """The page or account that everything in a body belongs to; None if there are several or none is said."""
    found = {_entry_id(entry) for entry in _entries(body)[:EVENTS_MAX] if isinstance(entry, dict)}
    return found.pop() if len(found) == 1 else None


def shard_key(body: Json) -> str:
    """Page and customer where all is of one customer, else the first page; '' if there is neither."""
    first: str | None = None
    seen: set[str] = set()
    for entry in _entries(body)[:EVENTS_MAX]:
        if not isinstance(entry, dict):
            continue
        entry_id = _entry_id(entry)
        first = first or entry_id
        for item in _items(entry):
            between = meta_event.parties(item, entry_id, Me())
            seen.add(f"{between.us}:{between.chat}")
            if len(seen) > 1:
                return first or between.us or ""
    return seen.pop() if seen else first or ""


def _entries(body: Json) -> list[Any]:
    """What a body consists of; dashboards also show, and send, one change or one entry alone."""
    if body.get("entry") is not None:
        return listed(body["entry"])
    if "field" in body:
        return [{"changes": [dict(body)]}]
    return [dict(body)] if "messaging" in body or "standby" in body else []


def _events(body: Json, me: Me) -> Iterator[InboundEvent]:
    for entry in _entries(body):
        if isinstance(entry, dict):
            yield from _of_entry(entry, me)
        else:
            yield _without_content("malformed_update", "malformed", entry)


def _of_entry(entry: dict[str, Any], me: Me) -> Iterator[InboundEvent]:
    # read once: what stands there may be long, and belongs to every item
    entry_id, at, empty = _entry_id(entry), bounded(opaque_id(entry.get("time"))), True
    for name in ("messaging", "standby", "changes"):
        for item in listed(entry.get(name)):
            empty = False
            if not isinstance(item, dict):
                yield _without_content("malformed_update", name, item, account=entry_id)
            elif name == "changes":
                yield from _change(item, at, entry_id, me)
            else:
                yield from meta_event.read(item, entry_id, me, standby=name == "standby")
    if empty:
        yield _without_content("unknown_update", "entry", entry, account=entry_id)


def _items(entry: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """What stands under messaging and standby, and what changes hold of it."""
    for name in ("messaging", "standby"):
        yield from (item for item in listed(entry.get(name))[:EVENTS_MAX] if isinstance(item, dict))
    for change in listed(entry.get("changes"))[:EVENTS_MAX]:
        if isinstance(change, dict) and _is_messaging(change):
            yield change["value"]


def _is_messaging(change: dict[str, Any]) -> bool:
    value, field = change.get("value"), change.get("field")
    if not isinstance(value, dict) or not isinstance(field, str) or field not in _AS_MESSAGING:
        return False
    return "sender" in value or "recipient" in value


def _change(change: dict[str, Any], at: str | None, entry_id: str | None, me: Me) -> Iterator[InboundEvent]:
    """A message in the form in which a dashboard tests them, or something on the page itself, which is never
    answered: a comment, a mention, a post, its opening hours. at: the entry's time as it was written."""
    if _is_messaging(change):
        yield from meta_event.read(change["value"], entry_id, me, standby=change["field"] == "standby")
        return
    value = inner(change, "value")
    person = inner(value, "from")
    comment = bounded(opaque_id(value.get("comment_id")))
    parent = bounded(opaque_id(value.get("parent_id")))
    yield InboundEvent(
        kind="other",
        reply=False,
        reason=_reason(change.get("field"), value),
        sender=bounded(opaque_id(person.get("id")) or opaque_id(value.get("sender_id")), KEY_LIMIT),
        chat=None,
        external_id=comment or bounded(opaque_id(value.get("id")) or opaque_id(value.get("post_id"))),
        dedupe_key=content_key("change", [change, entry_id, at]),
        text=written(value.get("text")) or written(value.get("message")),
        reply_to=parent if parent != opaque_id(value.get("post_id")) else None,
        account=entry_id,
        sender_name=called(person.get("name")) or called(person.get("username")),
        sent_at=meta_event.read_time(value.get("created_time")) or meta_event.read_time(at),
    )


def _reason(field: Any, value: dict[str, Any]) -> Reason:
    if not isinstance(field, str):
        return "page_change"
    if field in _COMMENTS or (field == "feed" and value.get("item") == "comment"):
        return "comment"
    if field in _MENTIONS:
        return "mention"
    if field in _AS_MESSAGING:
        return "malformed_update"
    return "feed" if field == "feed" else "page_change"


def _entry_id(entry: dict[str, Any]) -> str | None:
    found = bounded(opaque_id(entry.get("id")), KEY_LIMIT)
    return None if found == _NO_ENTRY else found


def _without_content(reason: Reason, name: str, value: Any, account: str | None = None) -> InboundEvent:
    return InboundEvent("other", False, reason, None, None, None, content_key(name, value), account=account)
