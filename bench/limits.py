"""What a take from the limiter costs, and what a million keys need. Against a Valkey of its own."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from shared.embedded.folder import DataFolder
from shared.embedded.valkey import Valkey
from shared.model import Rate
from shared.resilience.limiter import Limiter
from shared.resilience.limiter_scripts import TAKE
from shared.resilience.limits import AtOnce, Limit, Window, name_of
from shared.store.db.redis import connect

TAKES = 5_000
KEYS = 1_000_000
AT_A_TIME = 5_000


def _kinds(number: int) -> dict[str, list[Limit]]:
    return {
        "ping": [],
        "rate": [Rate(f"r{number}", 30, 60.0, burst=20)],
        "10 in 10 s": [Window(f"a{number}", 10, 10.0)],
        "1,000 an hour": [Window(f"u{number}", 1_000, 3600.0)],
        "10 a minute, 100 an hour, 5 at once": [
            Window(f"e{number}", 10, 60.0), Window(f"e{number}", 100, 3600.0), AtOnce(f"e{number}", 5),
        ],
    }  # fmt: skip
