"""Whether what a customer writes is what a bot said: then a machine is at the other end, and each answer to it would be
answered in turn, without end."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache

from shared.triage import normal, texts

OWN_WORDS_MIN = 20
"""Letters of a company's own text that nobody else writes by chance, before the bot has said it."""


def without(lines: Sequence[str], said: Iterable[str], companys: Iterable[str]) -> list[int]:
    """The places of the lines that are no echo.

    said: the bot's recent texts in this conversation. companys: texts of the company's own; another bot of its may be
    at the other end. A text that came in several messages, as platforms split it, is an echo as a whole.
    """
    known = {key for text in said if (key := normal.key(text))}
    known |= {key for text in companys if len(key := normal.key(text)) >= OWN_WORDS_MIN}
    defaults = _defaults()

    def is_echo(text: str) -> bool:
        key = normal.key(text)
        return key in known or key in defaults

    if is_echo("".join(lines)):
        return []
    if len(lines) == 1:
        return [0]
    return [place for place, line in enumerate(lines) if not is_echo(line)]


def is_default(text: str) -> bool:
    """Whether it is one of the product's own texts, in any language."""
    return normal.key(text) in _defaults()


@cache
def _defaults() -> frozenset[str]:
    return frozenset(map(normal.key, texts.every()))
