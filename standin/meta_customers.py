"""What customers of WhatsApp, Messenger and Instagram send, posted to the product's webhook as Meta posts it.

https://developers.facebook.com/docs/whatsapp/cloud-api/webhooks/components ·
https://developers.facebook.com/docs/messenger-platform/reference/webhook-events
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Mapping
from typing import Any

import httpx
import orjson

from standin.graph_wire import Node
from standin.numbers import Number

Fields = dict[str, Any]

_FILE = {"id": "31337", "mime_type": "image/jpeg", "sha256": "q80="}
WHATSAPP: Mapping[str, Fields] = {
    "text": {"text": {"body": "Hello"}},
    "image": {"image": _FILE},
    "audio": {"audio": {**_FILE, "mime_type": "audio/ogg; codecs=opus", "voice": True}},
    "document": {"document": {**_FILE, "mime_type": "application/pdf", "filename": "receipt.pdf"}},
    "sticker": {"sticker": {**_FILE, "mime_type": "image/webp", "animated": False}},
    "location": {"location": {"latitude": 41.8902, "longitude": 12.4922, "name": "Colosseum"}},
    "contacts": {"contacts": [{"name": {"formatted_name": "Ada Rossi"}, "phones": [{"phone": "+39 06 1234"}]}]},
    "order": {"order": {"catalog_id": "77", "text": "Without a box", "product_items": [
        {"product_retailer_id": "BOOT-43", "quantity": 2, "item_price": 49.9, "currency": "EUR"}]}},
    "button": {"button": {"payload": "yes-1", "text": "Yes"}},
    "interactive": {"interactive": {"type": "list_reply",
                                    "list_reply": {"id": "r1", "title": "Norway", "description": "5 days"}}},
    "form": {"interactive": {"type": "nfm_reply", "nfm_reply": {
        "name": "flow", "body": "Sent", "response_json": '{"flow_token":"t","size":"43","reason":"too small"}'}}},
    "unsupported": {"unsupported": {"type": "poll"}, "errors": [{"code": 131051, "title": "Message type unknown"}]},
}  # fmt: skip
"""Kinds of WhatsApp's messages, each with what it holds."""
PAGES: Mapping[str, Fields] = {
    "text": {"text": "Hello"},
    "image": {"attachments": [{"type": "image", "payload": {"url": "https://h.example/boot.jpg"}}]},
    "story_mention": {"attachments": [{"type": "story_mention", "payload": {"url": "https://h.example/s.jpg"}}]},
    "like_heart": {"attachments": [{"type": "like_heart"}]},
    "template": {"attachments": [{"type": "template", "payload": {"template_type": "generic", "elements": [
        {"title": "Boots", "subtitle": "Waterproof", "price": "49 €",
         "buttons": [{"type": "web_url", "title": "Buy", "url": "https://h.example/b"}]}]}}]},
    "unsupported": {"is_unsupported": True},
}  # fmt: skip
"""Kinds of Messenger's and Instagram's messages, each with what it holds."""


def whatsapp_message(kind: str, wa_id: str | None, message_id: str, more: Fields) -> Fields:
    """A customer's message of that kind. more: its fields that are other than usual."""
    content = WHATSAPP[kind]
    said = {"id": message_id, "timestamp": str(int(time.time())), "type": next(iter(content)), **content, **more}
    return {**({"from": wa_id} if wa_id else {}), **said}


async def post_whatsapp(number: Number, field: str, value: Fields) -> int:
    """Post a change of the number's; returns what its webhook answered."""
    metadata = {"display_phone_number": number.display, "phone_number_id": number.id}
    whole = {"messaging_product": "whatsapp", "metadata": metadata, **value}
    entry = {"id": number.account_id, "changes": [{"field": field, "value": whole}]}
    return await _post(number.webhook, number.app_secret, {"object": "whatsapp_business_account", "entry": [entry]})


async def post_page(node: Node, items: list[Fields]) -> int:
    """Post items of `messaging` of a page or account; returns what the application's webhook answered."""
    entry = {"id": node.id, "time": int(time.time() * 1000), "messaging": items}
    kind = "page" if node.kind == "page" else "instagram"
    return await _post(node.echo_url, node.app_secret, {"object": kind, "entry": [entry]})


async def _post(webhook: str | None, secret: str, body: Fields) -> int:
    if webhook is None:
        raise ValueError("it has no webhook")
    raw = orjson.dumps(body)
    signature = "sha256=" + hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest()
    headers = {"content-type": "application/json", "x-hub-signature-256": signature}
    async with httpx.AsyncClient(timeout=10, trust_env=False) as http:
        return (await http.post(webhook, content=raw, headers=headers)).status_code
