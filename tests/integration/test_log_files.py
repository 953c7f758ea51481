"""Logs that are renamed while a process writes to them: each line is in one file, once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

import pytest

from shared.settings import LOG_FILE, child_environment
from shared.telemetry import log_files
from workers.sandbox.waiting import wait_until

DAY = date(2031, 5, 5)
WITHIN_S = 30.0
WRITER = """
from shared import settings
from shared.telemetry import log_files, logs
log_files.LOOK_EVERY_S = 0.005
logs.configure()
import os, structlog
writer = "parent" if os.fork() else "child"
log_files.follow(settings.log_file())
log = structlog.get_logger("writer")
for number in range(100_000_000):
    log.info("line", writer=writer, number=number)
"""


def test_no_line_of_two_processes_is_lost_or_doubled_while_their_file_is_renamed(tmp_path: Path) -> None:
    log = tmp_path / "writer.log"
    environment = child_environment({LOG_FILE: str(log)})
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-P", "-c", WRITER], env=environment, stdout=output, stderr=output, cwd=tmp_path,
            start_new_session=True,
        )  # fmt: skip
    try:
        for number in range(20):
            wait_until(lambda: log.exists() and log.stat().st_size > 0, "the writer writes", WITHIN_S)
            log_files.set_aside(log, DAY + timedelta(days=number % 3))
        wait_until(lambda: log.exists() and log.stat().st_size > 0, "the writer writes", WITHIN_S)
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(WITHIN_S)

    files = [*tmp_path.glob("writer.log*")]
    lines = [line for path in files for line in path.read_bytes().splitlines(keepends=True)]
    told = [json.loads(line) for line in lines if line.endswith(b"}\n")]
    assert len(files) == 21
    for writer in ("parent", "child"):
        numbers = sorted(line["number"] for line in told if line["writer"] == writer)
        assert numbers == list(range(len(numbers)))
        assert len(numbers) > 21


def test_a_link_or_a_pipe_at_the_log_s_name_is_not_written_to(tmp_path: Path) -> None:
    """Whoever may lay one there; the process keeps the file that it has."""
    elsewhere = tmp_path / "elsewhere"
    for kind in ("dangling link", "pipe"):
        name = tmp_path / f"{kind}.log"
        name.symlink_to(elsewhere) if kind == "dangling link" else os.mkfifo(name)
        with pytest.raises(OSError, match=r"symbolic links|No such device"):
            log_files.move_output(name)
    assert not elsewhere.exists()


def test_logs_of_more_than_seven_days_ago_are_deleted(tmp_path: Path) -> None:
    log = tmp_path / "reply.log"
    kept = [tmp_path / f"reply.log.{DAY - timedelta(days=days)}" for days in range(1, 8)]
    others = [tmp_path / "reply.log.1", tmp_path / "deliver.log.2031-01-01"]
    old = [tmp_path / "reply.log.2031-04-27", tmp_path / "reply.log.2031-04-27.2"]
    for path in (log, *kept, *others, *old):
        path.write_text("line\n")

    log_files.set_aside(log, DAY)

    assert {path.name for path in tmp_path.iterdir()} == {
        f"reply.log.{DAY}", *(path.name for path in (*kept, *others)),
    }  # fmt: skip


def test_an_empty_log_stays_and_a_day_that_comes_twice_gets_a_number(tmp_path: Path) -> None:
    log = tmp_path / "reply.log"
    log_files.set_aside(log, DAY)
    log.touch()
    log_files.set_aside(log, DAY)
    assert [path.name for path in tmp_path.iterdir()] == ["reply.log"]

    for _ in range(2):
        log.write_text("line\n")
        log_files.set_aside(log, DAY)

    assert sorted(path.name for path in tmp_path.iterdir()) == [f"reply.log.{DAY}", f"reply.log.{DAY}.2"]
