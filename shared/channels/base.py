"""What a platform's module promises: payload → events, answer → HTTP, error → meaning.

Platforms inherit from `Platform`, and with it what holds for most of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import httpx

from shared.channels.body import decode_object
from shared.model import Attachment, ChannelHealth, Destination, InboundEvent, Location, Me, Outgoing, Rate, SendOutcome


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a part is tried again. At first what suits chats, whose windows are a day.

    waits_s: seconds from the first failure to the second attempt, from the second failure to the third, …; empty:
    they double up to minutes. blocks: while a part waits for its next attempt, the conversation's later ones wait,
    too, so that they arrive in order.
    """

    attempts_max: int = 12
    expires_after_s: float = 24 * 3600.0
    waits_s: tuple[float, ...] = ()
    blocks: bool = True


class Platform(Protocol):
    name: str
    local_delivery: bool
    """The customer reads our own tables: a part is delivered by the commit that settles it, and nothing is sent."""
    patience: Patience = Patience()
    idempotent: bool = False
    """Whoever receives a part knows it by our name for it (Outgoing.ref), and takes it once however often it comes: a
    request of unknown fate may go again."""
    guarded: bool = False
    """Parts go to addresses that companies name: the client given to `send` must be one that keeps them out of our
    own network."""
    tells_fate: bool = True
    """It may tell what became of a part before the answer to its send has been recorded (delivered, read, failed), so
    recording it looks for that."""
    id_header: str | None = None
    """The header, in lower case, that names a delivery, the same each time it is sent again; such a name says better
    than the content what has come before."""
    signs_body: bool = True
    """The proof covers the body; otherwise the headers alone prove it, and `verify` looks at nothing else."""
    acknowledgement: bytes = b'{"ok":true}'
    """What a request is answered with once the journal has it. Empty where the platform would read an answer."""

    has_automatic_replies: bool = False
    """Other applications on an account, or the platform's own, may answer by themselves, and what they write comes as
    an echo."""
    links_identities: bool = False
    """It may name one person by several ids: they are kept, and joined where an event shows two of them."""

    def spellings(self, contact: str) -> tuple[str, ...]:
        """All the ways in which it may write this id of a person; the first is the same for all of them."""
        return (contact,)

    def decode(self, raw: bytes) -> dict[str, Any]:
        """A request's body as JSON object. Raises ValueError when it is none; its message holds nothing of it."""
        return decode_object(raw)

    def signed(self, headers: Mapping[str, str]) -> bool:
        """Whether the headers hold what a signature of the body needs: without it the body need not be read."""
        return True

    def is_shared(self, chat: str) -> bool:
        """Whether several customers may write in this chat: a group, or a channel of a workspace."""
        return False

    def moves_for_good(self, chat: str) -> bool:
        """Whether the platform gives this chat's id to nobody else once it has moved to another: what still comes under
        it belongs to the new one."""
        return False

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
        and treats its own cancellation of this call as `unknown_outcome`."""
        ...

    async def locate(self, http: httpx.AsyncClient, place: Destination, attachment: Attachment) -> Location:
        """Where an attachment's bytes are; platforms that give only an id are asked. The caller sets the deadline.

        Raises AttachmentGone, Transient when the platform does not say just now, and ServiceFailed when that is its own
        fault.
        """
        ...

    async def typing(self, http: httpx.AsyncClient, place: Destination) -> None:
        """Show that an answer is being written (and the message seen). A courtesy: failures are swallowed."""
        ...


@runtime_checkable
class ReportsHealth(Protocol):
    """A platform that can be asked how our subscription fares."""

    async def health(self, http: httpx.AsyncClient, place: Destination) -> ChannelHealth:
        """What it says of the channel (place.chat is empty). Never raises on what the network or the platform does;
        the caller sets the deadline."""
        ...
