"""Watches conversations from an event loop, with one subscription connection for all watchers of a process."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import redis.asyncio
import structlog
from redis.exceptions import RedisError

from shared.live.topics import Chat, Moved, News, PartialAnswer, Stored, Withdrawn, channel_name, decode

log = structlog.get_logger(__name__)

WAITING_MAX = 100
"""News that one slow watcher may have waiting; then the oldest goes, and it reads the table."""
QUIET_S = 5.0
"""Without a word from Redis for so long it is asked; without an answer for as long again it counts as gone."""
REST_S = 1.0
CONFIRM_WITHIN_S = 1.0


class Watcher:
    """One watcher's news, in order. `behind`: something may have been missed, so the table must be read; whoever
    reads it says `behind = False` before."""

    def __init__(self) -> None:
        self.behind = True
        self._news: deque[News] = deque()
        self._arrived = asyncio.Event()

    async def next(self, timeout_s: float) -> News | None:
        """Return the next event; None after timeout_s, and as soon as the table must be read."""
        if not self._news and not self.behind:
            try:
                await asyncio.wait_for(self._arrived.wait(), timeout_s)
            except TimeoutError:
                return None
        self._arrived.clear()
        return None if self.behind or not self._news else self._news.popleft()

    def put(self, news: News) -> None:
        if news.__class__ is PartialAnswer and self._news and isinstance(self._news[-1], PartialAnswer):
            self._news.pop()  # the newer one holds the whole text
        self._news.append(news)
        if len(self._news) > WAITING_MAX:
            self.fall_behind()
        self._arrived.set()

    def fall_behind(self) -> None:
        """Forget the events that wait, because the table is about to be read."""
        self._news.clear()
        self.behind = True
        self._arrived.set()

    def wake(self) -> None:
        self._arrived.set()


class Hub:
    """Subscribes to what is watched here and hands news out. While Redis is away nobody is told anything; when it
    is back everybody is subscribed again and told that they may have missed something."""

    def __init__(self, client: redis.asyncio.Redis) -> None:
        self._client = client
        self._database = int(client.connection_pool.connection_kwargs.get("db") or 0)
        self._watchers: dict[str, set[Watcher]] = {}
        self._confirmed: dict[str, asyncio.Event] = {}
        self._subscription: redis.asyncio.client.PubSub | None = None
        self._task: asyncio.Task[None] | None = None
        self.closing = False

    @property
    def connected(self) -> bool:
        return self._subscription is not None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run())

    def stop_watching(self) -> None:
        """Tell every watcher, by `closing`, to end its stream now."""
        self.closing = True
        for watchers in self._watchers.values():
            for watcher in watchers:
                watcher.wake()

    async def close(self) -> None:
        self.stop_watching()
        while self._task is not None and not self._task.done():
            # again and again: a cancellation that arrives while redis-py connects can get lost in there
            self._task.cancel()
            await asyncio.wait([self._task], timeout=0.2)
        await self._let_go()

    @asynccontextmanager
    async def watch(self, chat: Chat) -> AsyncIterator[Watcher]:
        """Watch a conversation. On entry the subscription stands, so that what is committed from now on is told;
        where Redis cannot confirm it in time the watcher is told when it does."""
        name, watcher = channel_name(self._database, chat.topic), Watcher()
        watchers = self._watchers.setdefault(name, set())
        watchers.add(watcher)
        try:
            await self._subscribe(name)
            yield watcher
        finally:
            watchers.discard(watcher)
            if not watchers and self._watchers.get(name) is watchers:
                del self._watchers[name]
                self._confirmed.pop(name, None)
                await self._send("unsubscribe", name)

    async def _subscribe(self, name: str) -> None:
        confirmed = self._confirmed.get(name)
        if confirmed is None:
            confirmed = self._confirmed[name] = asyncio.Event()
            await self._send("subscribe", name)
        if self.connected and not confirmed.is_set():
            try:
                await asyncio.wait_for(confirmed.wait(), CONFIRM_WITHIN_S)
            except TimeoutError:
                pass  # it falls behind when the confirmation comes

    async def _send(self, command: str, *names: str) -> None:
        """Subscribe or unsubscribe; a connection that breaks here is found broken by the reader."""
        if self._subscription is None or self.closing:
            return
        try:
            await getattr(self._subscription, command)(*names)
        except (RedisError, OSError, AttributeError):  # AttributeError: redis-py, of a socket closed meanwhile
            await self._let_go()

    async def _run(self) -> None:
        failed = False
        while not self.closing:
            try:
                await self._connect()
                if failed:
                    log.info("live_watches_again", conversations=len(self._watchers))
                failed = False
                await self._read()
            except Exception as e:  # noqa: BLE001  whatever it was, watching goes on; a break shows in many ways
                if not failed:
                    log.warning("live_cannot_watch", error=type(e).__name__)
                failed = True
            await self._let_go()
            await asyncio.sleep(REST_S)

    async def _connect(self) -> None:
        subscription, wanted = self._client.pubsub(), set(self._watchers)
        try:
            # one name of our own, so that the connection stands while nobody watches anything
            await subscription.subscribe(channel_name(self._database, "nobody"), *wanted)
        except BaseException:
            await subscription.aclose()  # type: ignore[no-untyped-call]
            raise
        self._subscription = subscription
        if meanwhile := self._watchers.keys() - wanted:
            await subscription.subscribe(*meanwhile)

    async def _read(self) -> None:
        asked = False
        while self._subscription is not None:
            message = await self._subscription.get_message(timeout=QUIET_S)
            if message is not None:
                asked = False
                self._take(message)
            elif asked:
                raise TimeoutError("no answer to a ping")
            else:
                asked = True
                await self._subscription.ping()
        raise ConnectionError("the subscription broke")

    def _take(self, message: dict[str, Any]) -> None:
        channel = message["channel"]
        name = channel.decode() if isinstance(channel, bytes) else str(channel)
        if message["type"] == "subscribe":
            self._confirm(name)
        elif message["type"] == "message":
            news = decode(message["data"])
            if news is not None and not isinstance(news, Moved):
                for watcher in self._watchers.get(name, ()):
                    watcher.put(news)

    def _confirm(self, name: str) -> None:
        confirmed = self._confirmed.setdefault(name, asyncio.Event()) if name in self._watchers else None
        if confirmed is None or confirmed.is_set():
            return
        confirmed.set()
        for watcher in self._watchers[name]:
            watcher.fall_behind()

    async def _let_go(self) -> None:
        subscription, self._subscription = self._subscription, None
        for confirmed in self._confirmed.values():
            confirmed.clear()
        if subscription is not None:
            try:
                await subscription.aclose()  # type: ignore[no-untyped-call]
            except (RedisError, OSError):
                pass  # it was broken already


__all__ = ["Hub", "News", "PartialAnswer", "Stored", "Watcher", "Withdrawn"]
