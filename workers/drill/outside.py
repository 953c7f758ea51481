"""The models, the platform and its webhooks: slow, refusing, away, again and again; poison; clocks; a backlog."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import psycopg

from shared.store.db.pool import set_companies
from workers.drill.stage import Fault, Stage
from workers.sandbox.backlog import insert_backlog
from workers.sandbox.bots import Bot, Webhook, post
from workers.sandbox.checks import arrivals

BREAKER_CLOSES_WITHIN_S = 90.0
"""The fault before may have opened a model's breaker; until a trial call nobody asks that model."""
SILENT = "timeout_after_effect"
HANGING = 40
"""Customers whose answers hang at once: more than the threads of all processes that deliver."""
SLOWER_S = 2.0
"""So much slower may the others' p95 be meanwhile; each send that hangs holds its thread for longer."""
BACKLOG_COMPANIES, BACKLOG_CHATS = 500, 200


@contextmanager
def _fails(stage: Stage, target: str, **how: Any) -> Iterator[None]:
    """The stand-in does so to every request, and did it at least once."""
    before = _suffered(stage, target, how["kind"])
    stage.system.control("POST", "faults", target=target, count=None, **how)
    try:
        stage.wait(
            lambda: _suffered(stage, target, how["kind"]) > before, f"a request suffers {how}", BREAKER_CLOSES_WITHIN_S
        )
        stage.struck()
        yield
    finally:
        stage.system.control("DELETE", "faults")


def _suffered(stage: Stage, target: str, kind: str) -> int:
    answer = stage.system.control(
        "GET", "wait", log="attempts", target=target, fault=kind, count=1, timeout_s=0, items=0
    )
    return int(answer["count"])


def _failing(target: str, quick_s: float, full_s: float, **how: Any) -> Callable[[Stage], None]:
    def play(stage: Stage) -> None:
        with _fails(stage, target, **how):
            stage.hold(quick_s, full_s)

    return play


def _others_say_nothing(stage: Stage) -> None:
    """All platforms but Telegram take messages and never answer. Their echoes, statuses and events settle each send;
    programs get theirs again, under its id."""
    targets = ("graph", "whatsapp", "slack", "receiver")
    before = {target: _suffered(stage, target, SILENT) for target in targets}
    for target in targets:
        stage.system.control("POST", "faults", target=target, count=None, kind=SILENT)
    try:
        for target in targets:
            stage.wait(partial(_suffers, stage, target, before[target]), f"{target} says nothing")
        stage.struck()
        stage.hold(1.5, 5.0)
    finally:
        stage.system.control("DELETE", "faults")


def _suffers(stage: Stage, target: str, before: int) -> bool:
    return _suffered(stage, target, SILENT) > before


def _hangs(stage: Stage) -> None:
    """Telegram takes requests and says nothing, and many of its customers write at once: more sends hang than a process
    has threads. Customers on the other platforms must hardly notice."""
    bots = [bot for bot in stage.traffic.bots if bot.platform == "telegram"]
    others = [bot for bot in stage.traffic.bots if bot.platform != "telegram" and not bot.is_widget]
    stage.hold(8.0, 14.0)
    before_s = _p95_s(stage, others, time.time() - 8.0, time.time() - 2.0)
    before = _suffered(stage, "telegram", SILENT)
    stage.system.control("POST", "faults", target="telegram", count=None, kind=SILENT)
    try:
        stage.wait(partial(_suffers, stage, "telegram", before), "telegram says nothing")
        stage.struck()
        stage.say("telegram says nothing, and many of its customers write")
        began = time.time()
        for number in range(HANGING):
            stage.traffic.write(bots[number % len(bots)], "When are your shops open?")
        stage.hold(6.0, 14.0)  # longer than a send may take
        while_s = _p95_s(stage, others, began, time.time() - 2.0)
    finally:
        stage.system.control("DELETE", "faults")
    stage.note = f"p95 on the other platforms: {before_s:.1f} s before, {while_s:.1f} s while it hung"
    stage.wait(lambda: while_s <= before_s + SLOWER_S, f"the others are as quick as before ({stage.note})", 0)


def _p95_s(stage: Stage, bots: list[Bot], since: float, until: float) -> float:
    """From its acceptance until the first answer is on its platform, for messages of these bots' customers accepted
    within this time; for those without an answer, until now."""
    arrived, now = arrivals(stage.system), time.time()
    took = sorted(
        min(arrived.get(customer.chat, [now])) - customer.accepted_at
        for customer in list(stage.traffic.customers)
        if customer.bot in bots and customer.accepted_at is not None and since <= customer.accepted_at <= until
    )
    return took[int(len(took) * 0.95)] if took else 0.0


def _accepted(stage: Stage, webhook: Webhook) -> bool:
    return post(stage.system.http, webhook) == 200


def _webhooks_again(stage: Stage) -> None:
    """Everything once more, backwards; and chats whose three messages come in the wrong order, three times each."""
    before = stage.system.balance().dropped.get("duplicate", 0)
    stage.struck()
    again = stage.traffic.posted[::-1]
    for webhook in again:
        for _ in range(2):
            stage.wait(partial(_accepted, stage, webhook), "it is accepted again")
    bots = [bot for bot in stage.traffic.bots if not bot.is_widget]
    for bot in bots:
        stage.traffic.write(bot, "Hello!", "I bought shoes", "How many days do I have?", backwards=True, copies=3)
    wanted = before + 2 * len(again) + 6 * len(bots)
    stage.wait(lambda: stage.system.balance().dropped.get("duplicate", 0) >= wanted, f"{wanted} duplicates are dropped")
    stage.note = f"{wanted - before} webhooks came again"


