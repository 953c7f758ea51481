"""The fleet's breakers on a real Valkey: two registries stand for two processes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import pytest
import redis

from shared.embedded import Valkey
from shared.errors import Cancelled, ModelUnavailable, Permanent
from shared.resilience.breaker import BreakerOpen
from shared.resilience.shared_breaker import ANSWER_WITHIN_S, PREFIX, SharedBreaker, SharedBreakers
from shared.store.db.redis import connect_async

T = TypeVar("T")
TINY_S = 0.05


def run(coro: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(asyncio.wait_for(coro, 30))


@asynccontextmanager
async def registries(url: str, count: int = 2, **options: Any) -> AsyncIterator[list[SharedBreakers]]:
    """As many processes' breakers, which look at the fleet's state each time unless told otherwise."""
    options = {"refresh_s": 0.0, "answer_within_s": 5.0, "neutral": lambda e: isinstance(e, Permanent), **options}
    made = [SharedBreakers(connect_async(url), **options) for _ in range(count)]
    try:
        yield made
    finally:
        for registry in made:
            await registry.aclose()


async def call(breaker: SharedBreaker, error: BaseException | None = None) -> str:
    """How one call went: answered, failed, or refused without having been made."""
    try:
        async with breaker.guarding():
            if error is not None:
                raise error
    except BreakerOpen:
        return "refused"
    except (ModelUnavailable, Permanent, Cancelled, asyncio.CancelledError):
        return "failed"
    return "answered"


def down() -> ModelUnavailable:
    return ModelUnavailable("down")


async def opened(*breakers: SharedBreaker) -> None:
    """Five failures spread over these."""
    for number in range(5):
        assert await call(breakers[number % len(breakers)], down()) == "failed"


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(10):
        while not await condition():  # noqa: ASYNC110 (what changes is in another server)
            await asyncio.sleep(0.01)


def keys_of(url: str) -> dict[str, int]:
    """Every key and the milliseconds that it lives yet (-1: for ever)."""
    with redis.Redis.from_url(url) as client:
        return {key.decode(): client.pttl(key) for key in client.scan_iter()}


def stands(url: str) -> dict[bytes, bytes]:
    """The one breaker's state as it stands in Redis."""
    with redis.Redis.from_url(url) as client:
        return client.hgetall(f"{PREFIX}{{a/m}}")


def test_five_failures_spread_over_two_processes_open_it_for_both(redis_url: str) -> None:
    async def talk() -> None:
        async with registries(redis_url) as (one, two):
            await opened(one.of("a", "m"), two.of("a", "m"))
            assert await call(one.of("a", "m")) == "refused"
            assert await call(two.of("a", "m")) == "refused"
            assert await call(two.of("a", "another")) == "answered"
            assert two.states() == {("a", "m"): "open", ("a", "another"): "closed"}

    run(talk())
    assert all(left_ms > 0 for left_ms in keys_of(redis_url).values())
    assert [key for key in keys_of(redis_url) if not key.startswith(PREFIX)] == []


def test_a_process_that_looked_a_moment_ago_learns_of_the_opening_soon(redis_url: str) -> None:
    async def talk() -> None:
        async with registries(redis_url, refresh_s=0.2) as (one, two):
            assert await call(two.of("a", "m")) == "answered"
            await opened(one.of("a", "m"))

            async def refused() -> bool:
                return await call(two.of("a", "m"), Cancelled("counts as nothing")) == "refused"

            await until(refused)

    run(talk())


def test_a_success_anywhere_starts_the_count_again(redis_url: str) -> None:
    async def talk() -> None:
        async with registries(redis_url) as (one, two):
            for _ in range(4):
                await call(one.of("a", "m"), down())
            await call(two.of("a", "m"))
            for _ in range(4):
                await call(one.of("a", "m"), down())
            assert await call(two.of("a", "m")) == "answered"

    run(talk())


@pytest.mark.parametrize("error", [Cancelled("off"), asyncio.CancelledError(), Permanent("rejected")], ids=repr)
def test_calling_off_and_neutral_errors_count_as_nothing(redis_url: str, error: BaseException) -> None:
    async def talk() -> None:
        async with registries(redis_url) as (one, two):
            for _ in range(4):
                await call(one.of("a", "m"), down())
            for _ in range(10):
                await call(two.of("a", "m"), error)
            assert one.of("a", "m").current_state == "closed"
            await call(one.of("a", "m"), down())  # the fifth: the others have not cleared the count
            assert await call(two.of("a", "m")) == "refused"

    run(talk())


