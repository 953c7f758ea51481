"""What the pages name exists: settings with their defaults, metrics, files, commands, tasks and queues."""

from __future__ import annotations

import importlib.util
import re
import tomllib
from functools import cache
from pathlib import Path

import click
import pytest

import beat_schedule
from bench.__main__ import SECTIONS
from gateway.openai.endpoint import ADDRESSES
from scripts import settings_page
from shared import queues
from shared.settings import PROJECT_ROOT, VARIABLES, Settings
from tests.operations import operations
from workers import fleet
from workers.commands import switchboard
from workers.commands.drill import FAULTS

PAGES = sorted(
    path.relative_to(PROJECT_ROOT)
    for path in (*(PROJECT_ROOT / f"{name}.md" for name in ("README", "SECURITY", "CONTRIBUTING")),
                 *(PROJECT_ROOT / "docs").glob("*.md"), *(PROJECT_ROOT / "docs" / "channels").glob("*.md"))
    if path.exists()
)  # fmt: skip
SETTINGS = {name: one.field.default for name, one in VARIABLES.items()}
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
PLACEHOLDER = re.compile(r"\b(NAME|NNNN)(?![a-z])")
"""What stands in a path for the reader's own word or number."""
SOURCES = ("gateway", "workers", "tasks", "shared", "migrations", "standin", "bench", "scripts", "deploy", "tests")
with click.Context(switchboard) as _context:
    GROUPS = [name for name in switchboard.list_commands(_context)
              if isinstance(switchboard.get_command(_context, name), click.Group)]  # fmt: skip
JOB_WORDS = frozenset(name.partition(".")[0] for name in (*beat_schedule.TIMETABLE, *beat_schedule.WAKEUPS))


