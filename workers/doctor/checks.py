"""The registry of checks, each after those that it depends on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import psycopg
import redis

from shared.settings import Settings
from shared.store.db.pool import describe
from workers.doctor import database, machine, models, servers, work
from workers.doctor.context import Away, DoctorContext, Finding, warn

Check = Callable[[DoctorContext], Iterable[Finding]]

CHECKS: tuple[Check, ...] = (
    machine.configuration,
    machine.packages,
    machine.local_model,
    machine.xml_parser,
    machine.data_dir,
    machine.disks,
    machine.metrics_folder,
    database.connections,
    database.versions,
    database.role,
    database.migrations,
    database.room,
    database.clock,
    database.partitions,
    database.sealed,
    servers.connections,
    servers.policy,
    servers.clock,
    servers.model,
    models.routed,
    servers.gateway,
    servers.flower,
    work.journal,
    work.wakeups,
    work.rows,
    work.jobs,
    work.balance,
    work.webhooks,
    work.dropped,
    work.knowledge,
    work.prices,
    work.backups,
)


WITHOUT_SERVICES: tuple[Check, ...] = (
    machine.packages, machine.local_model, machine.xml_parser, machine.data_dir, machine.disks,
)  # fmt: skip
"""What can be checked while the system does not run."""


def examine(config: Settings, checks: Iterable[Check] = CHECKS) -> Iterator[Finding]:
    """Run every check. One that raises, or whose service is away, is reported, and the others go on."""
    visit = DoctorContext(config)
    left_out: list[str] = []
    try:
        for check in checks:
            yield from _run(check, visit, left_out)
    finally:
        visit.close()
    if left_out:
        yield warn("not checked", ", ".join(left_out), "the service that they need is away: see the lines above")


def _run(check: Check, visit: DoctorContext, left_out: list[str]) -> Iterator[Finding]:
    name = f"{check.__module__.rpartition('.')[2]} {check.__name__}"
    try:
        yield from check(visit)
    except Away:
        left_out.append(name)
    except (psycopg.Error, redis.RedisError, OSError) as e:
        yield warn(name, f"could not finish: {describe(e)}", "the service went away or refuses; try again")
