"""The daily digest: what models cost, how caches did, what failed; kept, and told to the alert webhook once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from typing import Any

from shared.cache.metrics import CACHE
from shared.resilience.metrics import BREAKER_CHANGES, LIMIT_TAKES
from shared.settings import Settings
from shared.store.db.pool import Conn
from shared.store.models import reports as store
from shared.store.models import usage_totals
from shared.store.models.reports import Kind, Report
from shared.store.operations.jobs import Cursor
from shared.telemetry import metrics
from tasks.operations import alerts
from tasks.operations.jobs import Batch, Job, Preview, Work

MODELS = 10
"""The dearest are named."""
Counters = dict[str, float]


def send(work: Work, kind: Kind, period: date, made: dict[str, Any] | None) -> Batch:
    """Keep a period's report and tell it, each once: a run that follows a killed one tells the same report, under the
    same id, by which receivers know a repetition. made: what it says, None where it is kept already."""
    if made is not None:
        with work.transaction() as conn:
            store.keep(conn, kind, period, made)
    report = store.find(work.conn, kind, period)
    if report is None or report.told_at is not None:
        return Batch()
    if tell(work.settings, report, work.clock.now()):
        with work.transaction() as conn:
            store.told(conn, report)
    return Batch(1)


def tell(settings: Settings, report: Report, now: datetime) -> bool:
    """Post a report to the alert webhook; returns False where there is none. Raises what alerts.post raises."""
    name = {"daily": "digest", "monthly": "report"}[report.kind]
    data = {**told_of(report), "words": words(report)}
    return alerts.post(settings, f"{name}_{report.period:%Y%m%d}", f"switchboard.{name}", data, now)


def told_of(report: Report) -> dict[str, Any]:
    """A report without what is only kept to compare the next one with."""
    return {key: value for key, value in report.body.items() if key != "counters"}


def _send(work: Work, cursor: Cursor | None) -> Batch:
    period = yesterday(work)
    made = None if store.find(work.conn, "daily", period) else make(work.conn, work.settings, period)
    return send(work, "daily", period, made)


def yesterday(work: Work) -> date:
    return work.clock.now().astimezone(UTC).date() - timedelta(days=1)


def make(conn: Conn, settings: Settings, day: date) -> dict[str, Any]:
    """Put a day's digest together. Hit rates, breakers and refusals are those of this machine's processes since the
    digest before."""
    now = _counted(settings)
    [before] = [report.body.get("counters", {}) for report in store.newest(conn, "daily", before=day)] or [{}]
    since = {key: value - before.get(key, 0) if value >= before.get(key, 0) else value for key, value in now.items()}
    return {
        "period": f"{day}",
        "cost": cost(conn, day, day),
        "errors": store.counts(conn, day),
        "caches": _hit_shares(since),
        "breakers_opened": _summed(since, "breaker"),
        "limits": _summed(since, "limit"),
        "counters": now,
    }


def cost(conn: Conn, since: date, until: date) -> dict[str, Any]:
    """What models cost from one day to another, in all, by purpose, and for the dearest models."""
    purposes = usage_totals.used(conn, "purpose", since, until)
    return {
        "cost_micros": sum(one.cost_micros for one in purposes),
        "calls": sum(one.calls for one in purposes),
        "failed": sum(one.failed for one in purposes),
        "unpriced": sum(one.unpriced for one in purposes),
        "by_purpose": [asdict(one) for one in purposes],
        "by_model": [asdict(one) for one in usage_totals.used(conn, "model", since, until, limit=MODELS)],
    }


def _counted(settings: Settings) -> Counters:
    """This machine's counters by kind and labels, as they stand."""
    folder = settings.metrics_folder
    found = {f"cache {cache} {where}": count for (cache, where), count in metrics.counted(CACHE, folder).items()}
    for (breaker, state), count in metrics.counted(BREAKER_CHANGES, folder).items():
        if state == "open":
            found[f"breaker {breaker}"] = found.get(f"breaker {breaker}", 0) + count
    for (_, outcome, purpose), count in metrics.counted(LIMIT_TAKES, folder).items():  # by the names of the labels
        key = f"limit {purpose} {'allowed' if outcome == 'allowed' else 'refused'}"
        found[key] = found.get(key, 0) + count
    return found


def _hit_shares(since: Mapping[str, float]) -> dict[str, float]:
    """Cache → how often it had what was looked for, 0 to 1."""
    looked: dict[str, list[float]] = {}
    for key, count in since.items():
        kind, cache, *where = key.split(" ")
        if kind == "cache" and where:
            sums = looked.setdefault(cache, [0.0, 0.0])
            sums[0] += count
            sums[1] += count if where[0] != "nowhere" else 0
    return {cache: round(hits / looks, 3) for cache, (looks, hits) in looked.items() if looks}


def _summed(since: Mapping[str, float], kind: str) -> dict[str, int]:
    return {key.partition(" ")[2]: round(count) for key, count in since.items() if key.startswith(f"{kind} ") and count}


CACHED = {"found": "search results", "vector": "questions' vectors", "model_price": "prices"}
_MARKUP = str.maketrans("<>[]&", "‹›()+")


def words(report: Report) -> list[str]:
    """A report for people, a line each."""
    body, spent = report.body, report.body["cost"]
    title = "digest of" if report.kind == "daily" else "report of"
    lines = [
        f"{title} {body['period']}",
        f"models cost {amount(spent['cost_micros'])}: {spent['calls']} calls, {spent['failed']} failed,"
        f" {spent['unpriced']} without a price",
    ]
    lines += [f"  {one['key']}: {amount(one['cost_micros'])}, {one['calls']} calls" for one in spent["by_model"]]
    if report.kind == "daily":
        errors = body["errors"]
        lines.append(f"errors: {errors['dead_letters']} dead letters, {errors['alerts']} alerts began")
        lines += [f"  job {name} failed: {error}" for name, error in errors["failed_jobs"].items()]
        lines += [
            f"cache of {CACHED.get(name, name)}: {share:.0%} of look-ups found there"
            for name, share in body["caches"].items()
        ]
        lines += [f"breakers of {name} opened {count} times" for name, count in body["breakers_opened"].items()]
        lines += [f"limit {name}: {count}" for name, count in body["limits"].items() if name.endswith(" refused")]
    return [plain(line) for line in lines]


def plain(line: str) -> str:
    """A line with names that others chose, so that no chat takes one for markup or calls everybody because of it."""
    return line.translate(_MARKUP).replace("@", "@\u2060")


def amount(micros: int) -> str:
    return f"{micros / 1_000_000:.2f}"


def _preview(work: Work) -> Preview:
    period = yesterday(work)
    if store.find(work.conn, "daily", period) is not None:
        return Preview(0, 0, (f"the digest of {period} is made already: `report show`",))
    made = make(work.conn, work.settings, period)
    return Preview(1, 0, tuple(words(Report("daily", period, made, work.clock.now(), None))))


SEND = Job("models.send_digest", _send, _preview)
