"""An asyncio event loop in a thread of its own, for threads that have to wait for the network."""

from __future__ import annotations

import asyncio
import concurrent.futures
import importlib.util
import sys
import threading
from collections.abc import Coroutine
from typing import Any, Generic, TypeVar

from shared.errors import Cancelled

T = TypeVar("T")

# httpcore asks several times a request whether sniffio is installed. Where it is not, Python searches all of its path
# each time, a twelfth of a busy loop's time; None says at once that there is none.
if importlib.util.find_spec("sniffio") is None:
    sys.modules["sniffio"] = None  # type: ignore[assignment]


class Call(Generic[T]):
    """A coroutine that runs on the loop. Any thread may wait for it or cancel it."""

    def __init__(self, loop: asyncio.AbstractEventLoop, coro: Coroutine[Any, Any, T]) -> None:
        self._loop = loop
        self._coro = coro
        self._task: asyncio.Task[T] | None = None
        self._outcome: concurrent.futures.Future[T] = concurrent.futures.Future()

    def result(self, timeout_s: float) -> T:
        """Return what the coroutine returned, or raise what it raised.

        After timeout_s the coroutine is cancelled and TimeoutError raised. Raises Cancelled if it was cancelled by
        somebody else.
        """
        try:
            return self._outcome.result(timeout_s)
        except concurrent.futures.TimeoutError:
            if self._outcome.done():  # the coroutine's own TimeoutError
                raise
            self.cancel()
            raise TimeoutError(f"not done within {timeout_s:g} s") from None

    def done(self) -> bool:
        return self._outcome.done()

    def cancel(self) -> None:
        """Cancel it: waiting threads get Cancelled at once, and the loop cancels the task, which closes its socket.
        Has no effect once it is done."""
        if not self._settle(error=Cancelled("the call was cancelled")):
            return
        try:
            self._loop.call_soon_threadsafe(self._cancel_task)
        except RuntimeError:
            self._coro.close()  # the loop is closed: nothing runs any more

    def _settle(self, value: T | None = None, error: BaseException | None = None) -> bool:
        """Set the outcome; False if there was one already."""
        try:
            if error is not None:
                self._outcome.set_exception(error)
            else:
                self._outcome.set_result(value)  # type: ignore[arg-type]
        except concurrent.futures.InvalidStateError:
            return False
        return True

    def _begin(self) -> None:
        if self._outcome.done():  # cancelled before it began
            self._coro.close()
            return
        self._task = self._loop.create_task(self._coro)
        self._task.add_done_callback(self._finish)

    def _cancel_task(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def _finish(self, task: asyncio.Task[T]) -> None:
        if task.cancelled():
            self._settle(error=Cancelled("the call was cancelled"))
        elif (error := task.exception()) is not None:
            self._settle(error=error)
        else:
            self._settle(task.result())


class Loop:
    """The event loop of a process. start() it after any fork, never at import: a forked child would lack the thread."""

    def __init__(self, name: str = "loop") -> None:
        self._name = name
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._calls: set[Call[Any]] = set()
        self._lock = threading.Lock()
        self._stopped = False

    def start(self) -> None:
        """Start the loop and return once it runs. Has no effect if it runs. Raises RuntimeError after stop()."""
        with self._lock:
            if self._stopped:
                raise RuntimeError("this loop was stopped: make another")
            if self._thread is not None:
                return
            self._loop = asyncio.new_event_loop()
            running = threading.Event()
            self._loop.call_soon(running.set)
            self._thread = threading.Thread(target=self._loop.run_forever, name=self._name, daemon=True)
            self._thread.start()
        running.wait()

    def stop(self, timeout_s: float = 5.0) -> None:
        """Cancel all calls, let them close their sockets, and end the thread. Takes timeout_s at most, unless a
        coroutine blocks the loop; by then every waiting thread has its outcome."""
        with self._lock:
            if self._stopped or self._loop is None or self._thread is None:
                self._stopped = True
                return
            self._stopped = True
            calls, loop, thread = list(self._calls), self._loop, self._thread
        for call in calls:
            call.cancel()
        asyncio.run_coroutine_threadsafe(self._wind_down(timeout_s), loop)
        thread.join(timeout_s + 0.5)
        if not thread.is_alive():
            loop.close()

    def spawn(self, coro: Coroutine[Any, Any, T]) -> Call[T]:
        """Run a coroutine on the loop. Raises Cancelled after stop(), RuntimeError before start()."""
        with self._lock:
            if self._stopped or self._loop is None:
                coro.close()  # or Python warns that it was never awaited
                if self._stopped:
                    raise Cancelled("the loop was stopped")
                raise RuntimeError("start() the loop first, after any fork")
            call = Call(self._loop, coro)
            self._calls.add(call)
            call._outcome.add_done_callback(lambda _: self._calls.discard(call))
            self._loop.call_soon_threadsafe(call._begin)
        return call

    def run(self, coro: Coroutine[Any, Any, T], timeout_s: float) -> T:
        """Run a coroutine and return its result. After timeout_s of wall-clock time, even if data still trickles in, it
        is cancelled and TimeoutError raised. Raises RuntimeError on the loop's own thread, which would wait for
        itself."""
        if threading.current_thread() is self._thread:
            coro.close()
            raise RuntimeError("run() would wait for its own thread: await the coroutine instead")
        return self.spawn(coro).result(timeout_s)

    async def _wind_down(self, timeout_s: float) -> None:
        loop = asyncio.get_running_loop()
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        if others:
            await asyncio.wait(others, timeout=timeout_s)
        await loop.shutdown_asyncgens()
        loop.stop()
