"""Counts exactly what archival would move. For the owner role."""

from __future__ import annotations

from datetime import datetime

from psycopg import sql

from shared.store.db.pool import Conn
from shared.store.lifecycle.archive import BYTES, KINDS, OLD, Kind, plan_small_sets

FORETELL = (
    """
    /* archive_preview.foretell */
    WITH p AS MATERIALIZED (
        SELECT c.id, c.archived_seq AS from_seq, c.message_count - %(keep)s AS cut
    """
    + OLD
    + """
    ), chosen AS (
        SELECT r AS row
        FROM {table} r{choose}
    )
    SELECT count(*), coalesce(sum("""
    + BYTES
    + """), 0)
    FROM chosen g
    """
)


def foretell(conn: Conn, company_id: int, *, before: datetime, keep: int) -> dict[str, tuple[int, int]]:
    """Say exactly what `pick` and `move` would move of a company: kind → (rows, bytes of them written out)."""
    plan_small_sets(conn)
    found = {}
    for kind in KINDS:
        query = sql.SQL(FORETELL).format(table=sql.Identifier(kind.name), choose=sql.SQL(_as_join(kind)))
        row = conn.execute(query, {"company": company_id, "before": before, "keep": keep}).fetchone()
        assert row is not None
        found[kind.name] = (int(str(row[0])), int(str(row[1])))
    return found


TURNS_OF = """
    , p
    WHERE r.company_id = %(company)s
      AND r.conversation_id = p.id
      AND r.last_seq <= p.cut
      AND NOT EXISTS (
          SELECT 1
          FROM receipts x
          JOIN messages m ON m.company_id = x.company_id AND m.id = x.message_id
          WHERE x.company_id = %(company)s
            AND x.turn_id = r.id
            AND m.seq > p.cut
      )
"""


def _as_join(kind: Kind) -> str:
    """Turn the choice of a DELETE's USING into that of a SELECT. A turn whose receipt goes along counts; only a receipt
    that stays keeps its turn, and while nothing has been deleted the receipt's message tells whether it stays."""
    if kind.name == "turns":
        return TURNS_OF
    return kind.choose.replace("USING p", ", p", 1)
