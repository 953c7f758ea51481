"""Our own web-chat widget as a platform: its visitors post to the gateway and read our tables."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from typing import Any

import httpx

from shared.channels.base import Platform
from shared.channels.fields import KEY_LIMIT, bounded, content_key, key, language, opaque_id, written
from shared.channels.signature import equals_any
from shared.errors import AttachmentGone
from shared.model import Attachment, Destination, InboundEvent, Location, Me, Outgoing, Rate, SendOutcome

SIGNATURE_HEADER = "x-switchboard-signature"


def signature(raw: bytes, secret: str) -> str:
    return "sha256=" + hmac.new(secret.encode("utf-8", "surrogatepass"), b"widget:" + raw, hashlib.sha256).hexdigest()


class Widget(Platform):
    """A body is `{"visitor", "client_id", "text"}`, with the browser's `language` where it tells one. The gateway
    writes it, for the visitor whose token it has seen; whoever else posts one to /webhooks/widget/… must sign it with
    the app's secret, which no visitor has."""

    name = "widget"
    local_delivery = True

    def signed(self, headers: Mapping[str, str]) -> bool:
        return SIGNATURE_HEADER in headers

    def verify(self, headers: Mapping[str, str], raw: bytes, secrets: Sequence[str]) -> bool:
        return equals_any(headers.get(SIGNATURE_HEADER), [signature(raw, secret) for secret in secrets if secret])

    def handshake(self, query: Mapping[str, str], verify_token: str) -> str | None:
        return None

    def challenge(self, body: Mapping[str, Any]) -> str | None:
        return None

    def account(self, body: Mapping[str, Any]) -> str | None:
        return None

    def shard_key(self, body: Mapping[str, Any]) -> str:
        return bounded(opaque_id(body.get("visitor"))) or ""

    def parse(self, body: Mapping[str, Any], me: Me) -> list[InboundEvent]:
        visitor = bounded(opaque_id(body.get("visitor")), KEY_LIMIT)
        client_id = bounded(opaque_id(body.get("client_id")), KEY_LIMIT)
        text = written(body.get("text"))
        if visitor is None or client_id is None or text is None:
            event_key = content_key("other", dict(body))
            return [InboundEvent("other", False, "malformed", None, None, None, event_key)]
        return [
            InboundEvent(
                "message", True, None, sender=visitor, chat=visitor, external_id=client_id,
                dedupe_key=key("message", visitor, client_id), text=text,
                language=language(body.get("language")),
            )
        ]  # fmt: skip

    def split(self, text: str) -> list[str]:
        """A page shows a text of any length: one part."""
        text = text.strip()
        return [text] if text else []

    def rates(self, channel: str, chat: str) -> tuple[Rate, ...]:
        return ()

    async def send(self, http: httpx.AsyncClient, outgoing: Outgoing) -> SendOutcome:
        """Nobody calls this: the commit that settles a part delivers it (see local_delivery)."""
        return SendOutcome("sent", "stored_here")

    async def locate(self, http: httpx.AsyncClient, place: Destination, attachment: Attachment) -> Location:
        raise AttachmentGone  # visitors attach nothing

    async def typing(self, http: httpx.AsyncClient, place: Destination) -> None:
        """The answer's pieces show it."""
