"""Drains journal streams: lock, read, store, commit, and only then remove the entries."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import psycopg
import structlog
from redis.exceptions import ResponseError

from shared import faults
from shared.channels.base import Platform
from shared.errors import DatabaseUnavailable
from shared.model import JournalEntry
from shared.settings import Settings
from shared.store.answers.quiet_window import QUIET_SHARE_MIN
from shared.store.db.pool import Conn, Database, describe
from shared.store.inbound import ledger
from shared.store.inbound.journal import Reader
from tasks.inbound import intake
from tasks.inbound.batch import Stored

log = structlog.get_logger(__name__)

DOUBTFUL_ATTEMPTS = 3
"""How often a lone entry may fail for a reason that does not name it before it becomes a dead letter."""


class SystemFault(Exception):
    """The database refuses everybody's work (a missing column, a lost grant): no entry is to blame. Stand still."""


@dataclass(slots=True)
class _Shard:
    """limit: how many entries to try at once. It is halved when a batch fails, until a bad entry is alone."""

    limit: int
    attempts: dict[str, int] = field(default_factory=dict)


class Drain:
    """Drains the journal's streams, one call a batch. Safe to run in any number of processes: a stream has
    one holder at a time, by an advisory lock that ends with the transaction, however that ends."""

    def __init__(self, db: Database, reader: Reader, platforms: Mapping[str, Platform], settings: Settings) -> None:
        self._db = db
        self._reader = reader
        self._platforms = platforms
        self._settings = settings
        self._shards = {stream: _Shard(settings.journal.batch) for stream in reader.streams}

    def ensure_groups(self) -> None:
        """Make what a new or flushed Redis lacks. Call at start and after `NOGROUP`."""
        for stream in self._reader.streams:
            with self._db.transaction() as conn:
                ledger.lock_shard(conn, stream)
                self._reader.ensure_group(stream, ledger.consumed(conn, stream))

    def drain(self, stream: str) -> Stored | None:
        """Store the next batch of a stream. None: somebody else holds it. Stored.requests 0: it is empty.

        Raises DatabaseUnavailable, redis' errors and SystemFault: then nothing was lost and nothing set
        aside; stand still.
        """
        shard = self._shards[stream]
        entries: list[JournalEntry] = []
        try:
            stored = self._store(stream, shard, entries)
        except (DatabaseUnavailable, ResponseError):
            raise
        except Exception as e:
            if not entries:
                raise
            return self._blame(stream, shard, entries, e)
        shard.limit = min(self._settings.journal.batch, shard.limit * 2)
        if stored is not None and entries:
            self._let_go({stream: entries})
        return stored

    def drain_together(self, streams: Sequence[str]) -> tuple[Stored | None, list[str]]:
        """Store what is new in these streams in one transaction, which costs what the batch of one stream does. Returns
        what it came to, None if to nothing, and the streams that need a look of their own: `drain` does it. Raises
        DatabaseUnavailable and redis' errors."""
        entries: dict[str, list[JournalEntry]] = {}
        try:
            stored, alone = self._store_together(streams, entries)
        except (DatabaseUnavailable, ResponseError):
            raise
        except Exception as e:
            if not entries:
                raise
            log.warning("intake_streams_parted", streams=len(entries), error=describe(e))
            return None, list(streams)
        if stored is not None:
            self._let_go(entries)
        return stored, alone

    def _store_together(
        self, streams: Sequence[str], entries: dict[str, list[JournalEntry]]
    ) -> tuple[Stored | None, list[str]]:
        """Store a batch in one transaction. Fills `entries`, which stay in the pending list whatever becomes of it."""
        alone = [stream for stream in streams if self._failed_lately(stream)]
        with self._db.transaction() as conn:
            began_s = time.monotonic()  # not before the transaction's own now()
            held = ledger.try_lock_shards(conn, [stream for stream in streams if stream not in alone])
            alone += self._reader.left_in(held)
            fresh = [stream for stream in held if stream not in alone]
            entries.update(self._reader.new_of(fresh, max(1, self._settings.journal.batch // max(1, len(fresh)))))
            if not entries:
                return None, alone
            stored = self._store_read(conn, entries, recovering=False)
        return self._due(stored, began_s), alone

    def _failed_lately(self, stream: str) -> bool:
        shard = self._shards[stream]
        return bool(shard.attempts) or shard.limit < self._settings.journal.batch

    def _store(self, stream: str, shard: _Shard, entries: list[JournalEntry]) -> Stored | None:
        with self._db.transaction() as conn:
            began_s = time.monotonic()
            if not ledger.try_lock_shards(conn, [stream]):
                return None
            recovering = self._read(stream, shard.limit, entries)
            if not entries:
                return Stored()
            stored = self._store_read(conn, {stream: entries}, recovering=recovering)
        return self._due(stored, began_s)

    def _store_read(self, conn: Conn, batches: Mapping[str, Sequence[JournalEntry]], *, recovering: bool) -> Stored:
        faults.reach("intake.after_read")
        return intake.store_batch(conn, batches, self._platforms, self._settings, recovering=recovering)

    def _let_go(self, batches: Mapping[str, Sequence[JournalEntry]]) -> None:
        """Acknowledge and delete the entries, which are committed."""
        faults.reach("intake.after_commit")
        for stream, entries in batches.items():
            self._reader.done(stream, [entry.entry_id for entry in entries])

    def _due(self, stored: Stored, began_s: float) -> Stored:
        quiet_s = self._settings.answers.quiet_window_s
        # as the statements in shared.store.answers.quiet_window have it
        stored.due_s = max(began_s + quiet_s, time.monotonic() + QUIET_SHARE_MIN * quiet_s)
        return stored

    def _read(self, stream: str, limit: int, entries: list[JournalEntry]) -> bool:
        """Fill `entries`: first what an earlier reader left unacknowledged, then new ones. True if they were left
        over."""
        entries.extend(self._reader.pending(stream, limit))
        if entries:
            return True
        entries.extend(self._reader.new(stream, limit))
        return False

    def _blame(self, stream: str, shard: _Shard, entries: list[JournalEntry], error: Exception) -> Stored:
        """Handle a batch that cannot succeed: halve it, or, if one entry is alone, set it aside as a dead letter. The
        transaction was rolled back, and the entries are still in the pending list."""
        if _is_system_fault(error):
            raise SystemFault(describe(error)) from error
        if len(entries) > 1:
            shard.limit = max(1, len(entries) // 2)
            log.warning("intake_batch_halved", stream=stream, entries=len(entries), error=describe(error))
            return Stored()
        entry = entries[0]
        tries = shard.attempts[entry.entry_id] = shard.attempts.get(entry.entry_id, 0) + 1
        if tries < DOUBTFUL_ATTEMPTS and not _names_the_entry(error):
            raise SystemFault(describe(error)) from error
        del shard.attempts[entry.entry_id]
        stored = self._set_aside(stream, entry, describe(error))
        shard.limit = self._settings.journal.batch
        log.error("intake_dead_letter", stream=stream, entry_id=entry.entry_id, error=describe(error),
                  request_id=entry.request_id)  # fmt: skip
        return stored

    def _set_aside(self, stream: str, entry: JournalEntry, reason: str) -> Stored:
        with self._db.transaction() as conn:
            ledger.lock_shard(conn, stream)
            stored = intake.set_aside(conn, stream, entry, reason, recovering=True)
        self._reader.done(stream, [entry.entry_id])
        return stored


def _is_system_fault(error: Exception) -> bool:
    """Return whether an error is of SQLSTATE class 42: undefined objects and lost grants, which hit every entry."""
    return isinstance(error, psycopg.Error) and (error.sqlstate or "").startswith("42")


def _names_the_entry(error: Exception) -> bool:
    """Return whether only the entry itself can be the cause: its data, or its structure."""
    if isinstance(error, psycopg.Error):
        return isinstance(error, psycopg.DataError | psycopg.IntegrityError) or (error.sqlstate or "") == "P0001"
    return isinstance(error, ValueError | TypeError | LookupError)
