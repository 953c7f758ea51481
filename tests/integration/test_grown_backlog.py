"""A backlog that grows behind plans which were made while there was none: claims still read a handful."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from shared.embedded import Database
from shared.store.answers import turns
from shared.store.db.pool import Conn, set_companies
from shared.store.delivery import outbound
from tests.integration.explain import read_by
from workers.sandbox.backlog import insert_backlog


@pytest.fixture
def app(database: Database) -> Iterator[Conn]:
    with psycopg.connect(database.url, autocommit=True) as conn:
        yield conn


def _grow(database: Database, companies: int, chats: int) -> None:
    """Turns that wait and parts that are queued, and nobody analyses the tables."""
    with psycopg.connect(database.admin_url) as conn:
        rows = conn.execute(
            "INSERT INTO companies (name) SELECT gen_random_uuid() FROM generate_series(1, %s) RETURNING id",
            (companies,),
        ).fetchall()
        ids = [int(row[0]) for row in rows]
        set_companies(conn, ids)
        insert_backlog(conn, ids, chats)
        conn.execute(
            "INSERT INTO outbound (company_id, conversation_id, channel_id, message_id, part, text, due_at)"
            " SELECT c.company_id, c.id, c.channel_id, 1 + c.id, 1, 'Hello', now() - interval '1 hour'"
            " FROM conversations c WHERE c.company_id = ANY(%s)",
            (ids,),
        )


def _claim(conn: Conn) -> tuple[int, int]:
    due = turns.claim_several(conn, 0, limit=4, lease_s=600)
    return len(due), len(outbound.claim_several(conn, 0, limit=4, lease_s=600, unblock_s=60))


def test_plans_made_before_the_backlog_came_read_a_handful_for_each_claim(database: Database, app: Conn) -> None:
    _grow(database, companies=4, chats=12)
    for _ in range(8):
        assert _claim(app) == (4, 4)
    _grow(database, companies=30, chats=100)

    read = read_by(app, _claim)

    assert read.whole.get("turns", 0) == read.whole.get("outbound", 0) == 0
    assert read.entries < 500, read
