"""Whether a customer takes an offer that the bot has just made: a yes, with whatever is told beside it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

from shared.triage import classify, normal

READ_CHARS = 2_000
_PARTS = re.compile(r"[,.!;:\n，。！；、،۔।…]+|\s[-–—]\s")
_TAKES = frozenset(("yes", "wish", "filler", "need", "acknowledgement", "person", "greeting", "thanks"))
_GOES_ON = (
    "but|though|however|first|no|not|what|when|where|who|why|how|which|do|does|did|is|are|can|could|will|would|have|has"
    "|aber|doch|erst|zuerst|nein|nicht|was|wann|wo|wer|warum|wie|welche|welcher|welches|kann|können|könnt|ist|sind"
    "|haben|habt|liefert|gibt|wieso|wohin|wieviel"
    "|pero|qué|cuándo|dónde|quién|cómo|cuánto|cuánta|cuál|hay|tienen|pueden|hacen|es|son"
    "|mais|quoi|quand|où|qui|pourquoi|comment|combien|quel|quelle|quels|est|avez|pouvez|livrez|non"
    "|mas|porém|não|quando|onde|quem|porque|quanto|qual|quais|como|tem|têm|é|são|podem|vocês"
    "|ma|però|cosa|che|dove|chi|perché|quale|quali|avete|potete|è|sono|c'è"
    "|maar|nee|niet|wat|wanneer|waar|wie|waarom|hoe|hoeveel|welke|kan|kunnen|is|zijn|hebben|leveren"
    "|ale|lecz|nie|co|kiedy|gdzie|kto|dlaczego|jak|ile|jaki|jaka|jakie|czy"
    "|но|а|однако|нет|не|что|когда|где|кто|почему|как|сколько|какой|какая|какие|есть|можно|куда"
    "|але|проте|ні|що|коли|де|хто|чому|як|скільки|який|яка|які|чи|куди"
    "|ama|fakat|ancak|hayır|ne|nerede|kim|neden|nasıl|kaç|hangi"
    "|لكن|ولكن|لا|ما|ماذا|متى|أين|من|لماذا|كيف|كم|هل"
    "|लेकिन|मगर|पर|नहीं|lekin|nahi|kya"
    "|tapi|tetapi|namun|tidak|apa|apakah|kapan|dimana|mana|siapa|kenapa|mengapa|bagaimana|berapa"
    "|でも|しかし|ただ|但是|不过|可是|하지만|근데|그런데|그렇지만"
)
"""What a question or an objection begins with, where people leave out the question mark."""
_ASKS = (
    "musunuz", "mısınız", "misiniz", "müsünüz", "क्या", "कब", "कहाँ", "कैसे", "कितना", "कितने",
    "कितनी", "कौन", "क्यों",
)  # fmt: skip
"""Words that ask wherever they stand."""
_ASKS_WITHIN = (" mı", " mü", "吗", "嗎", "什么", "多少", "怎么", "哪", "几点", "いつ", "どこ", "いくら",
                "ですか", "ますか", "なぜ",
                "언제", "어디", "얼마", "나요", "까요", "왜", "어떻게")  # fmt: skip
"""The same in languages that write words together."""


def is_given(text: str) -> bool:
    """Whether a text right after an offer takes it. text: all that was written since, one message a line.

    A text that begins with a yes does, unless it goes on with a question or an objection: "yes, but do you deliver to
    Norway?" So does one that is made of the words of a wish and nothing else: "please connect me".
    """
    read = text[:READ_CHARS]
    begins = _begins_with_yes(read)
    every = normal.tokens(read)
    if every.words and (begins or (len(every.words) > 1 and not every.asks)) and _only_takes(every.words):
        return True
    return begins and not _goes_on(read)


def _only_takes(words: Sequence[str]) -> bool:
    """Whether phrases that take an offer cover all of them, and one of them is no courtesy."""
    parts = classify.covered(words)
    return (
        parts is not None
        and all(_TAKES & part.keys() and "decline" not in part for part in parts)
        and any({"yes", "wish"} & part.keys() for part in parts)
    )


def _begins_with_yes(text: str) -> bool:
    first = next((part for part in _PARTS.split(text) if part.strip()), "")
    words = _words(first)
    if not words:
        return False
    length = classify.yes_length(words)
    if length and len(words) > length and any(normal.is_wide(char) for char in words[0]):
        return _only_takes(words)  # written without spaces: 要 is a yes, and 要多少钱 asks the price
    return length > 0


def _words(text: str) -> list[str]:
    """The words before the first number."""
    found: list[str] = []
    for chunk in text.split():
        words = normal.tokens(chunk).words
        if words is None:
            break
        found += words
    return found


def _goes_on(text: str) -> bool:
    if any(char in normal.QUESTION_MARKS for char in text) or any(word in text for word in _ASKS_WITHIN):
        return True
    for part in _PARTS.split(text):
        words = _words(part)
        if not _asking_words().isdisjoint(words):
            return True
        rest = words[classify.yes_length(words) :]
        if any(tuple(rest[: len(one)]) == one for one in _beginnings()):
            return True
    return False


@cache
def _beginnings() -> frozenset[tuple[str, ...]]:
    return frozenset(normal.phrase(one) for one in _GOES_ON.split("|"))


@cache
def _asking_words() -> frozenset[str]:
    return frozenset(word for one in _ASKS for word in normal.phrase(one))
