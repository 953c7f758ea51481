"""The data folder: one owner at a time, secrets made once, logs, and the place that root needs beside it."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import secrets
import shutil
import stat
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from shared.errors import SettingsError

SECRETS_FILE = "secrets.json"
LOCK_FILE = "lock"
MADE_BY_US = frozenset({LOCK_FILE, SECRETS_FILE, "log", "run", "metrics", "valkey", "postgres", "postgres-new"})
LOG_KEPT_BYTES = 10 * 1024 * 1024
# Root's own folders are closed to the unprivileged account that PostgreSQL insists on, so as root the cluster and
# a copy of its programs live under the first of these that can be written.
PLACES_FOR_ROOT = (Path("/var/lib/switchboard"), Path("/var/tmp/switchboard"))


def new_secret() -> str:
    """144 bits, safe inside a URL without escaping."""
    return secrets.token_urlsafe(24).replace("-", "x").replace("_", "y")


class DataFolder:
    """DATA_DIR, held by one process between open() and close(), or as a context manager.

    places_for_root: where a cluster goes when the caller is root.
    Raises SettingsError naming DATA_DIR when it cannot be used or another process holds it.
    """

    def __init__(self, path: Path, *, places_for_root: tuple[Path, ...] = PLACES_FOR_ROOT) -> None:
        self.path = path.resolve()
        self.places_for_root = places_for_root
        self._lock: int | None = None

    def open(self) -> Self:
        try:
            self._make()
            self._lock = _take_lock(self.path / LOCK_FILE)
        except OSError as e:
            raise SettingsError(f"DATA_DIR: {self.path} cannot be used: {_words_of(e)}") from e
        return self

    def close(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def __enter__(self) -> Self:
        return self.open()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _make(self) -> None:
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self._is_ours():
            close_to_others(self.path)
        self.subfolder("log")

    def _is_ours(self) -> bool:
        """Somebody's home folder given by mistake keeps its mode; what we put into it is closed anyway. What a start
        leaves that failed early is ours."""
        found = {path.name for path in self.path.iterdir()}
        return LOCK_FILE in found or found <= MADE_BY_US

    def subfolder(self, name: str) -> Path:
        """Make a folder inside that only we can read."""
        folder = self.path / name
        folder.mkdir(mode=0o700, exist_ok=True)
        close_to_others(folder)
        return folder

    def log_file(self, name: str) -> Path:
        """Return the file that a server appends its output to. One that grew large is kept once as `<name>.log.1`."""
        log = self.subfolder("log") / f"{name}.log"
        if log.exists() and log.stat().st_size > LOG_KEPT_BYTES:
            log.replace(log.with_suffix(".log.1"))
        return log

    def secret(self, name: str, make: Callable[[], str] = new_secret) -> str:
        """The secret of that name, made on first use and kept in secrets.json (mode 0600). Needs open()."""
        if self._lock is None:
            raise RuntimeError("secrets need the folder's lock: open() it first")
        kept = self._read_secrets()
        if name not in kept:
            kept[name] = make()
            _write_private(self.path / SECRETS_FILE, json.dumps(kept, indent=1).encode())
        return kept[name]

    def _read_secrets(self) -> dict[str, str]:
        try:
            kept: dict[str, str] = json.loads((self.path / SECRETS_FILE).read_bytes())
        except FileNotFoundError:
            return {}
        except ValueError as e:
            raise SettingsError(f"DATA_DIR: {self.path / SECRETS_FILE} is damaged: put back a copy of it") from e
        return kept

    def place_for_root(self) -> Path:
        """The folder that stands in for this one where an unprivileged account must reach; made on first use.

        Raises SettingsError when none of the places can be written, or when this folder was moved.
        """
        name = hashlib.sha256(os.fsencode(self.path)).hexdigest()[:12]
        link = self.path / "postgres"
        if link.is_dir() and not link.is_symlink():
            owner = link.stat().st_uid
            raise SettingsError(f"DATA_DIR: {self.path} was made by user id {owner}: run as that user, not as root")
        if link.is_symlink() and link.readlink().parent.name != name:
            old = link.readlink().parent
            raise SettingsError(
                f"DATA_DIR: the folder was moved here, its database still is in {old}: "
                f"move that to {old.with_name(name)} and delete {link}"
            )
        if link.is_symlink() and not link.exists():
            raise SettingsError(
                f"DATA_DIR: the database in {link.readlink()} is gone: "
                f"put it back, or delete {link} to begin with an empty one"
            )
        for parent in sorted(self.places_for_root, key=lambda p: not (p / name).is_dir()):
            if _make_for_root(parent) and _make_for_root(parent / name):
                return parent / name
        tried = ", ".join(map(str, self.places_for_root))
        raise SettingsError(f"DATA_DIR: as root the database needs a writable folder of root's own in one of {tried}")

    def discard(self) -> None:
        """Delete the folder and its place for root. The servers must have been stopped."""
        link = self.path / "postgres"
        if link.is_symlink() and link.readlink().parent.parent in self.places_for_root:
            shutil.rmtree(link.readlink().parent, ignore_errors=True)
        shutil.rmtree(self.path, ignore_errors=True)
        self.close()


def close_to_others(folder: Path) -> None:
    """Make the mode of a folder of ours 0700, whatever it was. Raises SettingsError that says what to do where it
    cannot be changed."""
    found = folder.stat()
    if stat.S_IMODE(found.st_mode) == 0o700:
        return
    problem = ""
    try:
        folder.chmod(0o700)
    except OSError as e:
        problem = f" ({_words_of(e)})"
    left = stat.S_IMODE(folder.stat().st_mode)
    if not left & 0o077:
        return
    if found.st_uid != os.geteuid():
        do = f"it belongs to user id {found.st_uid}: run as that user, or as root: chown {os.geteuid()} {folder}"
    else:
        do = "its file system keeps no modes (vfat, some shared folders): set DATA_DIR to a folder on another disk"
    raise SettingsError(
        f"DATA_DIR: {folder} has mode {left:04o}, which lets others in, and must be 0700{problem}; {do}"
    )


def _words_of(error: OSError) -> str:
    if error.errno == errno.EROFS:
        return "its disk is mounted for reading only: mount it for writing, or set DATA_DIR to a folder elsewhere"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "its disk is full: make room, or set DATA_DIR to a folder on another disk"
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"user id {os.geteuid()} may not write there: run as its owner, or set DATA_DIR to a folder of your own"
    return f"{error.strerror}: set DATA_DIR to a folder that this user may write to"


def _take_lock(path: Path) -> int:
    """A descriptor that holds the lock until it is closed; children do not inherit it."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.read(fd, 20).decode().strip() or "unknown"
        os.close(fd)
        raise SettingsError(
            f"DATA_DIR: {path.parent} is in use by a running system (process {holder}): "
            "stop that one first, or set DATA_DIR to another folder"
        ) from None
    os.ftruncate(fd, 0)
    os.write(fd, f"{os.getpid()}\n".encode())
    return fd


