"""What can be limited, and what a limiter answers."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from shared.model import Rate

ENTRIES_MAX = 60
"""So many takes of a window are remembered one by one. Of a window that allows more, takes that fall into the same
sixtieth of it are remembered together, by the last one's time: so it never allows more than it says in any stretch of
its length, and at worst has room again a sixtieth of its length late."""
PLACE_RETRY_S = 1.0
"""Nobody can say when a place comes free: so soon it is worth asking again."""
KEY_CHARS_MAX = 120


@dataclass(frozen=True, slots=True)
class Window:
    """At most `count` in any `per_s` seconds under `key`, in whatever rhythm they come."""

    key: str
    count: int
    per_s: float


@dataclass(frozen=True, slots=True)
class AtOnce:
    """At most `count` at the same time under `key`. Who has a place and is silent for lease_s has lost it."""

    key: str
    count: int
    lease_s: float = 15.0


Limit: TypeAlias = Rate | Window | AtOnce


@dataclass(frozen=True, slots=True)
class Standing:
    """How a limit stands after it was asked. remaining: what may still be taken now; more_s: in how many seconds that
    grows, if nothing is taken until then."""

    limit: Limit
    remaining: int
    more_s: float


@dataclass(frozen=True, slots=True)
class Decision:
    """wait_s: 0.0, and what was asked for is taken; else the seconds after which to ask again, and nothing is taken.
    standings: of each limit, as they were given."""

    wait_s: float
    standings: tuple[Standing, ...] = ()

    @property
    def allowed(self) -> bool:
        return self.wait_s == 0.0


def checked(limits: Sequence[Limit]) -> tuple[Limit, ...]:
    """Raises ValueError for a limit whose numbers are not positive, and for two of one kind with one key."""
    names = set()
    for limit in limits:
        if isinstance(limit, AtOnce):
            if limit.count < 1 or limit.lease_s <= 0:
                raise ValueError(f"not a valid limit: {limit.count} at once, leases of {limit.lease_s} s")
        elif limit.count < 1 or limit.per_s <= 0 or (isinstance(limit, Rate) and limit.burst < 1):
            burst = f", burst {limit.burst}" if isinstance(limit, Rate) else ""
            raise ValueError(f"not a valid rate: {limit.count} in {limit.per_s} s{burst}")
        names.add(name_of(limit))
    if len(names) != len(limits):
        raise ValueError("two limits of one kind have the same key")
    return tuple(limits)


def name_of(limit: Limit) -> str:
    """The limit's name in Redis. Each kind has names of its own, and a window one for each length: of one purpose there
    may be several. A long key is kept as its hash, because anybody may have written it."""
    key = limit.key
    if len(key) > KEY_CHARS_MAX or not (key.isascii() and key.isprintable()):
        digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
        key = f"#{digest}"
    if isinstance(limit, Window):
        return f"sb:window:{limit.per_s:g}:{key}"
    return f"sb:places:{key}" if isinstance(limit, AtOnce) else f"sb:limit:{key}"


def step_us(rate: Rate) -> int:
    """How far a take moves a rate's clock."""
    return max(1, round(rate.per_s * 1_000_000 / rate.count))


def slot_us(window: Window) -> int:
    """How long takes of a window are remembered together; 0: never."""
    return 0 if window.count <= ENTRIES_MAX else -int(-window.per_s * 1_000_000 // ENTRIES_MAX)
