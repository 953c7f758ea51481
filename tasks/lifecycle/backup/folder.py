"""The folder of backups: only complete ones have names of backups, and one process works in it at a time."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from shared.errors import NotFound, SettingsError, Transient

DUMP, MANIFEST, PROOF = "database.dump", "manifest.json", "proof.json"
PROOFS = ("restored", "differs", "failed", "unproven")
NONE_YET = "there is no backup yet: `backup run` makes one"
HALF = ".half-"
_NAME = re.compile(r"\d{8}T\d{6}Z")
_FORMAT = "%Y%m%dT%H%M%SZ"
_READ_BYTES = 1 << 20


class BackupFolderBusy(Transient):
    """Another process is making, deleting or restoring backups in this folder."""


@dataclass(frozen=True, slots=True)
class Proof:
    """The result of testing a backup, and when. found: one of PROOFS."""

    found: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Backup:
    """A whole backup. manifest: empty if it cannot be read. size: bytes of its files. proof: the last one that was
    noted beside it; None: none was."""

    name: str
    path: Path
    manifest: dict[str, Any]
    size: int
    proof: Proof | None = None

    @property
    def made_at(self) -> datetime:
        return datetime.strptime(self.name, _FORMAT).replace(tzinfo=UTC)

    @property
    def dump(self) -> Path:
        return self.path / DUMP


def name_of(now: datetime) -> str:
    return f"{now.astimezone(UTC):{_FORMAT}}"


class BackupFolder:
    """Raises SettingsError naming BACKUP_DIR when the folder cannot be used."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextmanager
    def held(self) -> Iterator[None]:
        """Make the folder if need be, and keep others out of it. Raises BackupFolderBusy."""
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            fd = os.open(self.path / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as e:
            raise SettingsError(f"BACKUP_DIR: {self.path} cannot be used: {e.strerror}") from e
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BackupFolderBusy(f"{self.path} is in use: another backup or restore is under way") from None
        else:
            yield
        finally:
            os.close(fd)

    def all(self) -> list[Backup]:
        """Return the complete backups, newest first."""
        if not self.path.is_dir():
            return []
        names = sorted((p.name for p in self.path.iterdir() if _NAME.fullmatch(p.name) and p.is_dir()), reverse=True)
        return [self._read(name) for name in names]

    def one(self, name: str) -> Backup:
        """Return a backup by its name, or `newest`. Raises NotFound."""
        known = self.all()
        found = next((b for b in known if name in (b.name, "newest")), None)
        if not known:
            raise NotFound("backup", f"{NONE_YET} in {self.path}")
        if found is None:
            raise NotFound("backup", f"{self.path} has no backup {name!r}: see `backup list`")
        return found

    def _read(self, name: str) -> Backup:
        path = self.path / name
        return Backup(name, path, _object_of(path / MANIFEST), size_of(path), _proof_of(path))

    def half(self, name: str) -> Path:
        """An empty folder to make a backup in; what others left half made is deleted. Within held()."""
        for left in self.path.glob(f"{HALF}*"):
            shutil.rmtree(left) if left.is_dir() else left.unlink()
        half = self.path / f"{HALF}{name}"
        half.mkdir(mode=0o700)
        return half

    def keep(self, half: Path, manifest: dict[str, Any]) -> Backup:
        """Give a finished backup its name: from then on it is one, also after a power loss."""
        name = half.name.removeprefix(HALF)
        write_private(half / MANIFEST, json.dumps(manifest, indent=1, sort_keys=True).encode())
        for file in half.iterdir():
            _sync(file)
        _sync(half)
        half.rename(self.path / name)
        _sync(self.path)
        return self._read(name)

    def note_proof(self, backup: Backup, proof: Proof) -> None:
        """Beside the backup: whoever needs it may have no database any more. Within held()."""
        half = self.path / f"{HALF}proof-{backup.name}"
        write_private(half, json.dumps({"proof": proof.found, "at": proof.at.isoformat()}).encode())
        half.rename(backup.path / PROOF)

    def remove(self, backup: Backup) -> None:
        """It is no backup any more before its files go: a half one never stands under a whole one's name."""
        gone = self.path / f"{HALF}gone-{backup.name}"
        backup.path.rename(gone)
        shutil.rmtree(gone)

    def free_bytes(self) -> int:
        return shutil.disk_usage(self.path).free


def _object_of(path: Path) -> dict[str, Any]:
    """Return the JSON object in a file; an empty one if there is none that can be read."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):  # its readers say "not known"
        return {}
    return found if isinstance(found, dict) else {}


def _proof_of(path: Path) -> Proof | None:
    noted = _object_of(path / PROOF)
    try:
        found, at = noted["proof"], datetime.fromisoformat(noted["at"])
    except (KeyError, TypeError, ValueError):
        return None
    return Proof(found, at) if found in PROOFS and at.tzinfo is not None else None


def size_of(path: Path) -> int:
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())


def checksum(path: Path, meanwhile: Callable[[], None] = lambda: None) -> str:
    """Return the SHA-256 of a file, in hex."""
    found = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_READ_BYTES):
            found.update(piece)
            meanwhile()
    return found.hexdigest()


def write_private(path: Path, content: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)


def _sync(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


# ------------------------------------------------------------------ which stay
@dataclass(frozen=True, slots=True)
class Tiers:
    """How many hours, days, ISO weeks and months that have a backup keep their newest one."""

    hourly: int
    daily: int
    weekly: int
    monthly: int


def superfluous(names: Sequence[str], tiers: Tiers) -> list[str]:
    """Return the backups that no tier keeps, oldest first. The newest one always stays."""
    newest_first = sorted(names, reverse=True)
    stay = set(newest_first[:1])
    for count, bucket in (
        (tiers.hourly, "%Y%m%d%H"), (tiers.daily, "%Y%m%d"), (tiers.weekly, "%G%V"), (tiers.monthly, "%Y%m"),
    ):  # fmt: skip
        seen: dict[str, str] = {}
        for name in newest_first:
            seen.setdefault(f"{datetime.strptime(name, _FORMAT).replace(tzinfo=UTC):{bucket}}", name)
        stay.update(list(seen.values())[:count])
    return sorted(name for name in names if name not in stay)
