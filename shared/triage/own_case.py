"""Tells questions about the asker's own order, parcel, account or money from those that documents answer.

"Where is my order 10023841?" is about data that no document holds; "how do I cancel my order?" and "where can I see my
order?" are about how things are done. Words of 17 languages decide (own_case_words.py), rather too seldom than too
often.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
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
"""So many words at most from "my" to "order"."""
REFERENCE_DIGITS, SURE_DIGITS = 4, 6
STEM_HEAD = 4
"""No stem is shorter."""
_WIDE = frozenset(("ja", "ko", "zh"))
_LETTERS = r"[^\W_][\w\u0300-\u036f\u0900-\u0dff]{0,60}"
"""With the signs that Indian scripts write vowels by, which are no letters to Python."""
_WORD = re.compile(rf"{_LETTERS}(?:['’\-./]{_LETTERS}){{0,12}}")
_FIVE_DIGITS = re.compile(r"[0-9]{5}")
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


_Mark = tuple[str, str]
"""A language and a role."""
Places = Mapping[str, Mapping[str, list[int]]]
"""Where a text has words, by language and role; a language and a role of which it has none are left out."""


@dataclass(frozen=True, slots=True)
class _Index:
    """The words of all languages in one, so that a text is read once. Each stands beside the languages and roles that
    it is a word of. stems: by their first STEM_HEAD characters. several: sequences, by their first word."""

    whole: Mapping[str, Sequence[_Mark]]
    stems: Mapping[str, Sequence[tuple[str, _Mark]]]
    several: Mapping[str, Sequence[tuple[tuple[str, ...], _Mark]]]


def _index(tables: Mapping[str, Mapping[str, str]]) -> _Index:
    whole: defaultdict[str, list[_Mark]] = defaultdict(list)
    stems: defaultdict[str, list[tuple[str, _Mark]]] = defaultdict(list)
    several: defaultdict[str, list[tuple[tuple[str, ...], _Mark]]] = defaultdict(list)
    for language, roles in tables.items():
        for role, listed in roles.items():
            for entry in unicodedata.normalize("NFKC", listed).casefold().split():
                if "_" in entry:
                    phrase = tuple(entry.split("_"))
                    several[phrase[0]].append((phrase, (language, role)))
                elif entry.endswith("*"):
                    stems[entry[:STEM_HEAD]].append((entry[:-1], (language, role)))
                else:
                    whole[entry].append((language, role))
    return _Index(dict(whole), dict(stems), dict(several))


_INDEX = _index({language: roles for language, roles in WORDS.items() if language not in _WIDE})
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


def places(words: Sequence[str]) -> Places:
    """Where a text has the words of languages that are written with spaces."""
    found: dict[str, dict[str, list[int]]] = {}
    for place, word in enumerate(words):
        marks = [*_INDEX.whole.get(word, ())]
        marks += [mark for stem, mark in _INDEX.stems.get(word[:STEM_HEAD], ()) if word.startswith(stem)]
        for phrase, mark in _INDEX.several.get(word, ()):
            if tuple(words[place : place + len(phrase)]) == phrase:
                marks.append(mark)
        for language, role in marks:
            found.setdefault(language, {}).setdefault(role, []).append(place)
    return found


def _judged(plain: str) -> Kind | None:
    words = _WORD.findall(plain)
    if not words or len(words) > WORDS_MAX:
        return None
    by_language = places(words)
    manner = any("how" in roles for roles in by_language.values())
    found = [kind for roles in by_language.values() if (kind := _by_words(roles, words, manner=manner)) is not None]
    if not plain.isascii():
        found += [kind for runs in _RUNS.values() if (kind := _by_runs(runs, plain)) is not None]
    return "reference" if "reference" in found else found[0] if found else None


def _by_words(roles: Mapping[str, Sequence[int]], words: Sequence[str], *, manner: bool) -> Kind | None:
    """In one language. roles: where its words are. manner: in some language it asks how something is done: "order" is
    a word of several."""
    one_word = roles.get("own_case", ())
    cases = [*roles.get("case", ()), *one_word]
    if not cases or "how" in roles:
        return None
    status, acts = "status" in roles, "act" in roles
    mine = bool(one_word) or any(abs(case - own) <= NEAR for own in roles.get("own", ()) for case in cases)
    sure = mine or status or acts
    if (sure or not manner) and any(_numbered(words, case, sure=sure) for case in cases):
        return "reference"
    if mine and acts and _short_number(words):
        return "reference"
    # a long number in the same message is the case's, wherever it stands: "Where's my order? It's #10023841"
    if mine and (status or acts):
        return "reference" if any(word.isdecimal() and len(word) >= SURE_DIGITS for word in words) else "status"
    return None


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
    """In scripts without spaces between words; none of them is written in ASCII."""

    def has(role: str) -> bool:
        return any(run in plain for run in runs[role])

    if not (has("case") or has("own_case")) or has("how"):
        return None
    asks = has("status") or has("act")
    if not asks:
        return None
    if _FIVE_DIGITS.search(plain):
        return "reference"
    return "status" if has("own") or has("own_case") else None
