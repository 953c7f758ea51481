"""Selects passages that fit a token budget and do not repeat each other."""

from __future__ import annotations

import re
from collections.abc import Sequence

from shared.model import Passage

ALIKE = 0.75
"""Passages that share so much of their words are one: boilerplate, copies, versions."""
_WORD = re.compile(r"\w+")
_WIDE = re.compile(r"[\u1100-\u11ff\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff]")


def tokens(text: str) -> int:
    """Estimate how many tokens a model counts: one for four characters of most scripts, one for each Chinese, Japanese
    or Korean character."""
    wide = len(_WIDE.findall(text))
    return wide + (len(text) - wide + 3) // 4


def fitting(passages: Sequence[Passage], limit: int, budget_tokens: int) -> list[Passage]:
    """Return the best passages, best first, that fit the budget together and each add something.

    A passage that is too long for the rest of the budget is skipped in favour of shorter ones; the best passage is
    always kept. Two entries of a list may differ in nothing but their codes: who asks for both gets both.
    """
    chosen: list[Passage] = []
    said: list[frozenset[str]] = []
    held: set[str] = set()
    left = budget_tokens
    for passage in passages:
        words = frozenset(_WORD.findall(passage.text.lower()))
        cost = tokens(passage.title) + tokens(passage.text)
        adds = not held.issuperset(passage.identifiers)
        if chosen and (cost > left or (not adds and any(_alike(words, other) for other in said))):
            continue
        held.update(passage.identifiers)
        chosen.append(passage)
        said.append(words)
        left -= cost
        if len(chosen) == limit:
            break
    return chosen


def _alike(one: frozenset[str], other: frozenset[str]) -> bool:
    return bool(one) and len(one & other) >= ALIKE * len(one | other)
