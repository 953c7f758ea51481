"""The words that a case gets besides answers: the assistant's own, or the built-in ones in the customer's language."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from shared import hours as business_hours
from shared.model import ChatLine
from shared.triage import day_words, speech, spoken, texts
from tasks.answers.turn_context import Case

_WITHOUT_SPACES = frozenset(("ja", "zh"))


def text(case: Case, name: texts.Name) -> str:
    """In the language that the customer writes."""
    return in_language(case, name, language(case))


def in_language(case: Case, name: texts.Name, language: str | None) -> str:
    spoken_in = served(case, language)
    return filled(case, case.assistant.own_text(name, spoken_in) or texts.default(name, spoken_in))


def not_listed(case: Case, codes: Sequence[str]) -> str:
    """That the company does not list these codes, which are named also where the company's own text does not."""
    spoken_in = served(case, language(case) or of_passages(case))
    own = case.assistant.own_text("not_listed", spoken_in)
    if own and f"{{{texts.CODES}}}" not in own:
        own = f"{{{texts.CODES}}}: {own}"
    return filled(case, own or texts.default("not_listed", spoken_in), codes=", ".join(codes))


def filled(case: Case, written: str, **more: str) -> str:
    return texts.filled(written, company=case.company.name, name=case.assistant.name, **more)


def with_hours(case: Case, name: texts.Name, opens: datetime | None, now: datetime) -> str:
    """A text that says that a person has the conversation, and behind it when they reply. opens: as opens() says."""
    spoken_in = served(case, language(case)) or texts.FALLBACK
    if opens is None:
        when = in_language(case, "replies_here", spoken_in)
    else:
        own = case.assistant.own_text("replies_at", spoken_in)
        words = day_words.spoken(opens, now.astimezone(opens.tzinfo), spoken_in)
        when = filled(case, own or texts.default("replies_at", spoken_in), opens=words)
    between = "" if spoken_in in _WITHOUT_SPACES else " "
    return f"{in_language(case, name, spoken_in)}{between}{when}"


def opens(case: Case, now: datetime) -> datetime | None:
    """When the team is there again; None: it is, or nobody has said when it is."""
    try:
        hours = business_hours.parse(case.assistant.hours, case.assistant.time_zone)
    except ValueError:  # a time zone that this machine's database does not know
        return None
    return None if hours is None else hours.opens(now)


def served(case: Case, language: str | None) -> str | None:
    """The language, or the assistant's where there are no texts in it."""
    return language if language in texts.LANGUAGES else case.assistant.language


def language(case: Case) -> str | None:
    return language_of(case.burst, case.history, spoken.Known(case.language, case.assistant.language))


def language_of(said: tuple[ChatLine, ...], history: tuple[ChatLine, ...], known: spoken.Known) -> str | None:
    """The language to answer in."""
    before = [line.text for line in history if line.role == "customer" and line.text]
    return spoken.language([line.text for line in said if line.text], before, last_said(history), known)


def of_passages(case: Case) -> str | None:
    return speech.language(passage.text for passage in case.passages[:2])


def last_said(history: tuple[ChatLine, ...]) -> str | None:
    """What the bot said last."""
    return next((line.text for line in reversed(history) if line.role == "bot"), None)
