"""What a Telegram message may hold beside text, each kind as an attachment that can be said in words.
https://core.telegram.org/bots/api#message

A kind that is not here is `unsupported`: stored under its name, so that no message is blank.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from shared.channels.fields import Json, bounded, called, inner, number_id, opaque_id, written
from shared.model import Attachment

LISTED_MAX = 50
"""So many options, tasks or people of one message are read."""
SHORT, LONG = 256, 1_000
"""Characters of a name, and of a question, a description or an address."""
_RICH_PIECES_MAX = 5_000
_WITHOUT_HUNDREDTHS = frozenset(
    ("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG",
     "UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF", "XTR")
)  # fmt: skip
_THOUSANDTHS = frozenset(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"))

Read = Callable[[Json], Attachment]
Fields = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Content:
    """One kind. field: its name in a message. shown: what the inbox shows of it, for docs/channels/telegram.md."""

    field: str
    shown: str
    read: Read


def attachments(message: Json) -> tuple[Attachment, ...]:
    """All that a message holds, in the order of CONTENTS; nothing twice that Telegram repeats for older clients."""
    found = {one.field: one for one in CONTENTS if _holds(message, one.field)}
    for newer, older in _REPEATED_AS.items():
        if newer in found:
            found.pop(older, None)
    return tuple(one.read(_value(message, name)) for name, one in found.items())


def unsupported(message: Json) -> Attachment:
    """What stands for a message of which nothing here can be read. name: the field that holds it, if there is one."""
    strange = (name for name, value in message.items() if name not in _ENVELOPE and value not in (None, False))
    name = written(next(strange, None), 64)
    return Attachment("unsupported", name=name)


def rich_text(message: Json) -> str | None:
    """The words of a message in blocks (headings, tables, lists), a line a block."""
    blocks = islice(_objects(inner(message, "rich_message").get("blocks")), _RICH_PIECES_MAX)
    lines = ["".join(islice(_leaves(block), _RICH_PIECES_MAX)).strip() for block in blocks]
    return written("\n".join(line for line in lines if line))


def _leaves(block: Any) -> Iterator[str]:
    """Its texts from left to right; not by recursion, because a body may be nested deeper than Python goes."""
    waiting = [block]
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, list):
            between = [" "] if _is_row(value) else []
            for one in reversed(value):
                waiting += [*between, one]
        elif isinstance(value, dict):
            waiting += [value[name] for name in ("items", "cells", "blocks", "caption", "text") if name in value]


def _is_row(value: list[Any]) -> bool:
    """Whether it is a table's row or cell list, whose texts want a space between."""
    return any(isinstance(one, list) or (isinstance(one, dict) and "type" not in one) for one in value[:2])


def _holds(message: Json, field: str) -> bool:
    return isinstance(message.get(field), dict) or (field == "photo" and _largest(message.get(field)) is not None)


def _value(message: Json, field: str) -> Json:
    return (_largest(message[field]) if field == "photo" else None) or inner(message, field)


def _largest(sizes: Any) -> dict[str, Any] | None:
    """Of a photo's sizes the one with the most bytes, else the most pixels, else the last."""
    return max(reversed(_list(sizes)), key=_size, default=None)


def _size(photo: Json) -> tuple[int, int]:
    size, width, height = (_number(photo, name) or 0 for name in ("file_size", "width", "height"))
    return size, width * height


# ------------------------------------------------------------------ what many kinds share


def _list(value: Any) -> list[dict[str, Any]]:
    return [one for one in value[:LISTED_MAX] if isinstance(one, dict)] if isinstance(value, list) else []


def _objects(value: Any) -> Iterator[Any]:
    return iter(value) if isinstance(value, list) else iter(())


def _number(value: Json, name: str) -> int | None:
    found = number_id(value.get(name))
    return int(found) if found is not None else None


def _degrees(value: Json, name: str, most: float) -> float | None:
    found = value.get(name)
    if not isinstance(found, int | float) or isinstance(found, bool):
        return None
    return float(found) if -most <= found <= most else None


def _pairs(*pairs: tuple[str, str | None]) -> Fields:
    return tuple((label, value) for label, value in pairs if value)


def _said(value: Json, *names: str) -> Fields:
    """The named fields that hold a text or a number, labelled by their names."""
    return _pairs(*((name.replace("_", " "), _word(value.get(name))) for name in names))


def _word(value: Any) -> str | None:
    if isinstance(value, bool):
        return "yes" if value else None
    return written(value, LONG) or number_id(value)


