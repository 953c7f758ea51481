"""An embedder without weights: whatever means the same to it points the same way."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

MEANINGS = (
    "return refund send back money reimbursed",
    "open opens opening hours visit doors nine",
    "broken warranty repair defect",
)
"""A line is a direction; every word that stands in none shares the last one."""


@dataclass
class FakeEmbedder:
    """asked: the texts of each call. error: raised instead of answering, while it is set. wider: vectors of six
    numbers, not five, so that those of two models do not fit together."""

    model: str = "fake"
    baseline: float = 0.2
    known: float = 1.0
    error: Exception | None = None
    wider: bool = False
    asked: list[list[str]] = field(default_factory=list)

    def prepare(self) -> None:
        """Nothing to load."""

    def embed(self, texts: Sequence[str], *, deadline_s: float, passages: bool = False) -> list[Sequence[float]]:
        self.asked.append(list(texts))
        if self.error is not None:
            raise self.error
        return [[*_direction(text), 0.0] if self.wider else _direction(text) for text in texts]

    def trust(self, text: str) -> float:
        return self.known


def _direction(text: str) -> list[float]:
    words = re.findall(r"\w+", text.lower())
    counts = [float(sum(word in meaning.split() for word in words)) for meaning in MEANINGS]
    # A little of its own for each text, so that it has a direction and few are quite alike.
    vector = [*counts, 0.25 if any(counts) else 1.0, 0.01 * (len(text) % 7)]
    length = math.sqrt(sum(value * value for value in vector))
    return [value / length for value in vector]
