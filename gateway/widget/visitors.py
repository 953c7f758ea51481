"""A visitor's token: says which widget and which visitor, signed with a key that only the widget's app gives."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

VERSION = "v1"
VISITOR_BYTES = 16
TOKEN_CHARS_MAX = 1024


@dataclass(frozen=True, slots=True)
class Visitor:
    """id: random, which makes it nobody else's. issued_s, expires_s: seconds since 1970."""

    id: str
    channel: str
    issued_s: int
    expires_s: int


def new_id() -> str:
    return secrets.token_urlsafe(VISITOR_BYTES)


def sign(visitor: Visitor, app_secrets: Sequence[str]) -> str:
    """A token under the app's newest secret. Raises IndexError for an app without one."""
    body = _encode(orjson.dumps({"c": visitor.channel, "v": visitor.id, "i": visitor.issued_s, "e": visitor.expires_s}))
    return f"{VERSION}.{body}.{_encode(_mac(body, app_secrets[0]))}"


def read(token: str, channel: str, app_secrets: Sequence[str], now_s: float) -> Visitor | None:
    """The visitor whose token this is; None if it was signed under none of the secrets (several while one is
    rotated), is of another widget or too old. Every secret is tried, in constant time each."""
    version, _, rest = token[:TOKEN_CHARS_MAX].partition(".")
    body, _, given = rest.partition(".")
    if version != VERSION or not token.isascii():
        return None
    signed = False
    for secret in app_secrets:
        signed |= bool(secret) and hmac.compare_digest(_encode(_mac(body, secret)).encode(), given.encode())
    if not signed:
        return None
    visitor = _visitor(_decode(body))
    if visitor is None or visitor.channel != channel or not visitor.issued_s - 60 <= now_s < visitor.expires_s:
        return None
    return visitor


def _visitor(said: Any) -> Visitor | None:
    try:
        return Visitor(said["v"], said["c"], int(said["i"]), int(said["e"]))
    except (LookupError, TypeError, ValueError):
        return None


def _mac(body: str, secret: str) -> bytes:
    # a key of its own: what is signed here is nothing that the secret itself signs elsewhere
    derived = hmac.new(secret.encode("utf-8", "surrogatepass"), b"switchboard visitor token", hashlib.sha256).digest()
    return hmac.new(derived, body.encode(), hashlib.sha256).digest()


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decode(body: str) -> Any:
    try:
        return orjson.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    except (binascii.Error, ValueError):
        return None
