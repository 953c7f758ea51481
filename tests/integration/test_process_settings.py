"""Processes and commands whose settings are wrong end with one line that names the variable, and no traceback."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from shared.settings import PROJECT_ROOT

WITHIN_S = 60
UP = ("workers.commands", "up")
PROCESSES = (
    ("gateway.serve",),
    ("workers.main", "reply"),
    ("workers.main", "beat"),
    UP,
    ("workers.commands", "migrate"),
)


def run(argv: tuple[str, ...], tmp_path: Path, **values: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(PROJECT_ROOT), "DATA_DIR": str(tmp_path / "data")}
    return subprocess.run(
        [sys.executable, "-P", "-m", *argv], env=environment | values, cwd=PROJECT_ROOT, capture_output=True, text=True,
        timeout=WITHIN_S, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("argv", PROCESSES, ids=" ".join)
def test_a_misspelt_setting_stops_each_process_with_one_line(argv: tuple[str, ...], tmp_path: Path) -> None:
    ended = run(argv, tmp_path, LLM_BASEURL="http://127.0.0.1:1/v1", LLM_TEMPERATURE="0")

    assert ended.returncode == 2
    assert ended.stderr.splitlines() == [
        "warning: LLM_TEMPERATURE is not a setting of Switchboard",
        "error: LLM_BASEURL is not a setting: did you mean LLM_BASE_URL?",
    ]


@pytest.mark.parametrize("argv", [UP, ("gateway.serve",)], ids=" ".join)
def test_a_gateways_port_that_is_taken_is_refused_by_name(argv: tuple[str, ...], tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        ended = run(argv, tmp_path, GATEWAY_PORT=str(port))

    assert ended.returncode == 2
    assert ended.stderr.startswith(f"error: GATEWAY_PORT={port} is taken: ")
    assert len(ended.stderr.splitlines()) == 1
