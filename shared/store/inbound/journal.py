"""The journal: Redis streams that hold every accepted request until its transaction has committed.

It is sharded, so that several holders can drain it in parallel while each chat stays in order. It is never trimmed: an
entry is removed by XDEL after the commit, and the backlog is XLEN. Readers block on the stream, so no other wake-up is
needed.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import redis
import redis.asyncio
from redis.exceptions import ResponseError

from shared.model import JournalEntry

PREFIX = "sb:journal:"
BASE_PREFIX = "sb:journal-base:"
GROUP = "intake"
CONSUMER = "holder"
"""One fixed name a shard: whoever holds the shard is this consumer, and finds its predecessor's pending list."""


SHARDS_MAX = 256
"""As JOURNAL_SHARDS allows at most."""


def stream_of(shard: int) -> str:
    return f"{PREFIX}{shard}"


def streams(shards: int) -> list[str]:
    return [stream_of(shard) for shard in range(shards)]


def shard_of(app_id: int, key: str, shards: int) -> int:
    """Return the shard of a chat, always the same for one chat of one app. CRC32, because it is the same in every
    process."""
    return zlib.crc32(f"{app_id}:{key}".encode("utf-8", "replace")) % shards


def fields(
    platform: str,
    app_id: int,
    received_ms: int,
    raw: bytes,
    redrive: str | None = None,
    request_id: str | None = None,
    delivery_id: str | None = None,
) -> dict[str, Any]:
    entry: dict[str, Any] = {"p": platform, "a": app_id, "t": received_ms, "b": raw}
    if redrive:
        entry["r"] = redrive
    if request_id:
        entry["q"] = request_id
    if delivery_id:
        entry["i"] = delivery_id
    return entry


def _entry(stream: str, entry_id: bytes, values: dict[bytes, bytes]) -> JournalEntry:
    return JournalEntry(
        stream=stream,
        entry_id=entry_id.decode(),
        platform=values[b"p"].decode(),
        app_id=int(values[b"a"]),
        received_at=datetime.fromtimestamp(int(values[b"t"]) / 1000, UTC),
        raw=values[b"b"],
        redrive=values[b"r"].decode() if b"r" in values else None,
        request_id=values[b"q"].decode() if b"q" in values else None,
        delivery_id=values[b"i"].decode() if b"i" in values else None,
    )


