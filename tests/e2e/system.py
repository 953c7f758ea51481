"""The private copy of workers.sandbox, with processes that a test starts, kills and starts again by itself."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from shared.embedded.ports import choose_port
from shared.settings import PROJECT_ROOT, as_text
from standin.client import Standin
from standin.process import StandinProcess
from tests.factories import ENCRYPTION_KEY, settings
from tests.services import private_postgres, private_valkey, temporary_folder
from workers.commands.setup import prepare
from workers.holders import environment_of
from workers.local import control_tokens, standin_openings
from workers.sandbox.system import QUICK, lift_limits
from workers.sandbox.system import System as Copy
from workers.sandbox.waiting import wait_until
from workers.supervisor import argv_of, flower_answers, secret_environment

READY_WITHIN_S = 40.0
END_WITHIN_S = 30.0


@dataclass(slots=True)
class Running:
    """One process; its output is in `log`."""

    process: subprocess.Popen[bytes]
    log: Path

    @property
    def alive(self) -> bool:
        return self.process.poll() is None


@dataclass(kw_only=True)
class System(Copy):
    """Services, stand-in and whichever processes a test has started."""

    standin: Standin
    processes: dict[str, Running] = field(default_factory=dict)

    def start(self, *names: str, faults: str = "", marks: Path | None = None) -> None:
        """Start processes together and wait until each is ready. faults: points for all of them. marks: each has a
        folder of its own there, of its name."""
        ours = self.config.changed(DATA_DIR=self.folder)
        for name in names:
            (self.folder / f"{name}.ready").unlink(missing_ok=True)
            environment = self.environment()
            if marks is not None:
                (marks / name).mkdir(exist_ok=True)
                environment |= {"FAULTS": faults, "FAULTS_DIR": str(marks / name)}
            environment |= secret_environment(name, self.config)
            log = self.logs / f"{name}.log"
            with log.open("ab") as output:
                process = subprocess.Popen(
                    argv_of(name, ours), cwd=PROJECT_ROOT, env=environment_of(name, environment),
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
                return flower_answers(self.config)
            return self._answers() if name == "gateway" else (self.folder / f"{name}.ready").exists()

        wait_until(ready, f"{name} is ready", READY_WITHIN_S)

    def _answers(self) -> bool:
        try:
            return self.http.get("/health/ready").status_code == 200
        except httpx.HTTPError:
            return False

    def environment(self) -> dict[str, str]:
        plain = {name: as_text(value) for name, value in self.config.given().items()}
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


@contextmanager
def private_system(
    *,
    valkey_options: dict[str, Any] | None = None,
    database_between: Callable[[str], AbstractContextManager[str]] = nullcontext,
    redis_between: Callable[[str], AbstractContextManager[str]] = nullcontext,
    owner_between: Callable[[str], AbstractContextManager[str]] = nullcontext,
    **values: Any,
) -> Iterator[System]:
    """PostgreSQL, Valkey and stand-in of its own, migrated, no process of the fleet yet. …_between: what stands in
    front of a server: gets the server's URL, gives the one that the fleet is to use."""
    with ExitStack() as stack:
        folder = stack.enter_context(temporary_folder()).path
        # without fsync a killed server loses nothing, as the system lives on; without waiting for the commit it does
        postgres = stack.enter_context(private_postgres(extra={"synchronous_commit": "on"}))
        valkey = stack.enter_context(private_valkey(**(valkey_options or {})))
        standin = stack.enter_context(StandinProcess()).client
        control_tokens[standin.base_url] = standin.control_token
        standin.register_key("standin-key")
        config = settings(
            **{
                **QUICK,
                "METRICS_DIR": folder / "metrics",
                "OPS_TOKEN": "ops-token",
                "DATABASE_URL": stack.enter_context(database_between(postgres.database_url)),
                "DATABASE_ADMIN_URL": stack.enter_context(owner_between(postgres.database_admin_url)),
                "REDIS_URL": stack.enter_context(redis_between(valkey.redis_url)),
                "TELEGRAM_API_URL": standin.telegram_url,
                "SLACK_API_URL": standin.slack_url,
                "GRAPH_API_URL": standin.graph_url,
                "INSTAGRAM_API_URL": standin.graph_url,
                "LLM_BASE_URL": standin.openai_url,
                "LLM_API_KEY": "standin-key",
                "LLM_MODEL": "standin-1",
                "GATEWAY_PORT": choose_port(None),
                "EGRESS_ALLOW": standin_openings(standin.base_url),
                **values,
            }
        )
        prepare(config)
        lift_limits(config)
        base_url = f"http://127.0.0.1:{config.gateway.port}"
        http = stack.enter_context(httpx.Client(base_url=base_url, timeout=10, trust_env=False))
        system = System(
            folder=folder, logs=folder, postgres=postgres, valkey=valkey, standin_url=standin.base_url, config=config,
            http=http, standin=standin,
        )  # fmt: skip
        stack.callback(system.end_all)
        yield system


__all__ = ["ENCRYPTION_KEY", "System", "private_system", "wait_until"]