@cache
def spans(page: Path) -> list[str]:
    """What stands in backticks, also over the end of a line, or in an indented block; no blocks of other languages."""
    text = (PROJECT_ROOT / page).read_text("utf-8")
    text = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    found = re.findall(r"`([^`\n]+(?:\n *[^`\s|#-][^`\n]*)?)`", text)
    return [*(" ".join(span.split()) for span in found), *re.findall(r"^ {4,}(\S.*)$", text, re.MULTILINE)]


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

    # Behind one in full, the others of a line are abbreviated to their ends: `…_send_seconds`.
    lines = (line for line in (PROJECT_ROOT / page).read_text("utf-8").splitlines() if "switchboard_" in line)
    ends = {end for line in lines for end in re.findall(r"…_([a-z_]+[a-z])", line)}

    assert [end for end in sorted(ends) if not re.search(rf"{end}\b", code())] == []
    assert [name for name in sorted(named) if not re.search(rf"\b(switchboard_)?{name}\b", code())] == []


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_a_file_that_a_page_names_exists(page: Path) -> None:
    paths = [span for span in spans(page) if re.fullmatch(r"[\w-]+(/[\w-]+)+\.(py|sql|sh|yaml|json|onnx|md)", span)]

    assert [path for path in paths if not PLACEHOLDER.search(path) and not (PROJECT_ROOT / path).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_a_function_that_a_page_names_behind_its_file_stands_there(page: Path) -> None:
    text = (PROJECT_ROOT / page).read_text("utf-8")
    named = [
        (path, name)
        for path, names in re.findall(r"`([\w/]+\.(?:py|sql))` \(((?:`\w+`(?:, )?)+)\)", text)
        for name in re.findall(r"\w+", names)
    ]

    missing = [one for one in named if not re.search(rf"\b{one[1]}\b", (PROJECT_ROOT / one[0]).read_text("utf-8"))]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_an_event_task_or_field_that_a_page_names_stands_in_the_code(page: Path) -> None:
    words = {span for span in spans(page) if re.fullmatch(r"[a-z]+(?:_[a-z]+)+", span)}
    tasks = {span for span in spans(page) if (found := re.fullmatch(r"([a-z]+)\.[a-z]+_[a-z_]+", span))
             and found[1] in JOB_WORDS | {"reply", "deliver", "retention", "archive"}}  # fmt: skip

    words = {word for word in words if not word.startswith("idx_")}  # docs/requirements.md: names of other systems
    others = {"message_archival_stats", "pg_repack", "pg_dump", "pg_restore", "pg_basebackup", "pg_monitor", "bot_db"}
    assert sorted(word for word in (words | tasks) - others if word.replace("switchboard_", "", 1) not in code()) == []


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_a_command_and_its_options_that_a_page_names_exist(page: Path) -> None:
    wrong = [line for span in spans(page) for line in re.findall(r"\./switchboard (.*)", span) if not _exists(line)]

    assert wrong == []


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_a_command_named_without_the_programs_name_exists(page: Path) -> None:
    """`channel health`: a group and one of its commands."""
    lines = [span for span in spans(page) if re.match(rf"(?:{'|'.join(GROUPS)}) [a-z]", span)]

    assert [line for line in lines if not _exists(line)] == []


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
    options = {option: one for one in command.params for option in (*one.opts, *one.secondary_opts)}
    value = False
    for word in filter(None, (word.strip("[]…") for word in words)):
        if re.fullmatch(r"--[a-z-]+", word):
            if word not in options and word != "--help":
                return False
            value = word != "--help" and not getattr(options[word], "is_flag", False)
        elif value or word.startswith("-"):
            value = False
        elif not any(isinstance(one, click.Argument) for one in command.params) and re.match(r"[\w'\"]", word):
            return isinstance(command, click.Group)
    return True


def test_the_table_of_commands_has_every_command() -> None:
    text = (PROJECT_ROOT / "README.md").read_text("utf-8")
    rows_of: dict[str, set[str]] = {}
    for cell in re.findall(r"^\| (`\./switchboard .*?) \| ", text, re.MULTILINE):
        first, *others = re.findall(r"`(?:\./switchboard )?([^`]*)`", cell)
        group, *rest = re.findall(r"[a-z][a-z-]*(?![\w-])", re.sub(r"\[.*?\]|[A-Z]+", "", first))
        rows_of.setdefault(group, set()).update(rest, (other.split()[0] for other in others))
        rows_of |= {other.split()[0]: set() for other in others if other.split()[0] not in rows_of}

    missing = []
    with click.Context(switchboard) as context:
        for name in switchboard.list_commands(context):
            command = switchboard.get_command(context, name)
            if name in ("up", "demo"):
                continue  # `make up` and `make demo`, above the table
            missing += [name] if name not in rows_of else []
            if isinstance(command, click.Group):
                missing += [f"{name} {one}" for one in command.list_commands(context) if one not in rows_of[name]]
    assert missing == []


def test_the_page_of_settings_is_the_codes() -> None:
    written = settings_page.PAGE.read_text("utf-8")

    assert written == settings_page.page(), "run .venv/bin/python -m scripts.settings_page"


def test_the_readme_shows_settings_that_there_are() -> None:
    text = (PROJECT_ROOT / "README.md").read_text("utf-8")
    rows = re.findall(r"^\| (`[A-Z][^|]*`) \| ", text[text.index("## Settings") :], re.MULTILINE)

    assert {name for row in rows for name in re.findall(r"`(\w+)`", row)} <= SETTINGS.keys()
    assert len(rows) == 5


def test_every_queue_that_a_page_tells_of_is_one() -> None:
    known = {value for name, value in vars(queues).items() if name.isupper() and isinstance(value, str)}
    runbook = (PROJECT_ROOT / "docs" / "runbook.md").read_text("utf-8")
    shown = re.search(r"queues +((?:[a-z]+ \d+, )+)", runbook)

    assert shown is not None
    assert {word.split()[0] for word in shown[1].split(", ") if word} <= known


REQUEST = re.compile(r"^(GET|POST|PUT|PATCH|DELETE) (/[\w/{}.-]*)")
WEBHOOKS = {("GET", "/webhooks/{}/{}"), ("POST", "/webhooks/{}/{}")}
"""Answered without Starlette, see gateway.main."""


@cache
def routes() -> frozenset[tuple[str, str]]:
    """(method, path) of every request that the gateway answers, with {} for what a caller fills in."""
    answered = {(each.method, re.sub(r"{[^}]*}", "{}", each.path)) for each in operations()}
    answered |= {("HEAD", path) for method, path in answered if method == "GET"}
    return frozenset(answered | WEBHOOKS | ADDRESSES)


@cache
def requests_of(page: Path) -> frozenset[tuple[str, str]]:
    named = {found.groups() for span in spans(page) if (found := REQUEST.match(span))}
    return frozenset((method, re.sub(r"{[^}]*}|\b[A-Z]+\b|(?<=/)\d+\b", "{}", path)) for method, path in named)


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_a_request_that_a_page_names_is_answered(page: Path) -> None:
    assert sorted(requests_of(page) - routes()) == []


def test_every_request_that_the_gateway_answers_stands_in_a_page() -> None:
    named = {request for page in PAGES for request in requests_of(page)}

    assert sorted(request for request in routes() - named if request[0] != "HEAD") == []


def anchors(page: Path) -> set[str]:
    """What a link to a heading of the page says, as GitHub makes it."""
    headings = re.findall(r"^#+ (.*)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_a_link_of_a_page_leads_somewhere(page: Path) -> None:
    text = (PROJECT_ROOT / page).read_text("utf-8")
    wrong = []
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"https?://|mailto:", target):
            continue
        path, _, anchor = target.partition("#")
        found = (PROJECT_ROOT / page).parent / path if path else PROJECT_ROOT / page
        if not found.exists() or (anchor and anchor not in anchors(found)):
            wrong.append(target)

    assert wrong == []


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_a_benchmark_that_a_page_names_exists(page: Path) -> None:
    named = [re.split(r"[^\w.-]", line)[0] for line in re.findall(r"python -m bench (\S+)", "\n".join(spans(page)))]
    modules = re.findall(r"python -m (bench\.\w+)", "\n".join(spans(page)))

    assert [name for name in named if name not in (*SECTIONS, "SECTION", "--scale", "[--scale")] == []
    assert [name for name in modules if importlib.util.find_spec(name) is None] == []


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_a_make_target_that_a_page_names_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (PROJECT_ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))

    assert {name for span in spans(page) for name in re.findall(r"^(?:time )?make ([a-z]+)", span)} <= targets


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_a_folder_module_or_class_that_a_page_names_exists(page: Path) -> None:
    wrong = [span for span in spans(page) if re.fullmatch(rf"({'|'.join(SOURCES)}|docs|\.ci)(/[\w.-]+)*/?", span)
             and "/" in span and not PLACEHOLDER.search(span) and not (PROJECT_ROOT / span).exists()]  # fmt: skip
    wrong += [span for span in spans(page) if re.fullmatch(rf"({'|'.join(SOURCES)})(\.[a-z_]+)+", span)
              and importlib.util.find_spec(span) is None and f'faults.reach("{span}")' not in code()]  # fmt: skip
    wrong += [span for span in spans(page) if re.fullmatch(r"(?:[A-Z][a-z]+){2,4}|Patience|Asked", span)
              and not re.search(rf"\b{span}\b", code())]  # fmt: skip

    assert wrong == []


