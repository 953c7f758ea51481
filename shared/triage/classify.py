"""What a customer's message is, by its words alone.

A message is a courtesy, an acknowledgement or a remark only if every word of it is covered by a phrase of the tables
and no emoji of it calls for help; anything unknown is a question. So a phrase that is missing costs an honest "I do not
know", and no question is lost.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

from shared.triage import callbacks, courtesies, near, normal, phrases, puzzled, remarks, small_words, wishes
from shared.triage import phrase_tree as tree

Kind = Literal[
    "question", "courtesy", "acknowledgement", "remark", "command", "upset", "echo", "loop", "limit", "paused"
]
What = Literal[
    "question", "greeting", "thanks", "goodbye", "acknowledgement", "person", "about", "stop", "need", "decline",
    "puzzled", "yes", "number", "unclear", "start", "help", "upset", "echo", "loop", "limit",
    "paused", "accepted", "order", "received",
]  # fmt: skip

WORDS_MAX = 40
PAYLOAD_MAX = 64
"""Of a start parameter, as Telegram takes them."""
_START, _STOP, _HELPS = "/start", "/stop", ("/help", "/ask")
_KINDS: Mapping[What, Kind] = {
    "question": "question", "greeting": "courtesy", "thanks": "courtesy", "goodbye": "courtesy",
    "acknowledgement": "acknowledgement", "start": "command", "help": "command", "stop": "command", "upset": "upset",
    "echo": "echo", "loop": "loop", "limit": "limit", "paused": "paused", "accepted": "remark", "person": "remark",
    "about": "remark", "need": "remark", "decline": "remark", "puzzled": "remark",
    "yes": "remark", "number": "remark", "unclear": "remark", "order": "remark", "received": "remark",
}  # fmt: skip
FIRST: tuple[What, ...] = (
    "person", "upset", "start", "stop", "help", "about", "puzzled", "need", "thanks", "greeting", "goodbye", "decline",
    "acknowledgement", "unclear", "yes", "number",
)  # fmt: skip
"""Of several in one message the first of these names it; "ciao" is both a greeting and a goodbye."""
_COURTESIES = frozenset(("greeting", "thanks", "goodbye"))
_ASKING = frozenset(("person", "about", "need", "puzzled"))
"""What may have a question mark and stays what it is."""
_NOT_ASKED = frozenset(("greeting", "thanks"))
"""What a question mark makes no question: "hello?", "thanks?"."""
NUMBER_MAX_DIGITS = 3
READ_CHARS = 4_000
SENTENCES_MAX = 8
"""From the beginning, and from the end."""
WISH_WORDS_MIN = 3
PHRASE_WORDS_MAX = 12
_ARTICLES = frozenset(("a", "an", "the"))
_COMMAND = re.compile(r"/[a-z][a-z0-9_]{0,63}(@[a-z0-9_]{1,64})?", re.ASCII | re.IGNORECASE)
_SENTENCES = re.compile(r"[.!?;,:\n؟،。！？，；।…]+|\s[-–—]\s")


@dataclass(frozen=True, slots=True)
class Triage:
    """what: the kind, more closely; of a question that is one only because of what the bot said before, what it would
    be otherwise. languages: that the words may be of, as ISO 639-1, the likelier first; none if they do not tell.
    polite: of a question: a courtesy stands at its beginning or end. asks: there is a question mark. payload: behind
    `/start`. answers: of what wants no answer by itself: a yes is among its words, which is one to somebody who
    asked."""

    kind: Kind
    what: What
    languages: tuple[str, ...] = ()
    polite: bool = False
    asks: bool = False
    payload: str | None = None
    answers: bool = False

    @property
    def language(self) -> str | None:
        """The only one that the words may be of."""
        return self.languages[0] if len(self.languages) == 1 else None


def classify(text: str) -> Triage:
    """Microseconds; linear in the length of the text."""
    command = _command(text)
    if command is not None:
        return command
    found = _whole(text)
    if found.kind == "question" and _COMMAND.fullmatch(text.strip()):  # one that we do not know: what there is
        return _triage("help")
    return _triage("person", asks=found.asks) if found.kind == "question" and _asks_for_a_person(text) else found


def _asks_for_a_person(text: str) -> bool:
    """Whether one sentence of several is a wish for a person: "What a disgrace! I want to speak to your manager." """
    sentences = [one for one in _SENTENCES.split(text[:READ_CHARS]) if one.strip()]
    if len(sentences) < 2:
        return False
    return any(_is_a_wish(one) for one in (*sentences[:SENTENCES_MAX], *sentences[-SENTENCES_MAX:]))


def _is_a_wish(sentence: str) -> bool:
    """Whether it says what is wanted, and not only of whom: "your agent," is none."""
    words = normal.tokens(sentence).words
    return words is not None and len(words) >= WISH_WORDS_MIN and _whole(sentence).what == "person"


def _whole(text: str) -> Triage:
    found = normal.tokens(text)
    if found.words is None and _is_number(text):
        return _triage("number")
    if found.words is None or len(found.words) > WORDS_MAX:
        return Triage("question", "question", asks=found.asks)
    if normal.shows(text, small_words.ANGRY if found.words else small_words.ANGRY + small_words.SAD):
        return _upset(_by_words(found), bare=not found.words)
    return _by_words(found)


def _upset(by_words: Triage, *, bare: bool) -> Triage:
    """Of a message with an emoji that calls for help. What asks in words is a question all the same."""
    return _triage("upset") if bare or by_words.kind != "question" else by_words


def _by_words(found: normal.Tokens) -> Triage:
    if not found.words:  # nothing but emoji, punctuation or invisible characters
        return _triage("puzzled" if found.asks else "acknowledgement", asks=found.asks)
    known = _customers()
    words = [tree.spelled_as(known, word) for word in found.words]
    parts = tree.cover(known.root, words)
    if parts is None and (_wishes_a_person(known.root, words) or _wishes_a_person_misspelt(known.root, words)):
        return _triage("person", asks=found.asks)
    if parts is None:
        return Triage("question", "question", polite=_polite(known.root, words), asks=found.asks)
    return _judged(parts, found.words, asks=found.asks)


def _wishes_a_person(root: tree.Node, words: Sequence[str]) -> bool:
    """Whether a wish for a person stands before what it is about: "I want to talk to a human about my refund"."""
    end = next((place for place, word in enumerate(words) if place and word in _topics()), None)
    if end is None or words[end - 1] in _ARTICLES:  # "call me an uber"
        return False
    parts = tree.cover(root, words[:end])
    wished = parts is not None and any("wish" in part.whats for part in parts)
    return parts is not None and wished and _judged(parts, words[:end], asks=False).what == "person"


def _wishes_a_person_misspelt(root: tree.Node, words: Sequence[str]) -> bool:
    """The same with slips of the finger: "quiero ablar con una persona". Only of wishes: nobody is met with silence for
    a slip, or thanked for one."""
    if len(words) < WISH_WORDS_MIN:
        return False
    meant = [_near_wishes().to(word) or word for word in words]
    parts = None if meant == words else tree.cover(root, meant)
    wished = parts is not None and any("wish" in part.whats for part in parts)
    return parts is not None and wished and _judged(parts, meant, asks=False).what == "person"


def covered(words: Sequence[str]) -> list[Mapping[str, list[str]]] | None:
    """What the phrases mean that customers' words consist of; None if they do not."""
    known = _customers()
    parts = tree.cover(known.root, [tree.spelled_as(known, word) for word in words])
    return None if parts is None else [part.whats for part in parts]