def holder_of(folder: Path) -> int | None:
    """The process that holds this DATA_DIR; None: nobody does."""
    try:
        fd = os.open(folder / LOCK_FILE, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:  # no system was ever started there, or it is somebody else's
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        said = os.read(fd, 20).decode("ascii", "replace").strip()
        return int(said) if said.isdecimal() else None
    else:
        return None
    finally:
        os.close(fd)


def _make_for_root(folder: Path) -> bool:
    """Make a folder that others may pass through and not list or write; False if it cannot be trusted."""
    try:
        folder.mkdir(mode=0o711, exist_ok=True)
    except OSError:
        return False  # a read-only or missing parent: the next place is tried
    found = folder.lstat()
    # In a folder like /var/tmp anybody may have made it before us, to get at the database.
    safe = folder.is_dir() and not folder.is_symlink() and found.st_uid == os.geteuid() and not found.st_mode & 0o022
    if safe and found.st_mode & 0o111 != 0o111:
        folder.chmod(0o711)  # a strict umask took the passage away
    return safe and os.access(folder, os.W_OK)


def _write_private(path: Path, content: bytes) -> None:
    """Replace a file as a whole, readable by its owner only, safe against power loss."""
    new = path.with_suffix(".new")
    new.unlink(missing_ok=True)
    fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
