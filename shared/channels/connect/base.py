"""What connecting a channel asks for, checks and registers; one connector a platform."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import httpx

from shared.errors import Permanent, Transient
from shared.model import Me

ANSWER_WITHIN_S = 10.0
ANSWER_MAX_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class Question:
    """Something that a person has to look up on the platform.

    of: whether it belongs to the application, and is asked once however many channels it has, or to the channel.
    where: where it is found. optional: an empty answer will do.
    """

    name: str
    ask: str
    where: str
    of: Literal["app", "channel"] = "channel"
    secret: bool = False
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the platform says that we are. credentials: what sending needs. name: for people. notes: what is worth
    knowing now (a token that ends soon, a right that is missing)."""

    me: Me
    credentials: Mapping[str, str] = field(repr=False)
    name: str = ""
    notes: tuple[str, ...] = ()


class ConnectRefused(Permanent):
    """The platform refuses what it was asked with; the message is its own, and says what to change."""

    def __init__(self, message: str) -> None:
        super().__init__("connect", message)


class PlatformSilent(Transient):
    """The platform did not answer."""


class Connector(Protocol):
    platform: str
    title: str
    makes_secret: bool
    """We make the webhook's secret and tell the platform; otherwise the platform has one, which is asked for."""
    handshakes: bool
    """The platform proves the address by a GET with a verify token of our making."""

    @property
    def questions(self) -> Sequence[Question]: ...

    def new_secret(self) -> str | None:
        """A webhook's secret of our making, as the platform wants it; None where the platform has one."""
        ...

    async def identify(self, http: httpx.AsyncClient, answers: Mapping[str, str]) -> Identity:
        """Ask the platform who these credentials are. Raises ConnectRefused, PlatformSilent."""
        ...

    def secret_of(self, answers: Mapping[str, str]) -> str | None:
        """The webhook's secret where the platform has one; None where we make it."""
        ...

    async def register(self, http: httpx.AsyncClient, registration: Registration) -> list[str]:
        """Have the platform post to our address, where its API can; returns what was done, for people. Empty: it is
        done by hand (see `steps`). Raises ConnectRefused, PlatformSilent."""
        ...

    def steps(self, registration: Registration) -> list[str]:
        """What to paste where, for what `register` cannot do."""
        ...


@dataclass(frozen=True, slots=True)
class Registration:
    """address: the webhook as the platform reaches it. secret: the newest. answers: to the questions, where they are
    still known; after the connecting only the credentials are."""

    address: str
    secret: str = field(repr=False)
    identity: Identity
    verify_token: str | None = field(default=None, repr=False)
    answers: Mapping[str, str] = field(default_factory=dict, repr=False)


async def call(
    http: httpx.AsyncClient,
    method: str,
    url: str,
    *,
    who: str,
    token: str | None = None,
    params: Mapping[str, str] | None = None,
    body: Any = None,
) -> tuple[int, dict[str, Any]]:
    """One request to a platform's API: its status and its JSON object, empty if it is none.

    who: the platform's name for people. Raises PlatformSilent. No error quotes the address, which may hold a token.
    """
    headers = {"accept-encoding": "identity"} | ({"authorization": f"Bearer {token}"} if token else {})
    try:
        response = await http.request(
            method, url, headers=headers, params=params, json=body, timeout=ANSWER_WITHIN_S, follow_redirects=False
        )
    except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as e:
        origin = "/".join(url.split("/", 3)[:3])  # no more of it: paths may hold a token
        raise PlatformSilent(f"{who} did not answer at {origin} ({type(e).__name__})") from None
    try:
        answer = response.json() if len(response.content) <= ANSWER_MAX_BYTES else None
    except ValueError:
        answer = None
    return response.status_code, answer if isinstance(answer, dict) else {}
