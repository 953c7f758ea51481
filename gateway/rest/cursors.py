"""Cursors: where the next page of a listing begins, as a text that its reader need not understand.

It holds the sort key of the page's last row, and nothing that the row-level security would not show anyway.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import orjson

from gateway.http.parameters import ID_MAX, Wrong, read_time
from gateway.http.refused import Refused


def cursor_of(*key: int | str | datetime) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(key)).decode().rstrip("=")


def next_cursor(rows: Sequence[Any], limit: int, *names: str) -> str | None:
    """The cursor after these rows by the columns of their order; None: a page that is not full is the last."""
    return None if len(rows) < limit else cursor_of(*(getattr(rows[-1], name) for name in names))


def after_id(cursor: str | None) -> int:
    """Where a listing by id goes on; 0: at its beginning. Raises Refused(422)."""
    if cursor is None:
        return 0
    [found] = _key(cursor, int)
    return int(found)


def after_time(cursor: str | None) -> tuple[datetime, int] | None:
    """Where a listing by time and id goes on. Raises Refused(422)."""
    if cursor is None:
        return None
    at, found = _key(cursor, str, int)
    try:
        return read_time(at), int(found)
    except Wrong:
        raise _not_ours() from None


def after_text(cursor: str | None) -> str:
    """Where a listing by a text goes on; empty: at its beginning. Raises Refused(422)."""
    if cursor is None:
        return ""
    [found] = _key(cursor, str)
    if "\0" in found:
        raise _not_ours()
    return str(found)


def _key(cursor: str, *types: type) -> list[Any]:
    try:
        found = orjson.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError):
        raise _not_ours() from None
    if not isinstance(found, list) or [type(one) for one in found] != list(types):
        raise _not_ours()
    if any(type(one) is int and not 0 <= one <= ID_MAX for one in found):
        raise _not_ours()
    return found


def _not_ours() -> Refused:
    return Refused(422, "cursor should be the next_cursor of the page before")