def _file(kind: str) -> Read:
    """A file. name: as its sender named it, or performer and title."""

    def read(value: Json) -> Attachment:
        size = _number(value, "file_size")
        titled = " – ".join(found for name in ("performer", "title") if (found := written(value.get(name), SHORT)))
        return Attachment(
            kind,
            id=bounded(opaque_id(value.get("file_id"))),
            mime=written(value.get("mime_type"), 128),
            name=titled or written(value.get("file_name"), SHORT),
            size_bytes=size if size is not None and size >= 0 else None,
            fields=_said(value, "emoji"),
        )

    return read


def _person(value: Json) -> str | None:
    name = called(value.get("first_name"), value.get("last_name")) or called(value.get("title"))
    handle = called(value.get("username"))
    return name or (f"@{handle}" if handle else None) or number_id(value.get("user_id") or value.get("id"))


# ------------------------------------------------------------------ one reader a kind


def _location(value: Json) -> Attachment:
    latitude, longitude = _degrees(value, "latitude", 90), _degrees(value, "longitude", 180)
    live = _number(value, "live_period")
    fields = _pairs(("live for", f"{live} s" if live and live > 0 else None))
    return Attachment("location", latitude=latitude, longitude=longitude, fields=fields)


def _venue(value: Json) -> Attachment:
    where = _location(inner(value, "location"))
    return Attachment(
        "venue", name=written(value.get("title"), SHORT), latitude=where.latitude, longitude=where.longitude,
        fields=_said(value, "address"),
    )  # fmt: skip


def _contact(value: Json) -> Attachment:
    name = called(value.get("first_name"), value.get("last_name"))
    return Attachment("contact", name=name, fields=_pairs(("phone", written(value.get("phone_number"), 64))))


def _poll(value: Json) -> Attachment:
    options = (("option", written(one.get("text"), SHORT)) for one in _list(value.get("options")))
    kind = "quiz" if value.get("type") == "quiz" else None
    several = "yes" if value.get("allows_multiple_answers") is True else None
    return Attachment(
        "poll", id=bounded(opaque_id(value.get("id"))), name=written(value.get("question"), LONG),
        fields=_pairs(*options, ("kind", kind), ("several answers", several)),
    )  # fmt: skip


def _checklist(value: Json) -> Attachment:
    tasks = ((_done(one), written(one.get("text"), SHORT)) for one in _list(value.get("tasks")))
    return Attachment("checklist", name=written(value.get("title"), SHORT), fields=_pairs(*tasks))


def _done(task: Json) -> str:
    return "done" if task.get("completion_date") or task.get("completed_by_user") else "to do"


def _described(kind: str) -> Read:
    """What has a title and a description, and maybe a price."""

    def read(value: Json) -> Attachment:
        fields = (*_said(value, "description"), *_pairs(("amount", _amount(value))))
        return Attachment(kind, name=written(value.get("title"), SHORT), fields=fields)

    return read


def _amount(value: Json) -> str | None:
    """What an invoice asks for, with its currency's own number of decimals."""
    amount, currency = _number(value, "total_amount"), written(value.get("currency"), 8)
    if amount is None or currency is None:
        return None
    if currency == "XTR":
        return f"{amount} Telegram Stars"
    decimals = 0 if currency in _WITHOUT_HUNDREDTHS else 3 if currency in _THOUSANDTHS else 2
    return f"{amount / 10**decimals:.{decimals}f} {currency}"


def _stars(value: Json, name: str) -> tuple[str, str | None]:
    return "Telegram Stars", number_id(value.get(name))


def _dice(value: Json) -> Attachment:
    return Attachment("dice", fields=_said(value, "emoji", "value"))


def _paid_media(value: Json) -> Attachment:
    count = len(_list(value.get("paid_media")))
    return Attachment(
        "paid_media", fields=_pairs(_stars(value, "star_count"), ("files", str(count) if count else None))
    )


def _giveaway(kind: str) -> Read:
    def read(value: Json) -> Attachment:
        winners = (("winner", _person(one)) for one in _list(value.get("winners")))
        prize = written(value.get("prize_description"), SHORT)
        count = ("winners", number_id(value.get("winner_count")))
        return Attachment(kind, name=prize, fields=_pairs(_stars(value, "prize_star_count"), count, *winners))

    return read


