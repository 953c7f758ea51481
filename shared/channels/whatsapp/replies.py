"""What customers choose and fill in on WhatsApp, as labels and values: answers of a form (a Flow), the line of a list,
an order, a contact's card, the product or the advertisement that a message is about.

https://developers.facebook.com/docs/whatsapp/flows/guides/receiveflowresponse ·
https://developers.facebook.com/docs/whatsapp/cloud-api/webhooks/components
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

import orjson

from shared.channels.fields import Json, bounded, called, inner, opaque_id, written
from shared.channels.whatsapp.values import NAME_LIMIT, identity, list_of, unescaped
from shared.model import Attachment

FIELDS_MAX = 60
LABEL_LIMIT, VALUE_LIMIT = 80, 500
_DEPTH_MAX = 6
_OURS = frozenset({"flow_token", "wa_flow_response_params"})
"""What a form sends back of what we put into it; no answer of the customer's."""
_SHOWN = frozenset({"id", "title", "body", "name", "response_json", "response"})
"""Fields of a reply that its text and its hidden value say."""

Fields = tuple[tuple[str, str], ...]


def answers(pressed: Json) -> Fields:
    """What was filled in, in the form's order; nothing of what is no form."""
    told = pressed.get("response_json")
    if isinstance(told, str):
        try:
            told = orjson.loads(told)
        except orjson.JSONDecodeError:
            return ()
    if not isinstance(told, dict):
        return ()
    return tuple(islice(_flat({k: v for k, v in told.items() if k not in _OURS}), FIELDS_MAX))


def _flat(value: Any, label: str = "", depth: int = 0) -> Iterator[tuple[str, str]]:
    """The leaves with the names that lead to them, lists of plain values on one line."""
    if depth > _DEPTH_MAX:
        return
    if isinstance(value, dict):
        for name, one in value.items():
            yield from _flat(one, f"{label} {_label(name)}".strip(), depth + 1)
    elif isinstance(value, list) and any(isinstance(one, dict | list) for one in value):
        for one in value:
            yield from _flat(one, label, depth + 1)
    elif (said := _plain(value)) is not None:
        yield label[:LABEL_LIMIT], said


def _plain(value: Any) -> str | None:
    if isinstance(value, list):
        return written(", ".join(said for one in value[:FIELDS_MAX] if (said := _plain(one))), VALUE_LIMIT)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return str(value)[:VALUE_LIMIT]
    return written(value, VALUE_LIMIT)


def _label(name: str) -> str:
    """`screen_0_Choose_one_1` is how Meta's builder of forms names the second question of the first screen."""
    words = name.split("_")
    if len(words) > 3 and words[0] == "screen" and words[1].isdigit() and words[-1].isdigit():
        words = words[2:-1]
    return called(" ".join(words)) or ""


def chosen(pressed: Json) -> tuple[Attachment, ...]:
    """What a reply says beyond its title: a form's answers; the line under a list's title; whatever else stands in
    replies that are not known here."""
    said = answers(pressed)
    if said:
        return (Attachment("form", name=written(pressed.get("name"), NAME_LIMIT), fields=said),)
    rest = tuple(islice(_flat({k: v for k, v in pressed.items() if k not in _SHOWN}), FIELDS_MAX))
    if not rest and pressed.get("title") is None:
        rest = tuple(islice(_flat({"response": pressed.get("response")}), 1))
    return (Attachment("choice", fields=rest),) if rest else ()


def beside(message: Json) -> tuple[Attachment, ...]:
    """The product that is asked about and the advertisement or post that led here.
    https://developers.facebook.com/docs/whatsapp/cloud-api/webhooks/reference/messages/text"""
    found = []
    product = inner(message, "context", "referred_product")
    if product:
        named = identity(product.get("product_retailer_id"))
        fields = _pairs(("product", named), ("catalog", identity(product.get("catalog_id"))))
        found.append(Attachment("product", id=bounded(named), fields=fields))
    led = inner(message, "referral")
    if led:
        link = written(led.get("source_url"), 2048)
        fields = _pairs(
            ("headline", written(led.get("headline"), VALUE_LIMIT)), ("body", written(led.get("body"), VALUE_LIMIT)),
            ("link", link[:VALUE_LIMIT] if link else None), ("greeting", _greeting(led)),
        )  # fmt: skip
        name = written(led.get("source_type"), NAME_LIMIT)
        if fields:
            found.append(Attachment("ad", id=bounded(opaque_id(led.get("source_id"))), name=name, fields=fields))
    return tuple(found)


def _greeting(led: Json) -> str | None:
    return written(inner(led, "welcome_message").get("text"), VALUE_LIMIT)


def of_order(order: Json) -> Fields:
    """What the things cost, and the customer's note; how many of which is the order's name."""
    prices = (
        (f"price of {identity(item.get('product_retailer_id')) or '?'}"[:LABEL_LIMIT],
         called(_amount(item.get("item_price")), written(item.get("currency"), 8)))
        for item in list_of(order.get("product_items"))[:FIELDS_MAX] if item.get("item_price") is not None
    )  # fmt: skip
    return _pairs(*prices, ("note", written(order.get("text"), VALUE_LIMIT)))


def _amount(value: Any) -> str | None:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f"{value:.2f}".rstrip("0").rstrip(".")
    return written(value, 32)


def of_card(card: Json) -> Fields:
    """What a contact's card tells beside the name and the first number."""
    organisation = inner(card, "org")
    return _pairs(
        *(("phone", identity(one.get("phone"), one.get("wa_id"))) for one in list_of(card.get("phones"))[1:5]),
        *(("email", written(one.get("email"), NAME_LIMIT)) for one in list_of(card.get("emails"))[:5]),
        ("company", unescaped(organisation.get("company"))),
        ("title", unescaped(organisation.get("title"))),
        *(("address", _address(one)) for one in list_of(card.get("addresses"))[:3]),
        *(("link", written(one.get("url"), VALUE_LIMIT)) for one in list_of(card.get("urls"))[:3]),
        ("birthday", written(card.get("birthday"), 32)),
    )


def _address(address: Json) -> str | None:
    return called(*(unescaped(address.get(name)) for name in ("street", "zip", "city", "state", "country")))


def _pairs(*pairs: tuple[str, str | None]) -> Fields:
    return tuple((label, value) for label, value in pairs if value)
