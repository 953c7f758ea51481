"""The command line as a whole: every command is explained, names companies in one way and speaks JSON; and each example
in the documents is one that it takes."""

from __future__ import annotations

import ast
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from shared.settings import PROJECT_ROOT
from workers.commands import switchboard
from workers.commands.examples import example_of
from workers.commands.naming import CompanyType, PlaceType

WITHOUT_JSON = {
    "up": "stays until it is stopped and tells what goes on",
    "demo": "shows a conversation to people",
    "worker": "becomes another process, whose log is JSON",
    "openapi": "prints JSON alone",
}
ITS_OBJECT = {"company show", "company rename", "company texts"}
"""The commands whose object is a company: they take it as their first argument, all others with --company."""


def _commands(group: click.Group, before: str = "") -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from _commands(command, f"{before}{name} ")
        else:
            yield before + name, command


COMMANDS = dict(_commands(switchboard))


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_explained(name: str) -> None:
    command = COMMANDS[name]

    assert command.help
    assert command.help.rstrip()[-1] in ".`"
    for option in command.params:
        if isinstance(option, click.Option) and option.name != "help":
            assert option.help or option.name == "collection", f"{name} {option.opts}"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_that_prints_has_json(name: str) -> None:
    has = any("--json" in option.opts for option in COMMANDS[name].params)

    assert has != (name in WITHOUT_JSON)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_company_is_named_in_one_way(name: str) -> None:
    for param in COMMANDS[name].params:
        if param.name in ("company", "company_id", "company_name"):
            assert isinstance(param.type, CompanyType)
            assert param.opts == (["company"] if name in ITS_OBJECT else ["--company"])
        if param.metavar is not None and "/" in param.metavar and "COMPANY" in param.metavar:
            assert isinstance(param.type, PlaceType)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_shows_an_example_that_it_takes(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    command, example = COMMANDS[name], example_of(name)
    assert example is not None
    shown = command.get_help(click.Context(command, info_name=name))
    assert f"./switchboard {example}" in map(str.strip, shown.splitlines())

    for option in command.params:
        if isinstance(option.type, (click.File, click.Path)):
            monkeypatch.setattr(option, "type", click.STRING)
    words = shlex.split(example.split(" < ")[0])
    command.make_context(name, words[len(name.split()) :])


DOCUMENTS = [PROJECT_ROOT / "README.md", *sorted((PROJECT_ROOT / "docs").rglob("*.md"))]
PLACEHOLDERS = {
    "COMPANY/ID": "1/1", "COMPANY/CONVERSATION": "1/1", "COMPANY": "acme", "TURN": "1", "TOKENS": "1", "DAYS": "30",
    "IN": "1", "OUT": "1", "KIND": "telegram", "NAME": "reply", "…": "x", "https://…": "https://bots.example.com",
    "LOG": "llm_calls", "N": "1",
}  # fmt: skip


def _examples() -> Iterator[tuple[str, bool, list[str]]]:
    """(where, whether it is whole, words) of each `./switchboard …`: in a line of its own, or within a sentence, which
    may leave out required options."""
    for path in DOCUMENTS:
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
            quoted = re.findall(r"`\./switchboard ([^`]+)`", line)
            indented = re.findall(r"^ {4,}(?:\S+=\S+ )*\./switchboard (.+)$", line)
            for text, shown in [*((text, False) for text in quoted), *((text, True) for text in indented)]:
                # a note behind, an answer, a second one, what is read in
                said = re.split(r"\s+(?:#|→|<|\|)\s|\s{2,}[(#→]", text)[0]
                said = re.sub(r"\[[^\]]*\]", "", said)  # what may be left out
                yield f"{path.relative_to(PROJECT_ROOT)}:{number}", shown, shlex.split(said, comments=True)


EXAMPLES = list(_examples())


@pytest.mark.parametrize(
    ("where", "whole", "words"), EXAMPLES, ids=[f"{where} {' '.join(words)}" for where, _, words in EXAMPLES]
)
def test_every_example_of_the_documents_is_taken(
    where: str, whole: bool, words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    command: click.Command = switchboard
    context = click.Context(switchboard)
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        found = command.get_command(context, words[0].rstrip(","))
        assert found is not None, f"{where}: there is no command {words[0]}"
        command, words = found, words[1:]
    if isinstance(command, click.Group) or not words:
        return  # it is named, not shown
    words = [PLACEHOLDERS.get(word, word) for word in words]
    for option in command.params:
        if isinstance(option.type, (click.File, click.Path)):
            monkeypatch.setattr(option, "type", click.STRING)  # what an example names need not be here
    try:
        command.make_context("it", [word for word in words if word != "--help"])
    except click.UsageError as e:
        left_out = isinstance(e, click.MissingParameter) and isinstance(e.param, click.Option)
        if left_out and not whole:
            return
        pytest.fail(f"{where}: {e.format_message()}")


PRODUCT = [PROJECT_ROOT / name for name in ("beat_schedule.py", "celeryconfig.py")]
PRODUCT += [
    path for folder in ("gateway", "shared", "tasks", "workers") for path in (PROJECT_ROOT / folder).rglob("*.py")
]
FILLED_IN = "{}"
"""In place of what a string is filled in with."""


def _texts(path: Path) -> Iterator[str]:
    """Every string of a module, with those that are filled in."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        elif isinstance(node, ast.JoinedStr):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else FILLED_IN for part in node.values)


def _named_in(text: str) -> Iterator[str]:
    yield from re.findall(r"\./switchboard ([^`\n;:,()|<>]+)", text)
    groups = "|".join(name for name in COMMANDS_AND_GROUPS if name not in COMMANDS)
    yield from re.findall(rf"`((?:{groups}) [a-z][^`\n]*)`", text)


with click.Context(switchboard) as _context:
    COMMANDS_AND_GROUPS = switchboard.list_commands(_context)
NAMED = sorted({
    (str(path.relative_to(PROJECT_ROOT)), said.strip())
    for path in PRODUCT for text in _texts(path) for said in _named_in(text)
})  # fmt: skip


def test_strings_of_the_product_name_commands() -> None:
    assert len(NAMED) > 60


@pytest.mark.parametrize(("where", "said"), NAMED)
def test_a_command_that_the_product_names_exists(where: str, said: str) -> None:
    """Behind the command stand its arguments, or a sentence goes on; an argument is in capitals or filled in."""
    command: click.Command = switchboard
    words = said.split()
    while isinstance(command, click.Group) and words and re.fullmatch(r"[a-z][a-z-]*[.]?", words[0]):
        found = command.get_command(click.Context(command), words[0].rstrip("."))
        assert found is not None, f"{where}: there is no command {said!r}"
        command, words = found, words[1:]
    options = {name for option in command.params for name in (*option.opts, *option.secondary_opts)} | {"--help"}
    assert {word for word in words if re.fullmatch(r"--[a-z-]+", word)} <= options, f"{where}: {said}"
    needs = any(isinstance(param, click.Argument) and param.required for param in command.params)
    optional = any(isinstance(param, click.Argument) and not param.required for param in command.params)
    if (needs or (optional and len(command.params) > 2)) and words and not isinstance(command, click.Group):
        assert not re.fullmatch(r"[a-z]+", words[0]) or words[0] in NOT_ARGUMENTS, f"{where}: {said}"


NOT_ARGUMENTS = {"makes", "says", "shows", "where", "and", "newest", "to", "is", "telegram", "gateway", "flower"}
"""Words of a sentence, or arguments in small letters, behind a command that takes arguments."""


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (("documnts", "add"), "`documents`"),
        (("channel", "lst"), "`channel list`"),
        (("search", "shoes"), "`documents search`"),
        (("unknown-outcomes",), "`outbound unknown-outcomes list`"),
    ],
)
def test_a_mistyped_command_is_told_the_nearest_one(words: tuple[str, ...], meant: str) -> None:
    with pytest.raises(click.UsageError) as refused:
        switchboard.main([*words], standalone_mode=False)

    assert "did you mean" in refused.value.message
    assert meant in refused.value.message


def test_words_that_are_near_nothing_are_refused_without_a_guess() -> None:
    with pytest.raises(click.UsageError, match="there is no command 'qqqq': see --help"):
        switchboard.main(["qqqq"], standalone_mode=False)


def test_the_version_is_that_of_the_project(capsys: pytest.CaptureFixture[str]) -> None:
    switchboard.main(["--version"], standalone_mode=False)

    with (PROJECT_ROOT / "pyproject.toml").open("rb") as file:
        assert capsys.readouterr().out == f"switchboard {tomllib.load(file)['project']['version']}\n"
