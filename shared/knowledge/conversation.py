"""Weighs what was said before a question: "and in winter?" alone says too little."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from shared.model import ChatLine

EXCHANGES = 3
"""How far back."""
FADING = 0.7
"""What an exchange counts beside the one after it."""
CUSTOMER_WORDS, CUSTOMER_MEANING = 0.5, 0.5
ANSWER_MEANING = 0.3
"""An answer's words count nothing: it has many, and those that matter were asked for. Its meaning says where we are."""
TEXT_CHARS = 1_000
ANSWER_CHARS = 400
"""Of an answer the beginning: each further word costs time in the model."""


@dataclass(frozen=True, slots=True)
class Said:
    """An earlier message. words, meaning: its weight beside the question, 0 to 1."""

    text: str
    words: float
    meaning: float


def said_before(lines: Sequence[ChatLine]) -> list[Said]:
    """Select and weigh the earlier messages that count, newest first. lines: oldest first, without the question."""
    found = []
    for back, (customer, text) in enumerate(reversed(_exchanged(lines))):
        exchange = back // 2
        if exchange >= EXCHANGES:
            break
        fading = FADING**exchange
        if customer:
            found.append(Said(text[-TEXT_CHARS:], CUSTOMER_WORDS * fading, CUSTOMER_MEANING * fading))
        else:
            found.append(Said(text[:ANSWER_CHARS], 0.0, ANSWER_MEANING * fading))
    return found


def _exchanged(lines: Sequence[ChatLine]) -> list[tuple[bool, str]]:
    """Group lines into turns: whether the customer speaks, and all that is said until the other side does."""
    turns: list[tuple[bool, str]] = []
    for line in lines:
        customer = line.role == "customer"
        if not line.text.strip():
            continue
        if turns and turns[-1][0] == customer:
            turns[-1] = (customer, f"{turns[-1][1]}\n{line.text}")
        else:
            turns.append((customer, line.text))
    return turns
