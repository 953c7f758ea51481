"""Circuit breakers that a whole fleet shares: five failures anywhere open one everywhere, one process tries again.

The fleet's state stands in Redis and moves by scripts there, by the server's clock. Each process keeps a breaker of
its own (pybreaker inside) that stands where the fleet's stands: when Redis goes away it carries on from there, and
what happened meanwhile is told when Redis is back.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import redis
import redis.asyncio
import structlog

from shared.clock import Clock, SystemClock
from shared.errors import Cancelled
from shared.resilience.breaker import (
    FAILURES_TO_OPEN,
    OPEN_FOR_S,
    PROBE_RETRY_AFTER_S,
    Breaker,
    BreakerOpen,
    State,
)
from shared.resilience.breaker_scripts import ADMIT, MERGE, OPEN, SETTLE, TRIAL_OF_ANOTHER, TRIAL_YOURS

log = structlog.get_logger(__name__)

PREFIX = "sb:breaker:"
REFRESH_S = 0.5
"""For so long a process goes by what it saw last. Only half-open is asked about every time."""
ANSWER_WITHIN_S = 0.25
"""Redis has so long to answer, the connecting included; no call of a model waits longer for its breaker."""
REST_S = 1.0
"""After a failure Redis is left alone for so long."""
PROBE_TTL_S = 35.0
AT_ONCE = 8

Script = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class _Seen:
    """The fleet's state as Redis told it. at_s, open_until_s: monotonic; None: closed. era: of this state. failures:
    in a row, while it is closed."""

    at_s: float
    era: int
    open_until_s: float | None
    failures: int


@dataclass(frozen=True, slots=True)
class _Ticket:
    """What let a call through: the fleet (era, and a token if it is the trial call) or this process alone."""

    era: int | None = None
    token: str | None = None
    local_era: int | None = None


class _Line:
    """The way to Redis: bounded in time and number, left alone for a while after a failure."""

    def __init__(self, client: redis.asyncio.Redis, clock: Clock, answer_within_s: float) -> None:
        self._clock, self._answer_within_s = clock, answer_within_s
        self._away_until_s: float | None = None
        self._places = asyncio.Semaphore(AT_ONCE)
        self.admit: Script = client.register_script(ADMIT)
        self.settle: Script = client.register_script(SETTLE)
        self.merge: Script = client.register_script(MERGE)

    def resting(self) -> bool:
        return self._away_until_s is not None and self._clock.monotonic_s() < self._away_until_s

    async def ask(self, script: Script, keys: list[str], args: list[int | str]) -> list[int] | None:
        """Run a script in Redis; None while Redis is away or takes no writes."""
        async with self._places:
            if self.resting():
                return None
            try:
                async with asyncio.timeout(self._answer_within_s):
                    told = await script(keys=keys, args=args)
            except (redis.RedisError, OSError, TimeoutError) as error:
                if self._away_until_s is None:
                    log.warning("breakers_count_alone", error=type(error).__name__)
                self._away_until_s = self._clock.monotonic_s() + REST_S
                return None
        if self._away_until_s is not None:
            self._away_until_s = None
            log.info("breakers_share_again")
        return [int(value) for value in told]


class SharedBreaker:
    """One service's breaker for the fleet. Used on one event loop."""

    def __init__(
        self, name: str, line: _Line, local: Breaker, *, failures: int, open_for_s: float, probe_ttl_s: float,
        refresh_s: float, clock: Clock, neutral: Callable[[BaseException], bool],
        later: Callable[[Coroutine[Any, Any, Any]], None],
    ) -> None:  # fmt: skip
        self.name = name
        self._line, self._local, self._clock, self._neutral, self._later = line, local, clock, neutral, later
        self._open_for_s, self._refresh_s = open_for_s, refresh_s
        # In braces: the part that a Redis Cluster would divide by, so that both keys stay together.
        self._keys = [f"{PREFIX}{{{name}}}", f"{PREFIX}{{{name}}}:probe"]
        self._numbers: list[int | str] = [round(open_for_s * 1e6), round(probe_ttl_s * 1000), failures]
        self._seen: _Seen | None = None
        self._alone = False  # something was counted that the fleet has not been told
        self._alone_failures = 0
        self._alone_succeeded = False

    @property
    def state(self) -> State:
        """As this process last saw it."""
        return self._local.state

    @asynccontextmanager
    async def guarding(self) -> AsyncIterator[None]:
        """Around one call: `async with breaker.guarding(): await call()`.

        Raises BreakerOpen without running the block while the breaker is open or the fleet's one trial call is under
        way. Calling off counts as nothing and waits for nothing.
        """
        ticket = await self._admit()
        try:
            yield
        except (asyncio.CancelledError, Cancelled, GeneratorExit, KeyboardInterrupt, SystemExit):
            self._abandon(ticket)
            raise
        except BaseException as error:
            await self._settle(ticket, None if self._neutral(error) else False)
            raise
        await self._settle(ticket, True)

    # -------------------------------------------------------------- before a call

    async def _admit(self) -> _Ticket:
        seen, now_s = self._seen, self._clock.monotonic_s()
        if seen is not None and not self._alone and now_s - seen.at_s < self._refresh_s:
            if seen.open_until_s is None:
                return _Ticket(era=seen.era)
            if seen.open_until_s > now_s:
                raise BreakerOpen(f"{self.name}: breaker open", retry_after_s=seen.open_until_s - now_s)
        if self._alone and not await self._merge():
            return _Ticket(local_era=self._local.admit())
        token = uuid.uuid4().hex
        try:
            told = await self._line.ask(self._line.admit, self._keys, [*self._numbers, token])
        except asyncio.CancelledError:
            self._release_later(token)  # it may have been granted
            raise
        if told is None:
            return _Ticket(local_era=self._local.admit())
        return self._admitted(told, token)

    def _admitted(self, told: list[int], token: str) -> _Ticket:
        state, seen = told[0], self._see(told)
        if state == OPEN:
            raise BreakerOpen(f"{self.name}: breaker open", retry_after_s=told[1] / 1e6)
        if state == TRIAL_OF_ANOTHER:
            raise BreakerOpen(f"{self.name}: trial call under way", retry_after_s=PROBE_RETRY_AFTER_S)
        return _Ticket(era=seen.era, token=token if state == TRIAL_YOURS else None)

    def _see(self, told: list[int]) -> _Seen:
        """Take over what Redis said, for this process' own breaker too."""
        state, wait_us, failures, era = told
        now_s = self._clock.monotonic_s()
        closed = state not in (OPEN, TRIAL_YOURS, TRIAL_OF_ANOTHER)
        self._local.align(failures=failures, open_for_s=None if closed else wait_us / 1e6)
        self._seen = _Seen(now_s, era, None if closed else now_s + wait_us / 1e6, failures)
        return self._seen

    # -------------------------------------------------------------- after a call

    async def _settle(self, ticket: _Ticket, succeeded: bool | None) -> None:
        if ticket.era is None:
            self._local.settle(ticket.local_era, succeeded)
            self._count_alone(succeeded)
            return
        if ticket.token is None and (succeeded is None or (succeeded and self._is_news_to_nobody(ticket))):
            return
        told = None
        if not self._alone or await self._merge():
            told = await self._tell(ticket, succeeded)
        if told is not None:
            self._see(told)
            return
        if ticket.token is None:
            self._local.settle(None, succeeded)
        elif succeeded is not None:  # the trial's outcome, which Redis could not be told
            self._local.align(failures=0, open_for_s=None if succeeded else self._open_for_s)
        self._count_alone(succeeded)

    def _is_news_to_nobody(self, ticket: _Ticket) -> bool:
        """A success changes nothing where no failure is counted, and this process looked a moment ago."""
        seen = self._seen
        if seen is None or self._alone or seen.open_until_s is not None or seen.failures or seen.era != ticket.era:
            return False
        return self._clock.monotonic_s() - seen.at_s < self._refresh_s

    async def _tell(self, ticket: _Ticket, succeeded: bool | None) -> list[int] | None:
        outcome = {True: "ok", False: "failed", None: "nothing"}[succeeded]
        args = [*self._numbers, ticket.token or "", outcome, ticket.era or 0]
        return await self._line.ask(self._line.settle, self._keys, args)

    def _abandon(self, ticket: _Ticket) -> None:
        if ticket.era is None:
            self._local.settle(ticket.local_era, None)
        elif ticket.token is not None:
            self._release_later(ticket.token)

    def _release_later(self, token: str) -> None:
        """Give a trial's place back without waiting; if that fails, its time to live does it."""
        self._later(self._tell(_Ticket(era=0, token=token), None))

    # -------------------------------------------------------------- while Redis is away

    def _count_alone(self, succeeded: bool | None) -> None:
        if succeeded is None:
            return
        self._alone = True
        self._alone_failures = 0 if succeeded else self._alone_failures + 1
        self._alone_succeeded |= succeeded

    async def _merge(self) -> bool:
        """Tell the fleet what happened while Redis was away; false while it still is."""
        open_for_s = self._local.open_for_s()
        failures, succeeded = self._alone_failures, self._alone_succeeded
        # Taken out while it is told, so that calls side by side do not tell it twice.
        self._alone_failures, self._alone_succeeded = 0, False
        told = None
        try:
            wait_us = -1 if open_for_s is None else round(open_for_s * 1e6)
            args = [*self._numbers, wait_us, failures, int(succeeded)]
            told = await self._line.ask(self._line.merge, self._keys, args)
        finally:
            if told is None:
                self._alone_failures += failures
                self._alone_succeeded |= succeeded
        if told is None:
            return False
        self._alone = self._alone_failures > 0 or self._alone_succeeded
        self._see(told)
        return True


