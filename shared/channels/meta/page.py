"""What Messenger and Instagram have in common as platforms; each says what is its own in its module."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import httpx

from shared.channels.base import Platform
from shared.channels.fields import bounded, opaque_id
from shared.channels.markup import to_plain
from shared.channels.meta import graph as meta
from shared.channels.meta import webhook as meta_webhook
from shared.channels.meta.event import GUEST
from shared.clock import Clock, SystemClock
from shared.errors import AttachmentGone
from shared.model import Attachment, ChannelHealth, Destination, InboundEvent, Location, Me, Outgoing, SendOutcome
from shared.text import storable

WINDOW = timedelta(hours=24)
"""How long after a customer's message everybody may answer.
https://developers.facebook.com/docs/messenger-platform/policy/policy-overview#24-hours-messaging-window"""

AGENT_WINDOW = timedelta(days=7)
"""How long a person may, with the tag HUMAN_AGENT, which is never for bots.
https://developers.facebook.com/docs/features-reference/human-agent"""

_TAGGED = {"messaging_type": "MESSAGE_TAG", "tag": "HUMAN_AGENT"}
_CLOSED = SendOutcome("failed", "window_closed")


class Page(Platform):
    """api_url: without the version, as `https://graph.facebook.com`. Credentials: `token`; `app_secret` where the
    application demands proved requests."""

    local_delivery = False
    has_automatic_replies = True
    in_time: Mapping[str, Any]
    """The fields beside the message while the window is open."""

    def __init__(self, api_url: str, version: str = meta.GRAPH_VERSION, clock: Clock | None = None) -> None:
        self.api_url = api_url
        self.version = version
        self.clock = clock or SystemClock()

    def signed(self, headers: Mapping[str, str]) -> bool:
        return meta.signed(headers)

    def verify(self, headers: Mapping[str, str], raw: bytes, secrets: Sequence[str]) -> bool:
        return meta.verify(headers, raw, secrets)

    def handshake(self, query: Mapping[str, str], verify_token: str) -> str | None:
        return meta.handshake(query, verify_token)

    def challenge(self, body: Mapping[str, Any]) -> str | None:
        return None

    def account(self, body: Mapping[str, Any]) -> str | None:
        return meta_webhook.account(body)

    def shard_key(self, body: Mapping[str, Any]) -> str:
        return meta_webhook.shard_key(body)

    def parse(self, body: Mapping[str, Any], me: Me) -> list[InboundEvent]:
        return meta_webhook.parse(body, me)

    def message(self, outgoing: Outgoing) -> dict[str, Any]:
        """What stands under `message`. Neither platform shows marks in what a page sends."""
        return {"text": to_plain(storable(outgoing.text))}

    async def send(self, http: httpx.AsyncClient, outgoing: Outgoing) -> SendOutcome:
        """Refuses by itself what the platform would punish: a bot's words after a day, anybody's after a week."""
        place, by_person = outgoing.place, outgoing.by == "agent"
        fields = {"recipient": addressee(place.chat), "message": self.message(outgoing)}
        silent = self._silent_for(place)
        if silent > (AGENT_WINDOW if by_person else WINDOW):
            return _CLOSED
        if silent > WINDOW:
            return await self._post(http, outgoing, {**fields, **_TAGGED})
        outcome = await self._post(http, outgoing, {**fields, **self.in_time})
        if by_person and outcome.meaning == _CLOSED.meaning:
            # the platform's clock runs ahead of ours, or we do not know when the customer wrote; nothing was sent
            return await self._post(http, outgoing, {**fields, **_TAGGED})
        return outcome

    def _silent_for(self, place: Destination) -> timedelta:
        """How long the customer has said nothing; no time where nobody knows, so that the platform decides."""
        if place.last_customer_at is None:
            return timedelta(0)
        return self.clock.now() - place.last_customer_at

    async def _post(self, http: httpx.AsyncClient, outgoing: Outgoing, fields: Mapping[str, Any]) -> SendOutcome:
        place = outgoing.place
        return await meta.send(http, self.url(place), place.credentials, fields, _message_id, attempt=outgoing.attempt)

    async def typing(self, http: httpx.AsyncClient, place: Destination) -> None:
        for action in ("mark_seen", "typing_on"):  # in this order: what is typed answers what was seen
            fields = {"recipient": addressee(place.chat), "sender_action": action}
            await meta.courtesy(http, self.url(place), place.credentials, fields)

    async def locate(self, http: httpx.AsyncClient, place: Destination, attachment: Attachment) -> Location:
        """Addresses come with the message and carry their own permission for some days."""
        if attachment.url is None:
            raise AttachmentGone
        return Location(attachment.url)

    async def health(self, http: httpx.AsyncClient, place: Destination) -> ChannelHealth:
        url = f"{self.url(place).rpartition('/')[0]}/subscribed_apps"
        return await meta.health(http, url, place.credentials)

    def url(self, place: Destination) -> str:
        """Where messages are posted to."""
        return meta.node_url(self.api_url, self.version, place.account, "messages")


def addressee(chat: str) -> dict[str, str]:
    """A chat as the send API names it: a person by id, a guest by the reference that the page's plugin made."""
    if chat.startswith(GUEST):
        return {"user_ref": storable(chat.removeprefix(GUEST))}
    return {"id": storable(chat)}


def _message_id(body: Mapping[str, Any]) -> str | None:
    return bounded(opaque_id(body.get("message_id")))
