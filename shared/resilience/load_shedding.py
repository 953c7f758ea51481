"""Load shedding: a company whose customers wait too long gets cheaper answers at once, better ones after a recovery.

A company's time to clear is how long its last waiting customer will still wait if companies are served in turn. So the
company that causes the overload is the one that waits, and the first to get cheaper answers.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Literal

from shared.clock import Clock

Step = Literal["full", "cheaper", "passages", "handover"]
STEPS: tuple[Step, ...] = ("full", "cheaper", "passages", "handover")
"""The kind of answer on each level, from 0."""
CALM_SHARE = 0.5
"""A level is left below this share of the time at which it was entered, so that the level does not flap."""
RECOVERY_MAX_S = 320.0
FORGOTTEN_AFTER_S = 600.0
"""A level that is entered again sooner was left too early: the next recovery has to last twice as long."""
WINDOW_S = 10.0
SETTLED_AFTER_S = 15.0
"""Only after this time on "passages" does the pace show whether they suffice; nobody is handed over sooner."""
PIECES_MAX = 1_000


@dataclass(frozen=True, slots=True)
class OverdueTurns:
    """A company's turns that wait. due: how many. oldest_s: how long the oldest of them has been due."""

    due: int
    oldest_s: float


def times_to_clear_s(behind: Mapping[int, OverdueTurns], per_s: float) -> dict[int, float]:
    """Return for each company how long its last waiting customer will wait.

    If companies are served in turn, that customer waits for as many turns of every other company as its own company
    has: Σ min(theirs, its own) / per_s. per_s: turns that the whole fleet answers a second; 0 if that is not known yet:
    then the age of each company's oldest turn is returned.
    """
    if per_s <= 0:
        return {company: max(one.oldest_s, 0.0) for company, one in behind.items()}
    served, left, before = 0, len(behind), 0
    found: dict[int, float] = {}
    for company, one in sorted(behind.items(), key=lambda item: item[1].due):
        served += (one.due - before) * left
        found[company] = served / per_s
        before, left = one.due, left - 1
    return found


@dataclass(frozen=True, slots=True)
class Rules:
    """after_s: the time to clear from which levels 1, 2 and 3 are entered. recovery_s: how long a recovery must last
    before a level is left. Raises ValueError if after_s does not rise."""

    after_s: tuple[float, float, float]
    recovery_s: float

    def __post_init__(self) -> None:
        if list(self.after_s) != sorted(set(self.after_s)):
            raise ValueError("each step should be entered later than the one before it")


@dataclass(frozen=True, slots=True)
class State:
    """A company's level. Times are seconds since 1970. left_at_s: when a level was last left. entered_at_s: when this
    level was entered from a better one."""

    level: int
    recovering_since_s: float | None
    recovery_s: float
    left_at_s: float | None
    entered_at_s: float = 0.0


def move(state: State | None, clear_s: float, now_s: float, rules: Rules) -> State | None:
    """Return the next state; None if there is no overload and there was none lately."""
    state = state or State(0, None, rules.recovery_s, None)
    wanted = sum(clear_s >= after_s for after_s in rules.after_s)
    if state.level < 2 or now_s - state.entered_at_s < SETTLED_AFTER_S:
        wanted = min(wanted, 2)
    if wanted > state.level:
        again = state.left_at_s is not None
        recovery_s = min(state.recovery_s * 2, max(RECOVERY_MAX_S, rules.recovery_s)) if again else state.recovery_s
        return State(wanted, None, recovery_s, None, now_s)
    if state.level == 0:
        over = state.left_at_s is None or now_s - state.left_at_s >= FORGOTTEN_AFTER_S
        return None if over else state
    if clear_s >= rules.after_s[state.level - 1] * CALM_SHARE:
        return replace(state, recovering_since_s=None)
    if state.recovering_since_s is None:
        return replace(state, recovering_since_s=now_s)
    if now_s - state.recovering_since_s < state.recovery_s:
        return state
    return replace(state, level=state.level - 1, recovering_since_s=now_s, left_at_s=now_s)


class Pace:
    """How many turns a second this process could answer, computed from how long its last ones took. A count of answered
    turns would be wrong while there is little to do."""

    def __init__(self, slots: int, clock: Clock) -> None:
        self._slots, self._clock = slots, clock
        self._lock = threading.Lock()
        self._ended: deque[tuple[float, float]] = deque(maxlen=PIECES_MAX)
        self._under_way: dict[int, float] = {}
        self._number = 0
        self._mean_s = 0.0

    @contextmanager
    def piece(self) -> Iterator[None]:
        began_s = self._clock.monotonic_s()
        with self._lock:
            self._number += 1
            number = self._number
            self._under_way[number] = began_s
        try:
            yield
        finally:
            now_s = self._clock.monotonic_s()
            with self._lock:
                del self._under_way[number]
                self._ended.append((now_s, now_s - began_s))

    def per_s(self) -> float:
        """Return turns per second; 0 before the first answer. While nothing ends, the age of the oldest turn under way
        counts as its duration."""
        now_s = self._clock.monotonic_s()
        with self._lock:
            took_s = [took_s for ended_s, took_s in self._ended if now_s - ended_s < WINDOW_S]
            if took_s:
                self._mean_s = sum(took_s) / len(took_s)
            mean_s = self._mean_s
            if not took_s and self._under_way:
                mean_s = max(mean_s, now_s - min(self._under_way.values()))
        return self._slots / max(mean_s, 1e-3) if mean_s else 0.0


class LoadShedding:
    """What a process knows of the load: its own pace, and the kind of answer that each company gets now."""

    def __init__(self, slots: int, clock: Clock) -> None:
        self.pace = Pace(slots, clock)
        self._levels: Mapping[int, int] = {}

    def step(self, company_id: int) -> Step:
        return STEPS[self._levels.get(company_id, 0)]

    def set_levels(self, levels: Mapping[int, int]) -> None:
        """levels: by company; companies that are not in it are on level 0."""
        self._levels = levels
