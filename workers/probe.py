"""`python -m workers.probe NAME [--ready]`: whether a worker of this machine lives, or also takes wake-ups.

Reads the mark that the worker's own thread writes every few seconds into RUN_DIR, and imports nothing heavy: it is run
again and again. Flower is asked over HTTP, signed in with FLOWER_PASSWORD. Exits 0 or 1, saying why.
"""

from __future__ import annotations

import base64
import json
import os
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

ALIVE_WITHIN_S = 30.0
HEARS_WITHIN_S = 30.0
FLOWER_ANSWERS_WITHIN_S = 2.0
FLOWER_PORT = 5555


def look(mark: Path, now: float, *, ready: bool) -> str | None:
    """Return what is wrong, or None."""
    try:
        said = json.loads(mark.read_text())
        age_s, deaf_s = now - float(said["at"]), float(said["deaf_for_s"])
    except (OSError, ValueError, KeyError, TypeError):
        return "it has left no mark"
    if age_s > ALIVE_WITHIN_S:
        return f"its last mark is {age_s:.0f} s old"
    if ready and deaf_s > HEARS_WITHIN_S:
        return f"wake-ups have waited for {deaf_s:.0f} s and it takes none"
    return None


def flower(port: int, password: str) -> str | None:
    """Return what is wrong with the Flower of this machine, or None."""
    signed_in = base64.b64encode(f"admin:{password}".encode()).decode()
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/healthcheck", headers={"authorization": f"Basic {signed_in}"}
    )
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # no proxy may see the password
    try:
        with direct.open(request, timeout=FLOWER_ANSWERS_WITHIN_S) as response:
            return None if response.status == 200 else f"it answers {response.status}"
    except urllib.error.HTTPError as e:
        return "it refuses FLOWER_PASSWORD" if e.code == 401 else f"it answers {e.code}"
    except OSError:
        return f"nothing answers at port {port}"


def main() -> int:
    words = [word for word in sys.argv[1:] if word != "--ready"]
    environment = os.environ  # noqa: TID251  the settings' library takes a second to import
    if words == ["flower"]:
        port = environment.get("FLOWER_PORT") or FLOWER_PORT
        return _told("flower", flower(int(port), environment.get("FLOWER_PASSWORD", "")))
    folder = environment.get("RUN_DIR")
    if len(words) != 1 or not folder:
        sys.stderr.write("usage: RUN_DIR=… python -m workers.probe NAME [--ready]\n")
        return 2
    return _told(words[0], look(Path(folder) / f"{words[0]}.alive", time.time(), ready="--ready" in sys.argv))


def _told(name: str, wrong: str | None) -> int:
    if wrong is not None:
        sys.stderr.write(f"{name}: {wrong}\n")
    return 0 if wrong is None else 1


if __name__ == "__main__":
    sys.exit(main())
