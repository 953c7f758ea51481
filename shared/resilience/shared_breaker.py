"""Circuit breakers that all processes share: five failures anywhere open one everywhere, and one process tries again.

The fleet's state is kept in Redis and changed by Lua scripts alone, by the server's clock; they are awaited before and
after a call. Each process' breaker (breaker.py) has a snapshot of it as its storage, and follows. While Redis is
unavailable the process goes on from that snapshot, and reports what happened once Redis is back.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pybreaker
import redis
import redis.asyncio
import structlog

from shared.clock import Clock, SystemClock
from shared.resilience.breaker import (
    CALLED_OFF,
    FAILURES_TO_OPEN,
    OPEN_FOR_S,
    PROBE_RETRY_AFTER_S,
    Admitted,
    Breaker,
    BreakerOpen,
    Neutral,
)
from shared.resilience.breaker_scripts import ADMIT, CLOSED, MERGE, OPEN, SETTLE, TRIAL_OF_ANOTHER, TRIAL_YOURS
from shared.resilience.breakers import Changes, Registry

log = structlog.get_logger(__name__)

PREFIX = "sb:breaker:"
REFRESH_S = 0.5
"""How long a process relies on the state that it saw last. Half-open is asked about every time."""
ANSWER_WITHIN_S = 0.25
"""How long Redis may take to answer, connecting included: the longest that a model call waits for its breaker."""
REST_S = 1.0
"""How long Redis is not asked after a failure."""
PROBE_TTL_S = 35.0
AT_ONCE = 8

Script = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class _Ticket:
    """Who let a call through: the fleet (era, and a token for the trial call) or this process alone (admitted)."""

    era: int | None = None
    token: str | None = None
    admitted: Admitted | None = None


class _Scripts:
    """Runs scripts in Redis: few at a time, each for a bounded time, and none for a while after a failure."""

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
        """Run a script in Redis and return its numbers; None while Redis is unavailable or refuses writes."""
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


class SharedBreaker(Breaker):
    """The shared breaker of one service, as this process knows it. Used on one event loop, by guarding()."""

    def __init__(
        self, name: str, scripts: _Scripts, *, failures: int, open_for_s: float, probe_ttl_s: float, refresh_s: float,
        clock: Clock, neutral: Neutral, changes: Changes, later: Callable[[Coroutine[Any, Any, Any]], None],
    ) -> None:  # fmt: skip
        super().__init__(name, failures=failures, open_for_s=open_for_s, clock=clock, neutral=neutral, changes=changes)
        self._scripts, self._later = scripts, later
        self._open_for_s, self._refresh_s = open_for_s, refresh_s
        # The braces are a Redis Cluster's hash tag: both keys are on the same node.
        self._keys = [f"{PREFIX}{{{name}}}", f"{PREFIX}{{{name}}}:probe"]
        self._numbers: list[int | str] = [round(open_for_s * 1e6), round(probe_ttl_s * 1000), failures]
        self._trial_until_s = 0.0
        self._alone = False  # outcomes were counted that Redis has not been told
        self._alone_failures = 0
        self._alone_succeeded = False

    @asynccontextmanager
    async def guarding(self) -> AsyncIterator[None]:
        """Guard one call: `async with breaker.guarding(): await call()`.

        Raises BreakerOpen without running the block while the breaker is open or the one trial call is under way. A
        cancelled call is not counted, and its cancellation does not wait for Redis.
        """
        ticket = await self._admit()
        try:
            yield
        except CALLED_OFF as error:
            self._abandon(ticket, error)
            raise
        except BaseException as error:
            await self._settle(ticket, error)
            raise
        await self._settle(ticket)

    def hold_s(self) -> float:
        """Return for how many seconds a call should not be prepared, by what this process knows; 0: it may be.

        Half-open, one a second may be, so that not all that waits is prepared for a trial that one call makes. Asks
        nobody; from any thread."""
        with self._lock:
            if self.known.state == pybreaker.STATE_CLOSED:
                return 0.0
            if (wait_s := self.known.wait_s) > 0:
                return wait_s
            now_s = self._clock.monotonic_s()
            if now_s < self._trial_until_s:
                return PROBE_RETRY_AFTER_S
            self._trial_until_s = now_s + PROBE_RETRY_AFTER_S
            return 0.0

    # -------------------------------------------------------------- before a call

    async def _admit(self) -> _Ticket:
        if self._is_fresh():
            if self.known.state == pybreaker.STATE_CLOSED:
                return _Ticket(era=self.known.era)
            if self.known.wait_s > 0:
                raise BreakerOpen(f"{self.name}: breaker open", retry_after_s=self.known.wait_s)
        if self._alone and not await self._merge():
            return _Ticket(admitted=self.admit())
        token = uuid.uuid4().hex
        try:
            told = await self._scripts.ask(self._scripts.admit, self._keys, [*self._numbers, token])
        except asyncio.CancelledError:
            self._release_later(token)  # it may have been granted
            raise
        if told is None:
            return _Ticket(admitted=self.admit())
        return self._admitted(told, token)

    def _is_fresh(self) -> bool:
        """Return whether what is known is the fleet's state of a moment ago."""
        seen_at_s = self.known.seen_at_s
        return seen_at_s is not None and not self._alone and self._clock.monotonic_s() - seen_at_s < self._refresh_s

    def _admitted(self, told: list[int], token: str) -> _Ticket:
        state, era = told[0], self._see(told)
        if state == OPEN:
            raise BreakerOpen(f"{self.name}: breaker open", retry_after_s=told[1] / 1e6)
        if state == TRIAL_OF_ANOTHER:
            raise BreakerOpen(f"{self.name}: trial call under way", retry_after_s=PROBE_RETRY_AFTER_S)
        return _Ticket(era=era, token=token if state == TRIAL_YOURS else None)

    def _see(self, told: list[int]) -> int:
        """Remember the fleet's state as Redis told it; pybreaker follows. Returns its era."""
        state, wait_us, failures, era = told
        self.align(failures=failures, open_for_s=None if state == CLOSED else wait_us / 1e6)
        self.known.seen_at_s, self.known.era = self._clock.monotonic_s(), era
        return era

    # -------------------------------------------------------------- after a call

    async def _settle(self, ticket: _Ticket, error: BaseException | None = None) -> None:
        counts = error is None or self.is_system_error(error)
        if ticket.era is None:
            self.settle(ticket.admitted, error)
            self._count_alone(counts, error)
            return
        if ticket.token is None and (not counts or (error is None and self._is_news_to_nobody(ticket))):
            return
        told = None
        if not self._alone or await self._merge():
            told = await self._tell(ticket, "nothing" if not counts else "ok" if error is None else "failed")
        if told is not None:
            self._see(told)
            return
        if ticket.token is None:
            self.settle(None, error)
        elif counts:  # a trial call's outcome, while Redis is unavailable
            self.align(failures=0, open_for_s=None if error is None else self._open_for_s)
        self._count_alone(counts, error)

    def _is_news_to_nobody(self, ticket: _Ticket) -> bool:
        """Return whether a success need not be reported: no failure is counted, as this process saw a moment ago."""
        return self._is_fresh() and self.open_for_s() is None and not self.failures and self.known.era == ticket.era

    async def _tell(self, ticket: _Ticket, outcome: str) -> list[int] | None:
        args = [*self._numbers, ticket.token or "", outcome, ticket.era or 0]
        return await self._scripts.ask(self._scripts.settle, self._keys, args)

    def _abandon(self, ticket: _Ticket, error: BaseException) -> None:
        if ticket.era is None:
            self.settle(ticket.admitted, error)
        elif ticket.token is not None:
            self._release_later(ticket.token)

    def _release_later(self, token: str) -> None:
        """Give up a trial call's place without waiting for Redis. If that fails, the place expires by itself."""
        self._later(self._tell(_Ticket(era=0, token=token), "nothing"))

    # -------------------------------------------------------------- while Redis is away

    def _count_alone(self, counts: bool, error: BaseException | None) -> None:
        if counts:
            self._alone = True
            self._alone_failures = 0 if error is None else self._alone_failures + 1
            self._alone_succeeded |= error is None

    async def _merge(self) -> bool:
        """Report what was counted while Redis was unavailable; False while it still is."""
        open_for_s = self.open_for_s()
        failures, succeeded = self._alone_failures, self._alone_succeeded
        # Taken out during the report, so that concurrent calls do not report it twice.
        self._alone_failures, self._alone_succeeded = 0, False
        told = None
        try:
            wait_us = -1 if open_for_s is None else round(open_for_s * 1e6)
            args = [*self._numbers, wait_us, failures, int(succeeded)]
            told = await self._scripts.ask(self._scripts.merge, self._keys, args)
        finally:
            if told is None:
                self._alone_failures += failures
                self._alone_succeeded |= succeeded
        if told is None:
            return False
        self._alone = self._alone_failures > 0 or self._alone_succeeded
        self._see(told)
        return True


