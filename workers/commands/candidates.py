"""Which files of those that were named become documents, and why the others do not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from shared.knowledge import extract

Kind = Literal["added", "changed", "unchanged", "skipped", "failed"]
OUTCOMES: tuple[Kind, ...] = ("added", "changed", "unchanged", "skipped", "failed")


@dataclass(frozen=True, slots=True)
class Candidate:
    """named: on the command line itself, not found in a folder. skip: why it is not added."""

    path: Path
    named: bool
    skip: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    path: str
    outcome: Kind
    reason: str | None
    named: bool


def candidates_of(paths: Sequence[Path]) -> list[Candidate]:
    """The files, in order. A document is known by its file's name, so of two files of one name the first one counts."""
    found: list[Candidate] = []
    taken: dict[str, Path] = {}
    for path in paths:
        for candidate in _inside(path) if path.is_dir() else [Candidate(path, named=True, skip=_why_not(path))]:
            first = taken.get(candidate.path.name)
            if candidate.skip is None and first is not None:
                candidate = replace(candidate, skip=f"a file of the same name comes before it: {first}")  # noqa: PLW2901
            elif candidate.skip is None:
                taken[candidate.path.name] = candidate.path
            found.append(candidate)
    return found


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
        return f"unknown type: files that are read end in {', '.join(sorted(extract.SUFFIXES))}"
    size = path.stat().st_size
    if size == 0:
        return "empty"
    if size > extract.BYTES_MAX:
        return f"too large: more than {extract.BYTES_MAX // 1024 // 1024} MB"
    return None
