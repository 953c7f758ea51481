"""Crash-safe record of a process's leases. If the file's lock is free, the process died and others release its leases.

Without it the work of a killed process would wait until the leases expire. Writing takes a microsecond a lease and no
SQL. A lease is released only under the epoch in the record, so a file that is old, torn or read twice does no harm.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import struct
import threading
import time
from collections.abc import Callable, Iterable
from enum import Enum
from pathlib import Path
from typing import Literal, NamedTuple

import structlog

log = structlog.get_logger(__name__)

PLACES = 1024
"""More than a process has threads. A lease for which there is no place expires as it would without a file."""
_PLACE = struct.Struct("<qqqq")
_SUFFIX = ".held"
_READY = 100
"""In the first place, which no lease has."""
Kind = Literal["turn", "part", "budget"]
_KINDS: tuple[Kind, ...] = ("turn", "part", "budget")
RESERVED, ASKED = 0, 1
"""In place of an epoch, of a reservation in a budget: no model was asked yet; one may have been, and bills it."""


class LeaseRecord(NamedTuple):
    """One lease, or a reservation in a budget, which has RESERVED or ASKED for its epoch."""

    kind: Kind
    company_id: int
    id: int
    epoch: int


class LeaseRecords:
    """The leases of this process. folder: shared by all processes of a machine; None: nothing is recorded. station: the
    kind of work that this process does."""

    def __init__(self, folder: Path | None = None, station: str = "any") -> None:
        self._lock = threading.Lock()
        self._places: dict[LeaseRecord, int] = {}
        self._free = list(range(PLACES - 1, 0, -1))
        self._path: Path | None = None
        self._bytes: mmap.mmap | None = None
        if folder is not None:
            try:
                self._open(folder, station)
            except OSError as e:  # a full or read-only disk: leases expire by themselves
                log.warning("leases_not_recorded", error=type(e).__name__)

    def _open(self, folder: Path, station: str) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        name = f"{station}-{os.getpid()}-{time.time_ns():x}"
        new = folder / f"{name}.new"
        self._fd = os.open(new, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            # Allocated now: writing to a sparse file on a full disk would kill this process with SIGBUS.
            os.posix_fallocate(self._fd, 0, PLACES * _PLACE.size)
            fcntl.flock(self._fd, fcntl.LOCK_EX)
            self._bytes = mmap.mmap(self._fd, PLACES * _PLACE.size)
        except OSError:
            new.unlink()
            os.close(self._fd)
            raise
        self._path = folder / f"{name}{_SUFFIX}"
        new.rename(self._path)  # others see the file only now, when it is locked

    def say_ready(self) -> None:
        """Record that this process is ready for its station's work, so that those that did it meanwhile can stop."""
        with self._lock:
            if self._bytes is not None:
                _PLACE.pack_into(self._bytes, 0, _READY, 0, 0, 0)

    def note(self, pieces: Iterable[LeaseRecord]) -> None:
        """Record leases. Call it before the claim is committed, and forget() if the commit fails. A record of a claim
        that was never committed does no harm, because no row has its epoch."""
        with self._lock:
            if self._bytes is None:
                return
            for piece in pieces:
                if self._free and piece not in self._places:
                    place = self._places[piece] = self._free.pop()
                    kind = _KINDS.index(piece.kind) + 1
                    _PLACE.pack_into(self._bytes, place * _PLACE.size, kind, *piece[1:])

    def forget(self, piece: LeaseRecord) -> None:
        with self._lock:
            place = self._places.pop(piece, None)
            if place is not None and self._bytes is not None:
                _PLACE.pack_into(self._bytes, place * _PLACE.size, 0, 0, 0, 0)
                self._free.append(place)

    def close(self) -> None:
        """Close the record of a process that ends properly: no lease is left to release."""
        with self._lock:
            if self._bytes is None or self._path is None:
                return
            self._bytes.close()
            self._bytes = None
            if not self._places:
                self._path.unlink(missing_ok=True)  # otherwise others read it, as after a kill
            os.close(self._fd)


class Left(Enum):
    """What is left of a dead process's record for the next look."""

    NOTHING = "nothing"
    ITS_DEATH = "its_death"
    """Its leases are released; another process still has to take over its station."""
    WHAT_IT_HELD = "what_it_held"


def reclaim_from_dead(folder: Path, reclaim: Callable[[str, list[LeaseRecord]], Left]) -> None:
    """Call reclaim with the station and the leases of each dead process. What it returns says how much of the record
    is kept for the next look."""
    for path in sorted(folder.glob(f"*{_SUFFIX}")):
        try:
            fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            continue  # another process was here
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            match reclaim(path.name.partition("-")[0], _read(fd)):
                case Left.NOTHING:
                    path.unlink(missing_ok=True)
                case Left.ITS_DEATH:
                    os.pwrite(fd, bytes(PLACES * _PLACE.size), 0)
        except BlockingIOError:
            continue  # it lives, or another process is at it
        finally:
            os.close(fd)


def served(folder: Path) -> set[str]:
    """Return the stations of which a process is alive and ready."""
    found = set()
    for path in folder.glob(f"*{_SUFFIX}"):
        try:
            fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if os.pread(fd, 8, 0) == _PLACE.pack(_READY, 0, 0, 0)[:8]:
                found.add(path.name.partition("-")[0])
        finally:
            os.close(fd)
    return found


def _read(fd: int) -> list[LeaseRecord]:
    raw = os.pread(fd, PLACES * _PLACE.size, 0)
    whole = raw[: len(raw) // _PLACE.size * _PLACE.size]
    return [
        LeaseRecord(_KINDS[kind - 1], company_id, id_, epoch)
        for kind, company_id, id_, epoch in _PLACE.iter_unpack(whole)
        if 0 < kind <= len(_KINDS)
    ]