def test_of_twenty_callers_in_two_processes_exactly_one_makes_the_trial_call(redis_url: str) -> None:
    async def talk() -> list[str]:
        async with registries(redis_url, open_for_s=TINY_S) as (one, two):
            await opened(one.of("a", "m"), two.of("a", "m"))
            await until(lambda: _is(one.of("a", "m"), "half-open"))
            refused, others_refused = 0, asyncio.Event()

            async def ask(breaker: SharedBreaker) -> str:
                nonlocal refused
                try:
                    async with breaker.guarding():
                        await others_refused.wait()
                except BreakerOpen:
                    refused += 1
                    if refused == 19:
                        others_refused.set()
                    return "refused"
                return "tried"

            went = await asyncio.gather(*(ask(registry.of("a", "m")) for registry in (one, two) for _ in range(10)))
            # its success closes it for both
            assert await call(one.of("a", "m")) == await call(two.of("a", "m")) == "answered"
            return went

    assert sorted(run(talk())) == ["refused"] * 19 + ["tried"]


async def _is(breaker: SharedBreaker, state: str) -> bool:
    return breaker.current_state == state


def test_a_failed_trial_opens_it_for_everybody_again(redis_url: str) -> None:
    async def talk() -> None:
        async with registries(redis_url, open_for_s=0.5) as (one, two):
            await opened(one.of("a", "m"))

            async def tried() -> bool:
                return await call(one.of("a", "m"), down()) == "failed"

            await until(tried)
            assert await call(two.of("a", "m")) == "refused"

    run(talk())


@pytest.mark.parametrize("error", [Cancelled("off"), asyncio.CancelledError(), Permanent("rejected")], ids=repr)
def test_a_trial_that_told_nothing_leaves_its_place_to_another_process(redis_url: str, error: BaseException) -> None:
    async def talk() -> None:
        async with registries(redis_url, open_for_s=TINY_S) as (one, two):
            await opened(one.of("a", "m"))
            await until(lambda: _is(one.of("a", "m"), "half-open"))
            assert await call(one.of("a", "m"), error) == "failed"

            async def answered() -> bool:
                return await call(two.of("a", "m")) == "answered"

            await until(answered)

    run(talk())


def test_a_process_that_dies_during_its_trial_frees_the_place_with_time(redis_url: str) -> None:
    async def talk() -> None:
        async with registries(redis_url, open_for_s=TINY_S, probe_ttl_s=0.3) as (one, two):
            await opened(one.of("a", "m"))
            await until(lambda: _is(one.of("a", "m"), "half-open"))
            holder = one.of("a", "m").guarding()
            await holder.__aenter__()  # and nothing is ever heard of it again
            assert await call(two.of("a", "m")) == "refused"

            async def answered() -> bool:
                return await call(two.of("a", "m")) == "answered"

            await until(answered)
            # what the dead one says later undoes nothing
            assert not await holder.__aexit__(ModelUnavailable, down(), None)
            assert await call(one.of("a", "m")) == "answered"

    run(talk())


def test_a_call_from_before_the_opening_neither_closes_nor_prolongs_it(redis_url: str) -> None:
    async def talk() -> None:
        async with registries(redis_url) as (one, two):
            early, late = one.of("a", "m").guarding(), two.of("a", "m").guarding()
            await early.__aenter__()
            await late.__aenter__()
            await opened(one.of("a", "m"))
            before = stands(redis_url)
            await early.__aexit__(None, None, None)
            assert not await late.__aexit__(ModelUnavailable, down(), None)
            assert stands(redis_url) == before
            assert await call(one.of("a", "m")) == await call(two.of("a", "m")) == "refused"

    run(talk())


def test_a_failure_of_a_call_from_before_the_opening_does_not_count_after_the_closing(redis_url: str) -> None:
    async def talk() -> None:
        async with registries(redis_url, open_for_s=TINY_S) as (one, two):
            late = two.of("a", "m").guarding()
            await late.__aenter__()
            await opened(one.of("a", "m"))
            await until(lambda: _is(one.of("a", "m"), "half-open"))
            assert await call(one.of("a", "m")) == "answered"
            for _ in range(4):
                await call(one.of("a", "m"), down())
            await late.__aexit__(ModelUnavailable, down(), None)
            assert await call(one.of("a", "m")) == "answered"

    run(talk())


