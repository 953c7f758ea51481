"""What the pages name exists: settings with their defaults, metrics, files, commands, tasks and queues."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import click
import pytest
from pydantic import SecretStr

import beat_schedule
from shared import queues
from shared.settings import PROJECT_ROOT, PerMinute, Settings
from workers.commands import switchboard

PAGES = sorted(
    path.relative_to(PROJECT_ROOT)
    for path in (PROJECT_ROOT / "README.md", PROJECT_ROOT / "SECURITY.md", *(PROJECT_ROOT / "docs").glob("*.md"),
                 *(PROJECT_ROOT / "docs" / "channels").glob("*.md"))
    if path.exists()
)  # fmt: skip
SETTINGS = {name.upper(): field.default for name, field in Settings.model_fields.items()}
FOREIGN = {
    "BACKUP_FOLDER": "what a backup tool of the operator's is told",
    "LLM_BASEURL": "an example of a misspelt one",
    "RLIMIT_FSIZE": "the system's",
    "HUMAN_AGENT": "a tag of Meta's",
    "ADMIN_PASSWORD": "compose.yaml's",
    "APP_PASSWORD": "compose.yaml's",
    "POSTGRES_PASSWORD": "compose.yaml's",
    "VALKEY_PASSWORD": "compose.yaml's",
}
"""Names in capitals that are no settings of ours, and whose they are."""
SOURCES = ("gateway", "workers", "tasks", "shared", "migrations", "standin", "bench", "scripts", "deploy", "tests")
JOB_WORDS = frozenset(name.partition(".")[0] for name in (*beat_schedule.TIMETABLE, *beat_schedule.RINGS))


def spans(page: Path) -> list[str]:
    """What stands in backticks, or in an indented block, without blocks of other languages."""
    text = (PROJECT_ROOT / page).read_text("utf-8")
    text = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    return [*re.findall(r"`([^`\n]+)`", text), *re.findall(r"^ {4,}(\S.*)$", text, re.MULTILINE)]


@cache
def code() -> str:
    found = [path for folder in SOURCES for path in (PROJECT_ROOT / folder).rglob("*")
             if path.suffix in (".py", ".sql", ".sh", ".yaml") and path != Path(__file__)]  # fmt: skip
    found += [PROJECT_ROOT / name for name in ("beat_schedule.py", "celeryconfig.py", "compose.yaml")]
    return "\n".join(path.read_text("utf-8") for path in found)


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_a_setting_that_a_page_names_exists(page: Path) -> None:
    named = {
        name
        for span in spans(page)
        if "…" not in span
        for name in re.findall(r"(?<![\w/])[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+(?![\w*])", span)
    }

    assert sorted(named - SETTINGS.keys() - FOREIGN.keys()) == []


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_a_family_of_settings_that_a_page_names_exists(page: Path) -> None:
    beginnings = {name for span in spans(page) for name in re.findall(r"(?<![\w/])([A-Z][A-Z0-9_]+_)[…*]", span)}

    assert [name for name in beginnings if not any(one.startswith(name) for one in SETTINGS)] == []


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_a_metric_that_a_page_names_exists(page: Path) -> None:
    named = {name for span in spans(page) for name in re.findall(r"(?<![\w-])switchboard_([a-z_]+[a-z])", span)}

    assert [name for name in sorted(named) if not re.search(rf"\b(switchboard_)?{name}\b", code())] == []


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_a_file_that_a_page_names_exists(page: Path) -> None:
    paths = [span for span in spans(page) if re.fullmatch(r"[\w-]+(/[\w-]+)+\.(py|sql|sh|yaml|json|onnx|md)", span)]

    assert [path for path in paths if not (PROJECT_ROOT / path).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_an_event_task_or_field_that_a_page_names_stands_in_the_code(page: Path) -> None:
    words = {span for span in spans(page) if re.fullmatch(r"[a-z]+(?:_[a-z]+)+", span)}
    tasks = {span for span in spans(page) if (found := re.fullmatch(r"([a-z]+)\.[a-z]+_[a-z_]+", span))
             and found[1] in JOB_WORDS | {"reply", "deliver", "retention", "archive"}}  # fmt: skip

    others = {"pg_repack", "pg_dump", "pg_restore", "pg_basebackup", "pg_monitor", "bot_db"}
    assert sorted(word for word in (words | tasks) - others if word.replace("switchboard_", "", 1) not in code()) == []


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_a_command_and_its_options_that_a_page_names_exist(page: Path) -> None:
    wrong = [line for span in spans(page) for line in re.findall(r"\./switchboard (.*)", span) if not _exists(line)]

    assert wrong == []


def _exists(line: str) -> bool:
    """Whether the words up to the first argument are commands, and the options are theirs."""
    command: click.Command = switchboard
    words = re.split(r"\s+", re.split(r"\s+#|[|<>;,→:)]|\s{2,}", line, maxsplit=1)[0].strip())
    for place, word in enumerate(words):
        if not isinstance(command, click.Group) or not re.fullmatch(r"[a-z][a-z-]*", word):
            break
        with click.Context(command) as context:
            found = command.get_command(context, word)
        if found is None:
            return False
        command = found
        words[place] = ""
    known = {option for one in command.params for option in (*one.opts, *one.secondary_opts)} | {"--help"}
    return all(word in known for word in words if re.fullmatch(r"--[a-z-]+", word))


README_ROW = re.compile(r"^\| ((?:`[^`]+`(?:, )?)+) \| (.*?) \| ", re.MULTILINE)
IN_WORDS = {
    "none": (None, "", SecretStr(""), ()),
    "embedded": (None,),
    "`REDIS_URL`": (None,),
    "the local model": (None, SecretStr("")),
    "made by `up`": (SecretStr(""),),
    "the platforms' own": None,
    "pictures": None, "sound": None, "video": None, "text": None, "PDF": None, "office": None,
    "graph.instagram.com": ("https://graph.instagram.com",),
    "`.data`": (PROJECT_ROOT / ".data",),
    "`DATA_DIR/media`": (None,), "`DATA_DIR/backups`": (None,), "`DATA_DIR/metrics`": (None,),
    "`cohere`": ("cohere",),
    "30 days": (30 * 86_400.0,),
}  # fmt: skip
"""Defaults that the table tells in words → what they stand for; None: anything."""


def rows() -> list[tuple[list[str], list[str]]]:
    """(variables, defaults) of each row of README's settings."""
    text = (PROJECT_ROOT / "README.md").read_text("utf-8")
    table = text[text.index("## Settings") :]
    found = []
    for names, defaults in README_ROW.findall(table[: table.index("\n## ", 5)]):
        variables = re.findall(r"`([^`]+)`", names)
        if variables == ["variable"]:
            continue
        start = variables[0].rpartition("_")[0]
        variables = [name.replace("…", start) for name in variables]
        found.append((variables, [default.strip() for default in defaults.split(", ")]))
    return found


