"""Visitors' tokens: each names a widget and a visitor, and is signed with a key derived from the widget's secret."""

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
    """One visitor of a widget. id: random, so that nobody can guess another's. issued_s, expires_s: seconds since
    1970."""

    id: str
    channel: str
    issued_s: int
    expires_s: int


def new_id() -> str:
    return secrets.token_urlsafe(VISITOR_BYTES)


def sign(visitor: Visitor, app_secrets: Sequence[str]) -> str:
    """Return a token signed with the app's newest secret. Raises IndexError for an app without one."""
    body = _encode(orjson.dumps({"c": visitor.channel, "v": visitor.id, "i": visitor.issued_s, "e": visitor.expires_s}))
    return f"{VERSION}.{body}.{_encode(_mac(body, app_secrets[0]))}"


def read(token: str, channel: str, app_secrets: Sequence[str], now_s: float) -> Visitor | None:
    """Return the visitor of a token; None if none of the secrets signed it (there are several during a rotation), or if
    it is another widget's or expired. Every secret is tried, each in constant time."""
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
    # A derived key, so that no signature made with the secret itself is ever valid as a token.
    derived = hmac.new(secret.encode("utf-8", "surrogatepass"), b"switchboard visitor token", hashlib.sha256).digest()
    return hmac.new(derived, body.encode(), hashlib.sha256).digest()


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decode(body: str) -> Any:
    try:
        return orjson.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    except (binascii.Error, ValueError):
        return None
