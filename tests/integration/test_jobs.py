"""Scheduled jobs: once an hour of the timetable, whoever wakes them; in batches that go on where they stopped."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from celery.schedules import crontab

from beat_schedule import TIMETABLE, Entry
from shared import faults
from shared.clock import FixedClock
from shared.embedded import Database
from shared.store.operations import jobs as store
from shared.store.operations import rounds
from shared.store.operations.jobs import Cursor
from tasks.operations import jobs as flow
from tasks.operations import timetable
from tasks.operations.jobs import Batch, Job, Preview, Work
from tasks.registry import JOBS
from tests.factories import settings_for
from tests.integration.command_line import Run, nothing_done

MONDAY = datetime(2031, 5, 5, 1, 30, tzinfo=UTC)
SLOT = datetime(2031, 5, 5, 2, 0, tzinfo=UTC)
NIGHTLY = {"test.count": Entry(crontab(minute=0, hour=2), "at night", timedelta(hours=12), timedelta(minutes=10))}


class Counting:
    """A job that counts to `end`, a number a batch. did: what it was asked to do. fails_at: raises there, once."""

    def __init__(self, end: int = 3, fails_at: int | None = None) -> None:
        self.did: list[int] = []
        self.end, self.fails_at = end, fails_at
        self.meanwhile: Callable[[], object] = lambda: None
        self.job = Job("test.count", self._batch, self._preview)

    def _batch(self, work: Work, cursor: Cursor | None) -> Batch:
        number = cursor["next"] if cursor else 1
        if number == self.fails_at:
            self.fails_at = None
            raise RuntimeError("words of a customer")
        self.did.append(number)
        self.meanwhile()
        return Batch(1, 10, {"next": number + 1} if number < self.end else None)

    def _preview(self, work: Work) -> Preview:
        work.conn.execute("INSERT INTO job_runs (name, started_by) VALUES ('test.count', 'hand')")
        return Preview(1, 1)


@pytest.fixture
def work(database: Database) -> Iterator[Work]:
    with psycopg.connect(database.admin_url, autocommit=True) as conn:
        store.ensure(conn, {"test.count": SLOT - timedelta(days=1)})
        yield Work(conn, settings_for(database, "redis://127.0.0.1:1/0"), FixedClock(MONDAY))


@pytest.fixture
def reached(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    faults.configure("", None)


def _history(work: Work) -> list[tuple[str, int]]:
    return [(run.outcome, run.rows) for run in reversed(store.history(work.conn))]


def test_a_job_runs_to_its_end_once_for_its_hour(work: Work) -> None:
    counting = Counting()

    first = flow.run(counting.job, work, slot=SLOT)
    second = flow.run(counting.job, work, slot=SLOT)

    assert first is not None
    assert (first.outcome, first.batches, first.rows, first.size) == ("done", 3, 3, 30)
    assert second is None
    assert counting.did == [1, 2, 3]
    assert _history(work) == [("done", 3)]


def test_of_two_beats_wake_ups_at_the_same_moment_one_has_an_effect(work: Work, database: Database) -> None:
    counting = Counting()
    at_once = threading.Barrier(4)
    results: list[flow.Ran | None] = []

    def wake_up() -> None:
        with psycopg.connect(database.admin_url, autocommit=True) as conn:
            mine = Work(conn, work.settings, FixedClock(MONDAY + timedelta(hours=2)))
            at_once.wait(10)
            due = timetable.due(conn, mine.clock.now(), NIGHTLY)
            results.extend(flow.run(counting.job, mine, slot=d.slot) for d in due)

    threads = [threading.Thread(target=wake_up) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert counting.did == [1, 2, 3]
    assert len([ran for ran in results if ran is not None]) == 1


def test_of_two_beats_wake_ups_for_a_round_one_begins_it(database: Database) -> None:
    at_once, begun = threading.Barrier(4), list[bool]()

    def wake_up(name: str) -> None:
        with psycopg.connect(database.url) as conn:
            at_once.wait(10)
            begun.append(rounds.begins(conn, name, not_within_s=150))

    threads = [threading.Thread(target=wake_up, args=("tenants.watch_channels",)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert sorted(begun) == [False, False, False, True]
    with psycopg.connect(database.url) as conn:
        assert rounds.begins(conn, "knowledge.audit_index", not_within_s=150)
        assert rounds.begins(conn, "tenants.watch_channels", not_within_s=0)


def test_an_hour_is_due_from_then_on_until_it_is_done(work: Work) -> None:
    def due(minutes: float) -> list[datetime]:
        return [d.slot for d in timetable.due(work.conn, SLOT + timedelta(minutes=minutes), NIGHTLY)]

    assert due(-1) == []  # yesterday's is done
    assert due(0) == [SLOT]
    flow.run(Counting().job, work, slot=SLOT)
    assert due(6) == []
    assert due(24 * 60) == [SLOT + timedelta(days=1)]


def test_catching_up_leaves_an_hour_to_its_own_message_first(work: Work) -> None:
    """Ten minutes of jitter, within which each installation has a place of its own, and two more."""

    def late(minutes: float) -> list[datetime]:
        return [d.slot for d in timetable.late(work.conn, SLOT + timedelta(minutes=minutes), NIGHTLY)]

    assert late(0) == late(11.9) == []
    assert late(12) == [SLOT]


def test_a_run_that_failed_or_was_not_finished_is_caught_up_with_at_once(work: Work) -> None:
    def late() -> list[datetime]:
        return [d.slot for d in timetable.late(work.conn, SLOT + timedelta(minutes=1), NIGHTLY)]

    with pytest.raises(RuntimeError):
        flow.run(Counting(fails_at=2).job, work, slot=SLOT)
    assert late() == []  # it waits before the next attempt
    work.conn.execute("UPDATE jobs SET retry_at = NULL")
    assert late() == [SLOT]

    flow.run(Counting().job, work, slot=SLOT, budget_s=0)
    assert late() == [SLOT]


def test_a_paused_job_runs_by_hand_and_not_by_the_timetable(work: Work) -> None:
    assert store.pause(work.conn, "test.count")
    assert not store.pause(work.conn, "test.count")

    assert timetable.due(work.conn, SLOT, NIGHTLY) == []
    assert flow.run(Counting().job, work, slot=SLOT) is None
    by_hand = flow.run(Counting().job, work, slot=None, by="hand")
    assert by_hand is not None
    assert by_hand.outcome == "done"
    assert set(store.paused(work.conn)) == {"test.count"}

    # what came while it was paused is not made up for
    assert store.resume(work.conn, "test.count", slot=SLOT)
    assert not store.resume(work.conn, "test.count", slot=SLOT)
    assert timetable.due(work.conn, SLOT + timedelta(hours=1), NIGHTLY) == []
    assert [d.slot for d in timetable.due(work.conn, SLOT + timedelta(days=1), NIGHTLY)] == [SLOT + timedelta(days=1)]


def test_after_three_days_down_a_job_catches_up_with_one_run(work: Work) -> None:
    back = SLOT + timedelta(days=3, hours=5)
    counting = Counting()

    [due] = timetable.due(work.conn, back, NIGHTLY)
    flow.run(counting.job, work, slot=due.slot)

    assert due.slot == SLOT + timedelta(days=3)
    assert timetable.due(work.conn, back, NIGHTLY) == []
    assert counting.did == [1, 2, 3]


def test_an_hour_missed_by_more_than_its_expiry_is_left_to_the_next_one(work: Work) -> None:
    assert timetable.due(work.conn, SLOT + timedelta(hours=13), NIGHTLY) == []
    assert timetable.due(work.conn, SLOT + timedelta(days=1, hours=1), NIGHTLY) != []


def test_a_new_job_owes_nothing_before_its_next_hour(work: Work) -> None:
    new = {"test.new": NIGHTLY["test.count"]}

    assert timetable.due(work.conn, SLOT + timedelta(hours=1), new) == []
    assert [d.name for d in timetable.due(work.conn, SLOT + timedelta(days=1, hours=1), new)] == ["test.new"]


def test_a_job_whose_time_is_over_goes_on_where_it_stopped(work: Work) -> None:
    counting = Counting()

    outcomes = [flow.run(counting.job, work, slot=SLOT, budget_s=0) for _ in range(4)]

    assert [ran and ran.outcome for ran in outcomes] == ["more", "more", "done", None]
    assert counting.did == [1, 2, 3]
    assert _history(work) == [("more", 1), ("more", 1), ("done", 1)]


def test_a_failure_is_recorded_by_its_class_and_tried_again_later_from_there(work: Work) -> None:
    counting = Counting(fails_at=2)
    with pytest.raises(RuntimeError):
        flow.run(counting.job, work, slot=SLOT)

    [run] = store.history(work.conn)
    assert (run.outcome, run.rows, run.error) == ("failed", 1, "RuntimeError")
    assert flow.run(counting.job, work, slot=SLOT) is None  # not yet
    assert timetable.due(work.conn, SLOT + timedelta(hours=1), NIGHTLY) == []

    work.conn.execute("UPDATE jobs SET retry_at = clock_timestamp()")
    ran = flow.run(counting.job, work, slot=SLOT)

    assert ran is not None
    assert counting.did == [1, 2, 3]


def test_a_run_that_dies_behind_a_batch_is_closed_and_taken_up_by_the_next(work: Work, reached: Path) -> None:
    """The batch was done and not yet written down: it comes again, which a job's batches must bear."""
    counting = Counting()
    faults.configure("job.after_batch=raise", reached)
    dying = psycopg.connect(work.conn.info.dsn, password=work.conn.info.password, autocommit=True)
    counting.meanwhile = lambda: dying.close() if counting.did == [1] else None
    with pytest.raises((faults.InjectedFault, psycopg.Error)):
        flow.run(counting.job, Work(dying, work.settings, work.clock), slot=SLOT)

    assert flow.run(counting.job, work, slot=SLOT) is None  # its lease is not over
    work.conn.execute("UPDATE jobs SET leased_until = clock_timestamp()")
    flow.run(counting.job, work, slot=SLOT)

    assert counting.did == [1, 1, 2, 3]
    assert _history(work) == [("lost", 0), ("done", 3)]


