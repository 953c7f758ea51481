"""One spelling for each customer of WhatsApp: some countries changed their numbers, and WhatsApp names a person now by
the old and now by the new one.

Mexico dropped the 1 behind 52 (2019), Argentina's mobiles have a 9 behind 54 in international form, Brazil put a 9
before mobile numbers (2012 to 2016; landlines, which begin with 2 to 5, have none), Benin put 01 before all (2024),
Côte d'Ivoire two digits before all, by the operator that the second digit (mobiles) or the third (landlines) told
(2021).

The tables of the last two are those of Google's libphonenumber before and after (8.12.10 and 9.0.43). It is no
dependency because a release of it knows the plan of its day only: it cannot tell that an old and a new number are one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

_IVORY: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("01", re.compile(r"(?:0[1-3]|[4-7][0-3])[0-9]{6}")),
    ("05", re.compile(r"(?:0[4-6]|[4-9][4-6])[0-9]{6}")),
    ("07", re.compile(r"(?:0[7-9]|[4-9][7-9])[0-9]{6}")),
    ("25", re.compile(r"(?:2[0-4]|3[0-6])0[0-9]{5}")),
    ("27", re.compile(r"(?:2(?:0[23]|1[2357]|2[45]|3[45]|4[3-5])|3(?:06|1[69]|[2-4]7))[0-9]{5}")),
)
"""New prefix → the old numbers that got it: of Moov, MTN and Orange, then landlines of MTN and Orange. Of Moov's, which
had an 8 as third digit, the tables do not tell whether they became landlines: they stay two."""

_Spell = Callable[[re.Match[str]], str]
_RULES: tuple[tuple[re.Pattern[str], _Spell], ...] = (
    (re.compile(r"521?([0-9]{10})"), lambda m: f"52{m[1]}"),
    (re.compile(r"549?([0-9]{10})"), lambda m: f"54{m[1]}"),
    (re.compile(r"55([1-9][0-9])9?([016-9][0-9]{7})"), lambda m: f"55{m[1]}{m[2]}"),
    (re.compile(r"229(?:01)?([25689][0-9]{7})"), lambda m: f"229{m[1]}"),
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
    return f"225{old}" if any(prefix == new and plan.fullmatch(old) for new, plan in _IVORY) else number


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
        more += [f"225{prefix}{plain[3:]}" for prefix, _ in _IVORY] if plain.startswith("225") else []
        found |= dict.fromkeys(one for one in more if one_spelling(one) == plain)
    yield from found
