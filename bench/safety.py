"""What ledger and leases cost: the journey's throughput with them and without, by turns, in one run."""

from __future__ import annotations

import subprocess
import sys
from statistics import median

import psycopg

from bench import unsafe
from bench.journey import LLM_S, Throughput, throughput
from shared.settings import PROJECT_ROOT, child_environment
from tests.e2e.system import Running, System, private_system, wait_until

WORKERS = ("intake", "reply", "deliver")
ROUNDS = 3


def _start_unsafe(system: System) -> None:
    for name in WORKERS:
        (system.folder / f"{name}.ready").unlink(missing_ok=True)
        log = system.logs / f"unsafe-{name}.log"
        with log.open("ab") as output:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "bench.unsafe", name], cwd=PROJECT_ROOT,
                env=child_environment({**system.environment(), "PYTHONPATH": str(PROJECT_ROOT)}),
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
            )  # fmt: skip
        system.processes[name] = Running(process, log)
    for name in WORKERS:
        wait_until((system.folder / f"{name}.ready").exists, f"{name} is ready", 60, system.log_tails)


def report() -> list[str]:
    found: dict[str, list[Throughput]] = {"with": [], "without": []}
    with private_system(REPLY_THREADS=100, DELIVER_THREADS=16, LLM_CONNECTIONS=200, DATABASE_POOL_MAX=8) as system:
        with psycopg.connect(str(system.config.database.admin_url), autocommit=True) as conn:
            conn.execute(unsafe.FUNCTIONS.encode())
        system.standin.limits(enforced=False)
        system.start("gateway")
        for _ in range(ROUNDS):
            system.start(*WORKERS)
            found["with"].append(throughput(system))
            system.terminate(*WORKERS)
            _start_unsafe(system)
            found["without"].append(throughput(system))
            system.terminate(*WORKERS)
    rates = {name: [round(one.per_s, 1) for one in ones] for name, ones in found.items()}
    cost = 1 - median(rates["with"]) / median(rates["without"])
    lines = [f"journey with a model that takes {LLM_S * 1000:.0f} ms, messages/s, by turns, {ROUNDS} rounds of each:"]
    lines += [f"  {name:8} ledger and leases  {median(each):6.1f}  {each}" for name, each in rates.items()]
    lines.append(f"  they cost {cost:.0%} of the throughput (bound: 20 %)")
    for name, ones in found.items():
        cpu = {process: median(one.cpu_ms.get(process, 0.0) for one in ones) for process in ones[0].cpu_ms}
        lines.append(f"  CPU a message {name}: " + ", ".join(f"{process} {ms:.1f} ms" for process, ms in cpu.items()))
    return lines
