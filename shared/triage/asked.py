"""A question without what stands around it: mentions, greetings, "I have a question", thanks and signatures.

They say nothing of what is asked, and as words of a question they make it look like one about something else.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cache

from shared.triage import normal
from shared.triage.classify import phrase_at

READ_CHARS = 4_000
PARTS_MAX = 6
"""So many parts are taken off at either end."""
BARE_WORDS_MAX = 8
"""A greeting that no mark parts from the question is looked for among so many words."""
SIGNED_WORDS_MAX = 3
"""Behind a goodbye so few words are a name."""
PREFIX_CHARS = 120
SALUTATIONS = (
    "dear sir or madam|dear sirs|dear support|dear team|dear customer service|to whom it may concern"
    "|sehr geehrte damen und herren|sehr geehrtes team|liebes team|estimados señores|estimado equipo|madame monsieur"
    "|cher service client|gentili signori|gentile servizio clienti|prezados senhores|geachte heer mevrouw"
    "|szanowni państwo|уважаемые господа|уважаемая поддержка|sayın yetkili|sayın ilgili|السادة الكرام|尊敬的客服"
    "|拝啓"
)
"""Of letters; chats have those of the other tables."""
_ARABIC_AND = "و"
"""Written together with the word behind it."""
_MENTIONS_BEFORE = re.compile(r"(?:[\s,:]*(?:<@[^>\s]{1,80}>|@[\w.]{1,64}(?![\w.@])))+[\s,:]*")
_MENTION = re.compile(r"<@[^>\s]{1,80}>|@[\w.]{1,64}")
MENTIONS_MAX = 4
_MARK = r"[.!?;,:\n؟،。！？，；：…~]"
_PARTS = re.compile(rf"[^.!?;,:\n؟،。！？，；：…~]+{_MARK}*|{_MARK}+")
_LETTER = re.compile(r"[^\W_]")
_WORD = re.compile(r"\S+")
_GREETS = frozenset(("greeting", "need"))
_PARTS_WITH = frozenset(("thanks", "goodbye"))
_AROUND = _GREETS | _PARTS_WITH | {"filler", "acknowledgement"}


def asked(text: str) -> str:
    """Return what a message asks, as it is written there; the whole message if nothing else would be left.

    Takes time in proportion to the length; of a text of more than 4,000 characters only the first 2,000 are looked at.
    """
    if len(text) > READ_CHARS:
        head = text[: READ_CHARS // 2]
        return asked(head) + text[len(head.rstrip()) :]
    bare = _without_mentions(text.strip())
    parts = [found[0] for found in _PARTS.finditer(bare)]
    parts = _without_beginning(parts)
    parts = _without_end(parts)
    bare = _without_greeting("".join(parts).strip())
    return bare if _LETTER.search(bare) else text.strip()


def _without_mentions(text: str) -> str:
    found = _MENTIONS_BEFORE.match(text)
    text = text[found.end() :] if found is not None else text
    for _ in range(MENTIONS_MAX):
        words = text.rsplit(None, 1)
        if len(words) < 2 or not _MENTION.fullmatch(words[1]):
            break
        text = words[0]
    return text


def _without_beginning(parts: Sequence[str]) -> list[str]:
    begin = 0
    while begin < min(len(parts) - 1, PARTS_MAX) and _says(parts[begin], _GREETS, _GREETS | {"thanks"}):
        begin += 1
    return list(parts[begin:])


def _without_end(parts: Sequence[str]) -> list[str]:
    """Without thanks and goodbyes, and without the name behind them."""
    end = len(parts)
    for place in range(len(parts) - 1, max(0, len(parts) - PARTS_MAX), -1):
        if _says(parts[place], _PARTS_WITH, _PARTS_WITH | _GREETS):
            end = place
        elif end < len(parts) or len(_WORD.findall(" ".join(parts[place:end]))) > SIGNED_WORDS_MAX:
            break
    return list(parts[:end])


def _says(part: str, mostly: frozenset[str], wholly: frozenset[str]) -> bool:
    """Whether half of a part's words or more are such phrases ("Hi Robin"), or all of them."""
    found = normal.tokens(part)
    if found.words is None or not found.words:
        return found.words is not None and not _LETTER.search(part)
    if _courteous(found.words, wholly) == len(found.words):
        return True
    return (
        not found.asks
        and len(found.words) <= BARE_WORDS_MAX
        and 2 * _courteous(found.words, mostly) >= len(found.words)
    )


def _courteous(words: Sequence[str], meanings: frozenset[str]) -> int:
    """How many of the words phrases of these meanings cover, with what stands around them; 0 without any."""
    place = covered = meant = 0
    while place < len(words):
        found = _phrase_at(words, place)
        if found is None or not found[1] & _AROUND:
            place += 1
            continue
        meant += bool(found[1] & meanings)
        covered += found[0] - place
        place = found[0]
    return covered if meant else 0


def _phrase_at(words: Sequence[str], place: int) -> tuple[int, frozenset[str]] | None:
    for table in _salutations().get(words[place], ()):
        if tuple(words[place : place + len(table)]) == table:
            return place + len(table), frozenset(("greeting",))
    found = phrase_at(words, place)
    if found is None and words[place].startswith(_ARABIC_AND):
        return phrase_at([*words[:place], words[place][1:], *words[place + 1 :]], place)
    return found


def _without_greeting(text: str) -> str:
    """Without a greeting that no mark parts from the question."""
    words = list(_WORD.finditer(text))[:BARE_WORDS_MAX]
    first = normal.tokens(text[: words[-1].end()][:PREFIX_CHARS]).words if words else None
    found = _phrase_at(first, 0) if first else None
    if found is None or not found[1] & _GREETS:
        return text
    for end in range(len(words) - 1, 0, -1):
        if _is_bare(text[: words[end - 1].end()]):
            return text[words[end].start() :]
    if normal.is_wide(text[0]):
        for length in range(min(BARE_WORDS_MAX, len(text) - 1), 1, -1):
            if _is_bare(text[:length]):
                return text[length:]
    return text


def _is_bare(text: str) -> bool:
    """Whether a text greets and does nothing else. A lone word that asks for something is what is asked for: "help"."""
    words = normal.tokens(text).words
    if not words or _courteous(words, _GREETS) < len(words):
        return False
    found = _phrase_at(words, 0)
    return len(words) > 1 or (found is not None and "greeting" in found[1])


@cache
def _salutations() -> Mapping[str, Sequence[tuple[str, ...]]]:
    """By their first words."""
    by_first: defaultdict[str, list[tuple[str, ...]]] = defaultdict(list)
    for one in SALUTATIONS.split("|"):
        table = normal.phrase(one)
        by_first[table[0]].append(table)
    return dict(by_first)
