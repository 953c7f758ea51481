"""Statements' names: what stands in their comment, and nothing of what they say."""

from __future__ import annotations

from typing import Any

import pytest
from psycopg import sql

from shared.store.db.timed import UNNAMED, name_of


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("/* turns.claim */ SELECT 1", "turns.claim"),
        (b"/* pool.begin */ BEGIN; SET LOCAL x = '5'", "pool.begin"),
        (sql.SQL("/* retention.drop */ DROP TABLE {}").format(sql.Identifier("t")), "retention.drop"),
        (sql.SQL("/* retention.drop */ DROP TABLE t"), "retention.drop"),
        (sql.SQL("") + sql.SQL("SELECT 'a secret'"), UNNAMED),
        ("\n    /* turns.claim */\n    SELECT 1\n", "turns.claim"),
        ("    /* turns.claim */\n    SELECT 1", "turns.claim"),
        (b"\n    /* pool.begin */\n    BEGIN", "pool.begin"),
        (sql.SQL("\n    /* retention.drop */\n    DROP TABLE {}").format(sql.Identifier("t")), "retention.drop"),
        (sql.Composed([]), UNNAMED),
        ("SELECT 'a secret' /* turns.claim */", UNNAMED),
        ("/* never closed", UNNAMED),
        ("/* " + "x" * 200 + " */ SELECT 1", UNNAMED),
        ("", UNNAMED),
    ],
)
def test_a_statements_name(query: Any, name: str) -> None:
    assert name_of(query) == name