@pytest.mark.parametrize(("variables", "defaults"), rows(), ids=lambda value: value[0])
def test_the_defaults_of_the_readme_are_the_codes(variables: list[str], defaults: list[str]) -> None:
    assert set(variables) <= SETTINGS.keys()
    if "pictures" in defaults:  # one default of several words
        start = defaults.index("pictures")
        defaults = [*defaults[:start], "pictures", *defaults[defaults.index("office") + 1 :]]
    if len(defaults) == 1:
        defaults = defaults * len(variables)
    if variables[-1] == "RERANK_STYLE":
        defaults = ["none"] * 3 + ["`cohere`"]
    if variables[0] in ("MEDIA_S3_BUCKET", "TELEGRAM_API_URL"):
        pytest.skip("a row of which one word tells several defaults")
    assert len(defaults) == len(variables)
    assert [(name, told, SETTINGS[name]) for name, told in zip(variables, defaults, strict=True)
            if not _same(told, SETTINGS[name])] == []  # fmt: skip


def _same(told: str, default: Any) -> bool:
    if told in IN_WORDS:
        meant = IN_WORDS[told]
        return meant is None or default in meant
    if isinstance(default, PerMinute):
        return told == str(default)
    found = re.fullmatch(r"([\d.]+) ?(MB|MiB|GiB)?", told)
    if found and isinstance(default, int | float):
        unit = {"": 1, "MB": 1024**2, "MiB": 1024**2, "GiB": 1024**3}[found[2] or ""]
        return float(found[1]) * unit == float(default)
    return told == str(default)


def test_every_queue_that_a_page_tells_of_is_one() -> None:
    known = {value for name, value in vars(queues).items() if name.isupper() and isinstance(value, str)}
    runbook = (PROJECT_ROOT / "docs" / "runbook.md").read_text("utf-8")
    shown = re.search(r"queues +((?:[a-z]+ \d+, )+)", runbook)

    assert shown is not None
    assert {word.split()[0] for word in shown[1].split(", ") if word} <= known
