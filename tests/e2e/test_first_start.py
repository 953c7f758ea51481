"""A newcomer's `./switchboard up`: nothing that it says of itself is a fault, also after a restart."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from dotenv import dotenv_values

from shared import settings
from shared.embedded import DataFolder
from shared.embedded.folder import SECRETS_FILE
from shared.embedded.process import command_line
from shared.resources import open_resources
from shared.settings import PROJECT_ROOT, Settings, child_environment
from standin.client import Standin
from tasks.tenants import watch
from workers.local import CONTROL_SECRET
from workers.sandbox.waiting import wait_until

pytestmark = pytest.mark.timeout(600)

UP_WITHIN_S = 150.0
TOKEN = "700777:second-bot"
OURS = re.compile(r"(SWITCHBOARD|DATABASE|REDIS|BROKER|JOURNAL|CACHE|LLM|GATEWAY|FLOWER|OPS|TELEGRAM|DATA|RUN)_")
LOUD = ("warning", "error", "critical")


@dataclass(frozen=True, slots=True)
class Up:
    """A running `up`. said: what it printed. environment: for commands in another terminal."""

    pid: int
    folder: Path
    said: str
    environment: dict[str, str]

    def command(self, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-P", "-m", "workers.commands", *words], cwd=PROJECT_ROOT, env=self.environment,
            input=stdin, capture_output=True, text=True, timeout=120,
        )  # fmt: skip

    @property
    def config(self) -> Settings:
        told = dotenv_values(self.folder / "run.env")
        return settings.load(of_running_system=False, **told)

    def loud_lines(self) -> list[str]:
        """Lines of the fleet's logs at warning or above, and whatever is no line of ours."""
        servers = ("postgres", "valkey")
        lines = [
            f"{log.stem}: {line}" for log in sorted((self.folder / "log").glob("*.log")) if log.stem not in servers
            for line in log.read_text().splitlines()
        ]  # fmt: skip
        return [line for line in lines if _is_loud(line.partition(": ")[2])]


def _is_loud(line: str) -> bool:
    # nothing; the stand-in's first; Celery's last; Flower's information
    if not line or line.startswith(("ready http", "worker: Warm shutdown")) or " INFO " in line[:40]:
        return False
    try:
        return json.loads(line)["level"] in LOUD
    except (ValueError, LookupError, TypeError):
        return True


@pytest.fixture
def folder() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="switchboard-first-"))
    yield path
    with DataFolder(path) as opened:
        opened.discard()


@contextmanager
def up(folder: Path, *options: str, **variables: str) -> Iterator[Up]:
    environment = {name: value for name, value in child_environment({}).items() if not OURS.match(name)}
    environment |= {"DATA_DIR": str(folder), "PYTHONPATH": str(PROJECT_ROOT), "PYTHONUNBUFFERED": "1", **variables}
    output = folder.with_name(f"{folder.name}.out")
    with output.open("wb") as said:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "workers.commands", "up", *options], cwd=PROJECT_ROOT, env=environment,
            stdin=subprocess.DEVNULL, stdout=said, stderr=said,
        )  # fmt: skip
    try:

        def is_up() -> bool:
            if process.poll() is not None:
                raise AssertionError(f"up ended:\n{output.read_text()[-3000:]}")
            return "all processes are up" in output.read_text()

        wait_until(is_up, "all processes are up", UP_WITHIN_S)
        yield Up(process.pid, folder, output.read_text(), environment)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)
        output.unlink()


def watched(system: Up) -> tuple[int, int]:
    """A round of `tenants.watch_channels`, every five minutes: channels, and how many fail."""
    resources = open_resources(system.config, name="deliver")
    try:
        return watch.watch_channels(resources)
    finally:
        resources.close()


def assert_nothing_is_wrong(system: Up) -> None:
    alerts = system.command("job", "run", "operations.evaluate_alerts")
    assert alerts.returncode == 0, alerts.stderr
    doctor = system.command("doctor")
    assert doctor.returncode == 0, doctor.stdout + doctor.stderr
    assert "FAIL" not in doctor.stdout.replace("0 FAIL", "")
    bearer = {"authorization": f"Bearer {system.config.operations.ops_token.get_secret_value()}"}
    health = httpx.get(
        f"http://127.0.0.1:{system.config.gateway.port}/health", headers=bearer, timeout=30, trust_env=False
    ).json()
    assert (health["ok"], health["problems"]) == (True, {})
    assert system.loud_lines() == []
    assert "warning" not in system.said.lower()


