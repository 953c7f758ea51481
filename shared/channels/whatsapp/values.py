"""Values as WhatsApp writes them: lists, ids, times, and names that were escaped twice."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from shared.channels.fields import bounded, moment, number_id, opaque_id, written

NAME_LIMIT = 256
_ID_LIMIT = 256  # a message's id holds the chat's, in Base64
_MILLISECONDS = 100_000_000_000  # more than this is no time in seconds before the year 5138
_ESCAPED = re.compile(r"(?:\\u[0-9a-fA-F]{4})+")


def list_of(value: Any) -> list[dict[str, Any]]:
    """The objects in a list; an object where a list should be is a list of it."""
    if isinstance(value, dict):
        return [value] if value else []
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def identity(*values: Any) -> str | None:
    """The first that is an id."""
    return next((found for value in values if (found := bounded(opaque_id(value), _ID_LIMIT))), None)


def when(value: Any) -> datetime | None:
    """A time in seconds or milliseconds since 1970, as a number or a text, or in ISO 8601."""
    if isinstance(value, str):
        number = number_id(value.strip()[:32])
        if number is None:
            return _iso(value[:64])
        value = int(number)
    if isinstance(value, int | float) and not isinstance(value, bool) and value > _MILLISECONDS:
        value = value / 1000 if value < 10**18 else None
    return moment(value)


def _iso(value: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(value)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def unescaped(value: Any, limit: int = NAME_LIMIT) -> str | None:
    r"""A name, place or type that was escaped twice: `Saarbr\u00fccken`, `application\/zip`. Never a customer's own
    words, which may mean it."""
    text = written(value, limit * 6)
    if text is None or "\\" not in text:
        return written(text, limit)
    return written(_ESCAPED.sub(_letters, text).replace("\\/", "/"), limit)


def _letters(match: re.Match[str]) -> str:
    units = bytes.fromhex(match[0].replace("\\u", ""))
    return units.decode("utf-16-be", "replace")
