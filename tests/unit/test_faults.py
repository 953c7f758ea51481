"""Fault points: off unless set, each suffered once by one process, and every name in use is a real place."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared import faults
from shared.faults import InjectedFault
from shared.settings import PROJECT_ROOT, child_environment

REACHED = re.compile(r"""faults\.reach\(\s*["']([^"']+)["']""")


@pytest.fixture(autouse=True)
def _off_again() -> Iterator[None]:
    yield
    faults.configure("", None)


def test_no_point_does_anything_unless_it_is_set(tmp_path: Path) -> None:
    faults.reach("intake.after_commit")
    faults.configure("other.point=raise", tmp_path)
    faults.reach("intake.after_commit")

    assert list(tmp_path.iterdir()) == []


def test_a_point_is_suffered_once_and_leaves_its_mark(tmp_path: Path) -> None:
    faults.configure(" a.point=raise , b.point=pass ", tmp_path)

    with pytest.raises(InjectedFault, match=r"a\.point"):
        faults.reach("a.point")
    faults.reach("a.point")
    faults.reach("b.point")

    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "a.point.reached": str(os.getpid()),
        "b.point.reached": str(os.getpid()),
    }


def test_of_several_processes_exactly_one_is_killed(tmp_path: Path) -> None:
    script = (
        "from pathlib import Path; from shared import faults;"
        f"faults.configure('a.point=kill', Path({str(tmp_path)!r})); faults.reach('a.point')"
    )
    processes = [
        subprocess.Popen([sys.executable, "-c", script], cwd=PROJECT_ROOT, env=child_environment({})) for _ in range(3)
    ]

    ended = [process.wait(timeout=30) for process in processes]

    assert sorted(ended) == [-signal.SIGKILL, 0, 0]
    killed = processes[ended.index(-signal.SIGKILL)]
    assert (tmp_path / "a.point.reached").read_text() == str(killed.pid)


def test_setting_points_replaces_those_before(tmp_path: Path) -> None:
    faults.configure("a.point=raise", tmp_path)
    faults.configure("b.point=pass", tmp_path)
    faults.reach("a.point")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("spec", ["a.point", "a.point=explode", "a.point=kill,b", "=kill,x=", "a.point="])
def test_a_spec_that_means_nothing_names_the_setting(tmp_path: Path, spec: str) -> None:
    with pytest.raises(ValueError, match="FAULTS"):
        faults.configure(spec, tmp_path)


def test_marks_need_a_folder() -> None:
    with pytest.raises(ValueError, match="FAULTS_DIR"):
        faults.configure("a.point=pass", None)


def test_every_point_is_a_literal_name_of_its_station_and_used_once() -> None:
    """A test that names a point finds it by its name alone, so a name must mean one place."""
    found = []
    for folder in ("gateway", "workers", "tasks", "shared"):
        for path in (PROJECT_ROOT / folder).rglob("*.py"):
            text = path.read_text()
            by_table = text.count('faults.reach(f"archive.')  # one for each table that it moves
            assert len(REACHED.findall(text)) + by_table == text.count("faults.reach("), f"{path.name}: a computed name"
            found += REACHED.findall(text)

    assert len(found) == len(set(found))
    assert all(
        re.fullmatch(
            r"(gateway|intake|reply|deliver|worker|wakeup|job|data_subject|archive|embedding_models|backup|import|index|return|spending)\.[a-z_]+",
            name,
        )
        for name in found
    )
    assert len(found) >= 10


def test_every_point_that_a_test_sets_exists() -> None:
    """Otherwise the test would wait for a kill that never comes."""
    used = set(re.findall(r"""["']([a-z]+\.[a-z_]+)=(?:kill|raise|pass)""", all_of("tests")))
    points = set(REACHED.findall(all_of("shared") + all_of("tasks")))

    assert used - {"a.point", "b.point", "other.point"} <= points


def all_of(folder: str) -> str:
    return "\n".join(path.read_text() for path in (PROJECT_ROOT / folder).rglob("*.py"))


def test_a_running_process_suffers_what_is_laid_for_it_once(tmp_path: Path) -> None:
    faults.configure(faults.ON_REQUEST, tmp_path)
    faults.reach("a.point")

    mark = faults.arm(tmp_path, "a.point", "raise")
    faults.reach("b.point")
    assert not mark.exists()
    with pytest.raises(InjectedFault, match=r"a\.point"):
        faults.reach("a.point")
    faults.reach("a.point")
    assert mark.exists()

    assert not faults.arm(tmp_path, "a.point", "raise").exists()
    faults.disarm(tmp_path, "a.point")
    faults.reach("a.point")
    faults.disarm(tmp_path, "never.armed")


def test_what_is_laid_is_an_action_and_needs_a_process_that_asked_for_it(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="explode"):
        faults.arm(tmp_path, "a.point", "explode")
    with pytest.raises(ValueError, match="FAULTS_DIR"):
        faults.configure(faults.ON_REQUEST, None)
    faults.arm(tmp_path, "a.point", "raise")
    faults.configure("b.point=pass", tmp_path)
    faults.reach("a.point")
