"""Tells questions about the asker's own order, parcel, account or money from those that documents answer.

"Where is my order 10023841?" is about data that no document holds; "how do I cancel my order?" and "where can I see my
order?" are about how things are done. Words of 17 languages decide (own_case_words.py), rather too seldom than too
often.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from shared.triage.own_case_words import CONNECTORS, WORDS

Kind = Literal["reference", "status"]
"""reference: it names one by its number, so that no general passage answers it. status: one without a number, of which
documents may say something general."""

READ_CHARS = 600
WORDS_MAX = 60
"""A longer text tells a story, and its words stand too far apart to say what is asked."""
NEAR = 3
"""So many words at most between "my" and "order"."""
REFERENCE_DIGITS, SURE_DIGITS = 4, 6
_WIDE = frozenset(("ja", "ko", "zh"))
_LETTERS = r"[^\W_][\w\u0300-\u036f\u0900-\u0dff]{0,60}"
"""With the signs that Indian scripts write vowels by, which are no letters to Python."""
_WORD = re.compile(rf"{_LETTERS}(?:['’\-./]{_LETTERS}){{0,12}}")
_VERBS_BEFORE = frozenset(("to", "i", "we", "you", "can", "could", "please", "and", "will"))
_YEARS = ("19", "20")
_NUMBERED = frozenset(
    (
        "account",
        "konto",
        "cuenta",
        "compte",
        "conta",
        "conto",
        "rekening",
        "customer",
        "kunde",
        "number",
        "nummer",
        "no",
    )
)


@dataclass(frozen=True, slots=True)
class _Words:
    whole: frozenset[str]
    stems: tuple[str, ...]
    several: tuple[tuple[str, ...], ...]

    def has(self, word: str) -> bool:
        return word in self.whole or (bool(self.stems) and word.startswith(self.stems))

    def places(self, words: Sequence[str]) -> list[int]:
        found = [place for place, word in enumerate(words) if self.has(word)]
        for phrase in self.several:
            size = len(phrase)
            found += [at for at in range(len(words) - size + 1) if tuple(words[at : at + size]) == phrase]
        return found


def _parsed(listed: str) -> _Words:
    entries = unicodedata.normalize("NFKC", listed).casefold().split()
    several = tuple(tuple(entry.split("_")) for entry in entries if "_" in entry)
    stems = tuple(entry[:-1] for entry in entries if entry.endswith("*"))
    return _Words(frozenset(e for e in entries if "_" not in e and not e.endswith("*")), stems, several)


_TABLES: Mapping[str, Mapping[str, _Words]] = {
    language: {role: _parsed(listed) for role, listed in roles.items()}
    for language, roles in WORDS.items()
    if language not in _WIDE
}
_RUNS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    language: {role: tuple(run.replace("_", " ") for run in listed.split()) for role, listed in WORDS[language].items()}
    for language in _WIDE
}


def judge(text: str) -> Kind | None:
    """What a question asks about the asker's own case; None: nothing, or it asks how something is done."""
    plain = unicodedata.normalize("NFKC", text[:READ_CHARS]).casefold().replace("’", "'")
    whole = _judged(plain)
    if whole is not None or "\n" not in plain:
        return whole
    each = [found for line in plain.split("\n")[-10:] if (found := _judged(line)) is not None]
    return "reference" if "reference" in each else each[0] if each else None


def has_reference(text: str) -> bool:
    """Whether it is about one case that it names by a number."""
    return judge(text) == "reference"


def _judged(plain: str) -> Kind | None:
    words = _WORD.findall(plain)
    if not words or len(words) > WORDS_MAX:
        return None
    manner = any(roles["how"].places(words) for roles in _TABLES.values())
    found = [kind for roles in _TABLES.values() if (kind := _by_words(roles, words, manner=manner)) is not None]
    found += [kind for runs in _RUNS.values() if (kind := _by_runs(runs, plain)) is not None]
    return "reference" if "reference" in found else found[0] if found else None


def _by_words(roles: Mapping[str, _Words], words: Sequence[str], *, manner: bool) -> Kind | None:
    """In one language. manner: in some language it asks how something is done: "order" is a word of several."""
    one_word = roles["own_case"].places(words)
    cases = [*roles["case"].places(words), *one_word]
    if not cases or roles["how"].places(words):
        return None
    status, acts = roles["status"].places(words), roles["act"].places(words)
    mine = bool(one_word) or any(abs(case - own) <= NEAR for own in roles["own"].places(words) for case in cases)
    sure = mine or bool(status) or bool(acts)
    if (sure or not manner) and any(_numbered(words, case, sure=sure) for case in cases):
        return "reference"
    if mine and acts and _short_number(words):
        return "reference"
    return "status" if mine and (status or acts) else None


def _numbered(words: Sequence[str], case: int, *, sure: bool) -> bool:
    """Whether a thing's number stands behind it: "order no. 10023841". sure: other words say that it is one."""
    at = case + 1
    while at < len(words) and at - case <= 3 and words[at] in CONNECTORS:
        at += 1
    if at >= len(words) or (case and words[case] in ("order", "book") and words[case - 1] in _VERBS_BEFORE):
        return False
    number = words[at]
    digits = sum(c.isdecimal() for c in number)
    if number.isdecimal() and len(number) == 4 and number.startswith(_YEARS):
        return False
    return digits >= (REFERENCE_DIGITS if sure else SURE_DIGITS)


def _short_number(words: Sequence[str]) -> bool:
    """ "for account 55", beside "cancel my subscription"."""
    return any(
        words[at].isdecimal() and len(words[at]) >= 2 and words[at - 1] in _NUMBERED
        for at in range(1, len(words))
    )  # fmt: skip


def _by_runs(runs: Mapping[str, tuple[str, ...]], plain: str) -> Kind | None:
    """In scripts without spaces between words."""

    def has(role: str) -> bool:
        return any(run in plain for run in runs[role])

    if not (has("case") or has("own_case")) or has("how"):
        return None
    asks = has("status") or has("act")
    if not asks:
        return None
    if re.search(r"[0-9]{5}", plain):
        return "reference"
    return "status" if has("own") or has("own_case") else None