class SharedBreakers:
    """The fleet's breakers as one process sees them, one for each (provider, model).

    client: redis-py's asyncio client, with short timeouts and no retries; closed by aclose(). Nothing is asked of it
    here, so that a process starts also while Redis is down. probe_ttl_s: longer than any call; a trial call whose
    process died frees its place after so long. Used on one event loop; states() may be asked from any thread.
    """

    def __init__(
        self, client: redis.asyncio.Redis, *, failures: int = FAILURES_TO_OPEN, open_for_s: float = OPEN_FOR_S,
        probe_ttl_s: float = PROBE_TTL_S, refresh_s: float = REFRESH_S, answer_within_s: float = ANSWER_WITHIN_S,
        clock: Clock | None = None,
        neutral: Callable[[BaseException], bool] = lambda error: False,
    ) -> None:  # fmt: skip
        self._client = client
        self._clock = clock or SystemClock()
        self._line = _Line(client, self._clock, answer_within_s)
        self._failures, self._open_for_s, self._neutral = failures, open_for_s, neutral
        self._probe_ttl_s, self._refresh_s = probe_ttl_s, refresh_s
        self._breakers: dict[tuple[str, str], SharedBreaker] = {}
        self._tasks: set[asyncio.Task[Any]] = set()

    def of(self, provider: str, model: str) -> SharedBreaker:
        if (provider, model) not in self._breakers:
            name = f"{provider}/{model}"
            local = Breaker(
                name, failures=self._failures, open_for_s=self._open_for_s, clock=self._clock, neutral=self._neutral
            )
            self._breakers[provider, model] = SharedBreaker(
                name, self._line, local, failures=self._failures, open_for_s=self._open_for_s,
                probe_ttl_s=self._probe_ttl_s, refresh_s=self._refresh_s, clock=self._clock, neutral=self._neutral,
                later=self._later,
            )  # fmt: skip
        return self._breakers[provider, model]

    def states(self) -> dict[tuple[str, str], State]:
        return {key: breaker.state for key, breaker in dict(self._breakers).items()}

    async def aclose(self) -> None:
        """Wait for what is still to be told, which is bounded, and close the client."""
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._client.aclose()

    def _later(self, coro: Coroutine[Any, Any, Any]) -> None:
        try:
            task = asyncio.get_running_loop().create_task(coro)
        except RuntimeError:  # the loop is gone
            coro.close()
            return
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
