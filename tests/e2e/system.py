"""A private copy of the system with real processes, which a test may kill and start again."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psycopg

from shared.embedded import Postgres, Valkey
from shared.embedded.process import choose_port
from shared.settings import PROJECT_ROOT, Settings, child_environment
from shared.store.balance import Balance, take
from shared.store.journal import Reader
from shared.store.redis import connect
from standin.client import Standin
from standin.process import StandinProcess
from tests.factories import ENCRYPTION_KEY, Bot, make_bot, settings
from tests.services import private_postgres, private_valkey, temporary_folder
from workers.commands.data import add_file
from workers.commands.setup import prepare
from workers.local import KNOWLEDGE
from workers.supervisor import answers, argv_of, secret_environment

READY_WITHIN_S = 40.0
END_WITHIN_S = 30.0
POLL_S = 0.05

# Short bounds, so that a fault is over in seconds; the order between them is as in production.
QUICK: dict[str, Any] = {
    "quiet_window_s": 0.2,
    "lease_s": 2.0,
    "database_pool_timeout_s": 1.5,
    "send_deadline_s": 2.0,
    "record_deadline_s": 3.0,
    "uncertain_unblock_s": 2.0,
    "sweep_every_s": 0.5,
    "journal_write_timeout_s": 1.0,
    "app_cache_ttl_s": 1.0,
    "reply_threads": 8,
    "deliver_threads": 8,
    "database_pool_max": 6,
    "visibility_timeout_s": 20,
}


@dataclass(slots=True)
class Running:
    """One process; its output is in `log`."""

    process: subprocess.Popen[bytes]
    log: Path

    @property
    def alive(self) -> bool:
        return self.process.poll() is None


@dataclass
class System:
    """Services, stand-in and whichever processes a test has started."""

    folder: Path
    postgres: Postgres
    valkey: Valkey
    standin: Standin
    config: Settings
    http: httpx.Client
    processes: dict[str, Running] = field(default_factory=dict)
    bots: list[Bot] = field(default_factory=list)

    # ------------------------------------------------------------ processes

    def start(self, *names: str, faults: str = "", marks: Path | None = None) -> None:
        """Start processes together and wait until each is ready. faults: points for all of them."""
        for name in names:
            (self.folder / f"{name}.ready").unlink(missing_ok=True)
            environment = self.environment() | ({"FAULTS": faults, "FAULTS_DIR": str(marks)} if marks else {})
            environment |= secret_environment(name, self.config)
            log = self.folder / f"{name}.log"
            with log.open("ab") as output:
                process = subprocess.Popen(
                    argv_of(name, self.config), cwd=PROJECT_ROOT, env=child_environment(environment),
                    stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
                )  # fmt: skip
            self.processes[name] = Running(process, log)
        for name in names:
            self._wait_ready(name)

    def _wait_ready(self, name: str) -> None:
        running = self.processes[name]

        def ready() -> bool:
            if not running.alive:
                raise AssertionError(f"{name} ended while starting:\n{running.log.read_text()[-3000:]}")
            if name == "flower":
                return answers(f"http://127.0.0.1:{self.config.flower_port}/healthcheck")
            return self._answers() if name == "gateway" else (self.folder / f"{name}.ready").exists()

        wait_until(ready, f"{name} is ready", READY_WITHIN_S)

    def _answers(self) -> bool:
        try:
            return self.http.get("/health/ready").status_code == 200
        except httpx.HTTPError:
            return False

    def environment(self) -> dict[str, str]:
        given = {name: getattr(self.config, name) for name in self.config.model_fields_set}
        plain = {
            name.upper(): value.get_secret_value() if hasattr(value, "get_secret_value") else str(value)
            for name, value in given.items()
        }
        return {**plain, "RUN_DIR": str(self.folder), "DATA_DIR": str(self.folder)}

    def kill(self, name: str) -> None:
        """SIGKILL a process and everything in its own session."""
        running = self.processes.pop(name)
        os.killpg(running.process.pid, signal.SIGKILL)
        running.process.wait(END_WITHIN_S)

    def terminate(self, *names: str) -> float:
        """SIGTERM these together; returns the seconds until the last was gone."""
        began = time.monotonic()
        running = [self.processes.pop(name) for name in names]
        for one in running:
            one.process.terminate()
        for one in running:
            one.process.wait(END_WITHIN_S)
        return time.monotonic() - began

    def wait_dead(self, name: str) -> int:
        """Until a process has ended by itself; its exit code (negative: the signal)."""
        running = self.processes.pop(name)
        code = running.process.wait(END_WITHIN_S)
        try:
            os.killpg(running.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass  # nothing was left of its group
        return code

    def end_all(self) -> None:
        for name in list(self.processes):
            if self.processes[name].alive:
                self.kill(name)
            else:
                self.wait_dead(name)

    # ------------------------------------------------------------ traffic

    def new_bot(self) -> Bot:
        """A company of its own with the demo's knowledge and a bot that the stand-in knows."""
        bot = make_bot(str(self.config.database_admin_url))
        self.standin.register_bot(bot.token, f"bot{bot.app_id}_bot")
        with psycopg.connect(str(self.config.database_admin_url), autocommit=True) as conn:
            for path in sorted(KNOWLEDGE.glob("*.md")):
                add_file(conn, bot.company_id, path)
        self.bots.append(bot)
        return bot

    def post(self, bot: Bot, body: dict[str, Any]) -> int:
        """One webhook; its status, 0 when nobody answered."""
        try:
            return self.http.post(
                f"/webhooks/telegram/{bot.slug}",
                json=body,
                headers={"x-telegram-bot-api-secret-token": bot.secret},
            ).status_code
        except httpx.HTTPError:
            return 0

    def post_until_accepted(self, bot: Bot, body: dict[str, Any], within_s: float = 40.0) -> int:
        """As a platform does: the same request again until it is accepted; returns how often it was sent."""
        sent = 0

        def accepted() -> bool:
            nonlocal sent
            sent += 1
            return self.post(bot, body) == 200

        wait_until(accepted, "the webhook is accepted", within_s)
        return sent

    def post_all(self, work: Sequence[tuple[Bot, dict[str, Any]]], threads: int = 8) -> None:
        """Post each until it is accepted, several at a time."""
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(lambda one: self.post_until_accepted(*one), work))

    # ------------------------------------------------------------ what became of it

    def balance(self) -> Balance:
        client = connect(str(self.config.redis_url))
        try:
            with psycopg.connect(str(self.config.database_admin_url), autocommit=True) as conn:
                return take(conn, Reader(client, self.config.journal_shards))
        finally:
            client.close()

    def wait_at_rest(self, within_s: float = 45.0) -> Balance:
        """The balance once it closes and nothing is under way."""
        seen: list[Balance] = []

        def rests() -> bool:
            seen.append(self.balance())
            return seen[-1].at_rest

        wait_until(rests, "the system comes to rest", within_s, lambda: f"{seen[-1:]}\n{self.log_tails()}")
        return seen[-1]

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(str(self.config.database_admin_url), autocommit=True) as conn:
            return conn.execute(query, values).fetchall()

    def all_logs(self) -> str:
        return "".join(path.read_text(errors="replace") for path in sorted(self.folder.glob("*.log")))

    def log_tails(self, lines: int = 12) -> str:
        """The end of every process' log, for a failure's message."""
        return "\n".join(
            "\n".join([f"--- {path.stem}", *path.read_text(errors="replace").splitlines()[-lines:]])
            for path in sorted(self.folder.glob("*.log"))
        )


