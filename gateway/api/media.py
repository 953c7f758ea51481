"""`GET /media/{company}/{message}/{ordinal}?until=…&sig=…`: an attachment's bytes, for whoever has a fresh address.

Addresses are signed and short-lived, so that a browser can show a picture without the agent's key in it. 403: signed
by nobody here, or too old · 404: not stored · 503: the media store or the database cannot say.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from gateway.http.edge import Edge
from gateway.http.parameters import Parameters, query_text
from gateway.http.refused import Refused
from gateway.http.resource import Operation, Resource
from shared.errors import DatabaseUnavailable
from shared.store.db.objects import MediaStoreUnavailable
from shared.store.inbox import media

SHOWN_INLINE = (
    "image/png", "image/jpeg", "image/gif", "image/webp", "image/avif", "audio/", "video/",
)  # fmt: skip
"""What a browser may show in place. Anything else is saved: a page or an SVG would run as ours."""
UNTIL, SIGNATURE = query_text("until", 20, ""), query_text("sig", 200, "")
_HEADERS = {
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; sandbox",
    "referrer-policy": "no-referrer",
}


def address(keys: Sequence[str], company_id: int, message_id: int, ordinal: int, until_s: int) -> str:
    """The path that shows an attachment until then (seconds since 1970). keys: ENCRYPTION_KEYS, newest first."""
    return f"/media/{company_id}/{message_id}/{ordinal}?until={until_s}&sig=" + _mac(
        keys[0], company_id, message_id, ordinal, until_s
    )


def _mac(key: str, *what: int) -> str:
    # a key of its own: what is signed here is nothing that the encryption key itself signs
    derived = hmac.new(key.encode(), b"switchboard media address", hashlib.sha256).digest()
    return hmac.new(derived, "/".join(map(str, what)).encode(), hashlib.sha256).hexdigest()


async def anybody(request: Request) -> Request:
    """Send the attachment. The signed address itself is the permission to see it."""
    return request


async def show(request: Request, asked: Parameters) -> Response:
    edge: Edge = request.app.state.edge
    place = tuple(int(request.path_params[name]) for name in ("company", "message", "ordinal"))
    if not _signed(edge, place, asked.query[UNTIL], asked.query[SIGNATURE]):
        raise Refused(403, "this address is too old: open the conversation again")
    company_id = place[0]

    def find() -> media.Stored | None:
        with edge.db.transaction(company_id) as conn:
            return media.find(conn, *place)

    try:
        found = await edge.in_thread(find)
        pieces = None if found is None else await edge.objects.stream(company_id, found.sha256)
    except (DatabaseUnavailable, MediaStoreUnavailable):
        raise Refused(503, "try again shortly", 2.0) from None
    if found is None or pieces is None:
        raise Refused(404, "there is no such attachment")
    headers = {
        **_HEADERS,
        "content-length": str(found.size_bytes),
        "content-disposition": _disposition(found),
        "cache-control": f"private, max-age={int(edge.settings.media.url_ttl_s)}",
    }
    kind = found.mime if found.mime.startswith(SHOWN_INLINE) else "application/octet-stream"
    return StreamingResponse(pieces, headers=headers, media_type=kind)


def _signed(edge: Edge, place: tuple[int, ...], until: str, given: str) -> bool:
    if not (until.isascii() and until.isdecimal() and len(until) < 12 and given.isascii()):
        return False
    fits = False
    for key in edge.settings.system.fernet_keys:  # every one, in constant time each
        fits |= hmac.compare_digest(_mac(key, *place, int(until)), given)
    return fits and edge.clock.now().timestamp() < int(until)


def _disposition(found: media.Stored) -> str:
    how = "inline" if found.mime.startswith(SHOWN_INLINE) else "attachment"
    if not found.name:
        return how
    name = found.name.replace("/", "_").replace("\\", "_")
    return f"{how}; filename*=UTF-8''{quote(name, safe='')}"


ROUTES = [
    Resource("/media/{company:id}/{message:id}/{ordinal:id}", {
        "GET": Operation(show, anybody, query=(UNTIL, SIGNATURE)),
    }),
]  # fmt: skip
