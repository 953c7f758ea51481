"""Indexes that another one makes superfluous, and the settings by which hot tables are looked after."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import psycopg
import pytest

from shared.embedded import Database
from shared.store.db.pool import Conn
from shared.store.lifecycle import retention
from shared.store.operations import partitions

SMALL_PART = {
    "webhook_events_dead_letters": "the key begins alike and holds the whole ledger; this one what waits for a person",
    "documents_unidentified": "what a job has to do is looked for every ten minutes; none of all documents, once done",
    "channels_needing_reauth": "asked by every scrape; a handful of rows beside every channel",
    "turns_open": "turns_of_conversation holds every turn there ever was; a claim asks what is open, which is few",
}
"""Indexes with a condition whose columns an index without one begins with, and why there are both."""

HOT = (
    "messages", "turns", "outbound", "conversations", "company_totals", "usage_daily", "usage_models", "indexing",
    "jobs", "sweeps", "journal_progress", "receipts", "media", "chunks",
)  # fmt: skip


@pytest.fixture(scope="module")
def owner(module_database: Database) -> Iterator[Conn]:
    with psycopg.connect(module_database.admin_url, autocommit=True) as conn:
        yield conn


def _prefixes(conn: Conn) -> list[tuple[str, str, bool]]:
    """(index, by, conditional): every index that holds nothing unique and whose columns, order, operators and
    expressions another one of its table begins with, under the same condition or under none."""
    rows = conn.execute(
        "WITH i AS (SELECT x.indexrelid, x.indrelid, x.indisunique, x.indnkeyatts, c.relam,"
        "   coalesce(pg_get_expr(x.indpred, x.indrelid), '') AS condition, ARRAY(SELECT ROW(pg_get_indexdef("
        "     x.indexrelid, k, false), x.indoption[k - 1], x.indclass[k - 1], x.indcollation[k - 1])::text"
        "     FROM generate_series(1, x.indnkeyatts) k) AS keys"
        "   FROM pg_index x JOIN pg_class c ON c.oid = x.indexrelid JOIN pg_class t ON t.oid = x.indrelid"
        "   WHERE t.relnamespace = 'public'::regnamespace AND NOT t.relispartition)"
        " SELECT a.indexrelid::regclass::text, b.indexrelid::regclass::text, a.condition <> b.condition"
        " FROM i a JOIN i b ON a.indrelid = b.indrelid AND a.indexrelid <> b.indexrelid AND a.relam = b.relam"
        " WHERE NOT a.indisunique AND (a.condition = b.condition OR b.condition = '')"
        " AND b.keys[1:a.indnkeyatts] = a.keys ORDER BY 1, 2"
    ).fetchall()
    return [(str(index), str(by), bool(conditional)) for index, by, conditional in rows]


def test_no_index_is_a_prefix_of_another_without_a_reason(owner: Conn) -> None:
    found = _prefixes(owner)

    assert [pair for pair in found if not pair[2]] == []
    assert {index for index, _, conditional in found if conditional} == set(SMALL_PART)


def test_a_prefix_would_be_found(owner: Conn) -> None:
    with owner.transaction(force_rollback=True):
        owner.execute("CREATE INDEX superfluous ON messages (company_id, conversation_id)")
        owner.execute("CREATE INDEX one_that_orders_otherwise ON messages (company_id, conversation_id DESC)")

        assert ("superfluous", "messages_company_id_conversation_id_seq_key", False) in _prefixes(owner)
        assert "one_that_orders_otherwise" not in {index for index, _, _ in _prefixes(owner)}


def test_every_table_of_many_rows_leads_its_indexes_by_the_company(owner: Conn) -> None:
    """What a company asks is answered from its own rows; the exceptions are the fleet's own questions."""
    rows = owner.execute(
        "SELECT x.indexrelid::regclass::text FROM pg_index x JOIN pg_class t ON t.oid = x.indrelid"
        " JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = x.indkey[0]"
        " WHERE t.relnamespace = 'public'::regnamespace AND NOT t.relispartition AND a.attname <> 'company_id'"
        " AND EXISTS (SELECT 1 FROM pg_attribute c WHERE c.attrelid = t.oid AND c.attname = 'company_id')"
    ).fetchall()

    assert {str(name) for (name,) in rows} == {
        "api_keys_key_hash_key", "channels_app_id_external_id_key",  # who asks is not known yet
        "channels_one_of_an_app", "channels_one_of_an_account",  # one owner among all companies
        "webhook_events_pkey", "webhook_events_dead_letters",  # by the journal's entry
        "outbound_sending", "outbound_unknown_outcome", "indexing_due",  # few rows, all companies at once
        "model_providers_pkey",  # few rows; a company's route may name one of the installation's
    }  # fmt: skip


def test_hot_tables_and_new_days_of_logs_have_settings_of_their_own(owner: Conn) -> None:
    partitions.make_partitions(owner, date(2031, 5, 6))
    day = retention.Day("webhook_raw", "webhook_raw_20310506", date(2031, 5, 6), kept=False)
    with owner.transaction():
        retention.reduce(owner, day, [])
    rows = owner.execute(
        "SELECT relname::text, coalesce(array_to_string(reloptions, ' '), '') FROM pg_class WHERE relkind = 'r'"
        " AND relnamespace = 'public'::regnamespace"
    ).fetchall()
    found = {str(name): str(options) for name, options in rows}

    assert [name for name in HOT if "autovacuum_vacuum" not in found[name]] == []
    of_logs = {name: found[name] for name in found if "_203105" in name}
    assert {name.partition("_2031")[0] for name in of_logs} == set(partitions.PARTITIONED)
    assert "webhook_raw_20310506_kept" in of_logs
    for name, options in of_logs.items():
        wanted = "insert_scale_factor=0.1" if "webhook_events" in name else "insert_threshold=-1"
        assert wanted in options, name
