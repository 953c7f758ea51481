"""A cache that may lose everything, and never holds anybody up."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
import redis

from shared.cache import metrics
from shared.cache.two_level import REST_S, TwoLevel, key_of
from shared.clock import FixedClock
from tests.counted import counted


def fixed() -> FixedClock:
    return FixedClock(datetime(2026, 1, 1, tzinfo=UTC))


class FakeRedis:
    """A dictionary that can be away. asked: how many commands came."""

    def __init__(self) -> None:
        self.values: dict[str, bytes] = {}
        self.ends_after_ms: dict[str, int] = {}
        self.away = False
        self.asked = 0

    def mget(self, keys: list[str]) -> list[bytes | None]:
        self._answer()
        return [self.values.get(key) for key in keys]

    def _answer(self) -> None:
        self.asked += 1
        if self.away:
            raise redis.ConnectionError("away")

    def pipeline(self, transaction: bool) -> Any:
        return self

    def __enter__(self) -> FakeRedis:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def set(self, key: str, value: bytes, px: int) -> None:
        assert px > 0, "every key ends by itself"
        self.ends_after_ms[key] = px
        self._answer()
        self.values[key] = value

    def execute(self) -> None:
        return None


@pytest.fixture
def far() -> FakeRedis:
    return FakeRedis()


def cache(far: FakeRedis, clock: FixedClock, entries: int = 10) -> TwoLevel:
    return TwoLevel(far, clock, ttl_s=60, entries=entries)  # type: ignore[arg-type]


def test_a_value_is_made_once_and_found_in_both_levels(far: FakeRedis) -> None:
    clock, made = fixed(), []

    def make() -> bytes:
        made.append(1)
        return b"value"

    one, other = cache(far, clock), cache(far, clock)
    assert [one.get_or_make("k", make), one.get_or_make("k", make), other.get_or_make("k", make)] == [b"value"] * 3
    assert len(made) == 1


def test_what_is_old_is_made_anew(far: FakeRedis) -> None:
    clock = fixed()
    near = cache(far, clock)
    near.get_or_make("k", lambda: b"old")
    far.values.clear()  # as Redis itself does by then
    clock.advance(61)

    assert near.get_or_make("k", lambda: b"new") == b"new"


def test_while_redis_is_away_the_memory_stands_alone_and_redis_is_left_alone(far: FakeRedis) -> None:
    clock = fixed()
    near = cache(far, clock)
    far.away = True
    assert near.get_or_make("k", lambda: b"v") == b"v"
    assert near.get_or_make("k", lambda: b"other") == b"v"
    near.get_or_make("l", lambda: b"v")
    assert far.asked == 1

    far.away = False
    clock.advance(REST_S + 1)
    near.get_or_make("m", lambda: b"v")
    assert far.values


def test_the_memory_is_bounded_and_keeps_what_is_used(far: FakeRedis) -> None:
    near = cache(far, fixed(), entries=2)
    far.away = True
    for key in ("a", "b"):
        near.get_or_make(key, lambda: b"first")
    near.get_or_make("a", lambda: b"again")
    near.get_or_make("c", lambda: b"first")

    assert near.get_or_make("a", lambda: b"again") == b"first"
    assert near.get_or_make("b", lambda: b"again") == b"again"


def test_who_comes_while_it_is_made_waits_for_it(far: FakeRedis) -> None:
    near, made = cache(far, fixed()), []
    begun, go_on, found = threading.Event(), threading.Event(), []

    def make() -> bytes:
        made.append(1)
        begun.set()
        assert go_on.wait(10)
        return b"v"

    threads = [threading.Thread(target=lambda: found.append(near.get_or_make("k", make))) for _ in range(4)]
    threads[0].start()
    assert begun.wait(10)
    for thread in threads[1:]:
        thread.start()
    go_on.set()
    for thread in threads:
        thread.join(10)

    assert (found, len(made)) == ([b"v"] * 4, 1)


def test_of_several_each_is_made_by_whoever_came_first(far: FakeRedis) -> None:
    near, made = cache(far, fixed()), []
    begun, go_on, found = threading.Event(), threading.Event(), []

    def make(keys: Sequence[str]) -> dict[str, bytes]:
        made.append(tuple(keys))
        begun.set()
        assert go_on.wait(10)
        return {key: key.encode() for key in keys}

    first = threading.Thread(target=lambda: found.append(near.get_or_make_many(["a", "b"], make)))
    first.start()
    assert begun.wait(10)
    second = threading.Thread(target=lambda: found.append(near.get_or_make_many(["b", "c", "b"], make)))
    second.start()
    go_on.set()
    first.join(10)
    second.join(10)

    assert sorted(made) == [("a", "b"), ("c",)]
    assert {"b": b"b", "c": b"c"} in found


def test_who_waits_in_vain_makes_it(far: FakeRedis) -> None:
    near = cache(far, fixed())
    begun, go_on = threading.Event(), threading.Event()

    def never() -> bytes:
        begun.set()
        assert go_on.wait(10)
        raise ValueError

    def in_vain() -> None:
        with pytest.raises(ValueError):
            near.get_or_make("k", never)

    first = threading.Thread(target=in_vain)
    first.start()
    assert begun.wait(10)

    assert near.get_or_make_many(["k"], lambda keys: dict.fromkeys(keys, b"v"), wait_s=0.01) == {"k": b"v"}
    go_on.set()
    first.join(10)


def test_a_failure_is_its_own_caller_s_and_nothing_is_kept(far: FakeRedis) -> None:
    near = cache(far, fixed())

    def fail() -> bytes:
        raise ValueError

    with pytest.raises(ValueError):
        near.get_or_make("k", fail)
    assert near.get_or_make("k", lambda: b"v") == b"v"


def test_keys_do_not_run_into_each_other_and_say_nothing() -> None:
    assert key_of("found", "a", "bc") != key_of("found", "ab", "c")
    assert "secret" not in key_of("found", "secret")
    assert key_of("found", "a", "") == f"found:{hashlib.sha256(b'1:a0:').hexdigest()}"
    assert key_of("found", "\udc80") == key_of("found", "?")  # what no encoding can write


# ------------------------------------------------------------------ values


def test_redis_has_each_value_under_its_key_for_as_long_as_the_memory(far: FakeRedis) -> None:
    cache(far, fixed()).put_many({"a": b"1", "b": b"2"})
    assert far.values == {"sb:cache:a": b"1", "sb:cache:b": b"2"}
    assert far.ends_after_ms == {"sb:cache:a": 60_000, "sb:cache:b": 60_000}


def test_only_what_is_missing_is_asked_of_redis_and_only_what_it_has_not_is_made(far: FakeRedis) -> None:
    one, other = cache(far, fixed()), cache(far, fixed())
    one.put_many({"a": b"1", "b": b"2"})
    other.put_many({"c": b"3"})
    made: list[list[str]] = []

    def make(keys: Sequence[str]) -> dict[str, bytes]:
        made.append(list(keys))
        return {key: key.encode() for key in keys}

    found = one.get_or_make_many(["a", "c", "d", "a", "e"], make)
    assert found == {"a": b"1", "c": b"3", "d": b"d", "e": b"e"}
    assert made == [["d", "e"]]
    asked = far.asked
    assert one.get_many(["a", "c", "d"]) == {"a": b"1", "c": b"3", "d": b"d"}
    assert far.asked == asked
    assert other.get_many(["b", "x"]) == {"b": b"2"}
    assert one.get_or_make_many([], make) == {}
    assert one.get_many([]) == {}


def test_a_value_ends_with_its_last_second(far: FakeRedis) -> None:
    clock = fixed()
    near = cache(far, clock)
    far.away = True
    near.put_many({"a": b"1"})
    clock.advance(59.5)
    assert near.get_many(["a"]) == {"a": b"1"}
    assert near.get_or_make("a", lambda: b"2", looked=True) == b"1"  # somebody made it since it was looked for
    clock.advance(0.5)
    assert near.get_many(["a"]) == {}
    assert near.get_or_make("a", lambda: b"2", looked=True) == b"2"


def test_redis_is_left_alone_for_five_seconds_after_each_failure(far: FakeRedis) -> None:
    clock = fixed()
    near = cache(far, clock)
    far.away = True
    near.get_many(["a"])
    clock.advance(REST_S - 0.5)
    near.get_many(["a"])
    assert (REST_S, far.asked) == (5.0, 1)
    clock.advance(0.5)
    near.get_many(["a"])
    assert far.asked == 2
    far.away = False
    clock.advance(REST_S)
    near.put_many({"a": b"1"})
    assert far.values == {"sb:cache:a": b"1"}


def test_a_bounded_memory_lets_go_of_what_was_used_longest_ago(far: FakeRedis) -> None:
    near = cache(far, fixed(), entries=2)
    far.away = True
    near.put_many({"a": b"1", "b": b"2"})
    near.get_many(["a"])
    near.put_many({"c": b"3"})
    assert near.get_many(["a", "b", "c"]) == {"a": b"1", "c": b"3"}
    near.put_many({"a": b"4"})
    near.put_many({"d": b"5"})
    assert near.get_many(["a", "c", "d"]) == {"a": b"4", "d": b"5"}


def test_each_key_is_counted_where_it_was_found(far: FakeRedis) -> None:
    near = cache(far, fixed())
    cache(far, fixed()).put_many({"found:a": b"1"})
    near.put_many({"found:b": b"2", "vector:c": b"3"})
    with counted() as book:
        found = near.get_many(["found:a", "found:b", "vector:c", "vector:d", "vector:e:f"])
    assert found == {"found:a": b"1", "found:b": b"2", "vector:c": b"3"}
    lookups = [book.of(metrics.CACHE, *labels) for labels in (
        ("found", "far"), ("found", "near"), ("vector", "near"), ("vector", "nowhere"), ("found", "nowhere"),
    )]  # fmt: skip
    assert lookups == [1, 1, 1, 2, 0]


def test_a_failure_of_redis_is_counted_once(far: FakeRedis) -> None:
    far.away = True
    with counted() as book:
        cache(far, fixed()).put_many({"a": b"1"})
        assert book.of(metrics.CACHE_BACKOFFS) == 1


def test_who_has_looked_does_not_look_again(far: FakeRedis) -> None:
    cache(far, fixed()).put_many({"a": b"1"})
    near = cache(far, fixed())
    assert near.get_or_make("a", lambda: b"2", looked=True) == b"2"
    assert cache(far, fixed()).get_or_make("a", lambda: b"3") == b"2"
    assert cache(far, fixed()).get_or_make_many(["a"], lambda keys: dict.fromkeys(keys, b"3")) == {"a": b"2"}


def test_nothing_is_asked_of_redis_where_nothing_is_missing(far: FakeRedis) -> None:
    near = cache(far, fixed())
    near.put_many({"a": b"1"})
    asked = far.asked
    near.get_many(["a"])
    assert far.asked == asked


def test_who_waits_in_vain_keeps_what_it_found_itself(far: FakeRedis) -> None:
    near = cache(far, fixed())
    near.put_many({"found": b"1"})
    begun, go_on = threading.Event(), threading.Event()

    def slow() -> bytes:
        begun.set()
        assert go_on.wait(10)
        return b"late"

    first = threading.Thread(target=lambda: near.get_or_make("k", slow))
    first.start()
    assert begun.wait(10)
    made = near.get_or_make_many(["found", "k", "new"], lambda keys: dict.fromkeys(keys, b"v"), wait_s=0.01)
    go_on.set()
    first.join(10)
    assert made == {"found": b"1", "k": b"v", "new": b"v"}
