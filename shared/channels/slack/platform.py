"""Slack as a platform: a workspace is a channel, its bot answers in direct messages and where it is mentioned.

Me: external_id is the workspace's id (`T…`), handle the bot user's (`U…`), app the application's (`A…`). Credentials:
`token`, the bot's (`xoxb-…`). The app's secrets are signing secrets.

Requests are signed, https://docs.slack.dev/authentication/verifying-requests-from-slack: HMAC-SHA256 over
`v0:{timestamp}:{body}`, and older than five minutes they are none. Slack waits 3 s for an answer, tries again after
0, 1 and 5 minutes, and disables the subscription when fewer than 5 % of an hour's events were taken.
https://docs.slack.dev/apis/events-api
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import httpx

from shared.channels.base import Platform
from shared.channels.body import decode_form, decode_object
from shared.channels.fields import written
from shared.channels.parts import split_utf16
from shared.channels.signature import equals_any, is_fresh, slack_signature
from shared.channels.slack import event as slack_event
from shared.channels.slack import send as slack_send
from shared.channels.slack.update import account_of, split_address
from shared.clock import Clock, SystemClock
from shared.model import Attachment, ChannelHealth, Destination, InboundEvent, Location, Me, Outgoing, Rate, SendOutcome

API_URL = "https://slack.com/api"
PART_LIMIT_UNITS = 4000
"""What Slack advises; it cuts at 40,000 characters, which a part does not reach though escapes make it longer."""
TOLERANCE_S = 300.0
CHALLENGE_LIMIT = 1024


class Slack(Platform):
    """api_url: without the method, as `https://slack.com/api`."""

    name = "slack"
    local_delivery = False
    acknowledgement = b""
    """What answers a slash command is shown to whoever typed it."""

    def __init__(self, api_url: str = API_URL, clock: Clock | None = None) -> None:
        self.api_url = api_url.rstrip("/")
        self._clock = clock or SystemClock()

    def is_shared(self, chat: str) -> bool:
        return not chat.startswith("D")

    def decode(self, raw: bytes) -> dict[str, Any]:
        """Events are JSON; buttons and slash commands come as forms."""
        try:
            return decode_object(raw)
        except ValueError as not_json:
            try:
                return decode_form(raw)
            except ValueError:
                raise not_json from None

    def signed(self, headers: Mapping[str, str]) -> bool:
        timestamp = headers.get("x-slack-request-timestamp")
        fresh = timestamp is not None and is_fresh(timestamp, self._clock.now(), TOLERANCE_S)
        return fresh and headers.get("x-slack-signature", "").startswith("v0=")

    def verify(self, headers: Mapping[str, str], raw: bytes, secrets: Sequence[str]) -> bool:
        timestamp = headers.get("x-slack-request-timestamp")
        if timestamp is None or not is_fresh(timestamp, self._clock.now(), TOLERANCE_S):
            return False
        expected = [slack_signature(raw, timestamp, secret) for secret in secrets if secret]
        return equals_any(headers.get("x-slack-signature"), expected)

    def handshake(self, query: Mapping[str, str], verify_token: str) -> str | None:
        return None

    def challenge(self, body: Mapping[str, Any]) -> str | None:
        if body.get("type") != "url_verification":
            return None
        return written(body.get("challenge"), CHALLENGE_LIMIT)

    def account(self, body: Mapping[str, Any]) -> str | None:
        return account_of(body)

    def shard_key(self, body: Mapping[str, Any]) -> str:
        return slack_event.shard_key(body)

    def parse(self, body: Mapping[str, Any], me: Me) -> list[InboundEvent]:
        return slack_event.parse(body, me)

    def split(self, text: str) -> list[str]:
        return split_utf16(text, PART_LIMIT_UNITS)

    def rates(self, channel: str, chat: str) -> tuple[Rate, ...]:
        """One message a second in a channel, threads included, and several hundred a minute in a workspace."""
        conversation, _ = split_address(chat)
        return Rate(f"slack:{channel}", 300, 60.0, burst=20), Rate(f"slack:{channel}:{conversation}", 1, 1.0)

    async def send(self, http: httpx.AsyncClient, outgoing: Outgoing) -> SendOutcome:
        return await slack_send.deliver(http, f"{self.api_url}/chat.postMessage", outgoing)

    async def locate(self, http: httpx.AsyncClient, place: Destination, attachment: Attachment) -> Location:
        return await slack_send.locate(http, self.api_url, place, attachment)

    async def health(self, http: httpx.AsyncClient, place: Destination) -> ChannelHealth:
        return await slack_send.health(http, f"{self.api_url}/auth.test", place)

    async def typing(self, http: httpx.AsyncClient, place: Destination) -> None:
        await slack_send.set_status(http, f"{self.api_url}/assistant.threads.setStatus", place)
