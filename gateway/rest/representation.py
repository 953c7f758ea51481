"""Answers as JSON: entity tags, answers to conditional requests, compression, HEAD."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Annotated, Any

import brotli
import orjson
from fastapi import Depends, Header, Request
from pydantic import BaseModel

from gateway.http.refused import Refused

JSON = "application/json"
COMPRESSED_FROM_BYTES = 1024
IN_THREAD_FROM_BYTES = 64 * 1024
"""Compressing it takes more than a millisecond, for which the event loop should not wait."""
BROTLI_QUALITY = 4
"""As fast as gzip, and smaller."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer as bytes."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


def as_bytes(value: Any) -> bytes:
    """JSON of what orjson knows, as of dataclasses, and of pydantic's models without fields that were not set."""
    return orjson.dumps(value, default=_more)


def _more(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(by_alias=True, exclude_unset=True)
    raise TypeError(f"{type(value).__name__} is not JSON")


def tag_of(body: bytes) -> str:
    return blake2b(body, digest_size=12).hexdigest()


def named_tags(header: str) -> set[str]:
    """The tags that If-Match or If-None-Match names. A compressed answer's ends in the name of its encoding, and stands
    for the same state."""
    found = set()
    for one in header.split(","):
        tag = one.strip().removeprefix("W/").strip('"')
        found.add(tag.removesuffix("-br").removesuffix("-gzip"))
    return found


class Match:
    """What If-Match asks for: that nobody changed the thing since it was read."""

    def __init__(self, header: str | None) -> None:
        self._tags = None if header is None else named_tags(header)

    def check(self, now: Callable[[], Any]) -> None:
        """now: gives what a GET would answer; asked for only where it is compared. Raises Refused(412)."""
        if self._tags is None or "*" in self._tags:
            return
        if tag_of(as_bytes(now())) not in self._tags:
            raise Refused(412, "it was changed since: read it again, and change what is there now")


async def _match(
    if_match: Annotated[str | None, Header(max_length=1000, description="The ETag of what is to be changed.")] = None,
) -> Match:
    return Match(if_match)


IfMatch = Annotated[Match, Depends(_match)]
"""Of operations by which an update could be lost."""


def encoding_of(accepted: str) -> str | None:
    """The best of what the client takes that we have: `br`, `gzip`, or None."""
    if not accepted:
        return None
    refused = {one.partition(";")[0].strip() for one in accepted.split(",") if one.replace(" ", "").endswith(";q=0")}
    named = {one.partition(";")[0].strip() for one in accepted.split(",")} - refused
    return "br" if "br" in named else "gzip" if "gzip" in named else None


def compressed(body: bytes, encoding: str) -> bytes:
    if encoding == "br":
        return bytes(brotli.compress(body, quality=BROTLI_QUALITY))
    packer = zlib.compressobj(5, zlib.DEFLATED, 31)
    return packer.compress(body) + packer.flush()


async def answer(
    request: Request, body: bytes, *, status: int = 200, headers: Mapping[str, str], media_type: str = JSON,
    tagged: bool = False, compress: Callable[[bytes, str], bytes] = compressed,
) -> Answer:  # fmt: skip
    """tagged: it has an entity tag; a GET that names it gets 304."""
    sent = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    asked = request.headers
    packed = encoding_of(asked.get("accept-encoding", "")) if len(body) > COMPRESSED_FROM_BYTES else None
    if len(body) > COMPRESSED_FROM_BYTES:
        sent.append((b"vary", b"accept-encoding"))
    if tagged:
        tag = tag_of(body)
        sent.append((b"etag", f'"{tag}-{packed}"'.encode() if packed else f'"{tag}"'.encode()))
        known = asked.get("if-none-match") if request.method in ("GET", "HEAD") else None
        if known is not None and ({tag, "*"} & named_tags(known)):
            return Answer(304, sent, b"")
    if packed is not None:
        in_thread = len(body) > IN_THREAD_FROM_BYTES
        body = await asyncio.to_thread(compress, body, packed) if in_thread else compress(body, packed)
        sent.append((b"content-encoding", packed.encode()))
    sent += [(b"content-type", media_type.encode()), (b"content-length", str(len(body)).encode())]
    return Answer(status, sent, b"" if request.method == "HEAD" else body)
