"""A database that the migrations before the baseline made: what 0001_base.sql to 0053_languages.sql led to is what the
baseline makes, so such a database goes on from there."""

from __future__ import annotations

from collections.abc import Mapping

import psycopg

from shared.errors import SettingsError

FIRST = "0001_base.sql"
LAST = "0053_languages.sql"
LAST_CHECKSUM = "4444c302049e27e94a6d542490ad02cc83b79685dc44669458b9e463b2c7a539"
BASELINE = "0001_baseline"

ADOPT = """
    /* old_chain.adopt */
    DO $$
    DECLARE
        one record;
    BEGIN
        -- `indexing` was made beside a table of the same name, so that PostgreSQL gave its constraints numbers
        FOR one IN SELECT conname FROM pg_constraint WHERE conrelid = 'indexing'::regclass AND conname ~ '1$' LOOP
            EXECUTE format('ALTER TABLE indexing RENAME CONSTRAINT %I TO %I', one.conname, rtrim(one.conname, '1'));
        END LOOP;
        DROP FUNCTION IF EXISTS claim_import(bigint, double precision);  -- nothing calls it
        DELETE FROM schema_migrations;
    END $$
"""

RECORD = """
    /* old_chain.record */
    INSERT INTO schema_migrations (name, checksum)
    VALUES (%(name)s, %(checksum)s)
"""


def is_whole(applied: Mapping[str, str]) -> bool:
    return max(applied, default="") == LAST and applied[LAST] == LAST_CHECKSUM


def adopted(conn: psycopg.Connection, applied: Mapping[str, str], wanted: Mapping[str, str]) -> Mapping[str, str]:
    """What counts as applied (checksums by name): of a database that the old migrations made the baseline, which is
    recorded in their place; of every other one what was applied. wanted: the checksums of the files that are there.

    Raises SettingsError for a database that the old migrations made in part.
    """
    if FIRST not in applied or BASELINE not in wanted:
        return applied
    if not is_whole(applied):
        raise SettingsError(
            f"this database is older than the baseline of the schema: its newest migration is {max(applied)}, and the"
            f" baseline stands for all up to {LAST}. Run ./switchboard migrate of the last version that has {LAST},"
            " then of this one"
        )
    with conn.transaction():
        conn.execute(ADOPT)
        conn.execute(RECORD, {"name": BASELINE, "checksum": wanted[BASELINE]})
    return {BASELINE: wanted[BASELINE]}