BESIDE = re.compile(r"`([A-Z][A-Z0-9_]+)` \((`?[^()]+?`?)\)")


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_a_default_beside_the_name_of_a_setting_is_the_codes(page: Path) -> None:
    """`LEASE_S` (10 s): a number in brackets right behind the name is its default."""
    text = re.sub(r"\s+", " ", (PROJECT_ROOT / page).read_text("utf-8"))
    wrong = []
    for name, told in BESIDE.findall(text):
        number = re.fullmatch(r"(?:the default, )?([\d.,]+) ?(s|MiB|GiB|%|MB)?", told.removeprefix("default "))
        if name not in SETTINGS or number is None:
            continue
        unit = {"MiB": 1024**2, "MB": 1024**2, "GiB": 1024**3, "%": 0.01}.get(number[2], 1)
        if float(number[1].replace(",", "")) * unit != pytest.approx(float(SETTINGS[name])):
            wrong.append(f"{name} ({told})")

    assert wrong == []


def test_the_timetable_of_the_operations_page_is_the_codes() -> None:
    text = (PROJECT_ROOT / "docs" / "operations.md").read_text("utf-8")
    table = text[text.index("## Scheduled jobs") : text.index("## Backups")]
    named = {
        name for row in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE) for name in re.findall(r"`([^`]+)`", row)
    }

    assert named == beat_schedule.TIMETABLE.keys()