class SharedBreakers(Registry[SharedBreaker]):
    """The shared breakers as one process sees them, one for each (provider, model), or (host, account) of a kind.

    client: redis-py's asyncio client, with short timeouts and no retries; closed by aclose(). The constructor does not
    use it, so a process can start while Redis is down. probe_ttl_s: after this time the place of a trial call is free
    again if its process died; longer than any call. Used on one event loop; states() may be called from any thread.
    """

    def __init__(
        self, client: redis.asyncio.Redis, *, failures: int = FAILURES_TO_OPEN, open_for_s: float = OPEN_FOR_S,
        probe_ttl_s: float = PROBE_TTL_S, refresh_s: float = REFRESH_S, answer_within_s: float = ANSWER_WITHIN_S,
        clock: Clock | None = None, neutral: Neutral = lambda error: False, kind: str | None = None,
    ) -> None:  # fmt: skip
        clock = clock or SystemClock()
        scripts = _Scripts(client, clock, answer_within_s)

        def make(name: str, changes: Changes) -> SharedBreaker:
            return SharedBreaker(
                name, scripts, failures=failures, open_for_s=open_for_s, probe_ttl_s=probe_ttl_s, refresh_s=refresh_s,
                clock=clock, neutral=neutral, changes=changes, later=self._later,
            )  # fmt: skip

        super().__init__(make, kind)
        self._client = client
        self._tasks: set[asyncio.Task[Any]] = set()

    async def aclose(self) -> None:
        """Wait (for a bounded time) until everything is reported, then close the client."""
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
