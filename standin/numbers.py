"""Telephone numbers of WhatsApp's: what they may send, and what becomes of it, which is posted back."""

from __future__ import annotations

import hashlib
import hmac
import math
import time
from dataclasses import dataclass, field
from typing import Any

import httpx
import orjson

from standin.limits import Bucket

NUMBER_PER_S = 80.0
PAIR_BURST, PAIR_PER_S = 45, 1 / 6
STATUSES = ("sent", "delivered", "read", "failed")
TITLES = {
    130429: "Rate limit hit", 130472: "User's number is part of an experiment", 131026: "Message undeliverable",
    131047: "Re-engagement message", 131048: "Spam rate limit hit", 131049: "Meta chose not to deliver",
    131053: "Media upload error", 131056: "(Business Account, Consumer Account) pair rate limit hit",
}  # fmt: skip
DETAILS = {
    131026: "Message Undeliverable.",
    131047: "Message failed to send because more than 24 hours have passed since the customer last replied to this "
    "number.",
    131056: "Message failed to send because there were too many messages sent from this phone number to the same "
    "phone number in a short period of time.",
}

Fields = dict[str, Any]


@dataclass(slots=True)
class Number:
    """A registered telephone number. webhook: where its statuses are posted, signed with the application's secret."""

    id: str
    token: str
    display: str
    account_id: str
    app_secret: str
    webhook: str | None = None
    pair_per_s: float = PAIR_PER_S
    revoked: bool = False
    sent: dict[str, Fields] = field(default_factory=dict)
    buckets: dict[str, Bucket] = field(default_factory=dict)

    def wait_s(self, chat: str, now: float) -> tuple[float, float]:
        """How long until the number, and the pair, may send again; where both may, it is counted."""
        whole = self.buckets.setdefault("", Bucket(NUMBER_PER_S, NUMBER_PER_S, NUMBER_PER_S, now))
        pair = self.buckets.setdefault(chat, Bucket(PAIR_BURST, self.pair_per_s, PAIR_BURST, now))
        waits = whole.wait_s(now), pair.wait_s(now)
        if not any(waits):
            whole.tokens -= 1
            pair.tokens -= 1
        return waits


def status_webhook(number: Number, message_id: str, named: str, code: int | None = None) -> bytes:
    """What WhatsApp posts once it knows more of a message. Raises KeyError for a message that was never sent."""
    sent = number.sent[message_id]
    whom = "recipient_id" if sent["to"] == "to" else "recipient_user_id"
    status: Fields = {"id": message_id, "status": named, "timestamp": str(math.floor(time.time())), whom: sent["chat"]}
    if sent["ref"] is not None:
        status["biz_opaque_callback_data"] = sent["ref"]
    if code is not None:
        title = TITLES.get(code, "Something went wrong")
        details = {"details": DETAILS.get(code, title)}
        status["errors"] = [{"code": code, "title": title, "message": title, "error_data": details}]
    else:
        status["pricing"] = {"billable": False, "pricing_model": "PMP", "category": "service"}
    metadata = {"display_phone_number": number.display, "phone_number_id": number.id}
    value = {"messaging_product": "whatsapp", "metadata": metadata, "statuses": [status]}
    entry = {"id": number.account_id, "changes": [{"field": "messages", "value": value}]}
    return orjson.dumps({"object": "whatsapp_business_account", "entry": [entry]})


async def post_status(number: Number, message_id: str, named: str, code: int | None = None) -> int:
    """Post it to the number's webhook, signed; returns what was answered. Raises ValueError where there is none."""
    if number.webhook is None:
        raise ValueError(f"number {number.id} has no webhook")
    raw = status_webhook(number, message_id, named, code)
    signed = "sha256=" + hmac.new(number.app_secret.encode(), raw, hashlib.sha256).hexdigest()
    headers = {"content-type": "application/json", "x-hub-signature-256": signed}
    async with httpx.AsyncClient(timeout=10, trust_env=False) as http:
        answer = await http.post(number.webhook, content=raw, headers=headers)
    return answer.status_code