def _shared(kind: str) -> Read:
    """Whom somebody chose for a bot that asked: people, or a chat."""

    def read(value: Json) -> Attachment:
        people = [_person(one) for one in _list(value.get("users"))]
        people = people or [number_id(one) for one in islice(_objects(value.get("user_ids")), LISTED_MAX)]
        chat = _said(value, "title", "username", "chat_id", "user_id")
        return Attachment(kind, fields=(*_pairs(*(("person", one) for one in people)), *chat))

    return read


def _web_app_data(value: Json) -> Attachment:
    return Attachment("web_app_data", name=written(value.get("button_text"), SHORT), fields=_said(value, "data"))


def _gift(kind: str) -> Read:
    def read(value: Json) -> Attachment:
        gift = inner(value, "gift")
        fields = (*_pairs(_stars(gift, "star_count")), *_said(value, "text"))
        return Attachment(kind, name=written(gift.get("base_name"), SHORT), fields=fields)

    return read


def _passport(value: Json) -> Attachment:
    """Encrypted for whoever asked for it: only which documents there are is kept."""
    kinds = (("document", written(one.get("type"), 64)) for one in _list(value.get("data")))
    return Attachment("passport_data", fields=_pairs(*kinds))


_REPEATED_AS = {"animation": "document", "venue": "location", "live_photo": "photo"}
"""Newer field → the older one that Telegram fills as well, for clients that do not know the newer."""

CONTENTS: tuple[Content, ...] = (
    Content("photo", "the picture in its largest size", _file("photo")),
    Content("animation", "the file with its name", _file("animation")),
    Content("audio", "the file with performer and title", _file("audio")),
    Content("document", "the file with its name", _file("document")),
    Content("live_photo", "the file", _file("live_photo")),
    Content("sticker", "the file and its emoji", _file("sticker")),
    Content("video", "the file with its name", _file("video")),
    Content("video_note", "the file", _file("video_note")),
    Content("voice", "the file", _file("voice")),
    Content("checklist", "the title and the tasks, done or to do", _checklist),
    Content("contact", "name and telephone number", _contact),
    Content("dice", "the emoji and the number thrown", _dice),
    Content("game", "title and description", _described("game")),
    Content("location", "latitude and longitude", _location),
    Content("paid_media", "the price and how many files", _paid_media),
    Content("poll", "the question and its options", _poll),
    Content("venue", "title, address, latitude and longitude", _venue),
    Content("invoice", "title, description, amount", _described("invoice")),
    Content("giveaway", "the prize and how many win", _giveaway("giveaway")),
    Content("giveaway_winners", "the prize and who won", _giveaway("giveaway_winners")),
    Content("users_shared", "the people who were chosen", _shared("users_shared")),
    Content("chat_shared", "the chat that was chosen", _shared("chat_shared")),
    Content("web_app_data", "the button and the data", _web_app_data),
    Content("gift", "its price and the words with it", _gift("gift")),
    Content("unique_gift", "its name and the words with it", _gift("unique_gift")),
    Content("passport_data", "which documents; they are encrypted and not kept", _passport),
)  # fmt: skip

_ENVELOPE = frozenset(
    ("message_id", "message_thread_id", "direct_messages_topic", "from", "sender_chat", "sender_boost_count",
     "sender_business_bot", "sender_tag", "date", "business_connection_id", "guest_query_id", "chat",
     "forward_origin", "forward_from", "forward_from_chat", "forward_from_message_id", "forward_signature",
     "forward_sender_name", "forward_date", "is_topic_message", "is_automatic_forward", "reply_to_message",
     "external_reply", "quote", "reply_to_story", "reply_to_checklist_task_id", "reply_to_poll_option_id", "via_bot",
     "guest_bot_caller_user", "guest_bot_caller_chat", "edit_date", "has_protected_content", "is_from_offline",
     "is_paid_post", "media_group_id", "author_signature", "paid_star_count", "text", "entities",
     "link_preview_options", "suggested_post_info", "effect_id", "caption", "caption_entities",
     "show_caption_above_media", "has_media_spoiler", "reply_markup")
)  # fmt: skip
"""Fields of a message that are not what it says."""


def table() -> str:
    """Markdown, for docs/channels/telegram.md."""
    lines = ["| field of the message | stored as | shown as |", "|---|---|---|"]
    lines += ["| `text`, `caption` | text | as written |", "| `rich_message` | text | its words, a line a block |"]
    lines += [f"| `{one.field}` | `{one.read({}).type}` | {one.shown} |" for one in CONTENTS]
    lines.append("| any other | `unsupported` | the field's name |")
    return "\n".join(lines)
