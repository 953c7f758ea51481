"""Pieces of work as Celery events over a real broker, read by Celery's own receiver, which is what Flower uses."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from celery import Celery
from celery.events import EventReceiver
from celery.events.state import State

from shared.embedded import Valkey
from shared.telemetry.work import Ending, Piece
from tests.counted import counted
from workers import metrics, work_events
from workers.work_events import WorkEvents

WORKER = "reply@here"
WITHIN_S = 20.0


class Watcher:
    """What Flower would know, and each message as it came."""

    def __init__(self) -> None:
        self.state = State()
        self.messages: list[int] = []
        self._changed = threading.Condition()
        self.listening = threading.Event()

    def wait(self, done: Callable[[], bool], what: str) -> None:
        with self._changed:
            assert self._changed.wait_for(done, WITHIN_S), what

    def watch(self, app: Celery, until: threading.Event) -> None:
        with app.connection_for_read() as connection:
            receiver = EventReceiver(connection, handlers={"*": self.state.event}, app=app)
            take = receiver._receive

            def count(body: Any, message: Any) -> None:
                with self._changed:
                    take(body, message)
                    self.messages.append(len(body) if isinstance(body, list) else 1)
                    self._changed.notify_all()

            receiver._receive = count
            with receiver.consumer_context() as (consuming, _, _):
                self.listening.set()
                while not until.is_set():
                    try:
                        consuming.drain_events(timeout=0.2)
                    except TimeoutError:
                        continue


@contextmanager
def watching(app: Celery) -> Iterator[Watcher]:
    watcher, until = Watcher(), threading.Event()
    thread = threading.Thread(target=watcher.watch, args=(app, until))
    thread.start()
    try:
        assert watcher.listening.wait(WITHIN_S)
        yield watcher
    finally:
        until.set()
        thread.join(WITHIN_S)
        app.close()


@pytest.fixture
def app(redis_url: str) -> Celery:
    return _app(redis_url)


def _app(redis_url: str) -> Celery:
    app = Celery("events", broker=redis_url, set_as_current=False)
    app.conf.broker_transport_options = {"socket_timeout": 2, "socket_connect_timeout": 2}
    return app


def _piece(number: int, ending: Ending | None = None, code: str = "") -> Piece:
    return Piece(
        "answers.answer_turn", {"company": 1, "turn": number}, f"turn-1-{number}", "wake-up", ending=ending, code=code,
        runtime_s=0.25,
    )  # fmt: skip


def _do(events: WorkEvents, number: int, ending: Ending, code: str) -> None:
    events.report(_piece(number))
    events.report(_piece(number, ending, code))


def test_each_ending_is_seen_as_celery_shows_it(app: Celery) -> None:
    with watching(app) as seen:
        events = WorkEvents(app, WORKER)
        _do(events, 1, "succeeded", "handover:nothing_relevant")
        _do(events, 2, "failed", "failed:blocked")
        _do(events, 3, "retried", "retry:rate_limited")
        events.report(_piece(4))
        seen.wait(lambda: len(seen.state.tasks) == 4, "four pieces are known")
        events.close()

        tasks = {key: task.as_dict() for key, task in seen.state.tasks.items()}
    assert {key: task["state"] for key, task in tasks.items()} == {
        "turn-1-1": "SUCCESS", "turn-1-2": "FAILURE", "turn-1-3": "RETRY", "turn-1-4": "STARTED",
    }  # fmt: skip
    first = tasks["turn-1-1"]
    assert (first["name"], first["kwargs"]) == ("answers.answer_turn", "{'company': 1, 'turn': 1}")
    assert (first["result"], first["runtime"], first["parent_id"]) == ("handover:nothing_relevant", 0.25, "wake-up")
    assert [tasks[f"turn-1-{n}"]["exception"] for n in (2, 3)] == ["failed:blocked", "retry:rate_limited"]
    assert {task["worker"].hostname for task in tasks.values()} == {WORKER}
    assert all(first[moment] for moment in ("received", "started", "succeeded"))


def test_a_piece_that_is_retried_and_then_done_is_one_task(app: Celery) -> None:
    with watching(app) as seen:
        events = WorkEvents(app, WORKER)
        _do(events, 1, "retried", "retry:rate_limited")
        _do(events, 1, "succeeded", "sent")
        events.close()
        seen.wait(lambda: "turn-1-1" in seen.state.tasks, "the piece is known")

        [task] = [task.as_dict() for task in seen.state.tasks.values()]
    assert (task["state"], task["result"]) == ("SUCCESS", "sent")
    assert task["retried"]


def test_many_pieces_go_out_as_few_messages(app: Celery) -> None:
    with watching(app) as seen:
        events = WorkEvents(app, WORKER)
        for number in range(500):
            _do(events, number, "succeeded", "full")
        events.close()
        seen.wait(lambda: len(seen.state.tasks) == 500, "all pieces are known")

    # 1,000 reports are 1,500 events; the first message may go before the second report has come
    assert sum(seen.messages) == 1500
    assert len(seen.messages) <= 1000 / work_events.BATCH + 3


def test_what_waits_while_the_broker_is_away_is_bounded_and_told_when_it_is_back(
    make_valkey: Callable[..., Valkey], monkeypatch: pytest.MonkeyPatch
) -> None:
    valkey = make_valkey()
    monkeypatch.setattr(work_events, "KEPT_MAX", 20)
    monkeypatch.setattr(work_events, "PAUSE_S", 0.05)
    app = _app(valkey.redis_url)
    events = WorkEvents(app, WORKER)
    valkey.kill()
    with counted() as book:
        for number in range(50):
            events.report(_piece(number, "succeeded", "full"))
        dropped = book.of(metrics.WORK_EVENTS_DROPPED)
    valkey.restart()

    with watching(app) as seen:
        seen.wait(lambda: "turn-1-49" in seen.state.tasks, "the newest is known")
        events.close()

    # the publisher may have taken a batch before it found that the broker is away
    assert 50 - 20 - work_events.BATCH <= dropped <= 50 - 20
    assert set(seen.state.tasks) >= {f"turn-1-{number}" for number in range(30, 50)}


def test_what_is_told_while_nobody_listens_waits_for_somebody(app: Celery, monkeypatch: pytest.MonkeyPatch) -> None:
    """Flower is subscribed again only some time after the broker is back."""
    monkeypatch.setattr(work_events, "PAUSE_S", 0.05)
    events = WorkEvents(app, WORKER)
    _do(events, 1, "succeeded", "full")
    published = threading.Event()
    monkeypatch.setattr(events, "_back", published.set)
    assert published.wait(WITHIN_S)

    with watching(app) as seen:
        seen.wait(lambda: "turn-1-1" in seen.state.tasks, "the piece is known")
        events.close()


def test_a_broker_that_never_comes_back_does_not_keep_a_worker_from_ending(
    make_valkey: Callable[..., Valkey], monkeypatch: pytest.MonkeyPatch
) -> None:
    valkey = make_valkey()
    monkeypatch.setattr(work_events, "PAUSE_S", 0.05)
    events = WorkEvents(_app(valkey.redis_url), WORKER)
    valkey.kill()
    with counted() as book:
        events.report(_piece(1))
        events.close()

        assert book.of(metrics.WORK_EVENTS_DROPPED) == 1
    assert not [thread for thread in threading.enumerate() if thread.name == "work-events"]
    events.report(_piece(2))  # without effect