def uncovered(words: Sequence[str]) -> tuple[int, frozenset[str]]:
    """How many of a customer's words stand in no phrase of the tables, and what the phrases among them mean."""
    known = _customers()
    spelled = [tree.spelled_as(known, word) for word in words]
    in_phrases: set[int] = set()
    whats: set[str] = set()
    for begin in range(len(spelled)):
        for end, node in tree.phrases_from(known.root, spelled, begin):
            in_phrases |= set(range(begin, end))
            whats |= node.ends.keys()
    return len(spelled) - len(in_phrases), frozenset(whats)


def phrase_at(words: Sequence[str], begin: int) -> tuple[int, frozenset[str]] | None:
    """Where the longest phrase of customers that begins at a word ends, and what it means. Those that are a time of day
    as well mean nothing here: "morgen" is a greeting and tomorrow."""
    known, longest = _customers(), None
    spelled = [tree.spelled_as(known, word) for word in words[begin : begin + PHRASE_WORDS_MAX]]
    for end, node in tree.phrases_from(known.root, spelled, 0):
        if tuple(spelled[:end]) not in _unclear():
            longest = begin + end, frozenset(node.ends)
    return longest


def yes_length(words: Sequence[str]) -> int:
    """How many of the words a yes at their beginning takes; 0: they begin with none."""
    known = _customers()
    spelled = tuple(tree.spelled_as(known, word) for word in words)
    return max((len(one) for one in _yes() if spelled[: len(one)] == one), default=0)