def test_the_layers_of_the_architecture_page_are_those_that_imports_are_held_to() -> None:
    with (PROJECT_ROOT / "pyproject.toml").open("rb") as file:
        contracts = tomllib.load(file)["tool"]["importlinter"]["contracts"]
    text = (PROJECT_ROOT / "docs" / "architecture.md").read_text("utf-8")
    shown = re.findall(r"^ {4}([a-z]+(?: \| [a-z]+)*)(?: {2}|$)", text, re.MULTILINE)

    layers = [layer for contract in contracts for layer in contract.get("layers", ())]
    assert [set(line.split(" | ")) for line in shown] == [set(re.findall(r"[a-z]+", layer)) for layer in layers]


def test_every_fault_of_the_drill_has_a_row_in_the_page() -> None:
    text = (PROJECT_ROOT / "docs" / "reliability.md").read_text("utf-8")
    told = re.findall(r"^\| ([a-z][\w .,-]*?) \| \d+ \| \d+ \| \d+ \|", text, re.MULTILINE)

    assert told == [fault.name for fault in FAULTS]


def test_the_connections_of_the_capacity_page_are_those_of_the_fleet() -> None:
    """reply, deliver and intake by number, the others once, gateways by number, and the command line."""
    text = (PROJECT_ROOT / "docs" / "capacity.md").read_text("utf-8")
    pool = int(SETTINGS["DATABASE_POOL_MAX"])
    table = fleet.table(Settings.of())
    others = sum(row.connections for name, row in table.items() if name not in ("reply", "deliver", "intake"))

    def needed(processes: int, gateways: int) -> int:
        return processes * pool + others + gateways * fleet.GATEWAY_CONNECTIONS + fleet.OPERATOR_CONNECTIONS

    kinds = ("reply processes", "deliver processes", "intake processes", "gateways", "PostgreSQL connections")
    counts = [re.search(rf"^\| {kind}.*\| (\d+) \| (\d+) \|$", text, re.MULTILINE) for kind in kinds]
    small, large = ([int(found[side]) for found in counts if found] for side in (1, 2))

    assert small[4] == needed(sum(small[:3]), small[3])
    assert large[4] == needed(sum(large[:3]), large[3])


def test_the_hooks_before_a_commit_run_what_make_check_runs() -> None:
    makefile = (PROJECT_ROOT / "Makefile").read_text("utf-8")
    recipe = re.search(r"^check:.*\n((?:\t.*\n)+)", makefile, re.MULTILINE)
    hooks = (PROJECT_ROOT / ".pre-commit-config.yaml").read_text("utf-8")

    assert recipe is not None
    checks = [line.strip().replace("$(PYTHON_BIN)", ".venv/bin") for line in recipe[1].splitlines()]
    assert re.findall(r"entry: (.*)", hooks) == checks
