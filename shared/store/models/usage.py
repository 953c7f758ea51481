"""Stores what models were called for and what it cost: the ledger, a row a call, and its sums.

The sums are written in the transaction that writes the rows, so that they are always the ledger's: a contact's day
(contact_days), a company's day by purpose and model (usage_models), and a company's day (usage_daily).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import LiteralString

import orjson
from psycopg.rows import scalar_row

from shared.model import ModelAttempt
from shared.store.db.pool import Conn

ADD = """
    /* usage.add */
    SELECT add_model_calls(%(company)s, %(turn)s, %(epoch)s,
        settle_reservation(%(company)s, %(reservation)s, %(contact)s), %(calls)s::jsonb)
"""


def add(
    conn: Conn, company_id: int, calls: Sequence[ModelAttempt], *, contact_id: int | None = None,
    turn_id: int | None = None, epoch: int = 0, reservation_id: int | None = None,
) -> int | None:  # fmt: skip
    """Record calls of models; returns what they cost in millionths, None if one used tokens that have no price.

    contact_id: the customer for whom they were made. turn_id, epoch: the attempt at a turn that they were part of.
    reservation_id: what was reserved for them in a budget, which is settled by this and whose contact is charged. Last
    in a transaction of the company: others wait for its day.
    """
    return _run(conn, ADD, company_id, calls, contact_id, turn_id, epoch, reservation_id)


SETTLE = """
    /* usage.settle */
    SELECT settle_model_calls(%(company)s, %(turn)s, %(epoch)s, %(reservation)s, %(contact)s, %(calls)s::jsonb)
"""


def settle(
    conn: Conn, company_id: int, calls: Sequence[ModelAttempt], *, contact_id: int | None = None,
    turn_id: int | None = None, epoch: int = 0, reservation_id: int | None = None,
) -> int | None:  # fmt: skip
    """Do what add() does, as a transaction of its own. conn: in autocommit."""
    return _run(conn, SETTLE, company_id, calls, contact_id, turn_id, epoch, reservation_id)


def _run(
    conn: Conn, statement: LiteralString, company_id: int, calls: Sequence[ModelAttempt], contact_id: int | None,
    turn_id: int | None, epoch: int, reservation_id: int | None,
) -> int | None:  # fmt: skip
    if not calls and reservation_id is None:
        return 0
    values = {
        "company": company_id, "turn": turn_id, "epoch": epoch, "contact": contact_id, "reservation": reservation_id,
        "calls": as_json(calls),
    }  # fmt: skip
    return conn.cursor(row_factory=scalar_row).execute(statement, values, prepare=True).fetchone()


def as_json(calls: Sequence[ModelAttempt]) -> str:
    """Return calls as add_model_calls() takes them."""
    return orjson.dumps(calls).decode()  # dataclasses as objects
