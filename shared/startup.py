"""A process' start, and what it leaves behind for the collector of garbage."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from shared import settings
from shared.errors import SettingsError

BAD_SETTINGS = 2
"""What a process ends with that cannot start because of its settings."""


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


@contextmanager
def settings_in_words() -> Iterator[None]:
    """Load settings and take ports inside: what is wrong with them is one line, and the process ends with 2."""
    for words in settings.warnings():
        sys.stderr.write(f"warning: {words}\n")
    try:
        yield
    except SettingsError as e:
        sys.stderr.write(f"error: {e}\n")
        sys.stderr.flush()
        os._exit(BAD_SETTINGS)  # whatever threads there are already; nothing was taken on yet
