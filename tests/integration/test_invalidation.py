"""A change is seen by every process that cached what it replaces: on a real Valkey, by real processes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from shared.cache import invalidation
from shared.cache.invalidation import Invalidations
from shared.cache.two_level import TwoLevel
from shared.clock import SystemClock
from shared.embedded import Valkey
from shared.store.db.redis import connect
from tests.integration.cached_elsewhere import Elsewhere, elsewhere
from workers.sandbox.waiting import wait_until

WITHIN_S = 20.0


class Heard:
    """What was told to one process, in order; waits for each."""

    def __init__(self, invalidations: Invalidations, prefix: str) -> None:
        self._topics: list[str | None] = []
        self._came = threading.Condition()
        invalidations.on(prefix, self._take)

    def _take(self, topic: str | None) -> None:
        with self._came:
            self._topics.append(topic)
            self._came.notify_all()

    def wait(self, *topics: str | None) -> None:
        """Wait until these came, and nothing else."""
        with self._came:
            self._came.wait_for(lambda: len(self._topics) >= len(topics), WITHIN_S)
            assert self._topics == list(topics)

    def wait_for(self, topic: str) -> None:
        """Wait until this came, whatever came before."""
        with self._came:
            assert self._came.wait_for(lambda: topic in self._topics, WITHIN_S)


@pytest.fixture
def opened(redis_url: str) -> Iterator[Callable[..., Invalidations]]:
    """Makes what one process holds; all are closed in the end."""
    made: list[tuple[Invalidations, redis.Redis]] = []

    def make(url: str = redis_url) -> Invalidations:
        client = connect(url, socket_timeout_s=1.0)
        made.append((Invalidations(client), client))
        return made[-1][0]

    yield make
    for each, client in made:
        each.close()
        client.close()


@pytest.fixture
def row(tmp_path: Path) -> Path:
    """What the caches hold: the committed row, so to say."""
    file = tmp_path / "row"
    file.write_text("old")
    return file


def seen(processes: list[Elsewhere]) -> set[str]:
    return {process.value() for process in processes}


# ------------------------------------------------------------------ processes


def test_what_is_told_is_seen_by_four_processes_at_once(
    redis_url: str, row: Path, opened: Callable[..., Invalidations]
) -> None:
    with elsewhere(4, redis_url, row) as processes:
        assert seen(processes) == {"old"}
        row.write_text("new")
        assert seen(processes) == {"old"}

        assert opened().tell("routes:7")
        for process in processes:
            process.forgot("routes:7")

        assert seen(processes) == {"new"}


def test_a_process_whose_subscription_was_cut_forgets_what_it_may_have_missed(
    make_valkey: Callable[..., Valkey], row: Path
) -> None:
    valkey = make_valkey()
    with elsewhere(4, valkey.redis_url, row) as processes, redis.Redis.from_url(valkey.redis_url) as client:
        assert seen(processes) == {"old"}
        row.write_text("new")
        wait_until(lambda: len(client.client_list("pubsub")) == 4, "all four have subscribed", WITHIN_S)
        assert client.execute_command("CLIENT", "KILL", "TYPE", "pubsub") == 4
        for process in processes:
            process.forgot(None)

        assert seen(processes) == {"new"}


def test_a_change_during_an_outage_of_redis_is_seen_when_it_is_back(
    make_valkey: Callable[..., Valkey], row: Path, opened: Callable[..., Invalidations]
) -> None:
    valkey = make_valkey()
    with elsewhere(4, valkey.redis_url, row) as processes:
        assert seen(processes) == {"old"}
        valkey.stop()
        row.write_text("new")
        assert not opened(valkey.redis_url).tell("routes:7")
        valkey.start()
        for process in processes:
            process.forgot(None)

        assert seen(processes) == {"new"}


def test_a_process_that_hears_invalidations_ends_while_redis_is_away(
    make_valkey: Callable[..., Valkey], row: Path
) -> None:
    valkey = make_valkey()
    with elsewhere(1, valkey.redis_url, row) as [process]:
        valkey.stop()
        assert process.end() == 0


# ------------------------------------------------------------------ one process' side


def test_only_topics_that_stand_below_are_heard(opened: Callable[..., Invalidations]) -> None:
    teller, listener = opened(), opened()
    all_of_it, of_seven = Heard(listener, "routes"), Heard(listener, "routes:7")
    all_of_it.wait(None)

    for topic in ("routes:8", "route", "routes_of_others:7", "routes:71", "routes:7:answer", "routes:7", "routes"):
        assert teller.tell(topic)
    all_of_it.wait(None, "routes:8", "routes:71", "routes:7:answer", "routes:7", "routes")
    assert teller.tell("routes:7:end")

    of_seven.wait(None, "routes:7:answer", "routes:7", "routes:7:end")


def test_the_teller_s_own_callbacks_have_run_when_it_returns_and_run_once(opened: Callable[..., Invalidations]) -> None:
    teller, other = opened(), opened()
    own = Heard(teller, "routes")
    own.wait(None)

    teller.tell("routes:7")
    own.wait(None, "routes:7")

    assert other.tell("routes:8")
    own.wait(None, "routes:7", "routes:8")


def test_redis_away_at_the_start_is_no_error_and_what_was_told_meanwhile_arrives(
    make_valkey: Callable[..., Valkey], opened: Callable[..., Invalidations]
) -> None:
    valkey = make_valkey()
    url = valkey.redis_url
    valkey.stop()
    teller, listener = opened(url), opened(url)
    heard = Heard(listener, "routes")
    assert not teller.tell("routes:7")
    assert not listener.connected

    valkey.start()
    assert listener.wait_connected(WITHIN_S)
    # The teller may be back before the listener; then the listener's own return made it forget.
    with heard._came:
        heard._came.wait_for(lambda: heard._topics, WITHIN_S)
    assert heard._topics[0] is None
    assert teller.wait_connected(WITHIN_S)


def test_what_could_not_be_told_is_told_by_a_process_that_is_still_there(
    make_valkey: Callable[..., Valkey], opened: Callable[..., Invalidations], monkeypatch: pytest.MonkeyPatch
) -> None:
    valkey = make_valkey()
    teller, listener = opened(valkey.redis_url), opened(valkey.redis_url)
    heard = Heard(listener, "routes")
    heard.wait(None)

    def away(*_: object) -> None:
        raise redis.ConnectionError("lost on the way")

    with monkeypatch.context() as cut:
        cut.setattr(teller._client, "publish", away)
        assert not teller.tell("routes:7")

    heard.wait(None, "routes:7")


def test_a_subscription_that_answers_no_ping_counts_as_gone(
    make_valkey: Callable[..., Valkey], opened: Callable[..., Invalidations], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(invalidation, "POLL_S", 0.01)
    valkey = make_valkey()
    listener = opened(valkey.redis_url)
    heard = Heard(listener, "routes")
    heard.wait(None)
    with redis.Redis.from_url(valkey.redis_url) as client:
        client.execute_command("CLIENT", "PAUSE", "1000", "ALL")

    heard.wait(None, None)  # it has subscribed anew after the pause


def test_a_quiet_subscription_that_answers_pings_stays(
    opened: Callable[..., Invalidations], monkeypatch: pytest.MonkeyPatch
) -> None:
    pings, asked = threading.Semaphore(0), redis.client.PubSub.ping

    def ping(subscription: redis.client.PubSub, message: str | None = None) -> None:
        asked(subscription, message)
        pings.release()

    monkeypatch.setattr(invalidation, "POLL_S", 0.02)
    monkeypatch.setattr(redis.client.PubSub, "ping", ping)
    listener, teller = opened(), opened()
    heard = Heard(listener, "routes")
    heard.wait(None)
    for _ in range(3):
        assert pings.acquire(timeout=WITHIN_S)

    assert teller.tell("routes:7")
    heard.wait(None, "routes:7")


def test_what_is_no_topic_is_refused_when_told_and_passed_over_when_it_comes(
    redis_url: str, opened: Callable[..., Invalidations]
) -> None:
    listener = opened()
    heard = Heard(listener, "routes")
    heard.wait(None)
    for topic in ("", "Routes", "routes:", "routes:a customer's words", "routes:7\n", "routes:" + "9" * 20, "a" * 41):
        with pytest.raises(ValueError, match="is no topic"):
            listener.tell(topic)
    with redis.Redis.from_url(redis_url) as client:
        for raw in (b"", b"\xff\xfe", b"someone routes:x'y", b"routes:7", b"someone  routes:7", b"x" * 100_000):
            client.publish(listener._channel, raw)
        client.publish(listener._channel, b"someone routes:9")

    heard.wait(None, "routes:9")


def test_a_callback_that_fails_keeps_no_other_from_forgetting(opened: Callable[..., Invalidations]) -> None:
    listener, teller = opened(), opened()

    def fail(topic: str | None) -> None:
        raise RuntimeError("a bug")

    listener.on("routes", fail)
    heard = Heard(listener, "routes")  # told of the connection, too, if it was not there before
    assert listener.wait_connected(WITHIN_S)
    assert teller.tell("routes:7")

    heard.wait_for("routes:7")


def test_one_thread_serves_all_callbacks_and_ends_when_it_is_closed(opened: Callable[..., Invalidations]) -> None:
    def threads() -> int:
        return sum(thread.name == "invalidations" for thread in threading.enumerate())

    before, listener = threads(), opened()
    assert threads() == before, "a process that caches nothing has none"
    for prefix in ("routes", "prices", "limits"):
        listener.on(prefix, lambda topic: None)
    assert listener.wait_connected(WITHIN_S)
    assert threads() == before + 1

    listener.close()
    assert threads() == before
    listener.on("late", lambda topic: None)
    assert threads() == before


# ------------------------------------------------------------------ both levels


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    with connect(redis_url, socket_timeout_s=1.0) as client:
        yield client


def cache(client: redis.Redis, ttl_s: float = 3600.0) -> TwoLevel:
    """One process' cache."""
    return TwoLevel(client, SystemClock(), ttl_s=ttl_s, entries=10)


