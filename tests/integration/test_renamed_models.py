"""Migration 0004 on a database that is in use: models, vectors, indexes and archived receipts keep what they hold."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import psycopg

from shared.embedded import Database
from shared.store.db import migrate
from tests.schema import copy_migrations_before, rows

MIGRATION, UNDO = "0004_embedding_models.sql", "0004_embedding_models.undo.sql"
IN_USE = """
    INSERT INTO companies (name, slug) VALUES ('Acme', 'acme');
    INSERT INTO apps (platform, slug, secrets) VALUES ('telegram', 'bot', '');
    INSERT INTO channels (company_id, app_id, platform, external_id, credentials) VALUES (1, 1, 'telegram', '1', '');
    INSERT INTO conversations (company_id, channel_id, chat) VALUES (1, 1, '5');
    INSERT INTO collections (company_id, name) VALUES (1, 'all');
    INSERT INTO documents (company_id, collection_id, source, title, text, content_hash, chunk_count)
    VALUES (1, 1, 'faq', 'FAQ', 'Five days.', '', 1);
    INSERT INTO chunks (company_id, document_id, ordinal, language, title, text, start_char, tsv, length)
    VALUES (1, 1, 0, 'english', 'FAQ', 'Five days.', 0, '', 0);
    INSERT INTO embedding_spaces (model, dimension, state) VALUES ('small', 2, 'active');
    INSERT INTO embeddings (company_id, chunk_id, space_id, embedding) VALUES (1, 1, 1, '[0.6,0.8]');
    INSERT INTO indexing (company_id, document_id, space_id, done) VALUES (1, 1, 1, true);
    INSERT INTO alerts (key, words) VALUES ('spaces.half.small', 'half full'), ('rows.spaces.', 'another');
    INSERT INTO archive_segments
        (company_id, conversation_id, kind, last_seq, first_seq, run_id, from_at, to_at, rows, hot_bytes, body)
    VALUES (1, 1, 'receipts', 2, 1, 1, now(), now(), 2, 40,
            '[{"turn_id": 1, "space": "small"}, {"turn_id": 2, "space": null}]'),
           (1, 1, 'receipts', 3, 3, 1, now(), now(), 1, 20,
            '[{"turn_id": 3, "space": "small", "ladder": [{"step": 1}]}]'),
           (1, 1, 'messages', 2, 1, 1, now(), now(), 1, 20, '[{"id": 1, "text": "a space"}]');
"""
INDEX = """
    CREATE INDEX embeddings_graph_1_1 ON {} USING hnsw ((embedding::halfvec(2)) halfvec_cosine_ops)
    WHERE company_id = 1 AND space_id = 1
"""


def test_models_vectors_indexes_and_archived_receipts_survive_the_renaming_and_its_undo(
    empty_database: Database, tmp_path: Path
) -> None:
    copy_migrations_before(MIGRATION, tmp_path)
    migrate.migrate(empty_database.admin_url, tmp_path)
    with psycopg.connect(empty_database.admin_url, autocommit=True) as conn:
        conn.execute(IN_USE)
        [(partition,)] = conn.execute("SELECT tableoid::regclass::text FROM embeddings").fetchall()
        conn.execute(INDEX.format(partition).encode())
        before = rows(empty_database)

        for name in (MIGRATION, UNDO):
            shutil.copy(migrate.FOLDER / name, tmp_path)
        assert migrate.migrate(empty_database.admin_url, tmp_path) == [MIGRATION]

        found = conn.execute(
            """
            SELECT m.name, m.state, e.embedding::text, i.done
            FROM embedding_models m
            JOIN embeddings e ON e.model_id = m.id
            JOIN indexing i ON i.model_id = m.id
            """
        ).fetchall()
        assert found == [("small", "active", "[0.60009766,0.7998047]", True)]
        indexes = conn.execute("SELECT indexname FROM pg_indexes WHERE indexdef LIKE '%USING hnsw%'").fetchall()
        assert indexes == [("embeddings_hnsw_1_1",)]
        bodies: dict[str, str] = dict(
            conn.execute("SELECT kind || last_seq, body::text FROM archive_segments").fetchall()
        )
        assert json.loads(bodies["receipts2"]) == [
            {"turn_id": 1, "embedding_model": "small"}, {"turn_id": 2, "embedding_model": None},
        ]  # fmt: skip
        assert json.loads(bodies["receipts3"]) == [
            {"turn_id": 3, "embedding_model": "small", "fallback_steps": [{"step": 1}]}
        ]
        assert bodies["messages2"] == '[{"id": 1, "text": "a space"}]'
        keys = conn.execute("SELECT key FROM alerts ORDER BY 1").fetchall()
        assert keys == [("embedding_models.half.small",), ("rows.spaces.",)]
        left = conn.execute(
            "SELECT conname FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND conname ~ 'space'"
        ).fetchall()
        assert left == [], "names that PostgreSQL made follow"

        assert migrate.undo(empty_database.admin_url, tmp_path) == MIGRATION
        assert [_plain(row) for row in rows(empty_database)] == [_plain(row) for row in before]


def _plain(row: str) -> list[str]:
    """JSON keeps its meaning, not the order of its keys; a table its rows, not their order. 0002 undoes the ladder."""
    return sorted(row.replace("fallback_steps", "ladder")) if "archive_segments" in row else sorted(row.splitlines())
