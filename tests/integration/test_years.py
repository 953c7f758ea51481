"""Months through every scheduled job: what must stay is there by its identity, and the hot set is bounded."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import psycopg

from bench.years import Plan, simulate
from shared.embedded import Database
from tests.factories import settings_for

PLAN = Plan(date(2026, 6, 2), days=112, begun=3, every=7, length=12, delete_after_days=60)


def test_nothing_that_must_stay_is_gone_and_the_hot_set_is_bounded(
    database: Database, redis_url: str, tmp_path: Path
) -> None:
    settings = settings_for(database, redis_url, DATA_DIR=tmp_path, ARCHIVE_AFTER_DAYS=30, ARCHIVE_KEEP_MESSAGES=4)
    with psycopg.connect(database.admin_url, autocommit=True, prepare_threshold=None) as conn:
        outcome = simulate(conn, settings, PLAN)
        standing = [key for (key,) in conn.execute("SELECT key FROM alerts").fetchall()]

    assert outcome.problems == []
    assert outcome.archived > 0
    assert outcome.deleted > 0
    # two months' messages, and the last four of each conversation
    assert outcome.hot[-1] <= 68 * PLAN.begun * PLAN.length + PLAN.days * PLAN.begun * 4
    assert {
        "lifecycle.drop_raw_requests",
        "lifecycle.archive_messages",
        "lifecycle.delete_old_archives",
        "operations.record_table_sizes",
    } <= set(outcome.seconds)
    assert "rows.dead_letters" in standing
