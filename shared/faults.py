"""Named fault points: off unless set, so that a test or a drill can kill a process exactly there.

`FAULTS` holds `point=action` pairs divided by commas, `FAULTS_DIR` a folder. The first process that
reaches a point creates `<FAULTS_DIR>/<point>.reached` and suffers the action; whoever comes later passes.
Actions: `kill` (SIGKILL to itself), `pass` (only leaves the mark), `raise` (raises InjectedFault), `hang` (the thread
never comes back).
"""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

ACTIONS = ("kill", "pass", "raise", "hang")


class InjectedFault(RuntimeError):
    """What the action `raise` throws."""


_points: dict[str, str] = {}
_folder: Path | None = None


def configure(spec: str, folder: Path | None) -> None:
    """Switch points on, replacing what was set. Raises ValueError on a spec that names no known action."""
    global _folder
    points: dict[str, str] = {}
    for pair in filter(None, (part.strip() for part in spec.split(","))):
        name, _, action = pair.partition("=")
        if action not in ACTIONS:
            raise ValueError(f"FAULTS: {pair!r} should be point=action with an action of {', '.join(ACTIONS)}")
        points[name] = action
    if points and folder is None:
        raise ValueError("FAULTS is set but FAULTS_DIR is not: name a folder for the marks")
    _points.clear()
    _points.update(points)
    _folder = folder


def reach(point: str) -> None:
    """Say that the caller is at `point`. Costs one dict look-up while no point is set."""
    if not _points or point not in _points or _folder is None:
        return
    try:
        # O_EXCL: of several processes exactly one suffers the fault.
        fd = os.open(_folder / f"{point}.reached", os.O_CREAT | os.O_EXCL | os.O_WRONLY)
    except FileExistsError:
        return
    os.write(fd, str(os.getpid()).encode())
    os.close(fd)
    if _points[point] == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if _points[point] == "hang":
        threading.Event().wait()
    if _points[point] == "raise":
        raise InjectedFault(point)
