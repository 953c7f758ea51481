"""Templates of Messenger and Instagram as labels and values: cards with pictures, prices, buttons, receipts, products.

https://developers.facebook.com/docs/messenger-platform/send-messages/templates ·
https://developers.facebook.com/docs/messenger-platform/reference/webhook-events/messages (product templates)
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from shared.channels.fields import Json, bounded, inner, opaque_id, written
from shared.model import Attachment

ELEMENTS_MAX = 30
_FIELDS_MAX = 30
_BUTTONS_MAX = 10
_TEXT_LIMIT = 500
_URL_LIMIT = 2048
_WORDS = ("subtitle", "description", "price", "quantity")
_OF_A_RECEIPT = ("order_number", "recipient_name", "merchant_name", "payment_method")
_COSTS = ("subtotal", "shipping_cost", "total_tax", "total_cost")

Pair = tuple[str, str]


def attachments(value: Json) -> tuple[Attachment, ...]:
    """An attachment for what a template says as a whole and for each of its elements, each with its picture behind it;
    nothing of what is no template, or says nothing."""
    payload = inner(value, "payload")
    inside = [payload, *(one for one in payload.values() if isinstance(one, dict) and "elements" in one)]
    elements = [one for part in inside for one in _objects(part.get("elements"))][:ELEMENTS_MAX]
    if not elements and value.get("type") != "template" and "template_type" not in payload:
        return ()
    kind = "product" if isinstance(payload.get("product"), dict) else "template"
    currency = written(payload.get("currency"), 8)
    whole = _card(kind, payload, currency, name=written(value.get("title"), 256))
    found = [one for element in elements for one in _card(kind, element, currency)]
    return (*(whole if whole and (not elements or whole[0].fields) else ()), *found)


def _card(kind: str, card: Json, currency: str | None, name: str | None = None) -> tuple[Attachment, ...]:
    title = written(card.get("title"), 256) or written(card.get("text"), 256) or name
    fields = tuple(islice(_fields(card, currency), _FIELDS_MAX))
    picture = written(card.get("image_url"), 4096)
    found = []
    if title is not None or fields:
        product = bounded(opaque_id(card.get("retailer_id")) or opaque_id(card.get("id")))
        found.append(Attachment(kind, id=product, name=title, fields=fields))
    if picture is not None:
        found.append(Attachment("image", url=picture))
    return tuple(found)


def _fields(card: Json, currency: str | None) -> Iterator[Pair]:
    text = written(card.get("text"), _TEXT_LIMIT)
    if text is not None and card.get("title") is not None:
        yield "text", text
    for name in (*_WORDS, *_OF_A_RECEIPT):
        if (said := _plain(card.get(name))) is not None:
            yield name.replace("_", " "), f"{said} {currency}" if name == "price" and currency else said
    summary = inner(card, "summary")
    for name in _COSTS:
        if (said := _plain(summary.get(name))) is not None:
            yield name.replace("_", " "), f"{said} {currency}" if currency else said
    if (link := written(inner(card, "default_action").get("url"), _URL_LIMIT)) is not None:
        yield "link", link
    for button in islice(_objects(card.get("buttons")), _BUTTONS_MAX):
        label, leads = written(button.get("title"), 80), written(button.get("url"), _URL_LIMIT)
        if label or leads:
            yield "button", f"{label} ({leads})" if label and leads else label or leads or ""


def _plain(value: Any) -> str | None:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)[:64]
    return written(value, _TEXT_LIMIT)


def _objects(value: Any) -> Iterator[Json]:
    return (one for one in value if isinstance(one, dict)) if isinstance(value, list) else iter(())
