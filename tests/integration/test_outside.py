"""Websites, hosts of attachments and the bucket behind breakers: fetched again within the call, then left alone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import obstore
import pytest
from obstore.exceptions import BaseError, GenericError
from obstore.store import MemoryStore

from shared.clock import SystemClock
from shared.resilience.breaker import BreakerOpen, Breakers
from shared.resilience.egress import EgressRefused, Fetched, Unreachable
from shared.resilience.outside import Outside, fetch, host_of, is_neutral
from shared.store.db import objects as store
from shared.store.db.objects import MediaStoreUnavailable, Objects
from shared.store.db.redis import connect_async

URL = "https://user:pw@Shop.example.com/a"


def answer(status: int, **headers: str) -> Fetched:
    return Fetched(status, {name.replace("_", "-"): value for name, value in headers.items()}, b"", URL)


class Site:
    """Answers with these, the last one again and again. asked: how often it was."""

    def __init__(self, *answers: Fetched | Exception) -> None:
        self.answers, self.asked = list(answers), 0

    async def get(self, within_s: float) -> Fetched:
        assert within_s > 0
        self.asked += 1
        found = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(found, Exception):
            raise found
        return found


def run(redis_url: str, talk: Callable[[Outside], Coroutine[Any, Any, Any]]) -> Any:
    async def outer() -> Any:
        outside = Outside(connect_async(redis_url), SystemClock(), send_deadline_s=10.0, fetch_deadline_s=20.0)
        try:
            return await talk(outside)
        finally:
            await outside.aclose()

    return asyncio.run(asyncio.wait_for(outer(), 30))


async def status_of(outside: Outside, site: Site, url: str = URL) -> int | str:
    try:
        return (await fetch(outside.sites, url, site.get, deadline_s=20.0)).status
    except BreakerOpen:
        return "refused"
    except (Unreachable, EgressRefused) as e:
        return type(e).__name__


@pytest.mark.parametrize(
    "passing", [answer(503), answer(429, retry_after="0"), Unreachable("reset", sent=True)], ids=str
)
def test_what_may_pass_is_fetched_again_within_the_call(redis_url: str, passing: Fetched | Exception) -> None:
    site = Site(passing, answer(200))

    assert run(redis_url, lambda outside: status_of(outside, site)) == 200
    assert site.asked == 2


@pytest.mark.parametrize("final", [answer(404), answer(304), EgressRefused("private")], ids=str)
def test_what_is_an_answer_is_not(redis_url: str, final: Fetched | Exception) -> None:
    site = Site(final)
    run(redis_url, lambda outside: status_of(outside, site))
    assert site.asked == 1


def test_a_long_wait_that_a_site_asks_for_is_the_row_s(redis_url: str) -> None:
    site = Site(answer(503, retry_after="120"))
    assert run(redis_url, lambda outside: status_of(outside, site)) == 503
    assert site.asked == 1


def test_a_host_that_fails_five_times_is_left_alone_and_others_are_not(redis_url: str) -> None:
    site, other = Site(answer(500)), Site(answer(200))

    async def talk(outside: Outside) -> list[int | str]:
        went = [await status_of(outside, site) for _ in range(3)]
        return [*went, await status_of(outside, other, "https://other.example.com/")]

    # the second call was made, though the breaker opened during it: what it got is what it tells
    assert run(redis_url, talk) == [500, 500, "refused", 200]
    assert site.asked == 5


def test_answers_about_pages_and_full_rates_close_no_door(redis_url: str) -> None:
    site = Site(answer(500), answer(500), answer(500), *[answer(404)] * 4, answer(500), answer(500), answer(500))

    async def talk(outside: Outside) -> set[str]:
        for _ in range(6):
            await status_of(outside, site)
        return set(outside.sites.states().values())

    assert run(redis_url, talk) == {"closed"}


@pytest.mark.parametrize(
    ("url", "host"),
    [(URL, "shop.example.com"), ("http://a.example:8080/x", "a.example:8080"), ("nothing", ""), ("http://[x", "")],
)  # fmt: skip
def test_a_breaker_is_named_after_the_host_and_no_secret(url: str, host: str) -> None:
    assert host_of(url) == host


# ------------------------------------------------------------------ the bucket


class Bucket:
    """A bucket that fails as often as told, then works. asked: how often it was."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, failures: int, error: Exception) -> None:
        self.asked, self._failures, self._error = 0, failures, error
        self._put = obstore.put
        monkeypatch.setattr(obstore, "put", self._answer)
        self.objects = Objects(MemoryStore(), Breakers(kind="bucket", neutral=is_neutral).of("bucket"))

    def _answer(self, *args: Any, **options: Any) -> Any:
        self.asked += 1
        if self.asked <= self._failures:
            raise self._error
        return self._put(*args, **options)

    def put(self) -> None:
        self.objects.put(1, "a" * 64, b"bytes")


def test_a_bucket_is_tried_again_within_the_call(monkeypatch: pytest.MonkeyPatch) -> None:
    bucket = Bucket(monkeypatch, 2, GenericError("503"))
    bucket.put()
    assert bucket.asked == 3
    assert bucket.objects.get(1, "a" * 64) == b"bytes"


def test_refused_keys_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    bucket = Bucket(monkeypatch, 9, BaseError("403"))
    with pytest.raises(MediaStoreUnavailable) as caught:
        bucket.put()
    assert (bucket.asked, caught.value.retry_after_s) == (1, store.RETRY_AFTER_S)


def test_a_bucket_that_fails_again_and_again_is_left_alone_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    bucket = Bucket(monkeypatch, 99, GenericError("503"))
    for _ in range(3):
        with pytest.raises(MediaStoreUnavailable) as caught:
            bucket.put()
    assert bucket.asked == 5
    assert caught.value.retry_after_s is not None
    assert 50 < caught.value.retry_after_s <= 60
    with pytest.raises(MediaStoreUnavailable):
        bucket.objects.get(1, "a" * 64)
