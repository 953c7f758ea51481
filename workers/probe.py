"""`python -m workers.probe NAME [--ready]`: whether a worker of this machine lives, or also hears. For health checks.

Reads the mark that the worker's own thread writes every few seconds into RUN_DIR, and imports nothing heavy: it is run
again and again. Exits 0 or 1, saying why.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

ALIVE_WITHIN_S = 30.0
HEARS_WITHIN_S = 30.0


def look(mark: Path, now: float, *, ready: bool) -> str | None:
    """What is wrong; None if nothing is."""
    try:
        said = json.loads(mark.read_text())
        age_s, deaf_s = now - float(said["at"]), float(said["deaf_for_s"])
    except (OSError, ValueError, KeyError, TypeError):
        return "it has left no mark"
    if age_s > ALIVE_WITHIN_S:
        return f"its last mark is {age_s:.0f} s old"
    if ready and deaf_s > HEARS_WITHIN_S:
        return f"rings have waited for {deaf_s:.0f} s and it takes none"
    return None


def main() -> int:
    words = [word for word in sys.argv[1:] if word != "--ready"]
    folder = os.environ.get("RUN_DIR")  # noqa: TID251  the settings' library takes a second to import
    if len(words) != 1 or not folder:
        sys.stderr.write("usage: RUN_DIR=… python -m workers.probe NAME [--ready]\n")
        return 2
    wrong = look(Path(folder) / f"{words[0]}.alive", time.time(), ready="--ready" in sys.argv)
    if wrong is not None:
        sys.stderr.write(f"{words[0]}: {wrong}\n")
    return 0 if wrong is None else 1


if __name__ == "__main__":
    sys.exit(main())
