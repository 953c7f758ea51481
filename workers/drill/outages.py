"""Redis and PostgreSQL: killed, emptied, full, cut off."""

from __future__ import annotations

import os
import resource
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from redis import Redis

from shared.embedded.valkey import MAXMEMORY_BYTES
from shared.store.db.redis import connect
from workers.drill.stage import Fault, Stage


@contextmanager
def client_of(stage: Stage) -> Iterator[Redis]:
    client = connect(str(stage.system.config.redis.url), socket_timeout_s=5.0)
    try:
        yield client
    finally:
        client.close()


@contextmanager
def intake_stands_still(stage: Stage) -> Iterator[None]:
    """So that what is accepted stands in the journal and nowhere else."""
    pid = stage.system.child("intake").process.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def _redis_killed(stage: Stage) -> None:
    stage.struck()
    stage.system.valkey.kill()
    stage.hold(0.5, 3.0)
    stage.system.valkey.start()


def _redis_killed_while_journalled(stage: Stage) -> None:
    with intake_stands_still(stage):
        stage.more_accepted(5)
        _redis_killed(stage)


def _redis_without_file(stage: Stage) -> None:
    with intake_stands_still(stage):
        stage.more_accepted(5)
        with client_of(stage) as client:
            client.config_set("appendonly", "no")
        stage.struck()
        stage.system.valkey.kill()
        shutil.rmtree(stage.system.folder / "valkey" / "appendonlydir")  # it would bring back what stood in it before
        stage.system.valkey.start()
    stage.note = "everything in the journal that was not stored yet, five messages or more, was expected to be lost"


def _flushed(stage: Stage) -> None:
    with intake_stands_still(stage), client_of(stage) as client:
        stage.more_accepted(5)
        stage.struck()
        client.flushall()
    stage.note = "everything in the journal that was not stored yet, five messages or more, was expected to be lost"


def _redis_full(stage: Stage) -> None:
    with client_of(stage) as client:
        used = int(client.info("memory")["used_memory"])
        stage.struck()
        client.config_set("maxmemory", str(max(1, used // 2)))
        try:
            _refuses(stage)
        finally:
            client.config_set("maxmemory", str(MAXMEMORY_BYTES))


def _disk_full(stage: Stage) -> None:
    """The journal's file may not grow any more (RLIMIT_FSIZE of the server's process): its writes fail as on a full
    disk. An ordinary user may do so to a process of their own, where mounting a small disk takes root."""
    pid = stage.system.valkey.pid
    assert pid is not None
    _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    stage.struck()
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (1024, hard))
    try:
        _refuses(stage)
        assert stage.system.valkey.alive, "a full disk must not end the server"
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (hard, hard))


def _refuses(stage: Stage) -> None:
    """Until webhooks are refused, and for a while."""
    before = stage.traffic.refused()
    stage.wait(lambda: stage.traffic.refused() > before, "a webhook is refused")
    stage.hold(1.0, 5.0)


def _redis_connections(stage: Stage) -> None:
    with client_of(stage) as client:
        stage.struck()
        cut = 0
        for _ in range(3):
            cut += int(client.client_kill_filter(_type="normal", skipme=True))
            cut += int(client.client_kill_filter(_type="pubsub", skipme=True))
            stage.hold(0.3, 1.0)
    stage.note = f"{cut} connections cut"
    stage.wait(lambda: cut > 0, "a connection is cut", 0)


def _postgres_killed(stage: Stage) -> None:
    stage.struck()
    stage.system.postgres.kill()
    stage.hold(0.5, 3.0)
    stage.system.postgres.start()


def _postgres_connections(stage: Stage) -> None:
    cut = 0
    with psycopg.connect(stage.system.postgres.superuser_url, autocommit=True) as conn:
        stage.struck()
        for _ in range(3):
            rows = conn.execute(
                """
                /* drill.cut */
                SELECT pg_terminate_backend(pid)
                FROM pg_stat_activity
                WHERE usename = %s
                """,
                ("switchboard_app",),
            ).fetchall()
            cut += len(rows)
            stage.hold(0.3, 1.0)
    stage.note = f"{cut} connections cut"
    stage.wait(lambda: cut > 0, "a connection is cut", 0)


FAULTS = (
    Fault("redis killed", "Redis killed with the append-only file on, messages in it", _redis_killed_while_journalled,
          short=True),
    Fault("redis killed, no file", "Redis killed with the append-only file off", _redis_without_file, stated=True),
    Fault("redis flushed", "FLUSHALL", _flushed, short=True, stated=True),
    Fault("redis full", "Redis at maxmemory", _redis_full),
    Fault("redis disk full", "the journal's disk is full", _disk_full, short=True),
    Fault("redis cut off", "every connection to Redis dropped, three times", _redis_connections),
    Fault("postgres killed", "PostgreSQL killed and started again", _postgres_killed, short=True),
    Fault("postgres cut off", "every connection to PostgreSQL dropped, three times", _postgres_connections),
)  # fmt: skip
