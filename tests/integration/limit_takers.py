"""A process of its own that takes from limits: `python -m tests.integration.limit_takers URL WHAT`.

take: eight threads take from a window and from places until each has asked fifty times; tells how many were allowed,
and the most places that were held at once here. hold: holds one place until it is killed; tells it once it has it.
"""

from __future__ import annotations

import sys
import threading

from shared.resilience.limiter import Limiter
from shared.resilience.limits import AtOnce, Window
from shared.store.db.redis import connect

THREADS, TIMES = 8, 50
WINDOW = Window("shared", 100, 3600.0)
PLACES = AtOnce("shared", 3)
HELD = AtOnce("held", 1, lease_s=1.0)


def _tell(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def take(limiter: Limiter) -> None:
    allowed = [0] * THREADS
    lock, holding, most = threading.Lock(), 0, 0

    def work(number: int) -> None:
        nonlocal holding, most
        for _ in range(TIMES):
            allowed[number] += limiter.decide([WINDOW]).allowed
            with limiter.hold([PLACES]) as held:
                if not held.allowed:
                    continue
                with lock:
                    holding += 1
                    most = max(most, holding)
                with lock:
                    holding -= 1

    threads = [threading.Thread(target=work, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    _tell(f"{sum(allowed)} {most}")


def hold(limiter: Limiter) -> None:
    held = limiter.hold([HELD])
    _tell("held" if held.allowed else "refused")
    threading.Event().wait()


if __name__ == "__main__":
    url, what = sys.argv[1:]
    {"take": take, "hold": hold}[what](Limiter(connect(url)))