def test_a_fresh_system_finds_nothing_wrong_with_itself_nor_after_a_restart(folder: Path) -> None:
    with up(folder) as system:
        assert watched(system) == (2, 0)
        assert_nothing_is_wrong(system)
        told = re.search(r"^company +(\S+)", system.said, re.MULTILINE)
        assert told is not None, system.said
        assert "demo" in system.command("channel", "list", "--company", told[1]).stdout
        doctor = system.command("doctor").stdout
        assert re.search(r"ok +model +127\.0\.0\.1, standin-1 answers", doctor), doctor
        _connect_second_bot(system)
        assert watched(system) == (3, 0)
        rotated = system.command("app", "rotate-secret", "demo", "--json")
        secret = json.loads(rotated.stdout)["webhook_secret"]
        assert system.command("app", "drop-old-secret", "demo").returncode == 0

    with up(folder) as system:
        assert watched(system) == (3, 0)  # the stand-in still knows the second bot's token and webhook
        assert_nothing_is_wrong(system)
        assert f"x-telegram-bot-api-secret-token: {secret}" in system.said
        assert _posted(system, secret) == 200

    with up(folder, "--no-standin") as system:
        assert "the demo bot is disabled while the stand-in" in system.said
        listed = system.command("channel", "list").stdout
        assert re.search(r"telegram +demo +@demo_shop_bot +disabled", listed), listed
        stopped = system.command("down")
        assert (stopped.returncode, stopped.stdout) == (0, f"stopped the system of {folder}\n"), stopped.stderr
        assert system.command("down").returncode == 1

    with up(folder) as system:
        assert re.search(r"telegram +demo +@demo_shop_bot +active", system.command("channel", "list").stdout)
        assert system.command("app", "disable", "demo").returncode == 0

    with up(folder) as system:
        assert "the demo bot is disabled: ./switchboard app enable demo" in system.said


def test_a_fresh_system_without_the_stand_in_has_no_bot_that_nobody_knows(folder: Path) -> None:
    with up(folder, "--no-standin") as system:
        assert watched(system) == (1, 0)  # the widget
        assert "telegram" not in system.command("channel", "list").stdout
        assert "channel connect telegram" in system.said
        assert_nothing_is_wrong(system)


def test_nothing_outlives_a_killed_system_also_if_it_does_not_end_in_order(folder: Path) -> None:
    """As a worker does not whose threads wait for a file that takes minutes to read."""
    with up(folder, GRACE_S="3") as system:
        children = _children(system.pid)
        [index] = [pid for pid in children if command_line(pid).endswith("workers.main index ")]
        assert len(children) > 10
        os.kill(index, signal.SIGSTOP)

        os.kill(system.pid, signal.SIGKILL)

        def left() -> list[str]:
            return [words for pid in children if (words := command_line(pid))]

        try:
            wait_until(lambda: not left(), "every process has ended", 30, lambda: str(left()))
        finally:
            if command_line(index):
                os.kill(index, signal.SIGKILL)


def _posted(system: Up, secret: str) -> int:
    """The gateway's answer to an update for the demo bot."""
    address = f"http://127.0.0.1:{system.config.gateway.port}/webhooks/telegram/demo"
    update = {"update_id": 1}
    headers = {"x-telegram-bot-api-secret-token": secret}
    return httpx.post(address, json=update, headers=headers, timeout=30, trust_env=False).status_code


def _children(of: int) -> list[int]:
    shown = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    return [int(pid) for pid, parent in map(str.split, shown.splitlines()) if int(parent) == of]


def _connect_second_bot(system: Up) -> None:
    config = system.config
    assert config.channels.telegram_api_url is not None
    kept = json.loads((config.system.data_dir / SECRETS_FILE).read_bytes())
    with Standin(config.channels.telegram_api_url, kept[CONTROL_SECRET]) as standin:
        standin.register_bot(TOKEN, "second_bot")
    answers = json.dumps({"token": TOKEN})
    words = ("channel", "connect", "telegram", "--company", "demo-shop", "--slug", "second", "--answers", "-")
    connected = system.command(*words, stdin=answers)
    assert connected.returncode == 0, connected.stderr
    secret = re.search(r"secret_token \(shown once\): (\S+)", connected.stdout)
    assert secret is not None
    address = f"http://127.0.0.1:{config.gateway.port}/webhooks/telegram/second"
    answered = httpx.post(
        f"{config.channels.telegram_api_url}/bot{TOKEN}/setWebhook", json={"url": address, "secret_token": secret[1]},
        trust_env=False,
    )  # fmt: skip
    assert answered.json()["ok"] is True
