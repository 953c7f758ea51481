"""A gateway that refuses webhooks is not ready, says why, and is no reason to wait for it or to start it again."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import cast

import pytest

from shared.embedded.folder import DataFolder
from shared.settings import Settings
from workers.doctor import DoctorContext
from workers.doctor.servers import gateway
from workers.supervisor import Supervisor

NOT_READY = {"ok": False, "checks": {"journal": "takes no webhooks: the disk is full", "database": "ok"}}


class Refusing(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        live = self.path == "/health/live"
        self.send_response(200 if live else 503)
        self.end_headers()
        self.wfile.write(json.dumps({"ok": True} if live else NOT_READY).encode())

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def config(tmp_path: Path) -> Iterator[Settings]:
    with HTTPServer(("127.0.0.1", 0), Refusing) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield Settings.of(GATEWAY_PORT=server.server_port, DATA_DIR=tmp_path)
        server.shutdown()


def test_the_supervisor_takes_a_gateway_that_refuses_for_started(config: Settings, tmp_path: Path) -> None:
    supervisor = Supervisor(cast(DataFolder, None), config, {})

    assert supervisor._readiness("gateway", tmp_path / "none")()


def test_doctor_says_why_webhooks_are_refused(config: Settings) -> None:
    (found,) = gateway(DoctorContext(config))

    assert (found.level, found.found) == (
        "FAIL", "it refuses webhooks (HTTP 503): journal takes no webhooks: the disk is full",
    )  # fmt: skip
