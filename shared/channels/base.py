"""What a platform's module promises: payload → events, answer → HTTP, error → meaning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import httpx

from shared.model import Attachment, InboundEvent, Location, Me, Outgoing, Place, Rate, SendOutcome


class Platform(Protocol):
    name: str
    local_delivery: bool
    """The customer reads our own tables: a part is delivered by the commit that settles it, and nothing is sent."""

    def verify(self, headers: Mapping[str, str], raw: bytes, secrets: Sequence[str]) -> bool:
        """Whether the request comes from the platform, under any of the app's secrets (several while one
        is rotated). headers: names in lower case. Constant time in each secret; malformed headers are False.
        """
        ...

    def handshake(self, query: Mapping[str, str], verify_token: str) -> str | None:
        """What a GET of the webhook's address is answered with, where the platform subscribes that way and knows the
        token; None: it does not, or the request does not fit. Constant time in the token."""
        ...

    def challenge(self, body: Mapping[str, Any]) -> str | None:
        """What a verified POST that is a handshake and no event is answered with; None for every other. Never
        raises."""
        ...

    def account(self, body: Mapping[str, Any]) -> str | None:
        """External id of the one channel that all of a body belongs to, where a body has one and the app may have
        several (a workspace); None otherwise. Never raises."""
        ...

    def shard_key(self, body: Mapping[str, Any]) -> str:
        """What must stay in order: the chat or sender where it is cheaply known, else ''. Never raises."""
        ...

    def parse(self, body: Mapping[str, Any], me: Me) -> list[InboundEvent]:
        """All events in a body, at least one, in order. Never raises on a JSON object of any shape: what is
        not understood is an event of kind `other` with a reason.
        """
        ...

    def split(self, text: str) -> list[str]:
        """The text as parts that the platform takes, none empty; never inside a grapheme cluster."""
        ...

    def rates(self, channel: str, chat: str) -> tuple[Rate, ...]:
        """The limits that one send to `chat` of `channel` (its id in our database) counts against."""
        ...

    async def send(self, http: httpx.AsyncClient, outgoing: Outgoing) -> SendOutcome:
        """Send one part. Never raises on what the network or the platform does; the caller sets the deadline
        and treats its own cancellation of this call as `uncertain`."""
        ...

    async def locate(self, http: httpx.AsyncClient, place: Place, attachment: Attachment) -> Location:
        """Where an attachment's bytes are; platforms that give only an id are asked. The caller sets the deadline.

        Raises AttachmentGone, or Transient when the platform cannot say just now.
        """
        ...

    async def typing(self, http: httpx.AsyncClient, place: Place) -> None:
        """Show that an answer is being written (and the message seen). A courtesy: failures are swallowed."""
        ...
