"""Log files that are renamed while processes write to them, without losing a line.

Whoever starts a process tells it its file's name (SWITCHBOARD_LOG_FILE) and renames the file once a day. The process
sees that the name leads elsewhere and moves its output there: `dup2` is one step, so each line is in the old file or in
the new one.
"""

from __future__ import annotations

import os
import threading
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

KEPT_DAYS = 7
LOOK_EVERY_S = 5.0
_OUTPUTS = (1, 2)


def follow(path: Path | None) -> None:
    """Keep this process' output in the file of that name, whatever becomes of the file that has it now; None: the
    output is not ours to move. Call once a process, after any fork."""
    if path is not None:
        threading.Thread(target=_follow, args=(path,), name="log-file", daemon=True).start()


def _follow(path: Path) -> None:
    waits = threading.Event()
    while not waits.wait(LOOK_EVERY_S):
        try:
            move_output(path)
        except OSError:
            continue  # a full disk, or a folder that is gone: the old file still takes what is written


def move_output(path: Path) -> bool:
    """Have this process write to the file of that name, if it does not already; return whether it had to move. Raises
    OSError."""
    try:
        if os.path.samestat(path.stat(), os.fstat(2)):
            return False
    except FileNotFoundError:
        pass  # it was renamed, and nobody has made a new one yet
    # A link or a pipe that somebody has laid there since is not written to: the old file is.
    opened = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600)
    try:
        for output in _OUTPUTS:
            os.dup2(opened, output)
    finally:
        os.close(opened)
    return True


def set_aside(log: Path, day: date) -> None:
    """Rename a log to `<name>.log.<day>`, its last day, and delete those of more than KEPT_DAYS before that. One that
    is empty or not there stays. Raises OSError."""
    if log.exists() and log.stat().st_size:
        log.rename(_unused(log, day))
    for earlier, path in _days(log):
        if earlier < day - timedelta(days=KEPT_DAYS):
            path.unlink(missing_ok=True)


def last_day(log: Path) -> date | None:
    """Return the day (UTC) on which the log was last written to; None where there is none."""
    return datetime.fromtimestamp(log.stat().st_mtime, UTC).date() if log.exists() else None


def _unused(log: Path, day: date) -> Path:
    """A clock that was set back may come to the same day twice."""
    name, number = log.with_name(f"{log.name}.{day}"), 1
    while name.exists():
        number += 1
        name = log.with_name(f"{log.name}.{day}.{number}")
    return name


def _days(log: Path) -> list[tuple[date, Path]]:
    found = []
    for path in log.parent.glob(f"{log.name}.*"):
        try:
            found.append((date.fromisoformat(path.name.removeprefix(f"{log.name}.")[:10]), path))
        except ValueError:
            continue  # `.log.1`: one that had grown large before a start
    return found
