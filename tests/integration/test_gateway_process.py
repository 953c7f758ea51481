"""The gateway as `./switchboard worker gateway` runs it: the real server, real sockets, its own log."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psycopg
import pytest
import redis

from shared.embedded import Database
from shared.embedded.ports import choose_port
from shared.settings import PROJECT_ROOT, child_environment
from shared.store.inbound import journal
from tests.factories import ENCRYPTION_KEY, make_bot, update
from tests.integration.gateway_client import SECRET_HEADER

PLANTED = "words-of-a-customer"


@contextmanager
def _gateway_process(
    database: Database, redis_url: str, folder: Path, **variables: str
) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """The process and its address, once it is ready."""
    port = choose_port(None)
    environment = child_environment(
        {
            "DATABASE_URL": database.url, "DATABASE_ADMIN_URL": database.admin_url, "REDIS_URL": redis_url,
            "ENCRYPTION_KEYS": ENCRYPTION_KEY, "GATEWAY_PORT": str(port), "DATA_DIR": str(folder),
            **variables,
        }
    )  # fmt: skip
    argv = [sys.executable, "-P", "-m", "workers.commands", "worker", "gateway"]
    with open(folder / "log", "wb") as log:
        process = subprocess.Popen(argv, cwd=PROJECT_ROOT, env=environment, stdout=log, stderr=log)
    address = f"http://127.0.0.1:{port}"
    try:
        ends_at = time.monotonic() + 90  # other work may keep the machine busy
        while not _ready(address):
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < ends_at, (folder / "log").read_text()
            time.sleep(0.05)
        yield process, address
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def _ready(address: str) -> bool:
    try:
        return httpx.get(f"{address}/health/ready", timeout=2, trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


def _hang_up_in_the_body(address: str, path: str, secret: str) -> None:
    host, port = address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        head = f"POST {path} HTTP/1.1\r\nHost: {host}\r\n{SECRET_HEADER}: {secret}\r\nContent-Length: 1000\r\n\r\n"
        connection.sendall(head.encode() + b'{"update_id": 1}')


def test_the_real_server_keeps_its_promises_and_its_log_tells_nothing(
    database: Database, redis_url: str, tmp_path: Path
) -> None:
    bot = make_bot(database.admin_url)
    path = f"/webhooks/telegram/{bot.slug}"
    with psycopg.connect(database.admin_url, autocommit=True) as conn:
        conn.execute(
            "CREATE OR REPLACE FUNCTION holder_of_key(hash bytea) RETURNS TABLE (company_id bigint, key_id bigint,"
            " agent_id bigint, scopes text[], expires_at timestamptz, unnoted boolean)"
            f" LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION '{PLANTED}'; END $$"
        )
    with _gateway_process(database, redis_url, tmp_path) as (process, address):
        headers = {SECRET_HEADER: bot.secret, "content-type": "application/json"}
        with httpx.Client(base_url=address, timeout=10, trust_env=False, headers=headers) as http:
            body = json.dumps(update(PLANTED)).encode()
            assert http.post(path, content=body).json() == {"ok": True}
            assert http.post(path, content=body, headers={SECRET_HEADER: "forged"}).status_code == 401
            assert http.post(path, content=(part for part in [body[:10], body[10:]])).status_code == 200
            assert http.post(path, content=b"x" * (5 * 1024 * 1024)).status_code == 413
            _hang_up_in_the_body(address, path, bot.secret)
            assert http.get("/api/v1/conversations", headers={"authorization": "Bearer sbk_x"}).status_code == 500
            assert http.post(path, content=body).status_code == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 0

    with redis.Redis.from_url(redis_url) as client:
        assert journal.Reader(client, 16).backlog() == 3
    log = (tmp_path / "log").read_text()
    assert "request_failed" in log
    for secret in (PLANTED, bot.secret, bot.token, ENCRYPTION_KEY, database.url, redis_url):
        assert secret not in log


def test_a_gateway_with_a_role_that_could_see_everything_does_not_start(
    database: Database, redis_url: str, tmp_path: Path
) -> None:
    owner = Database(database.name, url=database.admin_url, admin_url=database.admin_url + "?connect_timeout=5")

    with pytest.raises(AssertionError, match="DATABASE_URL: its role"), _gateway_process(owner, redis_url, tmp_path):
        pass
