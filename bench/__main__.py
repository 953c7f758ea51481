"""`python -m bench [SECTION …]`: receivers, journey. All of them without a name."""

from __future__ import annotations

import importlib
import sys

SECTIONS = {"receivers": "bench.receivers", "journey": "bench.journey"}


def main(names: list[str]) -> int:
    unknown = [name for name in names if name not in SECTIONS]
    if unknown:
        sys.stderr.write(f"no section {', '.join(unknown)}: there are {', '.join(SECTIONS)}\n")
        return 2
    for name in names or list(SECTIONS):
        for line in importlib.import_module(SECTIONS[name]).report():
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
