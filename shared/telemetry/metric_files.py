"""Metrics of several processes in memory-mapped files, one set per process, summed when they are read.

The files are prometheus-client's multiprocess format, so that its collector adds them up. Its own writer is not used:
it takes its folder from an environment variable at import, names a process by its number alone (which containers that
share a folder have in common), and on a full disk ends the process, because its files are sparse.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import socket
import struct
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import structlog
from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.mmap_dict import MmapedDict, mmap_key
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

log = structlog.get_logger(__name__)

SERIES_MAX = 1_500
"""In one file. Labels are bounded words, so this is never met; if it is, further series are not kept."""
FILE_BYTES = 512 * 1024
"""Room for SERIES_MAX keys of 340 bytes, taken from the disk when the file is made."""
RETIRED_MAX_BYTES = 4 * FILE_BYTES
SUMMED = ("counter", "histogram")
"""What dead processes counted goes on counting; their gauges go with them."""
_DAMAGED = (RuntimeError, ValueError, struct.error)
"""What reading a file raises that a power loss has torn."""
_LOCK = "lock"
_LIVE = ".live"

series_key = mmap_key
_File: Any = MmapedDict  # carries no types
_Collector: Any = MultiProcessCollector


class Book:
    """The numbers of this process. Made after any fork. Raises OSError when the folder cannot be used.

    It holds a lock on its own mark in the folder: whoever finds the lock free knows that the process is gone.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        host = re.sub(r"[^A-Za-z0-9-]", "-", socket.gethostname())
        self._identity = f"{host}-{os.getpid()}-{time.time_ns():x}"
        self._lock = threading.Lock()
        self._values: dict[str, dict[str, float]] = {}
        self._files: dict[str, Any] = {}
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _held(folder):
            self._mark = os.open(folder / f"{self._identity}{_LIVE}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._mark, fcntl.LOCK_EX)
            _retire(folder)
        for kind in SUMMED:
            self._open(kind)

    def add(self, kind: str, keys: Sequence[str], by: Sequence[float], beside: Iterable[str] = ()) -> None:
        """Add to several series at once. kind: counter, histogram. beside: series that must exist with the first
        (a histogram's other buckets)."""
        with self._lock:
            values, file = self._values[kind], self._files[kind]
            if keys[0] not in values and not self._begin(kind, (*keys, *beside)):
                return
            for key, amount in zip(keys, by, strict=True):
                value = values[key] = values[key] + amount
                file.write_value(key, value, 0.0)

    def _begin(self, kind: str, keys: Sequence[str]) -> bool:
        """Return False if the file is full."""
        values, file = self._values[kind], self._files[kind]
        new = [key for key in dict.fromkeys(keys) if key not in values]
        if len(values) + len(new) > SERIES_MAX:
            return False
        for key in new:
            values[key] = 0.0
            file.write_value(key, 0.0, 0.0)
        return True

    def put(self, kind: str, key: str, value: float) -> None:
        """Set a gauge. kind: gauge_livesum, gauge_livemax."""
        with self._lock:
            if kind not in self._files:
                self._open(kind)
            values = self._values[kind]
            if key in values or len(values) < SERIES_MAX:
                values[key] = value
                self._files[kind].write_value(key, value, 0.0)

    def close(self) -> None:
        """Close the files. What was counted stays."""
        with self._lock:
            for file in self._files.values():
                file.close()
            os.close(self._mark)

    def _open(self, kind: str) -> None:
        path = self.folder / f"{kind}_{self._identity}.db"
        _make(path)
        self._values[kind] = {}
        self._files[kind] = _File(str(path))


def exposition(folder: Path | None, more: Iterable[Metric] = ()) -> bytes:
    """Everything in Prometheus' text format: the files of all processes, living and dead, and `more`."""
    registry = CollectorRegistry()
    registry.register(_Given([*_collected(folder), *more]))
    return generate_latest(registry)


def _collected(folder: Path | None) -> list[Metric]:
    if folder is None or not folder.is_dir():
        return []
    with _held(folder):
        _retire(folder)
        return sorted(_Collector(None, path=str(folder)).collect(), key=lambda metric: metric.name)


def totals(folder: Path, kind: str, name: str) -> dict[tuple[str, ...], float]:
    """One counter (kind `counter`) or gauge (`gauge_livesum`) over all processes of the folder, by its labels' values
    in the order of their names; without parsing the others, as `exposition` does. Raises OSError."""
    found: dict[tuple[str, ...], float] = {}
    its_sample = f", {json.dumps(name)}, {{"  # behind the metric's name, which lacks a counter's _total
    with _held(folder):
        _retire(folder)
        for file in folder.glob(f"{kind}_*.db"):
            try:
                its = [(key, value) for key, value, _, _ in _File.read_all_values_from_file(str(file))
                       if its_sample in key]  # fmt: skip
            except _DAMAGED as e:
                log.warning("metrics_file_damaged", file=file.name, error=type(e).__name__)
                continue
            for key, value in its:
                labels = json.loads(key)[2]
                values = tuple(str(labels[label]) for label in sorted(labels))
                found[values] = found.get(values, 0.0) + value
    return found


class _Given(Collector):
    def __init__(self, metrics: list[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[Metric]:
        yield from self._metrics


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """The folder's lock: nobody retires files while somebody reads them. Held for milliseconds."""
    fd = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def _retire(folder: Path) -> None:
    """Add what dead processes counted to one file and delete theirs, so that restarts do not fill the disk."""
    for mark in folder.glob(f"*{_LIVE}"):
        if _is_held(mark):
            continue
        folded = [_fold(folder / f"{kind}_{mark.stem}.db", folder / f"{kind}_retired.db") for kind in SUMMED]
        if not all(folded):
            continue
        for gauges in folder.glob(f"gauge_*_{mark.stem}.db"):
            gauges.unlink()
        mark.unlink()


def _is_held(mark: Path) -> bool:
    fd = os.open(mark, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


def _fold(dead: Path, retired: Path) -> bool:
    """Into a copy that replaces the old file: whoever dies in between leaves one of the two whole. False: it could
    not be done now."""
    if not dead.exists():
        return True
    new = retired.with_suffix(".new")
    new.unlink(missing_ok=True)
    try:
        # Too large: names of models and the like that changed over the years. Counting starts again, as after a reset.
        if retired.exists() and retired.stat().st_size <= RETIRED_MAX_BYTES:
            shutil.copy(retired, new)
        else:
            _make(new)
        total = _File(str(new))
        for key, value, _, _ in _File.read_all_values_from_file(str(dead)):
            total.write_value(key, total.read_value(key)[0] + value, 0.0)
        total.close()
        new.replace(retired)
    except OSError as e:  # a full disk: it is tried again, and meanwhile the file is read where it is
        log.warning("metrics_not_folded", file=dead.name, error=type(e).__name__)
        new.unlink(missing_ok=True)
        return False
    except _DAMAGED as e:
        # numbers are not worth keeping a process from its work
        log.warning("metrics_file_damaged", file=dead.name, error=type(e).__name__)
        retired.unlink(missing_ok=True)
    dead.unlink()
    return True


def _make(path: Path) -> None:
    """A new file that has its room on the disk: a sparse one on a full disk would end this process at some later
    write, with SIGBUS. Raises OSError."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.posix_fallocate(fd, 0, FILE_BYTES)
    except OSError:
        path.unlink()
        raise
    finally:
        os.close(fd)
