"""A fleet whose every connection to PostgreSQL and Valkey is over TLS with verified names, as compose.yaml has it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from shared.embedded.ports import choose_port
from shared.settings import child_environment
from tests.e2e.checks import check_all
from tests.e2e.system import System, private_system, wait_until
from tests.factories import update
from tests.tls import certificates, postgres_over_tls, redis_over_tls
from workers.fleet import PROCESSES

PASSWORD = "flower-password"


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    certificates(tmp_path / "certificates")

    @contextmanager
    def postgres(url: str) -> Iterator[str]:
        with postgres_over_tls(url, tmp_path / "certificates") as safe:
            yield safe

    @contextmanager
    def valkey(url: str) -> Iterator[str]:
        with redis_over_tls(url, tmp_path / "certificates") as safe:
            yield safe

    with private_system(
        database_between=postgres, owner_between=postgres, redis_between=valkey, FLOWER_PASSWORD=PASSWORD,
        FLOWER_PORT=choose_port(None), BACKUP_DIR=tmp_path / "backups",
    ) as system:  # fmt: skip
        yield system


def test_a_message_is_answered_shown_and_backed_up_over_tls(system: System) -> None:
    assert str(system.config.redis.url).startswith("rediss://")
    assert "sslmode=verify-full" in str(system.config.database.admin_url)
    for some in (PROCESSES[:4], PROCESSES[4:]):  # nine at once are slow to start on a small machine
        system.start(*some)
    bot = system.new_bot()
    asked = update("How many days do I have to return shoes?", chat=1)

    system.post_until_accepted(bot, asked)

    [message] = system.standin.wait_messages(1, chat_id=1, timeout_s=30, token=bot.token)
    assert "30 days" in message["text"]
    system.wait_at_rest()
    check_all(system, [(bot, asked)])
    flower = httpx.Client(
        base_url=f"http://127.0.0.1:{system.config.operations.flower_port}", auth=("admin", PASSWORD), trust_env=False
    )

    def shown() -> bool:
        return any(task["name"] == "answers.answer_turn" for task in flower.get("/api/tasks").json().values())

    wait_until(shown, "Flower shows the turn", 20)
    made = _command(system, "job", "run", "lifecycle.make_backup")
    assert made.returncode == 0, made.stderr
    assert len(json.loads(_command(system, "backup", "list", "--json").stdout)) == 1


def _command(system: System, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", "workers.commands", *words], env=child_environment(system.environment()),
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
