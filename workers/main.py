"""`python -m workers.main NAME`: runs one of the fleet's Celery processes.

The same as `celery -A workers.app worker …` with the fleet's options, without that command line, which imports
every other command and Flower with it: a second of each process' start.
"""

from __future__ import annotations

import socket
import sys

from celery import concurrency

from shared import settings, startup
from workers import fleet


def run_worker(row: fleet.Row, config: settings.Settings) -> int:
    """Run the worker until a signal; returns the exit code."""
    with startup.imports():
        from workers.app import app

    worker = app.Worker(
        hostname=f"{row.name}@{socket.gethostname()}",
        pool_cls=concurrency.get_implementation(row.pool),
        queues=list(row.queues),
        concurrency=row.concurrency,
        # In a pool of threads WorkEvents tells of tasks and of the pieces that they lead to, in batches.
        task_events=row.pool == "prefork" and config.operations.work_events,
        without_gossip=True,  # workers need not know of each other
        without_mingle=True,
        max_memory_per_child=row.max_memory_kb,
        loglevel=config.system.log_level,
        quiet=True,
    )
    worker.start()
    return int(worker.exitcode or 0)


def run_beat(config: settings.Settings) -> int:
    from workers.beat import app

    app.Beat(
        schedule=str(config.system.data_dir / "beat-schedule"),
        loglevel=config.system.log_level,
        redirect_stdouts=False,
        quiet=True,
    ).run()
    return 0


def main() -> int:
    name = sys.argv[1]
    with startup.settings_in_words():
        config = settings.load()
    return run_beat(config) if name == "beat" else run_worker(fleet.table(config)[name], config)


if __name__ == "__main__":
    sys.exit(main())
