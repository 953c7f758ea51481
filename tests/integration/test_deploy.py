"""deploy/ asks for nothing that is not measured: every metric, label and label's value in the dashboard and the rules
stands in what a gateway shows or in what the code counts."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from beat_schedule import TIMETABLE
from shared import queues
from shared.embedded import Database
from shared.settings import PROJECT_ROOT
from shared.telemetry import metrics
from tests.declared import METRICS
from tests.factories import settings_for
from tests.integration.gateway_client import running_gateway
from tests.promql import Read, read
from tests.services import Services

DASHBOARD = json.loads((PROJECT_ROOT / "deploy/grafana/switchboard.json").read_text())
GROUPS = yaml.safe_load((PROJECT_ROOT / "deploy/prometheus/alerts.yaml").read_text())["groups"]
RULES = [rule for group in GROUPS for rule in group["rules"]]
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
TARGETS = [(panel["title"], target) for panel in PANELS for target in panel["targets"]]
EXPRESSIONS = [
    *(target["expr"].replace("$__rate_interval", "5m") for _, target in TARGETS),
    *(rule["expr"] for rule in RULES),
]
PROMETHEUS = {"up": {"job", "instance"}, "ALERTS": {"alertname", "alertstate", "severity"}}
"""What Prometheus itself adds."""
TOKEN = "the-operators-token"


def _page(database: Database, redis_url: str, folder: Path) -> str:
    """What a gateway shows where there is something of everything."""
    settings = settings_for(database, redis_url, OPS_TOKEN=TOKEN, METRICS_DIR=folder, DATABASE_QUOTA_BYTES=10**9)
    with psycopg.connect(database.admin_url, autocommit=True) as conn:
        for statement in SOMETHING_OF_EVERYTHING:
            conn.execute(statement.encode())
    with running_gateway(settings) as gateway:
        return gateway.get("/metrics", headers={"authorization": f"Bearer {TOKEN}"}).text


SOMETHING_OF_EVERYTHING = (
    "INSERT INTO jobs (name, slot) VALUES ('x', now())",
    "INSERT INTO job_runs (name, started_by, outcome, finished_at) VALUES ('x', 'hand', 'done', now())",
    "INSERT INTO table_sizes VALUES (current_date, 'messages', 1, 1)",
    "INSERT INTO balance_checks (received, stored, redrives, in_flight, oldest_s) VALUES (1, 1, 0, 0, 0)",
    "INSERT INTO backups (name, made_at, seconds, bytes, rows, proved_at, proof)"
    " VALUES ('b', now(), 1, 1, 1, now(), 'restored')",
    # there is no replica here
    "CREATE OR REPLACE FUNCTION switchboard_replicas() RETURNS TABLE (name text, state text, lag_s double precision,"
    " lag_bytes bigint) LANGUAGE sql AS $$ SELECT 'r', 'streaming', 1::float8, 1::bigint $$",
)


@pytest.fixture(scope="module")
def known(
    services: Services, module_database: Database, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, set[str]]:
    """Series → its labels: of a gateway's whole page, and of all that processes count."""
    with services.redis_database() as redis_url:
        page = _page(module_database, redis_url, tmp_path_factory.mktemp("metrics"))
    shown = {
        sample.name: set(sample.labels) for family in text_string_to_metric_families(page) for sample in family.samples
    }
    counted: dict[str, set[str]] = {}
    for metric in METRICS:
        labels = set(metric.labels)
        if isinstance(metric, metrics.Histogram):
            counted |= {f"{metric.name}_bucket": labels | {"le"}, f"{metric.name}_count": labels,
                        f"{metric.name}_sum": labels}  # fmt: skip
        else:
            counted[metric.name] = labels
    assert {name: labels for name, labels in shown.items() if counted.get(name, labels) != labels} == {}
    return shown | counted


def _asked() -> Iterator[tuple[str, Read]]:
    for expression in EXPRESSIONS:
        yield expression, read(expression)


def test_every_series_and_label_is_one_that_is_shown(known: dict[str, set[str]]) -> None:
    for expression, found in _asked():
        for selector in found.selectors:
            labels = PROMETHEUS.get(selector.metric, known.get(selector.metric))
            assert labels is not None, f"{selector.metric} in {expression}"
            assert {label for label, _, _ in selector.matchers} <= labels, expression
        for label, asked in found.grouping:
            of_all = [PROMETHEUS.get(metric, known.get(metric, set())) for metric in asked]
            assert all(label in of_one for of_one in of_all), f"{label} in {expression}"


