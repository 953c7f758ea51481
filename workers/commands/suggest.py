"""Suggests the command that a mistyped one may have meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence

import click

CUTOFF = 0.6


def suggestion(root: click.Group, words: Sequence[str]) -> str | None:
    """One line that names the nearest commands; None where every word that should be a command is one."""
    group: click.Group = root
    for place, word in enumerate(words):
        if word.startswith("-"):
            return None
        command = group.get_command(click.Context(group), word)
        if command is None:
            return _told(root, group, words[:place], word)
        if not isinstance(command, click.Group):
            return None
        group = command
    return None


def _told(root: click.Group, group: click.Group, before: Sequence[str], word: str) -> str:
    said = " ".join([*before, word])
    near = [path for path in paths(root) if word in path.split()]
    if not near:
        beside = difflib.get_close_matches(word, group.list_commands(click.Context(group)), n=3, cutoff=CUTOFF)
        near = [" ".join([*before, name]) for name in beside]
    told = " or ".join(f"`{path}`" for path in near[:3])
    return f"there is no command {said!r}: " + (f"did you mean {told}?" if told else "see --help")


def paths(group: click.Group, before: str = "") -> Iterator[str]:
    """Every command below a group, as it is typed: `documents add`."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from paths(command, f"{before}{name} ")
        else:
            yield before + name
