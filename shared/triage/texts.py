"""What customers are told by default, in their language. A text of the assistant's own goes before all of these."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import Literal, get_args

from shared.triage import data_texts, handover_texts, service_texts, talk_texts

Name = Literal[
    "welcome", "greeting", "thanks", "goodbye", "decline", "clarify", "rephrase", "received", "about", "found",
    "model_away", "unknown", "unknown_again", "unknown_still", "missed", "person", "replies_here", "replies_at", "asked",
    "asked_again", "paused", "help", "returned", "failed", "notice", "overload", "limit", "not_listed",
    "own_case",
]  # fmt: skip
NAMES: tuple[Name, ...] = get_args(Name)
PURPOSES: dict[Name, str] = {
    "welcome": "To who begins a chat (/start, Get started).",
    "greeting": "To a greeting.",
    "thanks": "To a thank-you.",
    "goodbye": "To a goodbye.",
    "decline": "To a no.",
    "clarify": "To what says nothing (sorry, test, 1).",
    "rephrase": "The same, where the bot has just said it.",
    "received": "To a place, a contact's card, a poll and the like without words.",
    "about": "To who asks who or what answers here.",
    "found": "Stands before a quotation where no model is configured.",
    "model_away": "Stands before a quotation where the model cannot be asked.",
    "unknown": "Nothing relevant is known; offers a person.",
    "unknown_again": "Nothing is known again; offers a person.",
    "unknown_still": "The same by turns, so that nobody reads one text twice in a row.",
    "not_listed": "A code that is asked for is not there, as {codes}; stands before what else is said.",
    "own_case": "The question is about the customer's own order or account; stands before what else is said.",
    "missed": "Nothing relevant is known, and a person has the conversation now.",
    "person": "A person was wished for, and has the conversation now.",
    "replies_here": "Follows one of those two while the team is there.",
    "replies_at": "Follows one of those two outside the team's hours; {opens} is when they begin.",
    "asked": "A person was wished for and told; the bot stays on.",
    "asked_again": "The same, where the bot has just said it.",
    "paused": "To /stop, and to /help while it holds: the bot is silent from now on.",
    "help": "To /help.",
    "returned": "Nobody has written for a while, and the bot answers again.",
    "failed": "Answering failed again and again; a person is told.",
    "notice": "What came cannot be read.",
    "overload": "Far more is asked than can be answered; a person is told.",
    "limit": "They got as many answers as anybody gets in an hour; said once an hour.",
}
"""When each is sent."""
PLACEHOLDERS = ("company", "name")
"""{company}: the company's name. {name}: the assistant's."""
CODES = "codes"
"""{codes}, in not_listed alone: what was asked for, as "AX-9999-Z, E157"."""
OPENS = "opens"
"""{opens}, in replies_at alone: when the team is there again, as "on Monday at 9:00"."""

FALLBACK = "en"
CHARS_MAX = 2_000
"""Of a text of one's own: more than fits on a screen is no courtesy."""

_SUBJECTS = (talk_texts.TEXTS, handover_texts.TEXTS, service_texts.TEXTS, data_texts.TEXTS)
_TEXTS = {
    language: {name: text for subject in _SUBJECTS for name, text in subject[language].items()}
    for language in talk_texts.TEXTS
}
LANGUAGES = frozenset(_TEXTS)
_MORE: dict[str, tuple[str, ...]] = {"replies_at": (OPENS,), "not_listed": (CODES,)}
_UNSHOWN = frozenset(("Cc", "Cs", "Co", "Cn"))
_TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Change the direction of what stands behind them."""
_PLACEHOLDER = re.compile(r"{([^{}]{0,40})}")


def every() -> Iterator[str]:
    """All texts of the product, in all languages."""
    for by_name in _TEXTS.values():
        yield from by_name.values()


def default(name: Name, language: str | None) -> str:
    """language: as ISO 639-1; English where there is no text in it."""
    return _TEXTS.get(language or FALLBACK, _TEXTS[FALLBACK])[name]


def filled(text: str, **values: str) -> str:
    """The text with its placeholders filled; braces around anything else stay as they are."""
    return _PLACEHOLDER.sub(lambda found: values.get(found[1], found[0]), text)


def languages_of(text: str) -> tuple[str, ...]:
    """Those in which the product says this; none where it is not one of its texts."""
    return tuple(language for language, told in _TEXTS.items() if text in told.values())


def checked(name: str, text: str) -> str:
    """A text of a company's own under this name, without white space around it. Raises ValueError, which says what to change."""
    text = text.strip()
    if not text:
        raise ValueError("a text is empty: customers must be told something")
    if len(text) > CHARS_MAX:
        raise ValueError(f"a text may have {CHARS_MAX} characters, and this one has {len(text)}")
    if any((unicodedata.category(c) in _UNSHOWN and c not in "\n\t") or c in _TURNING for c in text):
        raise ValueError("a text holds a control character, or one that cannot be shown: take it out")
    placeholders = (*PLACEHOLDERS, *_MORE.get(name, ()))
    for found in _PLACEHOLDER.finditer(text):
        if found[1] not in placeholders:
            known = ", ".join(f"{{{one}}}" for one in placeholders)
            raise ValueError(f"a text holds {found[0]}, which stands for nothing here: there is {known}")
    return text
