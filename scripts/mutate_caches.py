"""A plugin of pytest for scripts/mutate.py: begins each run with empty caches.

Every mutant's process is a copy of one that has run all tests already: what was remembered there would hide the change.
"""

from __future__ import annotations

import functools
import sys

OURS = ("gateway", "shared", "tasks", "workers")


def pytest_configure() -> None:
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] in OURS:
            for value in list(vars(module).values()):
                # not isinstance(): that makes Celery's proxies load its settings
                if type(value) is functools._lru_cache_wrapper:
                    value.cache_clear()
