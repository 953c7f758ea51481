"""The language to answer in: the words decide where they can, and what is known of the conversation where they cannot.

"no" is English, Spanish and Italian; after English questions it is English.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from shared.triage import speech, texts
from shared.triage.classify import classify

SHORT_WORDS = 2
"""A text of so few words decides only where they are of one language."""
FOREIGN_SHARE = 0.4
"""Of the words of a text: so many of a language are it, although the sender's device speaks another."""
_LIKELY = (
    "en", "de", "es", "fr", "pt", "it", "nl", "ru", "uk", "tr", "ar", "hi", "ja", "ko", "zh", "sv", "da", "no", "fi",
    "pl", "id",
)  # fmt: skip
"""Whose word one is that is of several, where nothing else is known: "hallo" is German. "Hej" is Polish as well as
Swedish; the company's language or English offends nobody there."""


@dataclass(frozen=True, slots=True)
class Known:
    """What tells the language besides the words. code: the platform's of the sender. company: the company's own."""

    code: str | None = None
    company: str | None = None


def language(said: Sequence[str], before: Iterable[str], bots_last: str | None, known: Known) -> str | None:
    """said: what is answered. before: what the customer said before that. Both oldest first. None: nothing tells."""
    likely: tuple[str, ...] = ()
    foreign = known.code is not None and known.code not in texts.LANGUAGES
    for text in reversed(said):
        sure, found = _told(text, foreign=foreign)
        if sure is not None:
            return sure
        likely = likely or found
    context = _first_sure((*list(before)[::-1], *((bots_last,) if bots_last else ())), foreign=foreign)
    if context is not None:
        return context
    for preferred in (known.code, known.company):
        if preferred is not None and (not likely or preferred in likely):
            return preferred
    return next((one for one in _LIKELY if one in likely), likely[0] if likely else None)


def _first_sure(newest_first: Iterable[str], *, foreign: bool) -> str | None:
    return next((sure for text in newest_first if (sure := _told(text, foreign=foreign)[0]) is not None), None)


def _told(text: str, *, foreign: bool) -> tuple[str | None, tuple[str, ...]]:
    """The language that a text is surely in, and those that it may be in. foreign: its sender's language is none that
    there are texts in, so that single words which another language shares decide nothing."""
    own = texts.languages_of(text)
    if own:
        return (own[0], own) if len(own) == 1 else (None, own)
    phrase = classify(text).languages
    if len(phrase) == 1:
        return phrase[0], phrase
    script = speech.by_script(text)
    if script is not None:
        return script, (script,)
    words, found = speech.words_of(text), speech.candidates(text)
    if foreign and not phrase and FOREIGN_SHARE * len(words) > speech.known_words(words, found):
        return None, ()
    if phrase:
        found = tuple(one for one in phrase if one in found) or phrase
        return (found[0] if len(found) == 1 and len(words) > SHORT_WORDS else None), found
    return (found[0] if len(found) == 1 and len(words) > SHORT_WORDS else None), found