def test_everything_that_is_counted_can_be_seen(known: dict[str, set[str]]) -> None:
    """Whoever adds a number says where it is looked at."""
    asked = {selector.metric for _, found in _asked() for selector in found.selectors}
    unseen = {
        metric.name for metric in METRICS
        if not asked & {metric.name, *(f"{metric.name}_{part}" for part in ("bucket", "count", "sum"))}
    }  # fmt: skip

    assert unseen <= NOT_LOOKED_AT
    gauges = {name for name in known if name.startswith(metrics.PREFIX)} - {
        f"{m.name}{part}" for m in METRICS for part in ("", "_bucket", "_count", "_sum")
    }
    assert gauges - asked <= NOT_LOOKED_AT


NOT_LOOKED_AT = {
    f"{metrics.PREFIX}{name}"
    for name in (
        "batches_total",  # the count of the batches' sizes
        "sends_unrecorded_total",  # each is a part of unknown outcome, which is looked at
        "knowledge_recall_ratio",  # one audit a day; the low ones are counted
        "database_pool_failed_requests",
        "replica_lag_bytes",
        "overdue_background_rows",
    )
}


@cache
def _words() -> frozenset[str]:
    """Every string that stands in the code."""
    found = {"commit", *(str(code) for code in range(100, 600)), *map(str, queues.ALL), *TIMETABLE}
    for folder in ("gateway", "workers", "tasks", "shared"):
        for path in (PROJECT_ROOT / folder).rglob("*.py"):
            found |= {
                node.value for node in ast.walk(ast.parse(path.read_text()))
                if isinstance(node, ast.Constant) and isinstance(node.value, str)
            }  # fmt: skip
    return frozenset(found)


def test_every_value_of_a_label_is_a_word_of_the_code() -> None:
    bounds = {str(float(b)) for m in METRICS if isinstance(m, metrics.Histogram) for b in m.buckets}
    for expression, found in _asked():
        for selector in found.selectors:
            for label, operator, value in selector.matchers:
                if selector.metric in PROMETHEUS:
                    continue
                words = bounds if label == "le" else _words()
                wanted = value.split("|") if operator in ("=~", "!~") else [value]
                for word in wanted:
                    expected = re.compile(word) if operator in ("=~", "!~") else re.compile(re.escape(word))
                    assert any(expected.fullmatch(known) for known in words), f"{label}={word} in {expression}"


def test_jobs_that_are_asked_for_stand_in_the_timetable() -> None:
    asked = {
        word for _, found in _asked() for selector in found.selectors for label, _, value in selector.matchers
        if label == "scheduled" for word in value.split("|")
    }  # fmt: skip
    assert asked
    assert asked <= set(TIMETABLE)


def test_a_series_is_called_by_labels_that_it_has(known: dict[str, set[str]]) -> None:
    for title, target in TARGETS:
        found = read(target["expr"].replace("$__rate_interval", "5m"))
        named = set(re.findall(r"\{\{\s*(\w+)\s*\}\}", target["legendFormat"]))
        of_metrics = set().union(*(known.get(selector.metric, set()) for selector in found.selectors))
        assert named <= (of_metrics if found.shown is None else found.shown), title


def test_panels_stand_beside_each_other_and_ask_the_chosen_source() -> None:
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids))
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken, panel["title"]
        assert at["x"] + at["w"] <= 24
        taken |= cells
    for panel in PANELS:
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"]) > 0
    assert [variable["name"] for variable in DASHBOARD["templating"]["list"]] == ["datasource"]


def _anchors(path: Path) -> set[str]:
    """As GitHub makes them of headings."""
    headings = re.findall(r"^#+ (.*)$", path.read_text(), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("rule", RULES, ids=[rule["alert"] for rule in RULES])
def test_an_alert_says_what_is_wrong_and_what_to_do(rule: dict[str, Any], known: dict[str, set[str]]) -> None:
    file, _, anchor = rule["annotations"]["runbook"].partition("#")

    assert re.fullmatch(r"Switchboard[A-Z][A-Za-z]+", rule["alert"])
    assert rule["labels"]["severity"] in ("page", "ticket")
    assert anchor in _anchors(PROJECT_ROOT / file)
    found = read(rule["expr"])
    named = set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"]))
    assert named <= (set() if found.shown is None else found.shown)
