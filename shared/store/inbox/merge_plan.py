"""Which number each message has once two conversations are one (merging)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from psycopg.rows import tuple_row

from shared.store.db.pool import Conn
from shared.store.inbox.conversations import Locked

Numbers = tuple[int, int]
"""Of messages or of customers' messages: behind the first, up to the second."""


@dataclass(frozen=True, slots=True)
class Side:
    """A conversation's borders, as the seq of the last message before each: of its archive, of what no open turn asks,
    and its end. customers: how many customers' messages there are up to each. read: their numbers that are read."""

    id: int
    borders: tuple[int, int, int]
    customers: tuple[int, int, int]
    read: tuple[Numbers, ...]


@dataclass(frozen=True, slots=True)
class Stretch:
    """Messages of one conversation that keep their order: (from, to], which move by `by`; and the same of the numbers
    of the customers' messages among them."""

    conversation_id: int
    seqs: Numbers
    by: int
    customers: Numbers
    customers_by: int


SIDE = """
    /* merge_plan.side */
    SELECT b.archived, b.settled, b.last, c.customer_seq - a.hot, c.customer_seq - o.open, c.customer_seq, c.read_seq,
        c.read_beyond
    FROM conversations c
    CROSS JOIN LATERAL (
        SELECT c.archived_seq AS archived, c.message_count AS last, greatest(
            c.archived_seq,
            least(
                c.message_count,
                (
                    SELECT min(t.first_seq) - 1
                    FROM turns t
                    WHERE t.company_id = c.company_id
                      AND t.conversation_id = c.id
                      AND t.state IN ('waiting', 'answering')
                )
            )
        ) AS settled
    ) b
    CROSS JOIN LATERAL (
        SELECT count(*) AS hot
        FROM messages m
        WHERE m.company_id = c.company_id
          AND m.conversation_id = c.id
          AND m.seq > b.archived
          AND m.role = 'customer'
    ) a
    CROSS JOIN LATERAL (
        SELECT count(*) AS open
        FROM messages m
        WHERE m.company_id = c.company_id
          AND m.conversation_id = c.id
          AND m.seq > b.settled
          AND m.role = 'customer'
    ) o
    WHERE c.company_id = %s
      AND c.id = %s
"""


def side_of(conn: Conn, one: Locked) -> Side:
    row: Any = conn.cursor(row_factory=tuple_row).execute(SIDE, (one.company_id, one.id)).fetchone()
    archived, settled, last, *customers, read_seq, beyond = row
    read = ((0, read_seq), *((part.lower - 1, part.upper - 1) for part in beyond))
    return Side(one.id, (archived, settled, last), (customers[0], customers[1], customers[2]), read)


def _stretches(side: Side) -> list[tuple[Numbers, Numbers]]:
    """Archived, settled, open."""
    return list(zip(pairwise((0, *side.borders)), pairwise((0, *side.customers)), strict=True))


@dataclass(frozen=True, slots=True)
class Plan:
    """Every stretch of both conversations, in their order from now on. read: of each, what was read of it."""

    stretches: tuple[Stretch, ...]
    read: tuple[tuple[int, tuple[Numbers, ...]], ...]

    def of(self, conversation_id: int) -> list[Stretch]:
        """Those with messages in them."""
        here = [one for one in self.stretches if one.conversation_id == conversation_id]
        return [one for one in here if one.seqs[0] < one.seqs[1]]

    def seq(self, conversation_id: int, seq: int) -> int:
        return next((seq + one.by for one in self.of(conversation_id) if one.seqs[0] < seq <= one.seqs[1]), seq)


def plan_of(first: Side, second: Side) -> Plan:
    order = [(side.id, *stretch) for pair in zip(_stretches(first), _stretches(second), strict=True)
             for side, stretch in zip((first, second), pair, strict=True)]  # fmt: skip
    seq = customer = 0
    found = []
    for conversation_id, seqs, customers in order:
        found.append(Stretch(conversation_id, seqs, seq - seqs[0], customers, customer - customers[0]))
        seq, customer = seq + seqs[1] - seqs[0], customer + customers[1] - customers[0]
    return Plan(tuple(found), ((first.id, first.read), (second.id, second.read)))


def read_after(plan: Plan) -> Iterator[Numbers]:
    """The numbers of what is read, of both, as they are from now on."""
    read = dict(plan.read)
    for one in plan.stretches:
        for part in read[one.conversation_id]:
            low, high = max(part[0], one.customers[0]), min(part[1], one.customers[1])
            if low < high:
                yield low + one.customers_by, high + one.customers_by
