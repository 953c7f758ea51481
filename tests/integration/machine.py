"""Ground and rules for state machines on the real store functions: two connections, any order, crashes included.

Time stands still in a run and is moved by changing the rows' times; a worker that crashes just forgets its claim.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import psycopg
from hypothesis import HealthCheck, settings, strategies
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

from shared.embedded import Database
from shared.store.db.pool import Conn, set_companies
from shared.store.inbox import company_totals, conversations, messages
from shared.store.inbox.conversations import ChatKey, Head
from tests.factories import make_bot

RUNS = settings(
    max_examples=150,
    stateful_step_count=30,
    deadline=None,
    derandomize=True,  # the same runs everywhere
    database=None,
    suppress_health_check=list(HealthCheck),
)
WORKERS = strategies.sampled_from(("a", "b"))
SELDOM = strategies.sampled_from((False, False, False, False, True))
CHATS = strategies.sampled_from(("1", "1", "1", "2"))  # most of it in one conversation, or little meets


class Ground:
    """What all runs stand on: one company and its channel, a connection for each worker and one for the owner."""

    def __init__(self, server: Database) -> None:
        self.bot = make_bot(server.admin_url)
        self.owner = psycopg.connect(server.admin_url, autocommit=True)
        self.workers = {
            name: psycopg.connect(server.url, autocommit=True, prepare_threshold=None) for name in ("a", "b", "intake")
        }

    @contextmanager
    def transaction(self, worker: str, *, company: bool = True) -> Iterator[Conn]:
        conn = self.workers[worker]
        with conn.transaction():
            set_companies(conn, [self.bot.company_id] if company else [])
            yield conn

    def clear(self) -> None:
        """Nothing is left of an earlier run."""
        for table in ("delivery_attempts", "outbound", "turns", "messages", "conversations", "company_totals"):
            self.owner.execute(f"DELETE FROM {table}".encode())

    def close(self) -> None:
        for conn in (self.owner, *self.workers.values()):
            conn.close()


class Machine(RuleBasedStateMachine):
    """The ground under a run: two conversations of its own."""

    ground: ClassVar[Ground]

    def __init__(self) -> None:
        super().__init__()
        self.ground.clear()
        self.company = self.ground.bot.company_id

    def key(self, chat: str) -> ChatKey:
        return ChatKey(self.company, self.ground.bot.channel_id, chat)

    def rows(self, query: str, **values: Any) -> list[tuple[Any, ...]]:
        return self.ground.owner.execute(query.encode(), values).fetchall()

    def say(self, conn: Conn, locked: conversations.Locked, role: str) -> tuple[int, int]:
        """A message at the conversation's end; returns (id, seq)."""
        seq = locked.message_count + 1
        message = messages.add_own(conn, self.company, locked.id, locked.channel_id, seq, role, "words")
        by_customer = role == "customer"
        conversations.advance(conn, [Head(self.company, locked.id, seq, int(by_customer), message, role, "words")])
        company_totals.add_totals(conn, {self.company: (int(by_customer), int(by_customer))})
        return message, seq


def run(machine: type[Machine], ground: Ground) -> None:
    Machine.ground = ground
    run_state_machine_as_test(machine, settings=RUNS)
