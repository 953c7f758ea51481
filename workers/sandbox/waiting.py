"""Waits for conditions that another process or thread brings about."""

from __future__ import annotations

import time
from collections.abc import Callable

POLL_S = 0.05


def wait_until(
    condition: Callable[[], bool], what: str, within_s: float, shown: Callable[[], str] = lambda: ""
) -> None:
    """Wait until a condition holds that something else brings about. Raises NotReached after within_s."""
    ends_at = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > ends_at:
            raise NotReached(f"not within {within_s:g} s: {what} {shown()}")
        time.sleep(POLL_S)  # a poll with a bound: the condition lies in other processes


class NotReached(AssertionError):
    """What should have happened did not; the message says what."""
