"""Numbers of several processes in one place: summed, surviving their process, bounded, and never in the way."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from gateway.http.metrics import JOURNAL_APPEND, WEBHOOKS
from shared.resilience.metrics import BREAKERS_OPEN
from shared.settings import PROJECT_ROOT, child_environment
from shared.telemetry import metric_files, metrics
from tasks.delivery.metrics import SEND
from tasks.inbound.metrics import EVENTS
from tests.declared import FILES, METRICS, PACKAGES

UNITS = (
    "_seconds", "_requests", "_processes", "_connections", "_bytes", "_total", "_ratio", "_bool", "_streams",
)  # fmt: skip
# What a label may say: words of ours, and names that stand in the settings. Nothing that grows with customers.
LABELS = {
    "platform", "status", "kind", "outcome", "reason", "end", "step", "stage", "provider", "model", "direction",
    "alert", "breaker", "state", "meaning", "task", "station", "how", "thread", "process", "scheduled",
    "handler", "statement", "sqlstate", "cache", "where", "embedding_model", "asker", "event", "purpose",
}  # fmt: skip

COUNTING = """
import pathlib, sys
from gateway.http.metrics import WEBHOOKS
from shared.resilience.metrics import BREAKERS_OPEN
from shared.telemetry import metrics
from tasks.delivery.metrics import SEND
metrics.configure(pathlib.Path(sys.argv[1]))
WEBHOOKS.inc("telegram", "200", by=3)
SEND.observe(0.2, "telegram")
BREAKERS_OPEN.set(1, "host/model")
print("counted", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "metrics"
    metrics.close()


def _shown(folder: Path) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    families = text_string_to_metric_families(metrics.exposition(folder).decode())
    return {(s.name, frozenset(s.labels.items())): s.value for family in families for s in family.samples}


def _value(folder: Path, name: str, **labels: str) -> float | None:
    return _shown(folder).get((f"switchboard_{name}", frozenset(labels.items())))


def _webhooks(folder: Path) -> float | None:
    return _value(folder, "webhooks_total", platform="telegram", status="200")


class Other:
    """Another process that has counted three webhooks, a send and an open breaker, and lives on."""

    def __init__(self, folder: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", COUNTING, str(folder)], cwd=PROJECT_ROOT, env=child_environment({}),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == b"counted\n"

    def kill(self) -> None:
        self._process.send_signal(signal.SIGKILL)
        self._process.communicate(timeout=10)


@pytest.fixture
def other(folder: Path) -> Iterator[Other]:
    other = Other(folder)
    yield other
    other.kill()


def test_names_end_in_their_unit_and_are_all_different() -> None:
    names = [metric.name for metric in METRICS]
    assert len(names) == len(set(names)) > 20
    for metric in METRICS:
        assert metric.name.endswith(UNITS), metric.name
        assert metric.name.endswith("_total") == isinstance(metric, metrics.Counter), metric.name


def test_metrics_are_declared_beside_their_domain_in_a_file_of_that_name() -> None:
    sources = {path for package in PACKAGES for path in (PROJECT_ROOT / package).rglob("*.py")} - set(FILES)

    assert [path for path in sources if re.search(r"(Counter|Gauge|Histogram)\(\s*\"", path.read_text("utf-8"))] == []


def test_labels_are_words_of_ours() -> None:
    assert {label for metric in METRICS for label in metric.labels} <= LABELS


def test_before_it_is_configured_nothing_is_kept_and_nothing_fails(folder: Path) -> None:
    WEBHOOKS.inc("telegram", "200")
    SEND.observe(1, "telegram")
    BREAKERS_OPEN.set(1, "host/model")

    assert metrics.exposition(folder) == b""
    assert not folder.exists()


def test_processes_are_summed(folder: Path, other: Other) -> None:
    metrics.configure(folder)
    WEBHOOKS.inc("telegram", "200")
    SEND.observe(0.3, "telegram")
    BREAKERS_OPEN.set(1, "host/model")

    assert _webhooks(folder) == 4
    assert _value(folder, "send_seconds_count", platform="telegram") == 2
    assert _value(folder, "send_seconds_sum", platform="telegram") == 0.5
    assert _value(folder, "breaker_open_processes", breaker="host/model") == 2


def test_a_killed_process_leaves_what_it_counted_and_takes_its_gauges_along(folder: Path, other: Other) -> None:
    assert _value(folder, "breaker_open_processes", breaker="host/model") == 1

    other.kill()

    assert _webhooks(folder) == 3
    assert _value(folder, "send_seconds_bucket", platform="telegram", le="0.25") == 1
    assert _value(folder, "breaker_open_processes", breaker="host/model") is None


def test_restarts_do_not_fill_the_disk(folder: Path) -> None:
    for _ in range(20):
        metrics.configure(folder)
        WEBHOOKS.inc("telegram", "200")
        BREAKERS_OPEN.set(1, "host/model")
        metrics.close()

    assert _webhooks(folder) == 20
    assert len(list(folder.iterdir())) <= 4
    assert sum(path.stat().st_size for path in folder.iterdir()) <= 2 * metric_files.FILE_BYTES


def test_a_histogram_shows_all_its_buckets_each_holding_those_below(folder: Path) -> None:
    metrics.configure(folder)
    for amount in (0.0005, 0.001, 0.3, 99.0):
        JOURNAL_APPEND.observe(amount)

    def bucket(le: str) -> float | None:
        return _value(folder, "journal_append_seconds_bucket", le=le)

    assert [bucket(le) for le in ("0.001", "0.25", "1.0", "5.0", "+Inf")] == [2, 2, 3, 3, 4]


def test_a_label_that_is_forgotten_is_an_error_and_a_long_one_is_cut(folder: Path) -> None:
    metrics.configure(folder)

    with pytest.raises(ValueError, match="platform, status"):
        WEBHOOKS.inc("telegram")
    EVENTS.inc("message", "dead_letter", "x" * 500)

    assert _value(folder, "events_total", kind="message", outcome="dead_letter", reason="x" * 60) == 1


def test_series_beyond_the_bound_are_not_kept_and_the_others_go_on(folder: Path) -> None:
    metrics.configure(folder)
    WEBHOOKS.inc("telegram", "200")
    for number in range(metric_files.SERIES_MAX + 10):
        EVENTS.inc("message", "dead_letter", str(number))
    WEBHOOKS.inc("telegram", "200")

    assert _webhooks(folder) == 2
    assert sum(name == "switchboard_events_total" for name, _ in _shown(folder)) == metric_files.SERIES_MAX - 1
    assert max(path.stat().st_size for path in folder.glob("*.db")) == metric_files.FILE_BYTES


def test_a_file_torn_by_a_power_loss_is_left_out(folder: Path, other: Other) -> None:
    other.kill()
    [torn] = folder.glob("counter_*.db")
    torn.write_bytes(b"\xff" * 4096)

    metrics.configure(folder)
    WEBHOOKS.inc("telegram", "200")

    assert _webhooks(folder) == 1
    assert _value(folder, "send_seconds_count", platform="telegram") == 1


def test_a_folder_that_cannot_be_had_keeps_no_process_from_its_work(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")

    metrics.configure(tmp_path / "file" / "metrics")

    WEBHOOKS.inc("telegram", "200")
    assert metrics.exposition(tmp_path / "file" / "metrics") == b""


def test_the_files_are_for_our_eyes_only(folder: Path) -> None:
    for _ in range(2):  # the second one finds a dead one to fold
        metrics.configure(folder)
        BREAKERS_OPEN.set(1, "host/model")

    assert {path.stat().st_mode & 0o077 for path in [folder, *folder.iterdir()]} == {0}
    assert os.listdir(folder)


def test_one_number_of_all_processes_can_be_asked_for_alone(folder: Path, other: Other) -> None:
    assert metrics.counted(WEBHOOKS, folder / "nowhere") == {}

    metrics.configure(folder)
    WEBHOOKS.inc("telegram", "200")
    WEBHOOKS.inc("slack", "401")
    assert metrics.counted(WEBHOOKS, folder) == {("telegram", "200"): 4, ("slack", "401"): 1}
    assert metrics.counted(BREAKERS_OPEN, folder) == {("host/model",): 1}

    other.kill()
    assert metrics.counted(WEBHOOKS, folder)["telegram", "200"] == 4, "what it counted goes on counting"
    assert metrics.counted(BREAKERS_OPEN, folder) == {}, "its gauges went with it"


def test_a_torn_file_of_another_process_does_not_take_the_numbers_away(folder: Path) -> None:
    metrics.configure(folder)
    WEBHOOKS.inc("telegram", "200")
    (folder / "counter_torn.db").write_bytes(b"\xff\x01\x00\x00" + b"\x00" * 100)

    assert metrics.counted(WEBHOOKS, folder) == {("telegram", "200"): 1}
