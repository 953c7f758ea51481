"""How much is free on the disks of this machine that the system writes to, and what to do about it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from shared.settings import Settings

Level = Literal["ok", "low", "full", "read_only"]
CALM_SHARE = 1.25
"""A full disk counts as full until the free space is this many times the bound, so that the state does not flap."""
LOOPBACK = ("127.0.0.1", "localhost", "::1")
Stat = Callable[[Path], os.statvfs_result]


@dataclass(frozen=True, slots=True)
class Bounds:
    """Free space below which a disk is full, or low: the larger of bytes and a share of the disk."""

    full_bytes: int
    full_share: float
    low_bytes: int
    low_share: float

    @classmethod
    def of(cls, settings: Settings) -> Bounds:
        return cls(
            settings.disk.refuse_free_bytes, settings.disk.refuse_free_share,
            settings.disk.warn_free_bytes, settings.disk.warn_free_share,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class DiskSpace:
    """One disk. names: what is stored on it (DATA_DIR, …). bound_bytes: how much has to be free for its level to be ok;
    of a full disk, for it not to be full."""

    names: tuple[str, ...]
    folder: Path
    free_bytes: int
    total_bytes: int
    level: Level
    bound_bytes: int

    @property
    def words(self) -> str:
        names = " and ".join(self.names)
        free = f"{self.free_bytes} of {self.total_bytes} bytes are free at {self.folder}"
        if self.level == "read_only":
            return f"the disk of {names} can only be read: {self.folder}"
        if self.level == "full":
            return f"the disk of {names} is full: {free}; nothing is accepted below {self.bound_bytes}: make room"
        if self.level == "low":
            return f"the disk of {names} is nearly full: {free}, which should be {self.bound_bytes}: make room"
        return f"the disk of {names} has room: {free}"


def look(
    folder: Path, bounds: Bounds, names: tuple[str, ...] = ("DATA_DIR",), *, full_until_now: bool = False,
    stat: Stat = os.statvfs,
) -> DiskSpace:  # fmt: skip
    """Return the state of the disk that holds a folder. full_until_now: it was full the last time. Raises OSError."""
    found = stat(folder)
    free, total = found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize
    full = max(bounds.full_bytes, int(bounds.full_share * total))
    low = max(bounds.low_bytes, int(bounds.low_share * total), full)
    level: Level = "ok"
    if found.f_flag & os.ST_RDONLY:
        level = "read_only"
    elif free < full * (CALM_SHARE if full_until_now else 1.0):
        level = "full"
    elif free < low:
        level = "low"
    return DiskSpace(names, folder, free, total, level, full if level == "full" else low)


def rooms(settings: Settings, *, stat: Stat = os.statvfs) -> list[DiskSpace]:
    """Return each disk of this machine that holds data of ours, once. Services on other machines check their own."""
    bounds = Bounds.of(settings)
    disks: dict[int, tuple[Path, list[str]]] = {}
    for name, folder in _places(settings):
        try:
            device = folder.stat().st_dev
        except OSError:
            continue  # a folder that does not exist yet, or that we may not enter, takes none of our space
        disks.setdefault(device, (folder, []))[1].append(name)
    return [look(folder, bounds, tuple(names), stat=stat) for folder, names in disks.values()]


def journal_folder(settings: Settings) -> Path | None:
    """Return the folder of the embedded journal; None if another server keeps the journal."""
    folder = settings.system.data_dir / "valkey"
    url = settings.redis.journal_url or settings.redis.url or ""
    return folder if urlsplit(url).hostname in LOOPBACK and (folder / "valkey.conf").is_file() else None


def _places(settings: Settings) -> Iterator[tuple[str, Path]]:
    """Yield the folders of ours that exist on this machine, each with its name."""
    wanted = [("DATA_DIR", settings.system.data_dir)]
    if journal_folder(settings) is not None:
        wanted.append(("the journal", settings.system.data_dir / "valkey"))
    if (settings.system.data_dir / "postgres").is_dir():  # a link, if the system was started as root
        wanted.append(("the database", (settings.system.data_dir / "postgres").resolve()))
    if settings.media.s3_bucket is None and settings.media.dir is not None:
        wanted.append(("MEDIA_DIR", settings.media.dir))
    if settings.backup.dir is not None:
        wanted.append(("BACKUP_DIR", settings.backup.dir))
    if settings.operations.metrics_dir is not None:
        wanted.append(("METRICS_DIR", settings.operations.metrics_dir))
    for name, folder in wanted:
        if folder.is_dir():
            yield name, folder
