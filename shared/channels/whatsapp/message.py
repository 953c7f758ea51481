"""What a WhatsApp message holds: its text, its attachments, what was pressed.

https://developers.facebook.com/docs/whatsapp/cloud-api/webhooks/components
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from shared.channels.fields import bounded, called, inner, number_id, opaque_id, written
from shared.channels.whatsapp import replies
from shared.channels.whatsapp.values import NAME_LIMIT, identity, list_of, unescaped
from shared.model import Attachment
from shared.text import storable

_TOLD = ("text", "button", "interactive", "reaction", "edit", "revoke", "system")
_FILES = ("image", "video", "audio", "voice", "document", "sticker")
_ITEMS_SHOWN = 20  # contacts of a message, products of an order
_VCARD_LIMIT = 4096
_VCARD_NAME = re.compile(r"^FN[^:\r\n]*:([^\r\n]*)", re.MULTILINE)


def kind_of(message: dict[str, Any]) -> str:
    """The message's type; where none is named, the content that is there."""
    named = message.get("type")
    if isinstance(named, str) and named:
        return named[:64]
    return next((name for name in (*_TOLD, *_READERS) if isinstance(message.get(name), dict | list)), "")


def text(message: dict[str, Any]) -> str | None:
    """What the customer wrote, or what stands on what they pressed."""
    kind = kind_of(message)
    value = inner(message, kind)
    if kind == "interactive":
        pressed = _pressed(value)
        said = replies.answers(pressed)  # "Sent", which stands in the body of each, says nothing
        if said:
            return written("\n".join(f"{label}: {answer}" for label, answer in said))
        return written(pressed.get("title")) or written(pressed.get("body")) or written(pressed.get("name"))
    found = written(value.get("body")) or written(value.get("caption"))
    return found or (written(value.get("text")) if kind in ("button", "order", "text") else None)


def payload(message: dict[str, Any]) -> str | None:
    """The hidden value of what was pressed, else where the customer comes from: an ad, a product."""
    kind = kind_of(message)
    value = inner(message, kind)
    pressed = _pressed(value)
    referral = inner(message, "referral")
    candidates = (
        value.get("payload") if kind == "button" else None,
        *(pressed.get(name) for name in ("id", "response_json", "response")),
        *(referral.get(name) for name in ("ref", "source_id", "source_url")),
        inner(message, "context", "referred_product").get("product_retailer_id"),
    )
    return next((found for each in candidates if (found := written(each) or number_id(each))), None)


def referred(message: dict[str, Any]) -> str | None:
    """The advertisement or link that led here."""
    referral = inner(message, "referral")
    told = (referral.get(name) for name in ("ref", "source_id", "source_url"))
    return next((found for each in told if (found := written(each) or number_id(each))), None)


def _pressed(interactive: dict[str, Any]) -> dict[str, Any]:
    named = interactive.get("type")
    if isinstance(named, str) and isinstance(interactive.get(named), dict):
        return inner(interactive, named)
    return next((v for name, v in interactive.items() if name.endswith("_reply") and isinstance(v, dict)), {})


def attachments(message: dict[str, Any]) -> tuple[Attachment, ...]:
    """Everything that is no text, and what stands beside it: the product asked about, the advertisement that led here.
    What WhatsApp does not show us is one attachment of the type `unsupported`."""
    return (*_own(message), *replies.beside(message))


def _own(message: dict[str, Any]) -> tuple[Attachment, ...]:
    kind = kind_of(message)
    reader = _READERS.get(kind)
    if reader is not None:
        return reader(message, kind)
    if kind == "interactive":
        return replies.chosen(_pressed(inner(message, kind)))
    if kind in ("text", "button") or text(message) is not None:
        return ()
    value = inner(message, kind)
    if opaque_id(value.get("id")) is not None or value.get("mime_type") is not None:
        return _file(message, kind)
    return _unsupported(message, kind)


def _file(message: dict[str, Any], kind: str) -> tuple[Attachment, ...]:
    value = inner(message, kind)
    shown = "voice" if kind == "audio" and value.get("voice") is True else storable(kind)
    size = number_id(value.get("file_size"))
    found = Attachment(
        type=shown,
        id=bounded(opaque_id(value.get("id"))),
        url=written(value.get("url"), 2048) or written(value.get("link"), 2048),
        mime=unescaped(value.get("mime_type"), 128),
        name=written(value.get("filename"), NAME_LIMIT),
        size_bytes=None if size is None or size.startswith("-") else int(size),
    )
    return (found,)


def _location(message: dict[str, Any], kind: str) -> tuple[Attachment, ...]:
    value = inner(message, kind)
    name, address = unescaped(value.get("name")), unescaped(value.get("address"))
    parts = dict.fromkeys(part for part in (name, address) if part)
    found = Attachment(
        type="location",
        url=written(value.get("url"), 2048),
        name=", ".join(parts)[:NAME_LIMIT] or None,
        latitude=_degrees(value.get("latitude"), 90),
        longitude=_degrees(value.get("longitude"), 180),
    )
    return (found,)


def _degrees(value: Any, most: int) -> float | None:
    try:
        number = float(value[:32] if isinstance(value, str) else value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if not isinstance(value, bool) and -most <= number <= most else None


def _contacts(message: dict[str, Any], kind: str) -> tuple[Attachment, ...]:
    found = [
        Attachment(type="contacts", name=_card(card), fields=replies.of_card(card))
        for card in list_of(message.get(kind))[:_ITEMS_SHOWN]
    ]
    return tuple(found) or (Attachment(type="contacts"),)


def _card(card: dict[str, Any]) -> str | None:
    """Name and first telephone number."""
    name = inner(card, "name")
    vcard = card.get("vcard")
    written_name = _VCARD_NAME.search(vcard[:_VCARD_LIMIT]) if isinstance(vcard, str) else None
    spelled = (
        unescaped(name.get("formatted_name"))
        or called(name.get("first_name"), name.get("last_name"))
        or (written_name and unescaped(written_name[1]))
    )
    phone = next((identity(p.get("phone"), p.get("wa_id")) for p in list_of(card.get("phones"))[:1]), None)
    return called(spelled, phone)


def _order(message: dict[str, Any], kind: str) -> tuple[Attachment, ...]:
    value = inner(message, kind)
    lines = [
        f"{number_id(item.get('quantity')) or '?'} × {identity(item.get('product_retailer_id')) or '?'}"
        for item in list_of(value.get("product_items"))[:_ITEMS_SHOWN]
    ]
    name = ", ".join(lines)[:NAME_LIMIT] or None
    fields = replies.of_order(value)
    return (Attachment(type="order", id=bounded(opaque_id(value.get("catalog_id"))), name=name, fields=fields),)


def _unsupported(message: dict[str, Any], kind: str) -> tuple[Attachment, ...]:
    named = inner(message, kind).get("type")
    other = kind if kind not in ("", "unsupported", "unknown") else None
    return (Attachment(type="unsupported", name=written(named, 64) or written(other, 64)),)


_Reader = Callable[[dict[str, Any], str], tuple[Attachment, ...]]
_READERS: dict[str, _Reader] = {
    **dict.fromkeys(_FILES, _file),
    "location": _location,
    "contacts": _contacts,
    "order": _order,
    "unsupported": _unsupported,
    "unknown": _unsupported,
    "ephemeral": _unsupported,
}
