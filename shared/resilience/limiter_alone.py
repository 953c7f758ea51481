"""The limiter's algorithms for one process, as limiter_scripts.py has them for all."""

from __future__ import annotations

import threading
from array import array
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from shared.model import Rate
from shared.resilience.limits import PLACE_RETRY_S, AtOnce, Decision, Limit, Standing, Window, name_of, slot_us, step_us

KEYS_MAX = 20_000
"""Of each kind; the key that was asked for longest ago is forgotten first."""
V = TypeVar("V")
S = TypeVar("S", bound="_Kept")


class _Kept(Protocol):
    """One limit's state."""

    def wait_us(self, now: int) -> int: ...

    def take(self, now: int, token: str) -> None: ...

    def stand(self, now: int) -> tuple[int, int]:
        """What remains, and after how long that grows."""
        ...


@dataclass(slots=True)
class _Rate:
    step: int = 1
    ahead: int = 0
    idle: int = 0

    def wait_us(self, now: int) -> int:
        return max(0, self._idle(now) - now - self.ahead)

    def take(self, now: int, token: str) -> None:
        self.idle = self._idle(now) + self.step

    def stand(self, now: int) -> tuple[int, int]:
        idle = self._idle(now)
        remaining = max(0, (self.ahead - (idle - now)) // self.step + 1)
        return remaining, max(0, idle - now - self.ahead + remaining * self.step)

    def _idle(self, now: int) -> int:
        return max(self.idle, now)


class _Window:
    """Arrays of numbers: a thousand lists of pairs would be a hundred times as large."""

    __slots__ = ("at", "count", "length", "numbers", "slot")

    def __init__(self) -> None:
        self.at, self.numbers = array("q"), array("q")
        self.count = self.length = self.slot = 0

    def wait_us(self, now: int) -> int:
        used = self._used(now)
        return 0 if used < self.count else self._free_after(used - self.count + 1, now)

    def take(self, now: int, token: str) -> None:
        self._used(now)
        if self.at and self.slot and self.at[-1] // self.slot == now // self.slot:
            self.at[-1] = now
            self.numbers[-1] += 1
        else:
            self.at.append(now)
            self.numbers.append(1)

    def stand(self, now: int) -> tuple[int, int]:
        used = self._used(now)
        return max(0, self.count - used), self._free_after(max(1, used - self.count + 1), now)

    def _used(self, now: int) -> int:
        gone = 0
        while gone < len(self.at) and self.at[gone] < now - self.length:
            gone += 1
        if gone:
            del self.at[:gone], self.numbers[:gone]
        return sum(self.numbers)

    def _free_after(self, wanted: int, now: int) -> int:
        for at, number in zip(self.at, self.numbers, strict=True):
            wanted -= number
            if wanted <= 0:
                return at + self.length + 1 - now
        return 0


class _Places:
    __slots__ = ("count", "ends", "lease")

    def __init__(self) -> None:
        self.ends: dict[str, int] = {}
        self.count = self.lease = 0

    def wait_us(self, now: int) -> int:
        self._forget(now)
        return 0 if len(self.ends) < self.count else self._free_after(now)

    def take(self, now: int, token: str) -> None:
        self.ends[token] = now + self.lease

    def stand(self, now: int) -> tuple[int, int]:
        self._forget(now)
        return max(0, self.count - len(self.ends)), self._free_after(now)

    def _forget(self, now: int) -> None:
        self.ends = {token: end for token, end in self.ends.items() if end > now}

    def _free_after(self, now: int) -> int:
        return min(round(PLACE_RETRY_S * 1e6), min(self.ends.values()) - now + 1) if self.ends else 0


class Alone:
    """Decides as the script does, for this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rates: OrderedDict[str, _Rate] = OrderedDict()
        self._windows: OrderedDict[str, _Window] = OrderedDict()
        self._places: OrderedDict[str, _Places] = OrderedDict()

    def take(self, limits: Sequence[Limit], now_s: float, token: str) -> Decision:
        now = int(now_s * 1_000_000)
        with self._lock:
            kept = [self._kept(limit) for limit in limits]
            wait = max(one.wait_us(now) for one in kept)
            if wait == 0:
                for one in kept:
                    one.take(now, token)
            stands = [one.stand(now) for one in kept]
        return decision(limits, wait, stands)

    def note(self, limits: Sequence[Limit], now_s: float, token: str) -> None:
        """Count what Redis has allowed."""
        now = int(now_s * 1_000_000)
        with self._lock:
            for limit in limits:
                self._kept(limit).take(now, token)

    def free(self, places: Sequence[AtOnce], token: str) -> None:
        with self._lock:
            for place in places:
                if (kept := self._places.get(name_of(place))) is not None:
                    kept.ends.pop(token, None)

    def _kept(self, limit: Limit) -> _Kept:
        name = name_of(limit)
        if isinstance(limit, Rate):
            rate = _found(self._rates, name, _Rate)
            rate.step = step_us(limit)
            rate.ahead = rate.step * (limit.burst - 1)
            return rate
        if isinstance(limit, Window):
            window = _found(self._windows, name, _Window)
            window.count, window.length, window.slot = limit.count, round(limit.per_s * 1_000_000), slot_us(limit)
            return window
        places = _found(self._places, name, _Places)
        places.count, places.lease = limit.count, round(limit.lease_s * 1_000_000)
        return places


def _found(kept: OrderedDict[str, V], name: str, make: Callable[[], V]) -> V:
    found = kept.get(name)
    if found is None:
        found = kept[name] = make()
        if len(kept) > KEYS_MAX:
            kept.popitem(last=False)
    else:
        kept.move_to_end(name)
    return found


def decision(limits: Sequence[Limit], wait_us: int, stands: Sequence[tuple[int, int]]) -> Decision:
    standings = tuple(
        Standing(limit, remaining, more_us / 1_000_000)
        for limit, (remaining, more_us) in zip(limits, stands, strict=True)
    )
    return Decision(wait_us / 1_000_000, standings)
