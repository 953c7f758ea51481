"""Which files of those that were named become documents, and why the others do not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from shared.knowledge import extract

Kind = Literal["added", "changed", "unchanged", "skipped", "failed"]
UNKNOWN_TYPE = "unknown type"
OUTCOMES: tuple[Kind, ...] = ("added", "changed", "unchanged", "skipped", "failed")


@dataclass(frozen=True, slots=True)
class Candidate:
    """named: on the command line itself, not found in a folder. skip: why it is not added. source: the name that its
    document is known by. folder: the one that it is from, absolute."""

    path: Path
    named: bool
    skip: str | None = None
    source: str = ""
    folder: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    path: str
    outcome: Kind
    reason: str | None
    named: bool


def candidates_of(paths: Sequence[Path], known: Mapping[str, str]) -> list[Candidate]:
    """The files, in order. known: the folder of each name that files were added by before.

    A file is known by its path in the folder that was named (of a file that was named itself, by its name). Where
    another folder has that name already, the folder's own name stands before it.
    """
    taken = dict(known)
    found: dict[Path, Candidate] = {}
    for path in paths:
        root = (path if path.is_dir() else path.parent).resolve()
        for candidate in _inside(path) if path.is_dir() else [Candidate(path, named=True, skip=_why_not(path))]:
            file = root / (candidate.path.relative_to(path) if path.is_dir() else path.name)
            if file in found:
                continue
            source, folder = _known_as(file, root, taken)
            if candidate.skip is None:
                taken[source] = folder
            found[file] = replace(candidate, source=source, folder=folder)
    return list(found.values())


def _known_as(file: Path, root: Path, taken: Mapping[str, str]) -> tuple[str, str]:
    """The file's name, and the folder that it belongs to."""
    inside = file.relative_to(root)
    names = [inside.as_posix(), (root.name / inside).as_posix(), file.as_posix()]
    for parent in file.parents:
        # added as a part of a folder around this one, or as what stands in a folder inside of it
        within = file.relative_to(parent)
        for name in (within.as_posix(), (parent.name / within).as_posix()):
            if taken.get(name) == parent.as_posix():
                return name, parent.as_posix()
    return next(name for name in names if name not in taken or name == names[-1]), root.as_posix()


def left(candidates: Sequence[Candidate], paths: Sequence[Path], known: Mapping[str, str]) -> list[str]:
    """Names of files that were added from these folders and are not in them any more. Of a folder in which nothing is
    left that could be read none: then it may not be the folder that it was."""
    gone = []
    for root in (path.resolve().as_posix() for path in paths if path.is_dir()):
        here = {candidate.source for candidate in candidates if candidate.folder == root}
        if any(candidate.skip is None for candidate in candidates if candidate.folder == root):
            gone += [name for name, folder in known.items() if folder == root and name not in here]
    return sorted(gone)


def _inside(folder: Path) -> Iterator[Candidate]:
    root = folder.resolve()
    hidden: set[Path] = set()
    for path in sorted(folder.rglob("*")):
        if any(parent in hidden for parent in path.parents):
            continue
        if path.name.startswith("."):
            hidden.add(path)
            yield Candidate(path, named=False, skip="hidden")
        elif path.is_symlink() and not path.resolve().is_relative_to(root):
            yield Candidate(path, named=False, skip="a symbolic link out of the folder")
        elif not path.is_dir():
            yield Candidate(path, named=False, skip=_why_not(path))


def _why_not(path: Path) -> str | None:
    if not path.exists():
        return "a symbolic link to nothing"
    if not path.is_file():
        return "not a regular file"
    if path.suffix.lower() not in extract.SUFFIXES:
        return UNKNOWN_TYPE
    size = path.stat().st_size
    if size == 0:
        return "empty"
    if size > extract.BYTES_MAX:
        return f"too large: more than {extract.BYTES_MAX // 1024 // 1024} MB"
    return None
