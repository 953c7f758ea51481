"""The baseline makes what the migrations before it made, and a database of those goes on from it."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from shared.embedded import Database
from shared.store.db import migrate
from tests.schema import rows, statements
from tests.services import Services

OLD_CHAIN = migrate.FOLDER / "old_chain"
CATALOGS = """
    SELECT 'function ' || p.oid::regprocedure, p.prosecdef::text, p.proconfig::text, p.proacl::text, md5(p.prosrc)
    FROM pg_proc p WHERE p.pronamespace = 'public'::regnamespace
    UNION ALL
    SELECT 'policy ' || tablename || ' ' || policyname, roles::text, cmd, qual, with_check FROM pg_policies
    UNION ALL
    SELECT 'relation ' || c.oid::regclass, c.relacl::text, c.reloptions::text, c.relrowsecurity::text, ''
    FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace
    UNION ALL
    SELECT 'column ' || a.attrelid::regclass || ' ' || a.attname, a.attnum::text, a.attacl::text, '', ''
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
    WHERE c.relnamespace = 'public'::regnamespace AND a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p')
    ORDER BY 1
"""


@pytest.fixture
def old(empty_database: Database) -> Database:
    """What the old migrations make."""
    migrate.migrate(empty_database.admin_url, OLD_CHAIN)
    return empty_database


@pytest.fixture
def fresh(services: Services) -> Iterator[Database]:
    with services.empty_database() as database:
        migrate.migrate(database.admin_url)
        yield database


def _catalogs(database: Database) -> list[tuple[str, ...]]:
    with psycopg.connect(database.admin_url) as conn:
        return conn.execute(CATALOGS).fetchall()


def test_the_old_chain_and_the_baseline_give_the_same_but_for_names_that_postgresql_chose(
    old: Database, fresh: Database
) -> None:
    only_old = set(statements(old)) - set(statements(fresh))
    only_fresh = set(statements(fresh)) - set(statements(old))

    # `indexing` was made beside a table of the same name: its constraints had numbers. Nothing calls claim_import.
    plain = {statement.replace("_not_null1", "_not_null").replace("_fkey1", "_fkey") for statement in only_old}
    named = {s for s in plain if not s.startswith(("Name: claim_import(", "Name: FUNCTION claim_import("))}
    assert {s.partition(";")[0] for s in named} == {s.partition(";")[0] for s in only_fresh} == {
        "Name: indexing", "Name: indexing indexing_company_id_document_id_fkey",
        "Name: indexing indexing_company_id_fkey",
    }  # fmt: skip
    assert rows(old) == rows(fresh)


def test_a_database_of_the_old_chain_becomes_the_same_as_a_fresh_one(old: Database, fresh: Database) -> None:
    applied = migrate.migrate(old.admin_url)

    assert all(migrate.is_repeatable(name) for name in applied)
    assert statements(old) == statements(fresh)
    assert _catalogs(old) == _catalogs(fresh)
    assert rows(old) == rows(fresh)
    assert migrate.pending(old.admin_url) == []
    assert migrate.migrate(old.admin_url) == []