def claims_nothing(text: str) -> bool:
    """Whether a model's text is a courtesy and nothing else. The words are a closed list, without "yes", "sure" and
    "no problem", so nothing that asserts a fact gets through."""
    found = normal.tokens(text)
    if not found.words or len(found.words) > 2 * WORDS_MAX:
        return False
    parts = tree.cover(_assistants().root, list(found.words))
    return parts is not None and any("courtesy" in part.whats for part in parts)


def _command(text: str) -> Triage | None:
    head, *rest = text[: 4 * normal.VISIBLE_MAX].split(maxsplit=1) or [""]
    if head.startswith("@") and rest:
        head, *rest = rest[0].split(maxsplit=1)
    command = head.partition("@")[0].casefold()
    payload = rest[0].strip() if rest else ""
    if command in _HELPS:  # with words behind it a question
        return classify(payload) if payload else _triage("help")
    if command == _STOP and "@" in head:  # as Telegram writes it in a group
        return classify(f"{_STOP} {payload}")
    if command != _START:
        return None
    if not payload:
        return _triage("start")
    plain = payload.isascii() and all(c.isalnum() or c in "_-" for c in payload) and len(payload) <= PAYLOAD_MAX
    return Triage("command", "start", payload=payload) if plain else classify(payload)


def commands_stop(text: str) -> bool:
    """Whether it is the command /stop, and not only the word."""
    return text.lstrip().startswith("/") and classify(text).what == "stop"


def _triage(what: What, *, asks: bool = False) -> Triage:
    return Triage(_KINDS[what], what, asks=asks)


def _is_number(text: str) -> bool:
    """Whether it is a small number and nothing else; a longer one may be an order's."""
    bare = text.strip(" \n.!)(")
    return bare.isdecimal() and len(bare) <= NUMBER_MAX_DIGITS


def _judged(parts: Sequence[tree.Part], words: Sequence[str], *, asks: bool) -> Triage:
    """What a message is that the tables cover."""
    whats = {what for part in parts for what in part.whats}
    wished = any(part.whats.keys() == {"wish"} for part in parts)
    if "person" in whats and whats & _COURTESIES and "wish" not in whats:
        whats -= {"person"}  # "hello, agent"
    what = next((one for one in FIRST if one in whats), None)
    if what is None and len(words) == 1 and len(words[0]) == 1 and words[0].isascii():
        what = "unclear"  # a single letter
    if what is None or (wished and what != "person") or _goes_on(parts, what) or _says_more(parts, whats):
        return _triage("question", asks=asks) if len(words) > 1 or asks else _lone(words[0])
    if asks and what == "acknowledgement" and words and all(part.words in _agreed() for part in parts):
        return _triage("unclear", asks=True)  # "ok?": neither a question nor, for sure, none
    if asks and what not in _ASKING and (what not in _NOT_ASKED or any(part.words in _times() for part in parts)):
        return Triage("question", "question", polite=bool(whats & _COURTESIES), asks=True)
    answers = any(part.words in _yes() for part in parts)
    return Triage(_KINDS[what], what, _languages(parts, what), asks=asks, answers=answers)


_BESIDE_A_NO = _COURTESIES | {"filler", "decline", "unclear"}
_BESIDE_WHAT = frozenset(("puzzled", "filler", "unclear", "greeting", "wish"))


def _goes_on(parts: Sequence[tree.Part], what: str) -> bool:
    last = parts[-1].words
    return len(last) == 1 and last[0] in _conjunctions() and what not in _ASKING


def _says_more(parts: Sequence[tree.Part], whats: Iterable[str]) -> bool:
    """Whether phrases that say nothing one by one say something together: "no good", "ok how"."""
    if "puzzled" in whats and not all(_BESIDE_WHAT & part.whats.keys() for part in parts):
        return True
    denied = False
    for part in parts:
        if denied and not _BESIDE_A_NO & part.whats.keys():
            return True
        denied = "decline" in part.whats and len(part.words) == 1
    return False


def _lone(word: str) -> Triage:
    """A word that only leads to others."""
    return _triage("unclear" if len(word) == 1 and word.isascii() else "question")


