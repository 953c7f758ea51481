"""Intake: journal entries to rows, as an intake worker drains a backlog: read, parse, store, commit, XACK."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg

from shared.embedded import Database
from shared.store.inbound import journal
from tests.factories import Bot, Inbox, make_bot, update
from workers.intake import HANDS

BOTS = 20
EVENTS = 6_400
"""For each kind in each round: two full batches for each of the 16 shards."""
BURST = 5
ROUNDS = 3
TEXT = "How many days do I have to return shoes that I bought in your shop in March?"

Chats = Iterator[tuple[Bot, int]]


def measure(database: Database, redis_url: str, scale: float) -> dict[str, list[float]]:
    """Kind of traffic → events a second in each round; the journal is filled before the clock runs."""
    events = max(1_600, int(EVENTS * scale))
    inbox = Inbox(database, redis_url)
    bots = [make_bot(database.admin_url) for _ in range(BOTS)]
    found: dict[str, list[float]] = {}
    try:
        for number in range(ROUNDS):
            first = 1 + number * events
            kinds: dict[str, Callable[[], Chats]] = {
                "new conversations": lambda first=first: _each(bots, range(first, first + events)),  # type: ignore[misc]
                "existing conversations": lambda first=first: _each(bots, _mixed(first, events)),  # type: ignore[misc]
                f"bursts of {BURST}": lambda first=first: _each(  # type: ignore[misc]
                    bots, (chat for chat in range(first, first + events // BURST) for _ in range(BURST))
                ),
            }
            for kind, chats in kinds.items():
                _fill(inbox, chats())
                found.setdefault(kind, []).append(_drain(inbox, events))
        _check(database, events * ROUNDS * len(kinds))
    finally:
        inbox.close()
    return found


def _each(bots: list[Bot], chats: Iterator[int] | range | list[int]) -> Chats:
    for chat in chats:
        yield bots[chat % len(bots)], chat


def _mixed(first: int, count: int) -> list[int]:
    chats = list(range(first, first + count))
    random.Random(first).shuffle(chats)
    return chats


def _fill(inbox: Inbox, chats: Chats) -> None:
    """As the gateway appends: pipelined, the shard by app and chat."""
    pipe = inbox.client.pipeline(transaction=False)
    shards = inbox.settings.journal.shards
    for bot, chat in chats:
        stream = journal.stream_of(journal.shard_of(bot.app_id, str(chat), shards))
        raw = json.dumps(update(TEXT, chat=chat)).encode()
        pipe.xadd(stream, journal.fields("telegram", bot.app_id, int(time.time() * 1000), raw))  # type: ignore[arg-type]
        if len(pipe) >= 500:
            pipe.execute()
    pipe.execute()


def _drain(inbox: Inbox, events: int) -> float:
    effected, found = 0, 1
    with ThreadPoolExecutor(HANDS) as hands:
        began_s = time.perf_counter()
        while found:
            batches = [stored for stored in hands.map(inbox.drain.drain, inbox.reader.streams) if stored is not None]
            found = sum(stored.requests for stored in batches)
            effected += sum(stored.effected for stored in batches)
        seconds = time.perf_counter() - began_s
    if effected != events:
        raise RuntimeError(f"{effected} of {events} events took effect")
    return events / seconds


def _check(database: Database, events: int) -> None:
    """What was counted stands in the tables."""
    with psycopg.connect(database.admin_url) as conn:
        row = conn.execute(
            """
                SELECT (SELECT count(*) FROM messages),
                    (SELECT count(*) FROM webhook_events WHERE outcome = 'effected'),
                    (SELECT sum(unread) FROM company_totals)
            """
        ).fetchone()
    if row is None or set(map(int, row)) != {events}:
        raise RuntimeError(f"of {events} events the tables hold {row}")


def lines(per_s: dict[str, list[float]]) -> list[str]:
    said = [f"events stored a second by one worker, batches of up to 200, median of {ROUNDS} rounds (each):"]
    for kind, rounds in per_s.items():
        each = ", ".join(f"{one:.0f}" for one in rounds)
        said.append(f"  {kind:24} {sorted(rounds)[len(rounds) // 2]:6.0f}   ({each})")
    return said