def test_a_run_whose_lease_went_to_another_stops(work: Work) -> None:
    counting, other = Counting(), Counting()

    def another_takes_it() -> None:
        if counting.did == [2]:
            return
        work.conn.execute("UPDATE jobs SET leased_until = clock_timestamp() - make_interval(secs => 1)")
        assert store.claim(work.conn, "test.count", slot=None, by="hand", lease_s=60) is not None

    counting.meanwhile = another_takes_it
    with pytest.raises(flow.LeaseLost):
        flow.run(counting.job, work, slot=SLOT)

    assert counting.did == [1]
    assert flow.run(other.job, work, slot=SLOT) is None  # the other one's lease stands


def test_a_preview_cannot_write(work: Work) -> None:
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        flow.preview(Counting().job, work)


def test_every_job_can_be_previewed_and_run_by_hand_twice(run: Run, database: Database) -> None:
    for name in JOBS:
        assert run("job", "run", name, "--dry-run").code == 0
    assert run("job", "history").out == "nothing ran yet\n"

    for name in [*JOBS, *JOBS]:
        ended = run("job", "run", name)
        if name == "models.sync_prices":
            assert (ended.code, "PRICES_URL is not set" in ended.err) == (1, True)
            continue
        assert (ended.code, ended.err) == (0, ""), ended
        assert "done" in ended.out

    listed = {row["job"]: row["last"] for row in run("job", "list", "--json").json}
    assert set(listed) == set(TIMETABLE)
    assert {last["outcome"] for last in listed.values()} == {"done"}
    assert len(run("job", "history", next(iter(JOBS)), "--json").json) == 2


def test_a_job_that_nobody_knows_is_answered_with_the_nearest(run: Run) -> None:
    nothing_done(run("job", "run", "operation.make_partition"), "did you mean operations.make_partitions")
    nothing_done(run("job", "pause", "backup"), "did you mean lifecycle.make_backup or lifecycle.prove_backup?")
    nothing_done(run("job", "history", "coffee"), "`job list` shows them")


def test_jobs_are_listed_as_a_table(run: Run) -> None:
    assert run("job", "pause", "operations.make_partitions").code == 0

    lines = run("job", "list").lines

    assert len(lines) == 2 * len(JOBS)
    [paused] = [line for line in lines if "paused since" in line]
    assert paused.startswith("operations.make_partitions ")
    assert paused.endswith("never ran")
    assert {line.index("next ") for line in lines if "next " in line[:60]} == {paused.index("paused since")}
