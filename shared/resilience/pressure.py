"""How far a station is behind, as steps of the ladder: up at once, down one by one once it has stayed calm."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from shared.clock import Clock

CALM_SHARE = 0.5
"""A step is left below this share of what it was entered at, so that it is not entered and left by turns."""


def time_to_clear_s(due: int, oldest_s: float, answered: int, over_s: float) -> float:
    """How long what is due takes at the pace of now. due: pieces of work. oldest_s: since when the oldest of them is
    due. answered: pieces done in the last over_s seconds.

    Without a pace the oldest one's age stands for it: nothing is done, and it has waited so long already.
    """
    if due <= 0:
        return 0.0
    if answered <= 0 or over_s <= 0:
        return max(oldest_s, 0.0)
    return due / (answered / over_s)


class Pressure:
    """after_s: at which time to clear each step is entered, rising. Thread-safe for one writer and many readers."""

    def __init__(self, after_s: Sequence[float], clock: Clock, *, calm_s: float = 20.0) -> None:
        """calm_s: for how long it must be calm before one step is left. Raises ValueError if after_s does not rise."""
        if any(later <= earlier for earlier, later in pairwise(after_s)):
            raise ValueError("each step should be entered later than the one before it")
        self._after_s = tuple(after_s)
        self._clock = clock
        self._calm_s = calm_s
        self._calm_since_s: float | None = None
        self.level = 0
        self.clear_s = 0.0

    def observe(self, clear_s: float) -> int:
        """Say how long clearing takes now; returns the step, 0 for none."""
        self.clear_s = clear_s
        now_s = self._clock.monotonic_s()
        wanted = sum(clear_s >= after_s for after_s in self._after_s)
        if wanted > self.level:
            self.level, self._calm_since_s = wanted, None
        elif self.level and clear_s < self._after_s[self.level - 1] * CALM_SHARE:
            if self._calm_since_s is None:
                self._calm_since_s = now_s
            elif now_s - self._calm_since_s >= self._calm_s:
                self.level, self._calm_since_s = self.level - 1, now_s
        else:
            self._calm_since_s = None
        return self.level
