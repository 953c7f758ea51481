"""WhatsApp's Cloud API as a platform: one channel is one telephone number of ours, named by its id.

Limits: a text of 4096 characters (https://developers.facebook.com/docs/whatsapp/cloud-api/messages/text-messages); 80
messages a second and number, one in 6 s to the same person after a burst of 45
(https://developers.facebook.com/docs/whatsapp/cloud-api/overview#throughput, …#pair-rate-limits); 24 hours after the
customer's last message only templates, which need Meta's approval and are not sent by us
(https://developers.facebook.com/docs/whatsapp/cloud-api/guides/send-messages#customer-service-windows).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import quote, urlsplit

import httpx

from shared.channels.base import Platform
from shared.channels.fields import opaque_id, written
from shared.channels.http import BROKEN, get, not_said
from shared.channels.markup import to_whatsapp
from shared.channels.meta import graph as meta
from shared.channels.parts import split_utf16
from shared.channels.whatsapp import webhook as whatsapp_webhook
from shared.channels.whatsapp.numbers import one_spelling, spellings
from shared.channels.whatsapp.values import list_of
from shared.clock import Clock, SystemClock
from shared.errors import AttachmentGone, ServiceFailed
from shared.model import Attachment, ChannelHealth, Destination, InboundEvent, Location, Me, Outgoing, Rate, SendOutcome
from shared.text import storable

PART_LIMIT = 4096
"""Characters; counted in UTF-16, in which a text has at least as many units, so that no way of counting finds more."""
WINDOW = timedelta(hours=24)
MESSAGES_PER_S = 80
PAIR_EVERY_S, PAIR_BURST = 6.0, 45

_USER_ID = re.compile(r"[A-Z]{2}\.(?:ENT\.)?[A-Za-z0-9]{1,128}")
_FILE_HOSTS = (".fbsbx.com", ".facebook.com", ".fbcdn.net", ".whatsapp.net")


class WhatsApp(Platform):
    """graph_url: as `https://graph.facebook.com`. credentials of a place: `token`, and `app_secret` where requests
    are to be proved."""

    name = "whatsapp"
    local_delivery = False
    has_automatic_replies = True
    """The WhatsApp Business app's greeting, or that nobody is there."""

    def __init__(
        self, graph_url: str = meta.GRAPH_URL, version: str = meta.GRAPH_VERSION, clock: Clock | None = None
    ) -> None:
        self.graph_url = graph_url
        self.version = version
        self._clock = clock or SystemClock()

    def is_shared(self, chat: str) -> bool:
        return not (chat.isdigit() or _USER_ID.fullmatch(chat))

    def signed(self, headers: Mapping[str, str]) -> bool:
        return meta.signed(headers)

    def verify(self, headers: Mapping[str, str], raw: bytes, secrets: Sequence[str]) -> bool:
        return meta.verify(headers, raw, secrets)

    def handshake(self, query: Mapping[str, str], verify_token: str) -> str | None:
        return meta.handshake(query, verify_token)

    def challenge(self, body: Mapping[str, Any]) -> str | None:
        return None

    links_identities = True

    def spellings(self, contact: str) -> tuple[str, ...]:
        """A number as some countries wrote it before and after they changed theirs."""
        return tuple(dict.fromkeys((one_spelling(contact), *spellings(contact))))

    def account(self, body: Mapping[str, Any]) -> str | None:
        return None  # a request may hold several numbers: each event names its own

    def shard_key(self, body: Mapping[str, Any]) -> str:
        return whatsapp_webhook.shard_key(body)

    def parse(self, body: Mapping[str, Any], me: Me) -> list[InboundEvent]:
        return whatsapp_webhook.parse(body, me)

    def split(self, text: str) -> list[str]:
        return split_utf16(text, PART_LIMIT)

    def rates(self, channel: str, chat: str) -> tuple[Rate, ...]:
        return (
            Rate(f"whatsapp:{channel}", MESSAGES_PER_S, 1.0, burst=MESSAGES_PER_S),
            Rate(f"whatsapp:{channel}:{chat}", 1, PAIR_EVERY_S, burst=PAIR_BURST),
        )

    async def send(self, http: httpx.AsyncClient, outgoing: Outgoing) -> SendOutcome:
        """The window holds for bot and agent alike; where we do not know when the customer wrote, WhatsApp decides."""
        place = outgoing.place
        if place.last_customer_at is not None and self._clock.now() - place.last_customer_at >= WINDOW:
            return SendOutcome("failed", "window_closed")
        fields = {
            "messaging_product": "whatsapp",
            **addressee(place.chat),
            "type": "text",
            "text": {"body": to_whatsapp(storable(outgoing.text)), "preview_url": False},
            "biz_opaque_callback_data": outgoing.ref,
        }
        return await meta.send(
            http, self._url(place), place.credentials, fields, message_id, attempt=outgoing.attempt
        )  # fmt: skip

    async def locate(self, http: httpx.AsyncClient, place: Destination, attachment: Attachment) -> Location:
        """An id's address is good for five minutes, and is read with the token.
        https://developers.facebook.com/docs/whatsapp/cloud-api/reference/media#get-media-url"""
        token = {"authorization": f"Bearer {place.credentials.get('token', '')}"}
        if attachment.id is None:
            if attachment.url is None:
                raise AttachmentGone
            return self._location(attachment.url, token)
        media_id, number = quote(attachment.id, safe=""), quote(place.account, safe="")
        url = f"{self.graph_url.rstrip('/')}/{self.version}/{media_id}?phone_number_id={number}"
        try:
            answer = await get(http, url, token)
        except (*BROKEN, UnicodeError) as e:
            raise ServiceFailed(type(e).__name__) from e
        found = written(answer.body.get("url"), 4096)
        if answer.status == 200 and found is not None:
            return self._location(found, token)
        if answer.status in (400, 404):
            raise AttachmentGone
        raise not_said("the media's address", answer)

    def _location(self, url: str, token: Mapping[str, str]) -> Location:
        """Only Meta's own servers see the token."""
        try:
            parts, graph = urlsplit(url), urlsplit(self.graph_url)
        except ValueError:
            raise AttachmentGone from None
        if (parts.scheme, parts.netloc) == (graph.scheme, graph.netloc):
            return Location(url, token, ours=True)
        metas = parts.scheme == "https" and f".{parts.hostname or ''}".endswith(_FILE_HOSTS)
        return Location(url, token if metas else {})

    async def health(self, http: httpx.AsyncClient, place: Destination) -> ChannelHealth:
        """Accounts are subscribed, not numbers."""
        account = place.credentials.get("account_id", "")
        url = meta.node_url(self.graph_url, self.version, account, "subscribed_apps")
        return await meta.health(http, url, place.credentials) if account else ChannelHealth("unknown")

    async def typing(self, http: httpx.AsyncClient, place: Destination) -> None:
        """Both marks the customer's message as read and shows that we type, for up to 25 s.
        https://developers.facebook.com/docs/whatsapp/cloud-api/typing-indicators"""
        if place.last_message is None:
            return
        fields = {
            "messaging_product": "whatsapp",
            "status": "read",
            "message_id": storable(place.last_message),
            "typing_indicator": {"type": "text"},
        }
        await meta.courtesy(http, self._url(place), place.credentials, fields)

    def _url(self, place: Destination) -> str:
        return meta.node_url(self.graph_url, self.version, place.account, "messages")


def addressee(chat: str) -> dict[str, str]:
    """The fields that name who gets it: a group by its id, a person by number, else by business-scoped user id."""
    if chat.endswith("@g.us"):
        return {"recipient_type": "group", "to": storable(chat)}
    name = "recipient" if _USER_ID.fullmatch(chat) else "to"
    return {"recipient_type": "individual", name: storable(chat)}


def message_id(body: Mapping[str, Any]) -> str | None:
    """`{"messages": [{"id": "wamid.…"}]}`."""
    sent = list_of(body.get("messages"))[:1]
    return opaque_id(sent[0].get("id")) if sent else None