def _languages(parts: Iterable[tree.Part], what: str) -> tuple[str, ...]:
    """The languages that most of the phrases are of, the likelier first; where phrases of what the message is are of
    several, the others tell."""
    parts = list(parts)
    votes = Counter(language for part in parts for language in part.whats.get(what, ()))
    others = Counter(
        language for part in parts for other in part.whats if other != what for language in part.whats[other]
    )
    if not votes:
        votes, others = others, votes
    most = max(votes.values(), default=0)
    best = [language for language, times in votes.items() if times == most]
    agreed = max((others[language] for language in best), default=0)
    return tuple(language for language in best if others[language] == agreed)


def _polite(root: tree.Node, words: Sequence[str]) -> bool:
    beginnings = ((end, node) for end, node in tree.phrases_from(root, words, 0))
    endings = ((end, node) for begin in range(len(words)) for end, node in tree.phrases_from(root, words, begin))
    return any(not _COURTESIES.isdisjoint(node.ends) for _, node in beginnings) or any(
        end == len(words) and not _COURTESIES.isdisjoint(node.ends) for end, node in endings
    )


def _split(table: str) -> list[tuple[str, ...]]:
    return [normal.phrase(one) for one in table.split("|")]


@cache
def _times() -> frozenset[tuple[str, ...]]:
    return frozenset(_split(small_words.TIMES))


@cache
def _ambiguous() -> frozenset[tuple[str, ...]]:
    return frozenset(_split(small_words.AMBIGUOUS))


@cache
def _unclear() -> frozenset[tuple[str, ...]]:
    return _times() | _ambiguous()


@cache
def _yes() -> frozenset[tuple[str, ...]]:
    return frozenset(one for table in remarks.YES.values() for one in _split(table))


@cache
def _agreed() -> frozenset[tuple[str, ...]]:
    return frozenset(_split(small_words.AGREED))


@cache
def _topics() -> frozenset[str]:
    return frozenset(word for (word,) in _split(wishes.TOPICS))


@cache
def _near_wishes() -> near.Near:
    tables = (*wishes.PERSONS.values(), *callbacks.PERSONS.values(), wishes.WISHES, callbacks.WISHES)
    return near.Near(word for table in tables for phrase in _split(table) for word in phrase)


@cache
def _conjunctions() -> frozenset[str]:
    return frozenset(word for (word,) in _split(small_words.CONJUNCTIONS))


@cache
def _customers() -> tree.Phrases:
    root = tree.Node()
    tables: tuple[tuple[What, Mapping[str, str]], ...] = (
        ("greeting", phrases.GREETINGS), ("thanks", phrases.THANKS), ("goodbye", phrases.GOODBYES),
        ("greeting", courtesies.GREETINGS), ("thanks", courtesies.THANKS), ("goodbye", courtesies.GOODBYES),
        ("acknowledgement", phrases.ACKNOWLEDGEMENTS), ("yes", remarks.YES), ("decline", remarks.DECLINES),
        ("person", wishes.PERSONS), ("person", callbacks.PERSONS),
        ("about", remarks.ABOUT), ("stop", remarks.STOPS), ("need", remarks.NEEDS),
        ("puzzled", puzzled.PUZZLED), ("unclear", puzzled.UNCLEAR),
    )  # fmt: skip
    for what, by_language in tables:
        for language, table in by_language.items():
            for one in _split(table):
                tree.add(root, one, what, language)
    for one in _split(small_words.STARTS):
        tree.add(root, one, "start", None)
    for one in _split(small_words.FILLERS):
        tree.add(root, one, "filler", None)
    for one in (*_split(wishes.WISHES), *_split(callbacks.WISHES)):
        tree.add(root, one, "wish", None)
    words = frozenset(tree.all_words(root))
    return tree.Phrases(
        root, words, {normal.collapsed(word): word for word in sorted(words, key=len, reverse=True) if len(word) > 1}
    )


@cache
def _assistants() -> tree.Phrases:
    root = tree.Node()
    left_out = _ambiguous() | _times()
    for by_language in (phrases.GREETINGS, phrases.THANKS, phrases.GOODBYES):
        for table in by_language.values():
            for one in _split(table):
                if one not in left_out:
                    tree.add(root, one, "courtesy", None)
    for one in _split(small_words.ASSISTANT):
        tree.add(root, one, "courtesy", None)
    for one in _split(small_words.ANSWER_FILLERS):
        tree.add(root, one, "filler", None)
    return tree.Phrases(root, frozenset(), {})
