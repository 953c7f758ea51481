"""Opens and closes what a worker process holds, on Celery's signals."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import structlog
from celery import signals

from shared import faults, queues, settings
from shared.errors import SettingsError
from shared.knowledge.embed import Embedder
from shared.resilience.lease_records import LeaseRecords
from shared.resources import open_resources
from shared.store.db.metrics import pool_stats
from shared.store.db.pool import check_connections
from shared.telemetry import log_files, logs, metrics, work
from tasks import context
from tasks.answers import tasks as answers
from tasks.answers.leases import Leases
from tasks.app import app
from tasks.delivery import tasks as delivery
from tasks.dispatch import Dispatcher
from tasks.knowledge import tasks as knowledge
from tasks.wakeups import wake_up
from workers import fleet, holders
from workers.lease_reclaimer import STATIONS
from workers.ready import embedder_of, say_ready
from workers.work_events import WorkEvents

log = structlog.get_logger(__name__)

DISPATCHERS: dict[str, Callable[[context.Process], Dispatcher[Any]]] = {
    queues.REPLY: answers.dispatcher,
    queues.DELIVER: delivery.dispatcher,
    queues.INDEX: knowledge.dispatcher,
}


def open_process(name: str, config: settings.Settings) -> context.Process:
    """Open resources and leases and make them this process' own. Raises SettingsError when they do not fit, or when
    a setting is missing that it cannot do without."""
    holders.check_needed(name, config)
    resources = open_resources(config, name=name)
    with resources.db.connection() as conn:
        check_connections(conn, fleet.connections_needed(config))
    if name in STATIONS:
        resources.lease_records = LeaseRecords(config.lease_folder, name)
    leases = Leases(resources.db, resources.clock, lease_s=config.answers.lease_s)
    leases.start()
    process = context.Process(resources, may_serve=lambda station: holders.may_serve(name, station, config))
    process.hold(leases)
    if name in DISPATCHERS:
        process.dispatchers[name] = DISPATCHERS[name](process)
    _measure(name, process)
    context.set_current(process)
    return process


def _tell_of_work(process: context.Process, hostname: str) -> None:
    """Have Flower shown each piece of this process' work, if it is to be."""
    if process.resources.settings.operations.work_events:
        events = WorkEvents(app, hostname)
        work.report_to(events.report)
        process.closing.append(lambda: work.report_to(None))
        process.closing.append(events.close)


def _measure(name: str, process: context.Process) -> None:
    """Start this process' metrics, and measure its connection pool now and then."""
    metrics.configure(process.resources.settings.metrics_folder)
    sampler = metrics.Sampler(lambda: pool_stats(name, process.resources.db.stats()))
    process.closing.append(sampler.stop)
    sampler.start()


def _prepare(name: str, embedder: Embedder) -> None:
    try:
        embedder.prepare()
    except SettingsError as e:
        log.error("embedder_missing", reason=str(e))  # answers go on by words
    say_ready(embedder_of(name))


def cancel() -> None:
    """Stop claiming, and end answers that are being written; other work that has begun goes on."""
    try:
        process = context.current()
    except RuntimeError:
        return
    _cancel(process)


def _cancel(process: context.Process) -> None:
    process.resources.stopping.set()
    for dispatcher in process.dispatchers.values():
        dispatcher.cancel()
    process.of(Leases).cancel()


def close_process(*_: Any, **__: Any) -> None:
    try:
        process = context.current()
    except RuntimeError:
        return
    context.set_current(None)
    _cancel(process)
    for dispatcher in process.dispatchers.values():
        dispatcher.stop()
    process.wakeups.close()
    for close in process.closing:
        close()
    process.of(Leases).stop()
    process.resources.close()


def connect() -> None:
    """Connect the signals; called once, by workers.app."""

    @signals.setup_logging.connect(weak=False)
    def setup_logging(**_: Any) -> None:
        logs.configure(settings.load().system.log_level)
        log_files.follow(settings.log_file())

    @signals.worker_init.connect(weak=False)
    def worker_init(sender: Any, **_: Any) -> None:
        # sent by every pool, in the parent: only a pool of threads works there
        config = settings.load()
        structlog.contextvars.bind_contextvars(worker=sender.hostname)
        faults.configure(config.system.faults, config.system.faults_dir)
        row = fleet.row_of(sender.hostname, config)
        if row is not None and row.pool == "threads":
            process = open_process(row.name, config)
            _tell_of_work(process, sender.hostname)
            if row.name in (queues.REPLY, queues.INDEX):
                # In parallel to the start: only threads that need it meanwhile wait for it.
                threading.Thread(target=_prepare, args=(row.name, process.resources.embedder), daemon=True).start()

    @signals.worker_process_init.connect(weak=False)
    def worker_process_init(**_: Any) -> None:
        # sent in each prefork child, after the fork
        log_files.follow(settings.log_file())
        config = settings.load()
        faults.configure(config.system.faults, config.system.faults_dir)
        open_process("maintenance", config)

    @signals.worker_ready.connect(weak=False)
    def worker_ready(sender: Any, **_: Any) -> None:
        name = sender.hostname.partition("@")[0]
        if name.partition("-")[0] == queues.INDEX:
            wake_up(knowledge.import_due)  # whatever came while nobody read
            wake_up(knowledge.embed_due)  # whatever was added while nobody embedded
        if name in STATIONS:
            context.current().resources.lease_records.say_ready()
        say_ready(name)

    @signals.worker_shutting_down.connect(weak=False)
    def worker_shutting_down(**_: Any) -> None:
        # a pool of threads waits for its tasks: cancel what would take longer than the grace period
        cancel()

    signals.worker_process_shutdown.connect(close_process, weak=False)
    signals.worker_shutdown.connect(close_process, weak=False)
