"""Migration 0010 on a database whose archive is older than 0002: archived parts keep since when their outcome was
unknown."""

from __future__ import annotations

import shutil
from pathlib import Path

import psycopg
from psycopg.types.json import Json

from shared.embedded import Database
from shared.store.db import migrate
from shared.store.lifecycle import archive_restore
from tests.schema import copy_migrations_before

MIGRATION, UNDO = "0010_archived_sends.sql", "0010_archived_sends.undo.sql"
IN_USE = """
    INSERT INTO companies (name, slug) VALUES ('Acme', 'acme');
    INSERT INTO apps (platform, slug, secrets) VALUES ('telegram', 'bot', '');
    INSERT INTO assistants (company_id, is_default) VALUES (1, true);
    INSERT INTO channels (company_id, assistant_id, app_id, platform, external_id, credentials)
    VALUES (1, 1, 1, 'telegram', '1', '');
    INSERT INTO conversations (company_id, channel_id, chat) VALUES (1, 1, '5');
    INSERT INTO archive_runs DEFAULT VALUES;
"""
PART = {
    "company_id": 1, "conversation_id": 1, "channel_id": 1, "part": 0, "text": "uncertain_at", "state": "sent",
    "epoch": 1, "attempts": 1, "due_at": "2026-01-01 00:00:00+00", "created_at": "2026-01-01 00:00:00+00",
    "blocks": True,
}  # fmt: skip
SINCE = "2026-01-01 00:00:05+00:00"


def _archive(conn: psycopg.Connection, seq: int, parts: list[dict[str, object]]) -> None:
    message = {
        "company_id": 1, "id": seq, "conversation_id": 1, "channel_id": 1, "seq": seq, "role": "bot",
        "text": "Five days.", "created_at": "2026-01-01 00:00:00+00",
    }  # fmt: skip
    for kind, body in (("outbound", parts), ("messages", [message])):
        conn.execute(
            """
            INSERT INTO archive_segments
                (company_id, conversation_id, kind, last_seq, first_seq, run_id, from_at, to_at, rows, hot_bytes, body)
            VALUES (1, 1, %s, %s, %s, 1, now(), now(), %s, 20, %s)
            """,
            (kind, seq, seq, len(body), Json(body)),
        )


def _archived(conn: psycopg.Connection) -> list[dict[str, object]]:
    found = conn.execute("SELECT body FROM archive_segments WHERE kind = 'outbound' ORDER BY last_seq").fetchall()
    return [part for (body,) in found for part in body]


def test_archived_parts_come_back_with_the_time_since_when_their_outcome_was_unknown(
    empty_database: Database, tmp_path: Path
) -> None:
    copy_migrations_before(MIGRATION, tmp_path)
    migrate.migrate(empty_database.admin_url, tmp_path)
    with psycopg.connect(empty_database.admin_url, autocommit=True) as conn:
        conn.execute(IN_USE)
        older = [
            PART | {"id": 1, "message_id": 1, "uncertain_at": SINCE},
            PART | {"id": 2, "message_id": 2, "uncertain_at": None},
        ]
        newer = PART | {"id": 3, "message_id": 3, "unknown_since": SINCE}
        _archive(conn, 1, older)
        _archive(conn, 2, [newer])

        for name in (MIGRATION, UNDO):
            shutil.copy(migrate.FOLDER / name, tmp_path)
        assert migrate.migrate(empty_database.admin_url, tmp_path) == [MIGRATION]
        renamed = _archived(conn)
        assert renamed == [
            PART | {"id": 1, "message_id": 1, "unknown_since": SINCE},
            PART | {"id": 2, "message_id": 2, "unknown_since": None},
            newer,
        ]

        assert migrate.undo(empty_database.admin_url, tmp_path) == MIGRATION
        assert _archived(conn) == [part | {"uncertain_at": part["unknown_since"]} for part in renamed]
        assert MIGRATION in migrate.migrate(empty_database.admin_url)
        assert _archived(conn) == renamed

        [place] = archive_restore.places(conn)
        assert [archive_restore.restore_newest(conn, place) for _ in range(3)] == [1, 1, 0]
        back = conn.execute("SELECT id, unknown_since::text FROM outbound ORDER BY id").fetchall()
        assert back == [(1, "2026-01-01 00:00:05+00"), (2, None), (3, "2026-01-01 00:00:05+00")]