def get(cache: TwoLevel, value: bytes, topic: str = "routes:7", key: str = "routes:k") -> bytes:
    return cache.get_or_make(key, lambda: value, topic=topic)


def test_a_topic_s_values_are_made_once_for_all_processes_until_they_are_forgotten(client: redis.Redis) -> None:
    one, other = cache(client), cache(client)
    assert [get(one, b"1"), get(one, b"2"), get(other, b"3"), get(other, b"4")] == [b"1"] * 4

    one.forget("routes:7")
    assert get(one, b"5") == b"5"
    assert get(other, b"6") == b"1", "it was not told yet"
    other.forget("routes:7")
    assert get(other, b"7") == b"7"


def test_forgetting_reaches_what_stands_below_and_nothing_else(client: redis.Redis) -> None:
    def all_of(near: TwoLevel, value: bytes) -> list[bytes]:
        return [get(near, value, topic, f"routes:{topic}") for topic in ("routes:7", "routes:7:a", "routes:8", "other")]

    assert all_of(cache(client), b"1") == [b"1"] * 4
    cache(client).forget("routes:7")
    assert all_of(cache(client), b"2") == [b"2", b"2", b"1", b"1"]
    cache(client).forget("routes")
    assert all_of(cache(client), b"3") == [b"3", b"3", b"3", b"1"]


