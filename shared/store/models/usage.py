"""Stores what models were called for and what it cost: the ledger, a row a call, and its sums.

The sums are written in the transaction that writes the rows, so that they are always the ledger's: a contact's day
(contact_days), a company's day by purpose and model (usage_models), and a company's day (usage_daily).
"""

from __future__ import annotations

from collections.abc import Sequence

import orjson
from psycopg.rows import scalar_row

from shared.model import ModelAttempt
from shared.store.db.pool import Conn

ADD = """
    /* usage.add */
    SELECT add_model_calls(%s, %s, %s, %s, %s::jsonb)
"""


def add(
    conn: Conn, company_id: int, calls: Sequence[ModelAttempt], *, contact_id: int | None = None,
    turn_id: int | None = None, epoch: int = 0,
) -> int | None:  # fmt: skip
    """Record calls of models; returns what they cost in millionths, None if one used tokens that have no price.

    contact_id: the customer for whom they were made. turn_id, epoch: the attempt at a turn that they were part of. Last
    in a transaction of the company: others wait for its day.
    """
    if not calls:
        return 0
    values = (company_id, turn_id, epoch, contact_id, as_json(calls))
    return conn.cursor(row_factory=scalar_row).execute(ADD, values, prepare=True).fetchone()


def as_json(calls: Sequence[ModelAttempt]) -> str:
    """Return calls as add_model_calls() takes them."""
    return orjson.dumps(calls).decode()  # dataclasses as objects
