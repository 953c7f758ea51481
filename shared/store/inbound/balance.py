"""The balance: what was received, and where all of it is. As either role."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

import psycopg

from shared.store.db.pool import Conn
from shared.store.inbound import ledger
from shared.store.inbound.journal import Reader

COUNTING_MS = "60000"
"""Events are counted over the whole ledger."""


@dataclass(slots=True)
class Balance:
    """requests: received = stored + in flight, counted from the streams and the ledger independently.
    events: every stored request holds one or more. repeats: our own re-readings after a crash, counted apart
    from the platforms' duplicates (dropped as `duplicate`)."""

    requests_received: int = 0
    requests_stored: int = 0
    requests_in_flight: int = 0
    redrives: int = 0
    repeats: int = 0
    events: dict[str, int] = field(default_factory=dict)
    dropped: dict[str, int] = field(default_factory=dict)
    turns: dict[str, int] = field(default_factory=dict)
    outbound: dict[str, int] = field(default_factory=dict)

    @property
    def missing(self) -> int:
        """Received and nowhere to be found; below 0 where more is stored than was received."""
        return self.requests_received - self.requests_stored - self.redrives - self.requests_in_flight

    @property
    def closes(self) -> bool:
        return self.missing == 0

    @property
    def at_rest(self) -> bool:
        """Closes, and nothing is under way any more."""
        busy = self.turns.get("waiting", 0) + self.turns.get("answering", 0)
        busy += self.outbound.get("queued", 0) + self.outbound.get("sending", 0)
        return self.closes and not busy and not self.requests_in_flight


def take(conn: Conn, reader: Reader) -> Balance:
    """Ask for the balance, on a connection outside any transaction. Each stream is looked at while its shard is held,
    so that the sum is exact also under load; the holder waits a moment."""
    balance = Balance()
    for stream in reader.streams:
        with conn.transaction():
            _add_stream(conn, reader, stream, balance)
    with conn.transaction():
        conn.execute("/* balance.bound */ SELECT set_config('statement_timeout', %s, true)", (COUNTING_MS,))
        rows = conn.execute("/* balance.counts */ SELECT what, name, n FROM ops_counts() ORDER BY name").fetchall()
    for what, name, count in rows:
        getattr(balance, str(what))[str(name)] = int(str(count))
    return balance


def _add_stream(conn: Conn, reader: Reader, stream: str, balance: Balance) -> None:
    """Count one stream; it is held until the end of the transaction."""
    ledger.lock_shard(conn, stream)
    facts = reader.facts(stream)
    row = conn.execute(
        "/* balance.take */ SELECT requests, redrives, repeats FROM journal_progress WHERE stream = %s",
        (stream,),
    ).fetchone()
    requests, redrives, repeats = row or (0, 0, 0)
    stored_already = len(_stored(conn, stream, facts.pending))
    balance.requests_received += facts.added + facts.base
    balance.requests_stored += int(str(requests))
    balance.redrives += int(str(redrives))
    balance.repeats += int(str(repeats))
    balance.requests_in_flight += facts.length - stored_already


def write_off(conn: Conn, reader: Reader, missing: int) -> bool:
    """Close a balance that misses so many requests, which are lost for good: what was stored behind a backup that was
    restored. From then on it counts them as stored. False, with nothing changed: it misses another number. For the
    owner role."""
    with conn.transaction() as undo:
        total = 0
        for stream in reader.streams:
            of_stream = Balance()
            _add_stream(conn, reader, stream, of_stream)
            total += of_stream.missing
            conn.execute(
                "/* balance.write_off */ INSERT INTO journal_progress AS p (stream, requests)"
                " VALUES (%(stream)s, %(n)s) ON CONFLICT (stream) DO UPDATE SET requests = p.requests + %(n)s",
                {"stream": stream, "n": of_stream.missing},
            )
        if total != missing:
            raise psycopg.Rollback(undo)
    return total == missing


def _stored(conn: Conn, stream: str, pending: tuple[str, ...]) -> list[str]:
    """Of the pending entries those already committed: read, stored, and not yet taken out of the stream."""
    if not pending:
        return []
    rows = conn.execute(
        "/* balance.stored */ SELECT entry_id FROM ledger_known(%s::date[], %s, %s::text[])",
        (sorted({ledger.day_of(entry_id) for entry_id in pending}), stream, list(pending)),
    ).fetchall()
    return [str(row[0]) for row in rows]


@dataclass(frozen=True, slots=True)
class Hour:
    """What became of the events that one channel got in one hour. channel_id: None where no channel was known.
    reason: of what was dropped and parked, empty for the rest."""

    hour: datetime
    platform: str
    company_id: int | None
    channel_id: int | None
    outcome: str
    reason: str
    events: int


def hours(conn: Conn, since: datetime, until: datetime, *, limit: int) -> list[Hour]:
    """The ledger by channel and hour of receipt, in order. As either role."""
    rows = conn.execute(
        "/* balance.hours */ SELECT hour, platform, company_id, channel_id, outcome, left(reason, 200), n"
        " FROM ops_hours(%s, %s)"
        " ORDER BY hour, platform, company_id NULLS FIRST, channel_id NULLS FIRST, outcome, reason"
        " LIMIT %s",
        (since, until, limit),
    ).fetchall()
    return [Hour(*row) for row in rows]  # type: ignore[arg-type]


def note(conn: Conn, balance: Balance, oldest_s: float) -> None:
    """Keep what was found, for whoever watches."""
    conn.execute(
        "/* balance.note */ INSERT INTO balance_checks (taken_at, received, stored, redrives, in_flight, oldest_s)"
        " VALUES (clock_timestamp(), %s, %s, %s, %s, %s)",
        (
            balance.requests_received, balance.requests_stored, balance.redrives, balance.requests_in_flight, oldest_s,
        ),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Noted:
    """The newest take. missing: received and nowhere to be found; below 0 where more is stored than was received."""

    taken_at: datetime
    missing: int
    in_flight: int
    oldest_s: float


def newest(conn: Conn) -> Noted | None:
    row = conn.execute(
        "/* balance.newest */ SELECT taken_at, received - stored - redrives - in_flight, in_flight, oldest_s"
        " FROM balance_checks ORDER BY taken_at DESC LIMIT 1"
    ).fetchone()
    return Noted(*row) if row else None  # type: ignore[arg-type]