def test_a_maker_that_read_the_old_row_keeps_it_in_neither_level(client: redis.Redis) -> None:
    near = cache(client)

    def make() -> bytes:
        near.forget("routes:7")  # the change is committed and told after the row was read
        return b"old"

    assert near.get_or_make("routes:k", make, topic="routes:7") == b"old"
    assert get(cache(client), b"new") == b"new"
    assert get(near, b"newer") == b"new"


def test_what_a_slow_maker_stores_in_a_process_that_was_not_told_yet_is_taken_by_nobody(client: redis.Redis) -> None:
    slow, told = cache(client), cache(client)

    def make() -> bytes:
        told.forget("routes:7")
        assert get(told, b"new") == b"new"
        return b"old"

    assert slow.get_or_make("routes:k", make, topic="routes:7") == b"old"
    assert get(cache(client), b"newer") == b"newer"
    assert get(told, b"?") == b"new"
    slow.forget("routes:7")
    assert get(slow, b"newest") == b"newest"
    assert get(cache(client), b"?") == b"newest"


def test_who_waits_for_a_maker_that_read_the_old_row_makes_its_own(client: redis.Redis) -> None:
    near, begun, go_on, found = cache(client), threading.Event(), threading.Event(), []

    def old() -> bytes:
        begun.set()
        assert go_on.wait(WITHIN_S)
        return b"old"

    first = threading.Thread(target=lambda: near.get_or_make("routes:k", old, topic="routes:7"))
    first.start()
    assert begun.wait(WITHIN_S)
    near.forget("routes:7")
    second = threading.Thread(target=lambda: found.append(get(near, b"new")))
    second.start()
    go_on.set()
    first.join(WITHIN_S)
    second.join(WITHIN_S)

    assert found == [b"new"]
    assert get(near, b"new") == b"new"


