"""Lets a process of the fleet report that it works."""

from __future__ import annotations

import os

from shared import settings


def say_ready(name: str) -> None:
    """Whoever waits for this process finds its number in RUN_DIR; nothing happens where that is not set."""
    run_dir = settings.load().system.run_dir
    if run_dir is not None:
        (run_dir / f"{name}.ready").write_text(str(os.getpid()))


def embedder_of(process: str) -> str:
    """Under this name a process says that its model of meaning is loaded: it works before that, by words alone."""
    return f"{process}-embedder"
