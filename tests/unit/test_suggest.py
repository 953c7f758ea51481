"""Suggests the command that a mistyped one may have meant."""

from __future__ import annotations

import click
import pytest

from workers.commands.suggest import paths, suggestion


def _group(name: str, *commands: click.Command) -> click.Group:
    return click.Group(name, commands=list(commands))


ROOT = _group(
    "switchboard",
    _group("channel", click.Command("list"), click.Command("list-kinds"), click.Command("enable")),
    _group("documents", click.Command("add"), click.Command("list"), _group("site", click.Command("add"))),
    _group("jobs", click.Command("list")),
    _group("keys", click.Command("list")),
    click.Command("doctor"),
)


def test_the_paths_of_all_commands_are_as_they_are_typed() -> None:
    assert list(paths(ROOT)) == [
        "channel enable", "channel list", "channel list-kinds", "doctor", "documents add", "documents list",
        "documents site add", "jobs list", "keys list",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("words", "said"),
    [
        # a word that is a command elsewhere, up to three of them
        (["add"], "there is no command 'add': did you mean `documents add` or `documents site add`?"),
        (
            ["list"],
            "there is no command 'list': did you mean `channel list` or `documents list` or `jobs list`?",
        ),
        (["keys", "add"], "there is no command 'keys add': did you mean `documents add` or `documents site add`?"),
        # a word like one that there is beside it, with what stands before it
        (["docter"], "there is no command 'docter': did you mean `doctor`?"),
        (["channel", "enabel"], "there is no command 'channel enabel': did you mean `channel enable`?"),
        (["documents", "site", "ad"], "there is no command 'documents site ad': did you mean `documents site add`?"),
        (["channel", "lists"],
         "there is no command 'channel lists': did you mean `channel list` or `channel list-kinds`?"),
        (["zzz"], "there is no command 'zzz': see --help"),
    ],
)  # fmt: skip
def test_the_nearest_commands_are_named(words: list[str], said: str) -> None:
    assert suggestion(ROOT, words) == said


@pytest.mark.parametrize(
    "words", [[], ["doctor"], ["channel"], ["doctor", "more"], ["--help"], ["channel", "-x", "ad"]]
)
def test_where_every_word_is_a_command_nothing_is_said(words: list[str]) -> None:
    assert suggestion(ROOT, words) is None