def test_what_was_forgotten_while_redis_was_away_is_not_taken_from_it_afterwards(
    client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    near = cache(client)
    assert get(near, b"old") == b"old"

    def away(*_: object, **__: object) -> None:
        raise redis.ConnectionError("away")

    with monkeypatch.context() as cut:
        cut.setattr(client, "pipeline", away)
        near.forget("routes:7")
    assert get(near, b"new") == b"new", "Redis rests, the memory has forgotten"
    near._near.clear()
    near._rest_until_s = 0.0

    assert get(near, b"newest") == b"newest"


def test_marks_that_redis_lost_forget_what_stood_behind_them(client: redis.Redis) -> None:
    assert get(cache(client), b"old") == b"old"
    marks = list(client.scan_iter("sb:cache:mark:*"))
    assert sorted(marks) == [b"sb:cache:mark:routes", b"sb:cache:mark:routes:7"]
    assert all(client.pttl(key) > 0 for key in client.scan_iter())
    client.delete(*marks)

    assert get(cache(client), b"new") == b"new"
    assert get(cache(client), b"newer") == b"new"


def test_forgetting_the_same_topic_from_many_threads_leaves_nothing_old(client: redis.Redis) -> None:
    near = cache(client)
    version, ended = [0], threading.Event()

    def change() -> None:
        for number in range(1, 200):
            version[0] = number
            near.forget("routes:7")

    def read() -> None:
        while not ended.is_set():
            near.get_or_make("routes:k", lambda: b"%d" % version[0], topic="routes:7")

    readers = [threading.Thread(target=read) for _ in range(3)]
    changer = threading.Thread(target=change)
    for thread in (*readers, changer):
        thread.start()
    changer.join(WITHIN_S)
    ended.set()
    for thread in readers:
        thread.join(WITHIN_S)

    assert get(near, b"199") == b"199"  # made now where nothing was kept
    assert get(cache(client), b"199") == b"199"


def test_a_change_that_nobody_told_is_seen_when_the_ttl_is_over(client: redis.Redis) -> None:
    near, until = cache(client, ttl_s=0.05), threading.Event()
    assert get(near, b"old") == b"old"
    for _ in range(400):
        if get(near, b"new") == b"new":
            return
        until.wait(0.05)
    pytest.fail("the old value is still there after 20 s")