class Reader:
    """The intake's side of the journal. Methods raise redis' own errors; the caller then waits and tries again."""

    def __init__(self, client: redis.Redis, shards: int) -> None:
        self._client = client
        self.streams = streams(shards)

    def ensure_group(self, stream: str, base: int) -> None:
        """Make the stream's consumer group if it is missing (first start, or a flushed Redis).

        base: requests and redrives that the ledger has from this stream so far. It is kept beside the stream,
        written before the group, so that both vanish together and the balance knows where counting began.
        """
        self._client.set(f"{BASE_PREFIX}{stream.removeprefix(PREFIX)}", base, nx=True)
        try:
            self._client.xgroup_create(stream, GROUP, id="0", mkstream=True)
        except ResponseError as e:
            if "BUSYGROUP" not in str(e):
                raise

    def heads(self) -> dict[str, str]:
        """Return the id of each stream's newest entry, `0-0` if it is empty."""
        pipe = self._client.pipeline(transaction=False)
        for stream in self.streams:
            pipe.xrevrange(stream, count=1)
        return {
            stream: (found[0][0].decode() if found else "0-0")
            for stream, found in zip(self.streams, pipe.execute(), strict=True)
        }

    def wait(self, heads: dict[str, str], timeout_ms: int) -> bool:
        """Block until an entry comes after these heads. Holds neither a lock nor a database connection."""
        return bool(self._client.xread(dict(heads), count=1, block=timeout_ms))  # type: ignore[arg-type]

    def beyond(self) -> tuple[int, int]:
        """Count the entries in streams that JOURNAL_SHARDS no longer covers, which nobody reads. Returns also the
        number of shards that would cover them."""
        others = range(len(self.streams), SHARDS_MAX)
        pipe = self._client.pipeline(transaction=False)
        for shard in others:
            pipe.xlen(stream_of(shard))
        filled = {shard: int(length) for shard, length in zip(others, pipe.execute(), strict=True) if length}
        return sum(filled.values()), max(filled, default=-1) + 1

    def pending(self, stream: str, limit: int) -> list[JournalEntry]:
        """Return entries that an earlier holder read and did not finish, oldest first."""
        return self._read(stream, "0", limit)

    def new(self, stream: str, limit: int) -> list[JournalEntry]:
        return self._read(stream, ">", limit)

    def left_in(self, streams: Sequence[str]) -> list[str]:
        """Return the streams in which an earlier holder left entries."""
        return list(self._read_several(streams, "0", 1))

    def new_of(self, streams: Sequence[str], limit: int) -> dict[str, list[JournalEntry]]:
        """Return each stream's new entries, at most limit each; streams without any are left out."""
        found = self._read_several(streams, ">", limit)
        return {
            stream: [_entry(stream, entry_id, values) for entry_id, values in batch] for stream, batch in found.items()
        }

    def _read(self, stream: str, start: str, limit: int) -> list[JournalEntry]:
        batch = self._read_several([stream], start, limit).get(stream, [])
        if ghosts := [entry_id for entry_id, values in batch if not values]:
            self._client.xack(stream, GROUP, *ghosts)  # deleted while pending: nothing is left to store
        return [_entry(stream, entry_id, values) for entry_id, values in batch if values]

    def _read_several(self, streams: Sequence[str], start: str, limit: int) -> dict[str, list[Any]]:
        """stream → (id, fields) of its entries; those without any are missing."""
        if not streams:
            return {}
        answer: Any = self._client.xreadgroup(GROUP, CONSUMER, dict.fromkeys(streams, start), count=limit)
        if isinstance(answer, dict):  # RESP3 gives a mapping with one more list inside, RESP2 a list of pairs
            answer = [(stream, batches[0]) for stream, batches in answer.items()]
        return {stream.decode(): batch for stream, batch in answer or () if batch}

    def lying(self, page: int = 500) -> Iterator[JournalEntry]:
        """Every entry that is in the journal now, read and left where it is."""
        for stream in self.streams:
            start = "-"
            while found := self._range(stream, start, page):
                yield from (_entry(stream, entry_id, values) for entry_id, values in found)
                start = "(" + found[-1][0].decode()

    def _range(self, stream: str, start: str, count: int) -> list[tuple[bytes, dict[bytes, bytes]]]:
        found: Any = self._client.xrange(stream, start, "+", count=count)
        return list(found)

    def done(self, stream: str, entry_ids: Sequence[str]) -> None:
        """Remove the entries from the journal, because their transaction has committed."""
        if not entry_ids:
            return
        pipe = self._client.pipeline(transaction=True)
        pipe.xack(stream, GROUP, *entry_ids)
        pipe.xdel(stream, *entry_ids)
        pipe.execute()

    def append(self, stream: str, entry: dict[str, Any]) -> str:
        entry_id: Any = self._client.xadd(stream, entry)  # type: ignore[arg-type]
        return str(entry_id.decode())

    def facts(self, stream: str) -> StreamFacts:
        """Read what the balance needs of one stream. Lock the shard first, or it changes meanwhile."""
        pipe = self._client.pipeline(transaction=True)
        pipe.execute_command("XINFO", "STREAM", stream)  # type: ignore[no-untyped-call]
        pipe.get(f"{BASE_PREFIX}{stream.removeprefix(PREFIX)}")
        try:
            info, base = pipe.execute()
        except ResponseError as e:
            if "no such key" in str(e):
                return StreamFacts(0, 0, 0, ())
            raise
        info = _as_dict(info)
        pending: Any = []
        if int(info["groups"]):
            pending = self._client.xpending_range(stream, GROUP, "-", "+", 10_000)
        return StreamFacts(
            added=int(info["entries-added"]),
            length=int(info["length"]),
            base=int(base or 0),
            pending=tuple(item["message_id"].decode() for item in pending),
        )

    def oldest_age_s(self) -> float:
        """Return how long the oldest entry has waited, by the server's clock; 0 if none waits."""
        pipe = self._client.pipeline(transaction=False)
        pipe.time()
        for stream in self.streams:
            pipe.xrange(stream, count=1)
        now, *firsts = pipe.execute()
        return _oldest_s(now, firsts)

    def backlog(self) -> int:
        pipe = self._client.pipeline(transaction=False)
        for stream in self.streams:
            pipe.xlen(stream)
        return sum(pipe.execute())


@dataclass(frozen=True, slots=True)
class StreamFacts:
    """added: entries appended since the stream began. length: entries in it now. base: what the ledger had from the
    stream when it began. pending: ids of entries that were read but not finished."""

    added: int
    length: int
    base: int
    pending: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class State:
    """State of the journal's server. used_bytes, max_bytes: of the whole server; max_bytes is 0 if it has no limit.
    oldest_s: how long the oldest entry has waited, by the server's clock."""

    used_bytes: int
    max_bytes: int
    oldest_s: float
    unwritten: bool = False
    """The server could not write its newest commands to its disk: what it took since then would not outlive it."""


async def state(client: redis.asyncio.Redis, shards: int) -> State:
    """One round trip. Raises redis' errors."""
    pipe = client.pipeline(transaction=False)
    pipe.info("memory")
    pipe.info("persistence")
    pipe.time()
    for stream in streams(shards):
        pipe.xrange(stream, count=1)
    memory, persistence, now, *firsts = await pipe.execute()
    oldest_s = _oldest_s(now, firsts)
    return State(int(memory["used_memory"]), int(memory["maxmemory"]), oldest_s, unwritten(persistence))


def unwritten(persistence: Mapping[str, Any]) -> bool:
    """Return whether the append-only file lacks the newest writes. persistence: the section of INFO."""
    return bool(int(persistence.get("aof_enabled", 0))) and persistence.get("aof_last_write_status", "ok") != "ok"


def _oldest_s(now: Any, firsts: Sequence[Any]) -> float:
    seconds, micros = now
    added_ms = [int(found[0][0].partition(b"-")[0]) for found in firsts if found]
    return max(0.0, seconds + micros / 1e6 - min(added_ms) / 1000) if added_ms else 0.0


def _as_dict(info: Any) -> dict[str, Any]:
    if isinstance(info, dict):
        return {k.decode() if isinstance(k, bytes) else str(k): v for k, v in info.items()}
    return {bytes(info[i]).decode(): info[i + 1] for i in range(0, len(info), 2)}
