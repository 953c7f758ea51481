"""The one global: what this worker process holds. Set by workers/lifecycle.py, read by tasks."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from shared.flow.leases import Leases
from shared.resources import Resources


@dataclass(slots=True)
class Process:
    """resources and leases of a worker process. cursors: per thread, the company that was served last, so that
    threads go round the companies instead of all beginning at the first."""

    resources: Resources
    leases: Leases
    cursors: threading.local = field(default_factory=threading.local)


_current: Process | None = None


def set_current(process: Process | None) -> None:
    global _current
    _current = process


def current() -> Process:
    if _current is None:
        raise RuntimeError("no resources are open in this process: tasks run in workers started by workers.app")
    return _current
