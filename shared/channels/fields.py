"""Reading JSON of unknown shape: every reader takes anything, never raises, and says None for nonsense."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from shared.text import storable

Json = Mapping[str, Any]

TEXT_LIMIT = 16_000  # characters; what is beyond stays in the raw body
NAME_LIMIT = 128
OPAQUE_LIMIT = 512
KEY_LIMIT = 200
_YEAR_2100 = 4_102_444_800
_RENAMED_LANGUAGES = {"nb": "no", "nn": "no", "in": "id", "iw": "he", "hr": "sr", "bs": "sr"}
"""Old codes, and languages whose phrases are known under another's."""


def inner(value: Any, *path: str) -> dict[str, Any]:
    """The object at the end of the path, empty if there is none."""
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value if isinstance(value, dict) else {}


def number_id(value: Any) -> str | None:
    """A numeric id in its one spelling; numbers beyond 64 bits, floats that are rounded and booleans are none."""
    if isinstance(value, bool):
        return None
    if isinstance(value, float):
        value = int(value) if value.is_integer() and abs(value) <= 2**53 else None
    elif isinstance(value, str):
        digits = value.removeprefix("-")
        value = int(value) if digits.isascii() and digits.isdigit() and len(digits) < 20 else None
    return str(value) if isinstance(value, int) and abs(value) < 2**63 else None


def digits(value: Any) -> str | None:
    """A telephone number as its digits alone, None for what is none."""
    number = storable(value[:64]) if isinstance(value, str) else number_id(value) or ""
    found = re.sub(r"[\s()+.-]", "", number)
    return found if found.isascii() and found.isdigit() else None


def opaque_id(value: Any) -> str | None:
    """An id that the platform made up: text, or a number. Whoever stores it bounds its length."""
    if isinstance(value, str):
        return storable(value) or None
    return number_id(value)


def bounded(value: str | None, limit: int = OPAQUE_LIMIT) -> str | None:
    """The id, None if it is so long that nobody meant it."""
    return value if value is None or len(value) <= limit else None


def written(value: Any, limit: int = TEXT_LIMIT) -> str | None:
    """A text as it can be stored, cut at `limit` characters; None for no text and for nothing but whitespace."""
    if not isinstance(value, str):
        return None
    text = storable(value[:limit])
    return text if text and not text.isspace() else None


def called(*names: Any) -> str | None:
    """A display name on one line from its parts."""
    words = [word for name in names if isinstance(name, str) for word in storable(name[:NAME_LIMIT]).split()]
    return " ".join(words)[:NAME_LIMIT] or None


def language(value: Any) -> str | None:
    """The ISO 639-1 code at the beginning of a language tag or of an Accept-Language header: `pt-BR`, `zh_Hans`,
    `de,en;q=0.5`."""
    if not isinstance(value, str):
        return None
    code = re.split("[-_,;]", value[:35], maxsplit=1)[0].strip().lower()
    if not (2 <= len(code) <= 3 and code.isascii() and code.isalpha()):
        return None
    return _RENAMED_LANGUAGES.get(code, code)


def moment(value: Any) -> datetime | None:
    """A time from seconds since 1970; None for 0, which Telegram uses for "unknown", and for nonsense."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < _YEAR_2100:
        return None
    return datetime.fromtimestamp(value, UTC)


def key(*parts: str) -> str:
    """A dedupe key of at most KEY_LIMIT characters; a longer one is replaced by its hash."""
    whole = ":".join(parts)
    return whole if len(whole) <= KEY_LIMIT else f"{parts[0]}:sha256:{_sha256(whole)}"


def content_key(name: str, value: Any) -> str:
    """A dedupe key for what has no id: equal content, whatever the order of its fields, has an equal key."""
    return f"{name}:sha256:{_sha256(_canonical(value))}"


def _canonical(value: Any) -> str:
    """One spelling of a JSON value. Not json.dumps: a body may be nested deeper than Python recurses."""
    pieces, waiting = [], [value]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            names = sorted(value)
            pieces.append(f"o{json.dumps(names)}")
            waiting += [value[name] for name in names]
        elif isinstance(value, list):
            pieces.append(f"l{len(value)}")
            waiting += value
        elif isinstance(value, int) and value.bit_length() > 64:
            pieces.append(hex(value))  # Python refuses to spell thousands of decimal digits
        else:
            pieces.append(json.dumps(value))
    return "\n".join(pieces)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
