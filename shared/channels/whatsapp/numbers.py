"""One spelling for each customer of WhatsApp: some countries changed their numbers, and WhatsApp names a person now by
the old and now by the new one.

Mexico dropped the 1 behind 52 (2019), Argentina's mobiles have a 9 behind 54 in international form, Brazil put a 9
before mobile numbers (2012 to 2016; landlines, which begin with 2 to 5, have none), Benin put 01 before all (2024),
Côte d'Ivoire 01, 05 or 07 before mobile ones, by the operator that the second digit told (2021).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

_IVORY = {"01": "0123", "05": "456", "07": "789"}
"""New prefix → the second digits of the old numbers that got it."""

_Spell = Callable[[re.Match[str]], str]
_RULES: tuple[tuple[re.Pattern[str], _Spell], ...] = (
    (re.compile(r"521?([0-9]{10})"), lambda m: f"52{m[1]}"),
    (re.compile(r"549?([0-9]{10})"), lambda m: f"54{m[1]}"),
    (re.compile(r"55([1-9][0-9])9?([016-9][0-9]{7})"), lambda m: f"55{m[1]}{m[2]}"),
    (re.compile(r"229(?:01)?([0-9]{8})"), lambda m: f"229{m[1]}"),
)


def one_spelling(contact_id: str) -> str:
    """The same for every spelling of a telephone number; any other id is as it is."""
    if not contact_id.isascii() or not contact_id.isdigit():
        return contact_id
    if contact_id.startswith("225"):
        return _ivory(contact_id)
    for pattern, spell in _RULES:
        if (match := pattern.fullmatch(contact_id)) is not None:
            return spell(match)
    return contact_id


def _ivory(number: str) -> str:
    prefix, old = number[3:5], number[5:]
    return f"225{old}" if len(old) == 8 and old[1] in _IVORY.get(prefix, "") else number


def spellings(contact_id: str) -> Iterator[str]:
    """Every spelling that the platform may use for the same person, this one too."""
    plain = one_spelling(contact_id)
    found = dict.fromkeys((contact_id, plain))
    if plain.isascii() and plain.isdigit():
        national = plain[2:]
        candidates = {
            "52": f"521{national}", "54": f"549{national}", "55": f"55{national[:2]}9{national[2:]}",
        }.get(plain[:2])  # fmt: skip
        more = [candidates] if candidates else []
        more += [f"22901{plain[3:]}"] if plain.startswith("229") else []
        more += [f"225{prefix}{plain[3:]}" for prefix in _IVORY] if plain.startswith("225") else []
        found |= dict.fromkeys(one for one in more if one_spelling(one) == plain)
    yield from found