def test_without_redis_each_process_counts_alone_and_tells_when_it_is_back(make_valkey: Callable[..., Valkey]) -> None:
    valkey = make_valkey()
    valkey.stop()  # also down while the breakers are made

    async def talk() -> None:
        async with registries(valkey.redis_url) as (one, two):
            await opened(one.of("a", "m"))
            assert await call(one.of("a", "m")) == "refused"
            assert await call(two.of("a", "m"), down()) == "failed"
            await asyncio.to_thread(valkey.start)

            async def told() -> bool:
                await call(one.of("a", "m"))
                return await call(two.of("a", "m"), Cancelled("counts as nothing")) == "refused"

            await until(told)

    run(talk())


def test_a_process_carries_on_from_the_fleet_s_count_when_redis_goes_away(make_valkey: Callable[..., Valkey]) -> None:
    valkey = make_valkey()

    async def talk() -> None:
        async with registries(valkey.redis_url) as (one, two):
            for _ in range(4):
                await call(one.of("a", "m"), down())
            await call(two.of("a", "m"), Cancelled("only looks"))
            await asyncio.to_thread(valkey.stop)
            assert await call(two.of("a", "m"), down()) == "failed"
            assert await call(two.of("a", "m")) == "refused"

    run(talk())


def test_failures_counted_apart_while_redis_was_away_are_added_up(make_valkey: Callable[..., Valkey]) -> None:
    valkey = make_valkey()

    async def talk() -> None:
        async with registries(valkey.redis_url) as (one, two):
            await call(one.of("a", "m"), Cancelled("only looks"))
            await asyncio.to_thread(valkey.stop)
            for _ in range(3):
                assert await call(one.of("a", "m"), down()) == "failed"
                assert await call(two.of("a", "m"), down()) == "failed"
            await asyncio.to_thread(valkey.start)

            async def both_told() -> bool:
                went = [await call(each.of("a", "m"), Cancelled("counts as nothing")) for each in (one, two)]
                return went == ["refused", "refused"]

            await until(both_told)

    run(talk())


def test_what_was_counted_alone_is_told_once_also_by_calls_side_by_side(make_valkey: Callable[..., Valkey]) -> None:
    valkey = make_valkey()
    valkey.stop()

    async def talk() -> None:
        async with registries(valkey.redis_url) as (one, two):
            for _ in range(3):
                await call(one.of("a", "m"), down())
            await asyncio.to_thread(valkey.start)

            async def told() -> bool:
                await asyncio.gather(*(call(one.of("a", "m"), Cancelled("counts as nothing")) for _ in range(20)))
                return bool(stands(valkey.redis_url))

            await until(told)
            assert stands(valkey.redis_url)[b"failures"] == b"3"
            assert await call(two.of("a", "m")) == "answered"

    run(talk())


def test_a_redis_that_does_not_answer_holds_no_call_up_for_long(make_valkey: Callable[..., Valkey]) -> None:
    valkey = make_valkey()

    async def talk() -> list[str]:
        async with registries(valkey.redis_url, answer_within_s=ANSWER_WITHIN_S) as (one, _):
            assert await call(one.of("a", "m")) == "answered"
            with redis.Redis.from_url(valkey.redis_url) as client:
                client.execute_command("CLIENT", "PAUSE", 20_000, "ALL")
            async with asyncio.timeout(5):
                return await asyncio.gather(*(call(one.of("a", "m")) for _ in range(50)))

    assert run(talk()) == ["answered"] * 50


def test_failures_between_successes_of_another_process_within_its_refresh_open_it_all_the_same(
    redis_url: str,
) -> None:
    """A process that looked a moment ago tells no success, so five failures elsewhere stay five in a row."""

    async def talk() -> None:
        async with registries(redis_url, refresh_s=60.0) as (one, two):
            assert await call(one.of("a", "m")) == "answered"
            for _ in range(5):
                assert await call(two.of("a", "m"), down()) == "failed"
                assert await call(one.of("a", "m")) == "answered"
            assert await call(two.of("a", "m")) == "refused"

    run(talk())
