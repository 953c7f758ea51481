"""`python -m bench [--scale SHARE] [SECTION …]`: the sections are listed below and by `--help`. Without a name all but
those that are `asked_for`, which take more than an hour."""

from __future__ import annotations

import argparse
import importlib
import signal
import subprocess
import sys
import time
from dataclasses import dataclass

CLEAN_UP_S = 30.0


@dataclass(frozen=True, slots=True)
class Section:
    """within_s: it is ended after so long. scales: its `report` takes a share of the amounts. asked_for: runs only
    when it is named."""

    module: str
    within_s: float
    scales: bool = False
    asked_for: bool = False

    def report(self, scale: float) -> list[str]:
        report = importlib.import_module(self.module).report
        lines: list[str] = report(scale) if self.scales else report()
        return lines


SECTIONS = {
    "receivers": Section("bench.receivers", 180.0),
    "servers": Section("bench.servers", 240.0),
    "store": Section("bench.store", 420.0, scales=True),
    "journey": Section("bench.journey", 300.0),
    "fairness": Section("bench.fairness", 600.0),
    "models": Section("bench.models", 900.0, scales=True),
    "rerank": Section("bench.reranking", 180.0),
    "load": Section("bench.customers", 420.0),
    "safety": Section("bench.safety", 300.0),
    "vectors": Section("bench.vectors", 180.0),
    "upkeep": Section("bench.upkeep", 420.0, scales=True),
    "limits": Section("bench.limits", 600.0, scales=True),
    "large": Section("bench.large", 1800.0, scales=True, asked_for=True),
    "years": Section("bench.years", 2400.0, scales=True, asked_for=True),
    "indexing": Section("bench.indexing", 1200.0, scales=True, asked_for=True),
    "knowledge": Section("bench.knowledge", 7200.0, scales=True, asked_for=True),
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Benchmarks; each section is a process.")
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=", ".join(SECTIONS))
    parser.add_argument("--scale", type=float, default=1.0, help="a share of the amounts, where they are large: 0.05")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)  # this is the section's own process
    given = parser.parse_args()
    if unknown := [name for name in given.sections if name not in SECTIONS]:
        parser.error(f"no section {', '.join(unknown)}: there are {', '.join(SECTIONS)}")
    names = given.sections or [name for name, section in SECTIONS.items() if not section.asked_for]
    if given.here:
        for line in SECTIONS[names[0]].report(given.scale):
            sys.stdout.write(f"{line}\n")
        return 0
    return max(_run(name, given.scale) for name in names)


def _run(name: str, scale: float) -> int:
    """A process of its own: a section that binds itself to a core must not bind those after it."""
    within_s, began_s = SECTIONS[name].within_s, time.monotonic()
    process = subprocess.Popen([sys.executable, "-m", "bench", name, "--scale", str(scale), "--here"])
    try:
        code = process.wait(within_s)
    except subprocess.TimeoutExpired:
        sys.stderr.write(f"{name}: no end after {within_s:.0f} s\n")
        code = 1
    finally:
        _end(process)
    sys.stdout.write(f"({name}: {time.monotonic() - began_s:.0f} s)\n")
    sys.stdout.flush()
    return code


def _end(process: subprocess.Popen[bytes]) -> None:
    """As Ctrl-C does it, so that its servers are stopped; by force when that does not help."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(CLEAN_UP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


if __name__ == "__main__":
    sys.exit(main())
