"""What is only read when somebody installs or calls it: locks, containers, the list of commands."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from shared.settings import child_environment
from workers import fleet
from workers.commands import COMMANDS, switchboard

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_of_the_overview_loads_and_explains_itself(name: str) -> None:
    result = CliRunner().invoke(switchboard, [name, "--help"])
    assert result.exit_code == 0, result.output
    assert "Usage:" in result.output


def test_overview_is_shown_without_importing_celery() -> None:
    script = "import sys, workers.commands as c; c.switchboard.main(['--help'], standalone_mode=False)"
    shown = subprocess.run(
        [sys.executable, "-c", f"{script}; sys.exit('celery' in sys.modules)"],
        capture_output=True,
        text=True,
        env=child_environment({}),
    )
    assert shown.returncode == 0, shown.stderr
    assert all(name in shown.stdout for name in COMMANDS)


def test_unknown_command_is_refused_with_its_name() -> None:
    result = CliRunner().invoke(switchboard, ["no-such-command"])
    assert result.exit_code == 2
    assert "no-such-command" in result.output


def test_containers_run_every_process_of_the_fleet() -> None:
    compose = (ROOT / "compose.yaml").read_text()
    assert sorted(re.findall(r'command: \["worker", "(\w+)"\]', compose)) == sorted(fleet.PROCESSES)


LOCKS = (
    "requirements.lock", "requirements-model.lock", "requirements-minilm.lock", "requirements-uv.lock",
)  # fmt: skip


@pytest.mark.parametrize("lock", LOCKS)
def test_lock_pins_everything_by_hash_and_names_no_registry(lock: str) -> None:
    text = (ROOT / lock).read_text()
    entries = re.split(r"\n(?=\S)", re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE))
    assert len(entries) > 0
    assert [entry for entry in entries if "==" not in entry or "--hash=sha256:" not in entry] == []
    assert "://" not in text
    assert "--index-url" not in text


def test_the_image_copies_all_that_set_up_runs_before_the_code(tmp_path: Path) -> None:
    """Its first stage has these files only, so that a change of code does not install the packages again."""
    build = (ROOT / "Dockerfile").read_text().rpartition("\nFROM ")[0]
    names = [name for names in re.findall(r"^COPY (.+) \S+$", build, re.MULTILINE) for name in names.split()]
    assert "scripts/setup.sh" in names
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())

    # All that it imports is there. It is not run: it may download, and pip may have something to say about that.
    ended = subprocess.run(
        [sys.executable, "-c", "import runpy, sys; runpy.run_path(sys.argv[1])",
         str(tmp_path / "scripts" / "convert_e5.py")],
        capture_output=True, text=True, env=child_environment({"PYTHONPATH": ""}), cwd=tmp_path,
    )  # fmt: skip

    assert (ended.returncode, ended.stderr) == (0, "")