def _poison(stage: Stage) -> None:
    """A message that the database refuses, among others; the operator's constraint stands for any such thing."""
    before = stage.system.balance().events.get("dead_letter", 0)
    stage.system.do("ALTER TABLE messages ADD CONSTRAINT drill_poison CHECK (text <> 'poison') NOT VALID")
    try:
        stage.struck()
        bots = [bot for bot in stage.traffic.bots if not bot.is_widget]
        for bot in bots:
            stage.traffic.write(bot, "poison").dead_letter = True
        wanted = before + len(bots)
        stage.wait(
            lambda: stage.system.balance().events.get("dead_letter", 0) >= wanted, f"{len(bots)} dead letters",
        )  # fmt: skip
    finally:
        stage.system.do("ALTER TABLE messages DROP CONSTRAINT drill_poison")
    stage.note = f"{len(bots)} poison events became dead letters, each alone"


def _clock_jumps(stage: Stage) -> None:
    """PostgreSQL's clock goes an hour ahead: to the rows it is the same whether the clock moves or they do. Every
    lease ends at once, every send under way is overdue, and answers are being written."""
    stage.system.control("POST", "latency", target="openai", first_byte_s=1.0, chunk_s=0.0)
    try:
        stage.wait(lambda: _answering(stage) > 0, "an answer is being written")
        stage.struck()
        moved = 0
        for _ in range(3):
            moved += len(stage.system.rows(
                """
                /* drill.clock */
                UPDATE turns
                SET due_at = due_at - interval '1 hour', first_at = first_at - interval '1 hour'
                WHERE state IN ('waiting', 'answering')
                RETURNING 1
                """
            ))  # fmt: skip
            moved += len(stage.system.rows(
                """
                /* drill.clock */
                UPDATE outbound
                SET due_at = due_at - interval '1 hour', created_at = created_at - interval '1 hour'
                WHERE state IN ('queued', 'sending')
                RETURNING 1
                """
            ))  # fmt: skip
            stage.hold(0.3, 1.0)
    finally:
        stage.system.control("POST", "latency", target="openai", first_byte_s=0.0, chunk_s=0.0)
    stage.note = f"{moved} rows were an hour older at once"


def _answering(stage: Stage) -> int:
    return int(stage.system.rows("SELECT count(*) FROM turns WHERE state = 'answering'")[0][0])


def _backlog(stage: Stage) -> None:
    """A hundred thousand turns of 500 other companies are overdue. Customers of ours must not wait for them. After a
    while what is left is cancelled; nobody ever accepted it."""
    with psycopg.connect(str(stage.system.config.database.admin_url), autocommit=True) as conn:
        rows = conn.execute(
            """
            /* drill.companies */
            INSERT INTO companies (name)
            SELECT 'backlog ' || n
            FROM generate_series(1, %s) n
            RETURNING id
            """,
            (BACKLOG_COMPANIES,),
        ).fetchall()
        companies = [int(row[0]) for row in rows]
        with conn.transaction():
            set_companies(conn, set(companies))
            insert_backlog(conn, companies, BACKLOG_CHATS)
        stage.struck()
        began = time.monotonic()
        stage.hold(5.0, 30.0)
        done = _ended(conn, companies)
        seconds = time.monotonic() - began
        conn.execute(
            """
            /* drill.cancel */
            UPDATE turns
            SET state = 'cancelled', finished_at = clock_timestamp(), epoch = epoch + 1
            WHERE company_id = ANY(%s)
              AND state IN ('waiting', 'answering')
            """,
            (companies,),
        )
    total = BACKLOG_COMPANIES * BACKLOG_CHATS
    stage.note = (
        f"of {total} overdue turns {done / seconds:.0f} a second ended while ours were answered; the rest cancelled"
    )
    stage.wait(lambda: done > 0, "turns of the backlog end", 0)


def _ended(conn: psycopg.Connection[Any], companies: list[int]) -> int:
    row = conn.execute(
        """
        /* drill.ended */
        SELECT count(*)
        FROM turns
        WHERE company_id = ANY(%s)
          AND state NOT IN ('waiting', 'answering')
        """,
        (companies,),
    ).fetchone()
    assert row is not None
    return int(row[0])


FAULTS = (
    Fault("model refuses", "the model answers 429, again and again",
          _failing("openai", 1.5, 10.0, kind="status", status=429, retry_after=1)),
    Fault("model hangs", "the model takes requests and says nothing",
          _failing("openai", 1.5, 10.0, kind="timeout_before_effect")),
    Fault("model is away", "the model closes every connection",
          _failing("openai", 1.5, 10.0, kind="drop_before_effect")),
    Fault("platform refuses", "the platform answers 429 with a time to wait",
          _failing("telegram", 1.5, 10.0, kind="status", status=429, retry_after=1), short=True),
    Fault("platform is away", "the platform answers 503", _failing("telegram", 1.5, 10.0, kind="status", status=503)),
    Fault("platform says nothing", "the platform takes messages and its answers never come",
          _failing("telegram", 1.5, 5.0, kind=SILENT), unknown_outcomes=True),
    Fault("platform hangs", "a platform says nothing while many write; its breaker opens, the others go on", _hangs,
          unknown_outcomes=True),
    Fault("others say nothing", "the other platforms take messages and never answer", _others_say_nothing, short=True),
    Fault("webhooks again", "webhooks that come three times, and in the wrong order", _webhooks_again, short=True),
    Fault("poison", "events in a batch that the database refuses", _poison, short=True),
    Fault("clock jumps", "PostgreSQL's clock goes an hour ahead", _clock_jumps, short=True),
    Fault("backlog", "100,000 overdue turns of other companies", _backlog),
)  # fmt: skip
