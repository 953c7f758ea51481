"""A chain of three empty Celery tasks, each waking up the next: what Celery itself costs for three stations.

`python -m bench.chain NAME` runs the worker of one station, with the pool and concurrency of our fleet's;
`python -m bench.chain wake-up COUNT` wakes up the first station COUNT times, as fast as one publisher can.
"""

from __future__ import annotations

import sys
import time

import redis
from celery import Celery, concurrency
from kombu.entity import Queue

from shared import settings

THREADS = {"first": 2, "second": 32, "third": 16}

_config = settings.load()
_url = _config.need("BROKER_URL")
app = Celery("chain", broker=_url)
app.conf.update(
    task_ignore_result=True,
    task_queues=[Queue(name) for name in THREADS],  # type: ignore[no-untyped-call]
    worker_prefetch_multiplier=1,
    worker_send_task_events=True,
    worker_hijack_root_logger=False,
    broker_transport_options={"global_keyprefix": "bench:"},
)
_counter = redis.Redis.from_url(_url)


@app.task(name="chain.first", queue="first")
def first() -> None:
    second.apply_async()


@app.task(name="chain.second", queue="second")
def second() -> None:
    third.apply_async()


@app.task(name="chain.third", queue="third")
def third() -> None:
    _counter.incr("bench:chain:done")


def wake_up(count: int) -> None:
    _counter.set("bench:chain:began", time.time())
    for _ in range(count):
        first.apply_async()


def main(name: str, count: int = 0) -> int:
    if name == "wake-up":
        wake_up(count)
        return 0
    worker = app.Worker(
        hostname=f"{name}@bench", pool_cls=concurrency.get_implementation("threads"), queues=[name],
        concurrency=THREADS[name], task_events=True, without_gossip=True, without_mingle=True, quiet=True,
    )  # fmt: skip
    worker.start()
    return int(worker.exitcode or 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], *map(int, sys.argv[2:])))
