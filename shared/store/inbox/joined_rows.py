"""Gives rows to another owner who may have one of each kind: when two conversations or two contacts become one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import LiteralString

from psycopg import sql

from shared.store.db.pool import Conn


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows `t` of a table that name their owner in one column. within: which of them; same: which row `n` of the other
    owner means the same, so that there is to be one of both; better: when `t` is kept of the two, otherwise `n` is."""

    table: LiteralString
    owner: LiteralString
    same: LiteralString
    within: LiteralString = "true"
    better: LiteralString = "false"


GIVE_WAY = """
    /* joined_rows.give_way */
    DELETE FROM {table} n
    USING {table} t
    WHERE n.company_id = %(company)s
      AND n.{owner} = %(to)s
      AND t.company_id = n.company_id
      AND t.{owner} = %(from)s
      AND {within}
      AND {same}
      AND {better}
"""
TAKE = """
    /* joined_rows.take */
    UPDATE {table} t
    SET {owner} = %(to)s
    WHERE t.company_id = %(company)s
      AND t.{owner} = %(from)s
      AND {within}
      AND NOT EXISTS (
          SELECT 1
          FROM {table} n
          WHERE n.company_id = t.company_id
            AND n.{owner} = %(to)s
            AND {same}
      )
"""
DROP_LEFT = """
    /* joined_rows.drop_left */
    DELETE FROM {table} t
    WHERE t.company_id = %(company)s
      AND t.{owner} = %(from)s
      AND {within}
"""


def take(conn: Conn, rows: Rows, company_id: int, before: int | str, now: int | str, **values: object) -> None:
    """Give rows another owner; of two that mean the same one stays."""
    names = {name: sql.SQL(getattr(rows, name)) for name in ("same", "within", "better")}
    names |= {"table": sql.SQL(rows.table), "owner": sql.SQL(rows.owner)}
    for statement in (GIVE_WAY, TAKE, DROP_LEFT):
        conn.execute(sql.SQL(statement).format(**names), {"company": company_id, "from": before, "to": now, **values})
