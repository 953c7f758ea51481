"""The one global: what this worker process holds. Set by workers/lifecycle.py, read by tasks."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from shared.resources import Resources
from tasks.dispatch import Dispatcher
from tasks.wakeups import WakeupCoalescer

T = TypeVar("T")


@dataclass(slots=True)
class Process:
    """What a worker process works with. wakeups: gathers its wake-ups. dispatchers: by station, of those that
    this process serves. cursors: per thread, the company that was served last, so that threads go round the companies
    instead of all beginning at the first. closing: called first when it closes. may_serve: whether this process holds
    what a station's work needs, so that it can do it in that station's place."""

    resources: Resources
    wakeups: WakeupCoalescer = field(default_factory=WakeupCoalescer)
    dispatchers: dict[str, Dispatcher[Any]] = field(default_factory=dict)
    cursors: threading.local = field(default_factory=threading.local)
    closing: list[Callable[[], None]] = field(default_factory=list)
    may_serve: Callable[[str], bool] = lambda station: True
    _parts: dict[type, object] = field(default_factory=dict)

    def hold(self, part: object) -> None:
        """Keep what one domain alone knows, for of() with its class."""
        self._parts[type(part)] = part

    def of(self, kind: type[T]) -> T:
        """What hold() was given of this class. Raises RuntimeError where this process holds none."""
        part = self._parts.get(kind)
        if not isinstance(part, kind):
            raise RuntimeError(f"this process holds no {kind.__name__}")
        return part


_current: Process | None = None


def set_current(process: Process | None) -> None:
    global _current
    _current = process


def current() -> Process:
    if _current is None:
        raise RuntimeError("no resources are open in this process: tasks run in workers started by workers.app")
    return _current
