"""The pages about the architecture are held to the code: functions, states, transitions, pictures, tests, processes."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from shared.settings import PROJECT_ROOT, Settings
from workers import fleet

DOCS = PROJECT_ROOT / "docs"
PAGES = ("architecture.md", "journey.md")
STORE = PROJECT_ROOT / "shared" / "store"
TESTS = PROJECT_ROOT / "tests"
PLACE = re.compile(r"`([\w/]+\.py):([\w.]+)`")
"""A function, method or test by its file: `tasks/inbound/drain.py:Drain.drain`."""
MACHINES = {"turns": ("## The states of a turn", "turn-states.svg"),
            "outbound": ("## The states of a send", "send-states.svg")}  # fmt: skip
"""Table → where its states are told and drawn."""
ROW = re.compile(r"^\| (\d+) \| (–|`\w+`) \| `(\w+)` \| (.*?) \| (.*?) \|$", re.MULTILINE)
JOURNEY = ("gateway", "tasks/inbound", "tasks/answers", "tasks/delivery", "tasks/wakeups.py", "workers",
           "shared/channels")  # fmt: skip
"""What a message passes through."""


@cache
def page(name: str) -> str:
    return (DOCS / name).read_text("utf-8")


def part(name: str, heading: str) -> str:
    """A page's section, from its heading to the next one."""
    text = page(name)
    start = text.index(f"{heading}\n")
    end = text.find("\n## ", start)
    return text[start : end if end > 0 else None]


@cache
def tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text("utf-8"))


@cache
def names(file: Path) -> frozenset[str]:
    """Every function and class of a file, methods as Class.method."""
    found = set()
    for node in tree(file).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            found |= {f"{node.name}.{one.name}" for one in node.body
                      if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)}  # fmt: skip
    return frozenset(found)


def exists(file: str, name: str) -> bool:
    return any((root / file).is_file() and name in names(root / file) for root in (PROJECT_ROOT, STORE, TESTS))


@pytest.mark.parametrize("name", PAGES)
def test_a_function_or_test_that_a_page_names_exists(name: str) -> None:
    told = PLACE.findall(page(name))

    assert told
    assert [f"{file}:{function}" for file, function in told if not exists(file, function)] == []


def test_every_invariant_is_held_by_a_test() -> None:
    rows = re.findall(r"^\| (.+?) \| (.*) \|$", part("architecture.md", "## What always holds"), re.MULTILINE)[2:]

    assert rows
    assert [claim for claim, tests in rows if not PLACE.findall(tests)] == []


def states_of(table: str) -> set[str]:
    """What the newest of a table's constraints allows its state to be."""
    folder = PROJECT_ROOT / "migrations"
    later = (file for file in folder.glob("[0-9]*.sql") if not file.name.endswith(".undo.sql"))
    files = (*sorted(folder.glob("[0-9]*/*.sql")), *sorted(later))  # the baseline first
    migrations = "\n".join(file.read_text("utf-8") for file in files)
    created = migrations[migrations.index(f"CREATE TABLE {table} (") :]
    allowed = re.findall(r"CHECK \(state IN \((.*?)\)\)", created)[:1]
    allowed += re.findall(rf"ADD CONSTRAINT {table}_state_check\s+CHECK \(state IN \((.*?)\)\)", migrations)
    return set(re.findall(r"'(\w+)'", allowed[-1]))


def transitions(table: str) -> list[tuple[str, str, str]]:
    """(from, to, functions) of each row, `new` for what is not there yet."""
    rows = ROW.findall(part("architecture.md", MACHINES[table][0]))
    return [("new" if source == "–" else source.strip("`"), target, functions)
            for _, source, target, _, functions in rows]  # fmt: skip


def picture(table: str) -> str:
    return (DOCS / MACHINES[table][1]).read_text("utf-8")


@pytest.mark.parametrize("table", MACHINES)
def test_the_states_of_the_page_and_of_its_picture_are_those_of_the_schema(table: str) -> None:
    told = {state for source, target, _ in transitions(table) for state in (source, target)} - {"new"}

    assert told == states_of(table)
    assert set(re.findall(r'data-state="(\w+)"', picture(table))) == told


