"""What a failing task lets out: into Celery, its events (which Flower shows) and the log go classes, never words."""

from __future__ import annotations

import io
import json
import logging
import pickle
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import psycopg
import pytest
import structlog
from celery import Celery, _state
from celery.concurrency.solo import TaskPool as SoloPool
from celery.worker.request import Request
from kombu.message import Message

from shared.embedded import Database
from shared.errors import Permanent
from shared.telemetry import logs
from tasks.base import Step, StepFailed
from tests.factories import make_bot

PLANTED = "planted-words-of-a-customer"
TOKEN = "7001:AAplantedtoken"


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """What this process' log would hold, set up as a worker sets it up."""
    root, before = logging.getLogger(), structlog.get_config()
    handlers, level = list(root.handlers), root.level
    written = io.StringIO()
    monkeypatch.setattr("sys.stderr", written)
    logs.configure("DEBUG")
    # a logger that was cached now would write to this test's file for ever
    structlog.configure(cache_logger_on_first_use=False)
    yield written
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.configure(**before)


@pytest.fixture
def celery() -> Iterator[Celery]:
    before = _state.get_current_app()
    yield Celery("test", broker="memory://")  # the current one, as in a worker
    before.set_current()


def _failing(database: Database, what: str) -> Callable[[], None]:
    def row_that_exists() -> None:
        """psycopg quotes the row in DETAIL."""
        with psycopg.connect(database.admin_url) as conn:
            conn.execute("CREATE TEMPORARY TABLE said (words text PRIMARY KEY)")
            for _ in range(2):
                conn.execute("INSERT INTO said VALUES (%s)", (PLANTED,))

    def address_with_a_token() -> None:
        httpx.get(f"http://127.0.0.1:1/bot{TOKEN}/sendMessage?text={PLANTED}", trust_env=False).raise_for_status()

    def refused_with_a_token() -> None:
        request = httpx.Request("GET", f"http://127.0.0.1:1/bot{TOKEN}/sendMessage")
        httpx.Response(500, request=request, text=PLANTED).raise_for_status()

    def while_handling() -> None:
        try:
            row_that_exists()
        except psycopg.Error as e:
            raise RuntimeError(f"could not store {PLANTED}") from e

    found: dict[str, Callable[[], None]] = {
        f.__name__: f for f in (row_that_exists, address_with_a_token, refused_with_a_token, while_handling)
    }
    return found[what]


CLASSES = {
    "row_that_exists": "UniqueViolation(23505)",
    "address_with_a_token": "ConnectError",
    "refused_with_a_token": "HTTPStatusError",
    "while_handling": "RuntimeError",
}


class Events:
    """Takes what the worker would send to Flower."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.enabled = True

    def send(self, kind: str, _retry: bool = False, **fields: Any) -> None:
        self.sent.append({"type": kind, **fields})


@pytest.mark.parametrize("what", CLASSES)
def test_an_errors_words_reach_neither_celery_nor_flower_nor_the_log(
    celery: Celery, database: Database, log: io.StringIO, what: str
) -> None:
    make_bot(database.admin_url)
    fail = _failing(database, what)

    @celery.task(base=Step, bind=True, shared=False, name="test.fail")
    def task(self: Step) -> None:
        fail()

    result = task.apply()

    assert isinstance(result.result, StepFailed)
    assert str(result.result) == CLASSES[what]
    everywhere = [repr(result.result), str(result.traceback), repr(pickle.dumps(result.result)), log.getvalue()]
    for shown in everywhere:
        assert PLANTED not in shown
        assert TOKEN not in shown
    [line] = [json.loads(line) for line in log.getvalue().splitlines() if "task_failed" in line]
    assert (line["task"], line["level"]) == ("test.fail", "error")
    assert line["duration_ms"] >= 0
    assert any("test_step.py" in frame for frame in line["trace"])


@pytest.mark.parametrize("what", CLASSES)
def test_the_workers_own_report_of_a_failure_holds_no_words(
    celery: Celery, database: Database, log: io.StringIO, what: str
) -> None:
    """Not eagerly: as a worker traces a task, logs its failure and sends its event."""
    fail = _failing(database, what)

    @celery.task(base=Step, bind=True, shared=False, name="test.fail", send_events=True)
    def task(self: Step) -> None:
        fail()

    events = Events()
    _as_a_worker(celery, task, events)

    [event] = [event for event in events.sent if event["type"] == "task-failed"]
    assert event["exception"] == f"StepFailed('{CLASSES[what]}')"
    for shown in (json.dumps(events.sent, default=repr), log.getvalue()):
        assert PLANTED not in shown
        assert TOKEN not in shown
    assert "celery" in log.getvalue()  # the worker's own line is there


def _as_a_worker(celery: Celery, task: Step, events: Events) -> None:
    """Take a message as a worker takes it from its queue, up to the event and the log line of its end."""
    headers = {"lang": "py", "task": task.name, "id": "id-1", "root_id": "id-1", "parent_id": None, "group": None}
    message = Message(  # type: ignore[no-untyped-call]
        body=b"[[], {}, {}]", headers=headers, content_type="application/json", content_encoding="utf-8",
        delivery_info={}, properties={"correlation_id": "id-1"},
    )  # fmt: skip
    request = Request(message, app=celery, task=task, eventer=events, hostname="test@host")
    pool = SoloPool(app=celery)
    pool.start()
    request.execute_using_pool(pool)
    pool.stop()


def test_our_own_errors_keep_their_words_because_they_hold_none_of_a_customer(celery: Celery) -> None:
    @celery.task(base=Step, bind=True, shared=False, name="test.refused")
    def task(self: Step) -> None:
        raise Permanent("schema", "the column is missing: run ./switchboard migrate")

    with pytest.raises(StepFailed, match=r"run \./switchboard migrate"):
        task()


def test_a_task_outside_a_worker_says_that_nothing_is_open(celery: Celery) -> None:
    @celery.task(base=Step, bind=True, shared=False, name="test.needs")
    def task(self: Step) -> object:
        return self.process

    with pytest.raises(StepFailed, match="RuntimeError"):
        task()