def wait_until(
    condition: Callable[[], bool], what: str, within_s: float, shown: Callable[[], str] = lambda: ""
) -> None:
    """Until a condition that somebody else brings about holds. Fails after within_s, saying what did not come."""
    ends_at = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > ends_at:
            raise AssertionError(f"not within {within_s:g} s: {what} {shown()}")
        time.sleep(POLL_S)  # a poll with a bound: the condition lies in other processes


@contextmanager
def private_system(*, valkey_options: dict[str, Any] | None = None, **values: Any) -> Iterator[System]:
    """PostgreSQL, Valkey and stand-in of its own, migrated, no process of the fleet yet."""
    with ExitStack() as stack:
        folder = stack.enter_context(temporary_folder()).path
        # without fsync a killed server loses nothing, as the system lives on; without waiting for the commit it does
        postgres = stack.enter_context(private_postgres(extra={"synchronous_commit": "on"}))
        valkey = stack.enter_context(private_valkey(**(valkey_options or {})))
        standin = stack.enter_context(StandinProcess()).client
        standin.register_key("standin-key")
        config = settings(
            **{
                **QUICK,
                "metrics_dir": folder / "metrics",
                "ops_token": "ops-token",
                "database_url": postgres.database_url,
                "database_admin_url": postgres.database_admin_url,
                "redis_url": valkey.redis_url,
                "telegram_api_url": standin.telegram_url,
                "slack_api_url": standin.slack_url,
                "graph_api_url": standin.graph_url,
                "instagram_api_url": standin.graph_url,
                "llm_base_url": standin.openai_url,
                "llm_api_key": "standin-key",
                "llm_model": "standin-1",
                "gateway_port": choose_port(None),
                **values,
            }
        )
        prepare(config)
        base_url = f"http://127.0.0.1:{config.gateway_port}"
        http = stack.enter_context(httpx.Client(base_url=base_url, timeout=10, trust_env=False))
        system = System(folder, postgres, valkey, standin, config, http)
        stack.callback(system.end_all)
        yield system


__all__ = ["ENCRYPTION_KEY", "System", "private_system", "wait_until"]