@pytest.mark.parametrize("table", MACHINES)
def test_the_arrows_of_a_picture_are_the_rows_of_its_table_in_their_order(table: str) -> None:
    arrows = re.findall(r'data-from="(\w+)" data-to="(\w+)"', picture(table))

    assert arrows == [(source, target) for source, target, _ in transitions(table)]
    assert re.findall(r'class="number"[^>]*>(\d+)<', picture(table)) == [str(n + 1) for n in range(len(arrows))]


def writers(table: str) -> set[str]:
    """The functions of the store whose own statements, or those of the constants that they use, write a table's rows.
    Functions of the database are known by what they are called."""
    in_database = {"turns": "claim_turns|renew_turns", "outbound": "claim_parts|expire_sending"}[table]
    writes = re.compile(rf"\b(?:UPDATE|INSERT INTO) {table}\b|\bFROM (?:{in_database})\(")
    found = set()
    for file in STORE.rglob("*.py"):
        constants = {target.id: ast.unparse(node.value) for node in tree(file).body if isinstance(node, ast.Assign)
                     for target in node.targets if isinstance(target, ast.Name)}  # fmt: skip
        for node in tree(file).body:
            if isinstance(node, ast.FunctionDef):
                used = {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}
                text = " ".join([ast.unparse(node), *(constants[name] for name in used & constants.keys())])
                if writes.search(re.sub(r"(\\n|\s)+", " ", text)):
                    found.add(f"{file.relative_to(STORE)}:{node.name}")
    return found


@pytest.mark.parametrize("table", MACHINES)
def test_every_function_that_moves_a_row_stands_in_the_table_of_transitions(table: str) -> None:
    told = {f"{file}:{name}" for _, _, functions in transitions(table) for file, name in PLACE.findall(functions)}

    assert told == writers(table)


def test_every_fault_point_of_the_journey_is_told() -> None:
    files = [file for place in JOURNEY
             for file in ((PROJECT_ROOT / place).rglob("*.py") if (PROJECT_ROOT / place).is_dir()
                          else [PROJECT_ROOT / place])]  # fmt: skip
    points = {point for file in files for point in re.findall(r'faults\.reach\("([\w.]+)"\)', file.read_text("utf-8"))}
    prefixes = "|".join({point.partition(".")[0] for point in points})
    told = re.findall(rf"`((?:{prefixes})\.[a-z_]+)`", page("journey.md"))

    assert sorted(told) == sorted(points)


def test_the_table_of_processes_is_the_fleet() -> None:
    rows = [[re.findall(r"`([\w-]+)`", cells[0]), re.findall(r"`([\w-]+)`", cells[1]), cells[2].strip(),
             re.findall(r"`([\w-]+)`", cells[3])]
            for line in part("architecture.md", "## Processes").splitlines()
            if line.startswith("| `") and (cells := line.strip("|").split("|"))]  # fmt: skip
    table = fleet.table(Settings.of())

    expected = [[[name], list(row.queues), row.pool, list(row.threads)] if (row := table.get(name))
                else [[name], [], "", []] for name in fleet.PROCESSES]  # fmt: skip
    assert rows == expected


@pytest.mark.parametrize("file", sorted(DOCS.glob("*.svg")), ids=lambda file: file.name)
def test_a_picture_says_what_it_shows_and_is_legible_in_the_dark_and_on_a_phone(file: Path) -> None:
    text = file.read_text("utf-8")
    width = re.search(r'viewBox="0 0 (\d+) \d+"', text)

    assert "<title" in text
    assert "<desc" in text
    assert "prefers-color-scheme: dark" in text
    # 320 pixels wide, a letter of 12.5 units is still 11 pixels high
    assert width is not None
    assert int(width[1]) <= 360


def test_the_arrows_of_the_containers_are_numbered_as_the_table_explains_them() -> None:
    drawn = re.findall(r'class="number"[^>]*>(\d+)<', (DOCS / "containers.svg").read_text("utf-8"))
    told = re.findall(r"^\| (\d+) \|", part("architecture.md", "## Who talks to whom"), re.MULTILINE)

    assert drawn == told
