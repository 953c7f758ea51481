"""The application role runs its own jobs to their end, and may write no other job's rows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from shared.clock import FixedClock
from shared.embedded import Database
from shared.resources import Resources, open_resources
from shared.store.operations import jobs as store
from tasks.operations.job_task import run_due
from tasks.registry import JOBS
from tests.factories import make_bot, settings_for

NOW = datetime(2026, 3, 1, 5, 45, tzinfo=UTC)  # a Sunday, behind the hours of all of them
OURS = sorted(name for name, job in JOBS.items() if not job.as_owner)


@pytest.fixture
def resources(database: Database, redis_url: str) -> Resources:
    """A process' that was not given the owner's address."""
    config = settings_for(database, redis_url).changed(DATABASE_ADMIN_URL=None)
    return open_resources(config, name="test")


def test_the_jobs_of_the_application_are_those_that_the_database_knows_as_such(database: Database) -> None:
    with psycopg.connect(database.admin_url) as owner:
        rows = owner.execute("SELECT n, switchboard_own_job(n) FROM unnest(%s::text[]) n", (list(JOBS),))
        known = sorted(name for name, own in rows.fetchall() if own)

    assert known == OURS
    assert len(OURS) == 6


@pytest.mark.parametrize("name", OURS)
def test_a_job_of_the_application_runs_from_claim_to_end_without_the_owner(
    database: Database, resources: Resources, name: str
) -> None:
    bot = make_bot(database.admin_url)
    with psycopg.connect(database.admin_url, autocommit=True) as owner:
        store.ensure(owner, {name: NOW - timedelta(days=30)})
        owner.execute(
            "UPDATE company_totals SET unread = 99 WHERE company_id = %s", (bot.company_id,)
        )  # drifted, for the one that looks

        try:
            ran = run_due(JOBS[name], resources.settings, FixedClock(NOW), resources)
        finally:
            resources.close()

        assert ran is not None
        assert ran.outcome == "done"
        [run] = store.history(owner, name)
        assert (run.outcome, run.batches, run.error) == ("done", 1, None)
        if name == "inbox.reconcile_totals":
            assert owner.execute("SELECT unread FROM company_totals").fetchall() == [(0,)]


def test_the_rows_of_other_jobs_can_be_read_and_not_written(database: Database) -> None:
    foreign = "lifecycle.make_backup"
    with psycopg.connect(database.admin_url, autocommit=True) as owner:
        store.ensure(owner, {foreign: NOW})
        assert store.claim(owner, foreign, slot=None, by="hand", lease_s=60) is not None
    with psycopg.connect(database.url, autocommit=True) as app:
        assert foreign in store.owed(app)
        assert [run.name for run in store.history(app)] == [foreign]

        assert app.execute("UPDATE jobs SET leased_until = NULL").rowcount == 0
        assert app.execute("UPDATE job_runs SET outcome = 'done'").rowcount == 0
        for statement in (
            "INSERT INTO jobs (name, slot) VALUES ('lifecycle.prove_backup', now())",
            "INSERT INTO job_runs (name, started_by) VALUES ('lifecycle.make_backup', 'hand')",
            "UPDATE jobs SET name = 'knowledge.find_popular'", "DELETE FROM jobs", "DELETE FROM job_runs",
        ):  # fmt: skip
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                app.execute(statement.encode())
