"""Set-up says what it really takes, and says before it begins that there is too little room."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from shared.settings import PROJECT_ROOT

SETUP = PROJECT_ROOT / "scripts" / "setup.sh"
LOCKS = ("requirements.lock", "requirements-model.lock", "requirements-minilm.lock", "requirements-uv.lock")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A fresh clone's set-up, on a machine whose `df` and `python3` are ours."""
    root = tmp_path / "project"
    (root / "scripts").mkdir(parents=True)
    (root / "bin").mkdir()
    shutil.copy(SETUP, root / "scripts")
    for lock in LOCKS:
        (root / lock).touch()
    return root


def run(project: Path, free_mb: int) -> subprocess.CompletedProcess[str]:
    df = project / "bin" / "df"
    df.write_text(f"#!/bin/sh\necho Filesystem\necho /dev/x 9 9 {free_mb * 1024} 9% /\n")
    df.chmod(0o755)
    for name in ("python3", "python3.11", "python3.12", "python3.13", "python3.14"):
        (project / "bin" / name).write_text("#!/bin/sh\nexit 1\n")
        (project / "bin" / name).chmod(0o755)
    return subprocess.run(
        ["/bin/sh", str(project / "scripts" / "setup.sh")], env={"PATH": f"{project / 'bin'}:/usr/bin:/bin"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_too_little_room_is_told_before_anything_is_made(project: Path) -> None:
    ended = run(project, 120)

    assert ended.returncode == 1
    assert "has 120 MB free and the set-up needs 700 MB: make room" in ended.stderr
    assert not (project / ".venv" / "bin").exists()


def test_with_room_it_goes_on_to_look_for_python(project: Path) -> None:
    ended = run(project, 700)

    assert ended.returncode == 1
    assert "no Python 3.11 or newer found" in ended.stderr


def test_an_older_set_up_needs_room_for_what_is_replaced_only(project: Path) -> None:
    (project / ".venv").mkdir()
    (project / ".venv" / "installed.lock").write_text("older")

    assert "no Python 3.11" in run(project, 500).stderr
    assert "needs 400 MB" in run(project, 300).stderr


def test_the_size_that_it_says_is_that_of_what_is_installed() -> None:
    if Path(sys.prefix).resolve() != (PROJECT_ROOT / ".venv").resolve():
        pytest.skip("these tests run in another environment than set-up makes")
    found = re.search(r"^disk_mb=(\d+)", SETUP.read_text(), re.MULTILINE)
    assert found is not None
    said = int(found[1])

    files = (Path(folder, name) for folder, _, names in os.walk(sys.prefix) for name in names)
    installed = sum(path.lstat().st_blocks * 512 for path in files) / 1024**2

    assert 0.6 * said < installed <= 1.1 * said
