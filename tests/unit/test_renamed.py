"""A form of a command that there was once is refused with the form of today, which the command line takes."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from workers.commands import switchboard
from workers.commands.renamed import RENAMED, Renamed

VALUES = {"COMPANY": "acme", "N": "17", "COMPANY/ID": "acme/17", "--sent|--not-sent": "--sent", "SLUG": "acme-bot"}


def _words(form: str) -> list[str]:
    return [VALUES.get(word, word) for word in form.split()]


@pytest.mark.parametrize("one", RENAMED, ids=lambda one: one.old)
def test_an_old_form_names_the_new_one(one: Renamed) -> None:
    ended = CliRunner().invoke(switchboard, _words(one.old))

    assert ended.exit_code == 2
    assert f"`{one.old}` is now `./switchboard {one.new}`" in ended.output


@pytest.mark.parametrize("one", RENAMED, ids=lambda one: one.old)
def test_the_new_form_is_one_that_is_taken(one: Renamed) -> None:
    command: click.Command = switchboard
    words = _words(one.new)
    while isinstance(command, click.Group) and words:
        found = command.get_command(click.Context(command), words[0])
        assert found is not None, words
        command, words = found, words[1:]
    if words:
        command.make_context("it", words)


def test_another_mistake_is_told_as_ever() -> None:
    ended = CliRunner().invoke(switchboard, ["conversations", "list", "--nonsense"])

    assert ended.exit_code == 2
    assert "No such option" in ended.output
