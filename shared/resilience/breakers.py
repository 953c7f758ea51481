"""The breakers of a process, made when they are first asked for, and what is logged and counted of their changes."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, Literal, TypeVar, cast
from weakref import WeakSet

import pybreaker
import structlog

from shared.resilience import metrics

log = structlog.get_logger(__name__)

State = Literal["closed", "open", "half-open"]
KEPT_MAX = 1_000
"""So many breakers of one kind a process keeps; the one that was idle for longest goes first."""


class Changes(pybreaker.CircuitBreakerListener):
    """Logs and counts the changes of the breakers that are counted together under one label."""

    def __init__(self, label: str) -> None:
        self._label = label
        self._open: set[str] = set()
        self._forgotten: WeakSet[pybreaker.CircuitBreaker] = WeakSet()
        self._lock = threading.Lock()
        metrics.BREAKERS_OPEN.set(0.0, label)

    def state_change(
        self,
        cb: pybreaker.CircuitBreaker,
        old_state: pybreaker.CircuitBreakerState | None,
        new_state: pybreaker.CircuitBreakerState,
    ) -> None:
        log.warning("breaker_changed", breaker=cb.name, state=new_state.name)
        metrics.BREAKER_CHANGES.inc(self._label, new_state.name)
        self._keep(cb, new_state.name == pybreaker.STATE_OPEN)

    def forget(self, breaker: pybreaker.CircuitBreaker) -> None:
        """Count it no more, whatever a call that is still under way behind it does to it."""
        with self._lock:
            self._forgotten.add(breaker)
        self._keep(breaker, False)

    def _keep(self, breaker: pybreaker.CircuitBreaker, is_open: bool) -> None:
        name = str(breaker.name)
        with self._lock:
            if is_open and breaker in self._forgotten:
                return
            (self._open.add if is_open else self._open.discard)(name)
            metrics.BREAKERS_OPEN.set(float(len(self._open)), self._label)


B = TypeVar("B", bound=pybreaker.CircuitBreaker)


class Registry(Generic[B]):
    """The breakers of a process, one for each (provider, model), (platform, account) or host.

    kind: what metrics count them under; None: each under its own name. At most KEPT_MAX are kept.
    """

    def __init__(self, make: Callable[[str, Changes], B], kind: str | None = None) -> None:
        self._make = make
        self._changes = None if kind is None else Changes(kind)
        self._prefix = "" if kind is None else f"{kind}:"
        self._lock = threading.Lock()
        self._breakers: OrderedDict[tuple[str, str], tuple[B, Changes]] = OrderedDict()

    def of(self, provider: str, model: str = "") -> B:
        with self._lock:
            if (provider, model) not in self._breakers:
                name = self._prefix + "/".join(filter(None, (provider, model)))
                changes = self._changes or Changes(name)
                self._breakers[provider, model] = self._make(name, changes), changes
                if len(self._breakers) > KEPT_MAX:
                    _, (idle, counted) = self._breakers.popitem(last=False)
                    counted.forget(idle)
            else:
                self._breakers.move_to_end((provider, model))
            return self._breakers[provider, model][0]

    def states(self) -> dict[tuple[str, str], State]:
        with self._lock:
            breakers = dict(self._breakers)
        return {key: cast(State, breaker.current_state) for key, (breaker, _) in breakers.items()}
