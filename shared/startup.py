"""A process' start, and what it leaves behind for the collector of garbage."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def imports() -> Iterator[None]:
    """Import inside: what modules are made of stays for the process' life. To collect meanwhile is a tenth of a start,
    and to look at it again is most of each full collection later, which holds up every thread (54 ms of a gateway on a
    slow machine). Processes forked afterwards share its memory."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
