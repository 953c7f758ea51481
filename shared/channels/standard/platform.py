"""Any program as a channel: messages in and answers out as Standard Webhooks.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md

In: signed with one of the app's secrets (`whsec_<base64>`); see standard_event for what a message looks like.
Out: an answer is posted to the channel's `url`, signed with the channel's `secret`:

    {"type": "message.sent", "timestamp": "2026-03-01T09:30:04Z",
     "data": {"id": "sb.1.42", "conversation": "order-4711", "author": "bot", "text": "At nine."}}

Its header webhook-id is the answer's id and the same at every attempt, so that the receiver can tell a repetition;
therefore a request of unknown fate goes again. 2xx: taken. 410: the channel is disabled. A redirect is a refusal, as
the specification wants it. Everything else is tried again after 5 s, 5 and 30 min, 2, 5, 10, 14, 20 and 24 h (the
specification's schedule), and given up after ten attempts in 75 hours; later answers do not wait for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC
from typing import Any

import httpx
import orjson

from shared.channels import http as wire
from shared.channels.base import Patience, Platform
from shared.channels.fields import inner
from shared.channels.http import Response
from shared.channels.signature import equals_any, is_fresh, standard_key, standard_signature
from shared.channels.standard import event as standard_event
from shared.clock import Clock, SystemClock
from shared.errors import AttachmentGone
from shared.model import Attachment, Destination, InboundEvent, Location, Me, Outgoing, Rate, SendOutcome
from shared.resilience.egress import EgressRefused
from shared.text import storable

TOLERANCE_S = 300.0
SIGNATURES_MAX = 20
WAITS_S = (5.0, 300.0, 1_800.0, 7_200.0, 18_000.0, 36_000.0, 50_400.0, 72_000.0, 86_400.0)


class Standard(Platform):
    name = "standard"
    local_delivery = False
    # four days: whatever else delays an attempt, the tenth is still made
    patience = Patience(attempts_max=len(WAITS_S) + 1, expires_after_s=4 * 86_400.0, waits_s=WAITS_S, blocks=False)
    idempotent = True
    guarded = True
    tells_fate = False
    id_header = "webhook-id"

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()

    def signed(self, headers: Mapping[str, str]) -> bool:
        webhook_id, timestamp = headers.get("webhook-id"), headers.get("webhook-timestamp")
        fresh = timestamp is not None and is_fresh(timestamp, self._clock.now(), TOLERANCE_S)
        return bool(webhook_id) and fresh and "v1," in headers.get("webhook-signature", "")

    def verify(self, headers: Mapping[str, str], raw: bytes, secrets: Sequence[str]) -> bool:
        """Any of the signatures under any of the secrets; those of versions that we do not know are passed over."""
        webhook_id, timestamp = headers.get("webhook-id"), headers.get("webhook-timestamp")
        if not webhook_id or timestamp is None or not is_fresh(timestamp, self._clock.now(), TOLERANCE_S):
            return False
        keys = [key for key in map(standard_key, secrets) if key is not None]
        expected = [standard_signature(raw, webhook_id, timestamp, key) for key in keys]
        given = headers.get("webhook-signature", "").split(" ")[:SIGNATURES_MAX]
        return any(equals_any(signature, expected) for signature in given if signature.startswith("v1,"))

    def handshake(self, query: Mapping[str, str], verify_token: str) -> str | None:
        return None

    def challenge(self, body: Mapping[str, Any]) -> str | None:
        return None

    def account(self, body: Mapping[str, Any]) -> str | None:
        return None

    def shard_key(self, body: Mapping[str, Any]) -> str:
        return standard_event.conversation_of(inner(body, "data")) or ""

    def parse(self, body: Mapping[str, Any], me: Me) -> list[InboundEvent]:
        return standard_event.parse(body)

    def split(self, text: str) -> list[str]:
        """A program takes a text of any length: one part."""
        text = text.strip()
        return [text] if text else []

    def rates(self, channel: str, chat: str) -> tuple[Rate, ...]:
        """The specification names none; a burst of answers should not bury a small receiver."""
        return (Rate(f"standard:{channel}", 50, 1.0, burst=50),)

    async def send(self, http: httpx.AsyncClient, outgoing: Outgoing) -> SendOutcome:
        url, key = outgoing.place.credentials.get("url", ""), standard_key(outgoing.place.credentials.get("secret", ""))
        if key is None or not url:
            return SendOutcome("reauth", "bad_credentials")
        content = orjson.dumps(_payload(outgoing))
        timestamp = str(int(self._clock.now().timestamp()))
        headers = {
            "webhook-id": outgoing.ref,
            "webhook-timestamp": timestamp,
            "webhook-signature": standard_signature(content, outgoing.ref, timestamp, key),
        }
        try:
            answered = await wire.exchange(http, url, content, headers)
        except EgressRefused:
            return SendOutcome("failed", "address_refused")
        return _outcome(answered, outgoing.ref) if isinstance(answered, Response) else answered

    async def locate(self, http: httpx.AsyncClient, place: Destination, attachment: Attachment) -> Location:
        if attachment.url is None:
            raise AttachmentGone
        return Location(attachment.url)

    async def typing(self, http: httpx.AsyncClient, place: Destination) -> None:
        """There is no such webhook."""


def _payload(outgoing: Outgoing) -> dict[str, Any]:
    """The same at every attempt, as the id promises."""
    data = {
        "id": outgoing.ref,
        "conversation": storable(outgoing.place.chat),
        "author": outgoing.by,
        "text": storable(outgoing.text),
    }
    if outgoing.queued_at is None:
        return {"type": "message.sent", "data": data}
    return {"type": "message.sent", "timestamp": outgoing.queued_at.astimezone(UTC).isoformat(), "data": data}


def _outcome(response: Response, ref: str) -> SendOutcome:
    status = response.status
    if 200 <= status < 300:
        return SendOutcome("sent", "sent", platform_message_id=ref, http_status=status)
    if 300 <= status < 400:
        return SendOutcome("failed", "redirected", http_status=status)
    if status == 410:
        return SendOutcome("failed", "gone", http_status=status, disables=True)
    meaning = "rate_limited" if status == 429 else "receiver_error" if status >= 500 else "receiver_refused"
    return SendOutcome("retry", meaning, retry_after_s=response.retry_after_s, http_status=status)
