"""Every metric that the product declares."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from shared.settings import PROJECT_ROOT
from shared.telemetry.metrics import Counter, Gauge, Histogram

PACKAGES = ("gateway", "workers", "tasks", "shared")
FILES = sorted(path for package in PACKAGES for path in (PROJECT_ROOT / package).rglob("metrics.py"))


def _in(path: Path) -> list[Counter | Histogram | Gauge]:
    module = import_module(".".join(path.relative_to(PROJECT_ROOT).with_suffix("").parts))
    return [value for value in vars(module).values() if isinstance(value, Counter | Histogram | Gauge)]


METRICS = tuple({id(metric): metric for path in FILES for metric in _in(path)}.values())
