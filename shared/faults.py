"""Named fault points: off unless set, so that a test or a drill can kill a process exactly there.

`FAULTS` holds `point=action` pairs divided by commas, `FAULTS_DIR` a folder. The first process that
reaches a point creates `<FAULTS_DIR>/<point>.reached` and suffers the action; whoever comes later passes.
Actions: `kill` (SIGKILL to itself), `pass` (only leaves the mark), `raise` (raises InjectedFault), `hang` (the thread
never comes back). `FAULTS=on-request` takes no pairs: a running process suffers what `arm()` has laid into the folder.
"""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

ACTIONS = ("kill", "pass", "raise", "hang")
ON_REQUEST = "on-request"


class InjectedFault(RuntimeError):
    """What the action `raise` throws."""


_points: dict[str, str] = {}
_folder: Path | None = None
_on_request = False


def arm(folder: Path, point: str, action: str = "kill") -> Path:
    """Lay a fault for processes that run with `FAULTS=on-request`; returns the mark that its victim leaves."""
    if action not in ACTIONS:
        raise ValueError(f"{action!r} should be one of {', '.join(ACTIONS)}")
    mark = _mark(folder, point)
    mark.unlink(missing_ok=True)
    half = folder / f"{point}.half"
    half.write_text(action)
    half.replace(_armed(folder, point))  # whole or not at all: somebody may be at the point
    return mark


def disarm(folder: Path, point: str) -> None:
    """Take back what nobody has suffered."""
    _armed(folder, point).unlink(missing_ok=True)


def _mark(folder: Path, point: str) -> Path:
    return folder / f"{point}.reached"


def _armed(folder: Path, point: str) -> Path:
    return folder / f"{point}.armed"


def configure(spec: str, folder: Path | None) -> None:
    """Switch points on, replacing what was set. Raises ValueError on a spec that names no known action."""
    global _folder, _on_request
    points: dict[str, str] = {}
    on_request = spec.strip() == ON_REQUEST
    for pair in filter(None, (part.strip() for part in ([] if on_request else spec.split(",")))):
        name, _, action = pair.partition("=")
        if action not in ACTIONS:
            raise ValueError(f"FAULTS: {pair!r} should be point=action with an action of {', '.join(ACTIONS)}")
        points[name] = action
    if (points or on_request) and folder is None:
        raise ValueError("FAULTS is set but FAULTS_DIR is not: name a folder for the marks")
    _points.clear()
    _points.update(points)
    _folder, _on_request = folder, on_request


def reach(point: str) -> None:
    """Say that the caller is at `point`. Costs one look-up while no point is set."""
    if not (_points or _on_request) or _folder is None:
        return
    action = _requested(_folder, point) if _on_request else _given(_folder, point)
    if action == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if action == "hang":
        threading.Event().wait()
    if action == "raise":
        raise InjectedFault(point)


def _given(folder: Path, point: str) -> str | None:
    if point not in _points:
        return None
    try:
        # O_EXCL: of several processes exactly one suffers the fault.
        fd = os.open(_mark(folder, point), os.O_CREAT | os.O_EXCL | os.O_WRONLY)
    except FileExistsError:
        return None
    os.write(fd, str(os.getpid()).encode())
    os.close(fd)
    return _points[point]


def _requested(folder: Path, point: str) -> str | None:
    try:
        # a file can be renamed away once: of several processes exactly one suffers the fault
        os.rename(_armed(folder, point), _mark(folder, point))
        return _mark(folder, point).read_text()
    except FileNotFoundError:
        return None
