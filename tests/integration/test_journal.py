"""The journal on a real Valkey: what was taken stays until it is done, and nobody is told otherwise."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, TypeVar

import pytest
import redis
from redis.exceptions import ResponseError

from shared.embedded import Valkey
from shared.errors import JournalUnavailable
from shared.model import JournalEntry
from shared.store.db.redis import connect, connect_async, exchange, packed
from shared.store.inbound import journal
from shared.store.inbound.journal import Reader, StreamFacts
from shared.store.inbound.journal_writer import PIPELINE_BYTES, Writer
from tests.services import private_valkey
from workers.sandbox.waiting import wait_until

T = TypeVar("T")

SHARDS = 4
STREAM = journal.stream_of(0)


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    with connect(redis_url) as client:
        yield client


@pytest.fixture
def reader(client: redis.Redis) -> Reader:
    reader = Reader(client, SHARDS)
    for stream in reader.streams:
        reader.ensure_group(stream, 0)
    return reader


def _append(reader: Reader, *bodies: bytes) -> list[str]:
    return [reader.append(STREAM, journal.fields("telegram", 7, 1_780_000_000_123, body)) for body in bodies]


def _bodies(entries: list[JournalEntry]) -> list[bytes]:
    return [entry.raw for entry in entries]


def write(
    url: str, work: Callable[[Writer], Awaitable[T]], *, shards: int = SHARDS, waiting_bytes: int = 2**20,
    replicas: int = 0,
) -> T:  # fmt: skip
    async def run() -> T:
        client = connect_async(url, socket_timeout_s=1.0)
        try:
            writer = Writer(client, shards, max_waiting_bytes=waiting_bytes, timeout_s=1.0, replicas=replicas)
            return await work(writer)
        finally:
            await client.aclose()

    return asyncio.run(run())


def test_what_the_gateway_wrote_is_what_the_intake_reads(redis_url: str, reader: Reader) -> None:
    raw = bytes(range(256))

    entry_id = write(redis_url, lambda writer: writer.append(7, "chat", "telegram", 1_780_000_000_123, raw))

    stream = journal.stream_of(journal.shard_of(7, "chat", SHARDS))
    [entry] = reader.new(stream, 10)
    assert (entry.stream, entry.entry_id, entry.platform, entry.app_id) == (stream, entry_id, "telegram", 7)
    assert (entry.raw, entry.received_at.isoformat()) == (raw, "2026-05-28T20:26:40.123000+00:00")


def test_a_chat_has_one_shard_in_every_process_and_chats_are_spread() -> None:
    # known values: a process of another version must not sort a chat's messages elsewhere
    assert [journal.shard_of(1, key, 16) for key in ("5", "6", "-100123", "")] == [15, 5, 9, 15]
    assert {journal.shard_of(1, str(chat), 16) for chat in range(200)} == set(range(16))
    assert 0 <= journal.shard_of(1, "\ud800", 16) < 16


def test_new_entries_come_once_and_stay_pending_until_they_are_done(reader: Reader) -> None:
    _append(reader, b"a", b"b", b"c")

    taken = reader.new(STREAM, 2)

    assert _bodies(taken) == [b"a", b"b"]
    assert _bodies(reader.new(STREAM, 10)) == [b"c"]
    assert reader.new(STREAM, 10) == []
    assert _bodies(reader.pending(STREAM, 10)) == [b"a", b"b", b"c"]
    assert _bodies(reader.pending(STREAM, 2)) == [b"a", b"b"]


def test_the_next_holder_finds_what_a_dead_one_left(redis_url: str, reader: Reader) -> None:
    _append(reader, b"left")
    reader.new(STREAM, 10)

    with connect(redis_url) as another:
        assert _bodies(Reader(another, SHARDS).pending(STREAM, 10)) == [b"left"]


def test_done_takes_an_entry_out_of_the_stream_and_of_the_pending_list(client: redis.Redis, reader: Reader) -> None:
    first, second = _append(reader, b"a", b"b")
    reader.new(STREAM, 10)

    reader.done(STREAM, [first])
    reader.done(STREAM, [first])  # twice is once
    reader.done(STREAM, [])

    assert _bodies(reader.pending(STREAM, 10)) == [b"b"]
    assert client.xlen(STREAM) == 1
    assert reader.facts(STREAM) == StreamFacts(added=2, length=1, base=0, pending=(second,))


def test_an_entry_deleted_while_pending_is_let_go(client: redis.Redis, reader: Reader) -> None:
    ghost, _ = _append(reader, b"ghost", b"real")
    reader.new(STREAM, 10)
    client.xdel(STREAM, ghost)

    assert _bodies(reader.pending(STREAM, 10)) == [b"real"]
    assert len(reader.facts(STREAM).pending) == 1


def test_a_flushed_redis_says_so_and_begins_anew_with_the_ledgers_count(client: redis.Redis, reader: Reader) -> None:
    _append(reader, b"lost")
    client.flushdb()

    with pytest.raises(ResponseError, match="NOGROUP"):
        reader.new(STREAM, 10)
    assert reader.facts(STREAM) == StreamFacts(0, 0, 0, ())

    reader.ensure_group(STREAM, 41)
    reader.ensure_group(STREAM, 99)  # of another process, a moment later: the first count stands
    _append(reader, b"after")
    assert _bodies(reader.new(STREAM, 10)) == [b"after"]
    assert reader.facts(STREAM).base == 41


def test_entries_that_came_before_the_group_are_read_too(client: redis.Redis) -> None:
    reader = Reader(client, SHARDS)
    _append(reader, b"early")

    reader.ensure_group(STREAM, 0)

    assert _bodies(reader.new(STREAM, 10)) == [b"early"]


def test_making_the_group_again_forgets_nothing(reader: Reader) -> None:
    _append(reader, b"a", b"b")
    reader.new(STREAM, 1)

    reader.ensure_group(STREAM, 0)

    assert _bodies(reader.pending(STREAM, 10)) == [b"a"]
    assert _bodies(reader.new(STREAM, 10)) == [b"b"]


def test_the_count_of_what_was_received_outlives_the_entries(reader: Reader) -> None:
    ids = _append(reader, *(b"x" for _ in range(5)))
    reader.new(STREAM, 10)
    reader.done(STREAM, ids)

    assert reader.facts(STREAM) == StreamFacts(added=5, length=0, base=0, pending=())
    assert reader.backlog() == 0


def test_waiting_ends_when_something_comes_and_tells_nothing_of_what_is_there(reader: Reader) -> None:
    heads = reader.heads()
    assert heads == dict.fromkeys(journal.streams(SHARDS), "0-0")
    assert not reader.wait(heads, 1)

    [entry_id] = _append(reader, b"news")

    assert reader.wait(heads, 10_000)
    assert reader.heads()[STREAM] == entry_id
    assert not reader.wait(reader.heads(), 1)


def test_entries_can_be_read_and_done_while_redis_takes_no_writes(make_valkey: Callable[..., Valkey]) -> None:
    valkey = make_valkey()
    with connect(valkey.redis_url) as client:
        reader = Reader(client, SHARDS)
        reader.ensure_group(STREAM, 0)
        ids = _append(reader, b"a", b"b")
        client.config_set("maxmemory", "1")

        with pytest.raises(JournalUnavailable) as refused:
            write(valkey.redis_url, lambda writer: writer.append(1, "", "telegram", 0, b"{}"))
        assert refused.value.retry_after_s == 1
        assert _bodies(reader.new(STREAM, 10)) == [b"a", b"b"]
        reader.done(STREAM, ids)
        assert reader.backlog() == 0

        client.config_set("maxmemory", "0")
        assert write(valkey.redis_url, lambda writer: writer.append(1, "", "telegram", 0, b"{}"))


def test_what_was_written_together_keeps_its_order(redis_url: str, reader: Reader) -> None:
    bodies = [str(number).encode() for number in range(700)]  # more than two pipelines

    async def all_at_once(writer: Writer) -> list[str]:
        return await asyncio.gather(*(writer.append(1, "chat", "telegram", 0, body) for body in bodies))

    ids = write(redis_url, all_at_once, shards=1)

    found = reader.new(journal.stream_of(0), 1000)
    assert _bodies(found) == bodies
    assert [entry.entry_id for entry in found] == ids


def test_large_bodies_go_in_several_writes_and_all_arrive(redis_url: str, reader: Reader) -> None:
    body = b"x" * (PIPELINE_BYTES // 2 + 1)

    async def all_at_once(writer: Writer) -> list[str]:
        return await asyncio.gather(*(writer.append(1, "chat", "telegram", 0, body) for _ in range(3)))

    write(redis_url, all_at_once, shards=1, waiting_bytes=2**30)

    assert [len(entry.raw) for entry in reader.new(journal.stream_of(0), 10)] == [len(body)] * 3


def test_more_bytes_than_may_wait_are_refused_and_room_comes_back(redis_url: str, reader: Reader) -> None:
    async def too_many(writer: Writer) -> tuple[list[Any], str]:
        asks = [writer.append(1, "chat", "telegram", 0, b"x" * 400) for _ in range(5)]
        together = await asyncio.gather(*asks, return_exceptions=True)
        return together, await writer.append(1, "chat", "telegram", 0, b"x" * 400)

    together, later = write(redis_url, too_many, waiting_bytes=1000)

    assert [isinstance(answer, JournalUnavailable) for answer in together] == [False, False, True, True, True]
    assert later
    assert sum(len(reader.new(stream, 10)) for stream in reader.streams) == 3


def test_one_client_that_leaves_does_not_disturb_the_others(redis_url: str, reader: Reader) -> None:
    async def one_leaves(writer: Writer) -> list[Any]:
        asks = [asyncio.create_task(writer.append(1, "chat", "telegram", 0, b"%d" % n)) for n in range(3)]
        asyncio.get_running_loop().call_soon(asks[1].cancel)
        return await asyncio.gather(*asks, return_exceptions=True)

    answers = write(redis_url, one_leaves)

    assert [isinstance(answer, asyncio.CancelledError) for answer in answers] == [False, True, False]
    stored = {body for stream in reader.streams for body in _bodies(reader.new(stream, 10))}
    assert {b"0", b"2"} <= stored


def test_a_restarted_redis_is_found_again_by_the_same_writer(make_valkey: Callable[..., Valkey]) -> None:
    valkey = make_valkey()

    async def across(writer: Writer) -> str:
        await writer.append(1, "a", "telegram", 0, b"{}")
        await asyncio.to_thread(valkey.stop)
        with pytest.raises(JournalUnavailable):
            await writer.append(1, "a", "telegram", 0, b"{}")
        with pytest.raises(JournalUnavailable):
            await writer.check()
        await asyncio.to_thread(valkey.start)
        await writer.check()
        return await writer.append(1, "a", "telegram", 0, b"{}")

    assert write(valkey.redis_url, across)
    with connect(valkey.redis_url) as client:
        assert Reader(client, SHARDS).backlog() == 2


def test_what_was_given_up_behind_a_slow_write_is_not_written_after_all(
    redis_url: str, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def three_behind_one(writer: Writer) -> list[Any]:
        let_go = asyncio.Event()

        async def slow(client: Any, commands: list[bytes], *, within_s: float) -> list[Any]:
            await let_go.wait()
            return await exchange(client, commands, within_s=within_s)

        monkeypatch.setattr("shared.store.inbound.journal_writer.exchange", slow)
        monkeypatch.setattr("shared.store.inbound.journal_writer.PIPELINE_ENTRIES", 1)
        asks = [writer.append(1, "chat", "telegram", 0, b"%d" % n) for n in range(3)]
        given_up = await asyncio.gather(*asks, return_exceptions=True)
        let_go.set()
        return [*given_up, await writer.append(1, "chat", "telegram", 0, b"after")]

    *given_up, after = write(redis_url, three_behind_one, shards=1)

    assert [type(answer) for answer in given_up] == [JournalUnavailable] * 3
    found = reader.new(journal.stream_of(0), 10)
    assert (_bodies(found), found[-1].entry_id) == ([b"0", b"after"], after)  # the first was under way already


def test_an_error_is_the_answer_of_the_command_that_met_it(redis_url: str) -> None:
    async def mixed() -> list[Any]:
        client = connect_async(redis_url)
        try:
            await client.set("text", "x")
            commands = [packed("GET", "text"), packed("XLEN", "text"), packed("INCRBY", "number", 7)]
            return await exchange(client, commands, within_s=5) + await exchange(client, commands[:1], within_s=5)
        finally:
            await client.aclose()

    answers = asyncio.run(mixed())

    assert [type(answer) for answer in answers] == [bytes, ResponseError, int, bytes]
    assert (answers[0], answers[2], answers[3]) == (b"x", 7, b"x")


def test_an_answer_that_came_too_late_is_nobody_elses(redis_url: str) -> None:
    async def late() -> Any:
        client = connect_async(redis_url, max_connections=1)
        try:
            await client.set("text", "mine")
            with pytest.raises(TimeoutError):
                await exchange(client, [packed("BLPOP", "nothing", 0)], within_s=0.05)
            return await exchange(client, [packed("GET", "text")], within_s=5)
        finally:
            await client.aclose()

    assert asyncio.run(late()) == [b"mine"]


def test_a_write_that_no_replica_has_is_no_promise_and_one_that_a_replica_has_is() -> None:
    async def append(writer: Writer) -> str:
        await writer.check()
        return await writer.append(7, "5", "telegram", 1_780_000_000_123, b"hello")

    with private_valkey() as primary:
        with pytest.raises(JournalUnavailable, match="TooFewReplicas"):
            write(primary.redis_url, append, replicas=1)
        with pytest.raises(JournalUnavailable, match="TooFewReplicas"):
            write(primary.redis_url, lambda writer: writer.append(7, "5", "telegram", 1, b"hello"), replicas=1)
        with connect(primary.redis_url) as client:
            password = str(client.connection_pool.connection_kwargs["password"])
            client.config_set("repl-diskless-sync-delay", "0")
            follows = {"replicaof": f"127.0.0.1 {primary.port}", "masterauth": password}
            with private_valkey(extra=follows) as replica, connect(replica.redis_url) as replicated:
                wait_until(lambda: replicated.info("replication")["master_link_status"] == "up", "in step", 20)

                entry = write(primary.redis_url, append, replicas=1)

                assert entry in [found.entry_id for found in Reader(replicated, SHARDS).lying()]


def test_the_oldest_of_all_shards_says_how_long_the_journal_has_waited(client: redis.Redis, reader: Reader) -> None:
    now_ms = int(client.time()[0]) * 1000
    for shard, age_s in ((0, 10), (1, 600), (2, 60)):
        client.xadd(reader.streams[shard], {"p": "telegram"}, id=f"{now_ms - age_s * 1000}-0")

    assert 595 <= reader.oldest_age_s() < 700
