"""The balance: what was received, and where all of it is. For the owner role."""

from __future__ import annotations

from dataclasses import dataclass, field

from shared.store import ledger
from shared.store.journal import Reader
from shared.store.pool import Conn


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
    def closes(self) -> bool:
        return self.requests_received == self.requests_stored + self.redrives + self.requests_in_flight

    @property
    def at_rest(self) -> bool:
        """Closes, and nothing is under way any more."""
        busy = self.turns.get("waiting", 0) + self.turns.get("answering", 0)
        busy += self.outbound.get("queued", 0) + self.outbound.get("sending", 0)
        return self.closes and not busy and not self.requests_in_flight


def take(conn: Conn, reader: Reader) -> Balance:
    """Ask for the balance. Each stream is looked at while its shard is held, so that the sum is exact also under
    load; the holder waits a moment."""
    balance = Balance()
    for stream in reader.streams:
        with conn.transaction():
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
    balance.events = _counts(conn, "/* balance.take */ SELECT outcome, count(*) FROM webhook_events"
                             " WHERE ordinal >= 0 GROUP BY 1")  # fmt: skip
    balance.dropped = _counts(conn, "/* balance.take */ SELECT coalesce(reason, ''), count(*) FROM webhook_events"
                              " WHERE ordinal >= 0 AND outcome = 'dropped' GROUP BY 1")  # fmt: skip
    balance.turns = _counts(conn, "/* balance.take */ SELECT state, count(*) FROM turns GROUP BY 1")
    balance.outbound = _counts(conn, "/* balance.take */ SELECT state, count(*) FROM outbound GROUP BY 1")
    return balance


def _stored(conn: Conn, stream: str, pending: tuple[str, ...]) -> list[str]:
    """Of the pending entries those already committed: read, stored, and not yet taken out of the stream."""
    if not pending:
        return []
    rows = conn.execute(
        "/* balance.stored */ SELECT entry_id FROM ledger_known(%s::date[], %s, %s::text[])",
        (sorted({ledger.day_of(entry_id) for entry_id in pending}), stream, list(pending)),
    ).fetchall()
    return [str(row[0]) for row in rows]


def _counts(conn: Conn, query: str) -> dict[str, int]:
    rows = conn.execute(query).fetchall()
    return {str(name): int(str(count)) for name, count in sorted(rows)}
