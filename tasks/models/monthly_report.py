"""The monthly report: what models cost by company and model against the month before, how busy it was, and which models
are in use; kept, and told to the alert webhook once."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from datetime import UTC, date, timedelta
from typing import Any

from shared.settings import Settings
from shared.store.db.pool import Conn
from shared.store.models import reports as store
from shared.store.models import usage_totals
from shared.store.models.reports import Report
from shared.store.models.usage_totals import Used
from shared.store.operations import vitals
from shared.store.operations.jobs import Cursor
from tasks.models import digest
from tasks.models.digest import amount
from tasks.operations.jobs import Batch, Job, Preview, Work

COMPANIES = 50
"""The dearest are named."""


def _send(work: Work, cursor: Cursor | None) -> Batch:
    month = last_month(work)
    made = None if store.find(work.conn, "monthly", month) else make(work, month)
    return digest.send(work, "monthly", month, made)


def last_month(work: Work) -> date:
    """The first day of the month that is over."""
    return (work.clock.now().astimezone(UTC).date().replace(day=1) - timedelta(days=1)).replace(day=1)


def make(work: Work, month: date) -> dict[str, Any]:
    """Put a month's report together. The machine's load is this one's at the moment."""
    conn, before = work.conn, (month - timedelta(days=1)).replace(day=1)
    since, until = month, _last_of(month)
    was = digest.cost(conn, before, _last_of(before))
    return {
        "period": f"{month:%Y-%m}",
        "cost": digest.cost(conn, since, until),
        "cost_before_micros": was["cost_micros"],
        "by_company": _compared(conn, "company", month, before),
        "by_model": _compared(conn, "model", month, before),
        "scaling": _scaling(work, since, until),
        "models": _models(conn, work.settings),
    }


def _last_of(month: date) -> date:
    return (month + timedelta(days=31)).replace(day=1) - timedelta(days=1)


def _compared(conn: Conn, by: usage_totals.By, month: date, before: date) -> list[dict[str, Any]]:
    """The dearest of a month, each with what it cost in the month before."""
    now = usage_totals.used(conn, by, month, _last_of(month), limit=COMPANIES)
    was = {one.key: one.cost_micros for one in usage_totals.used(conn, by, before, _last_of(before), limit=10_000)}
    return [_line(one, was.get(one.key, 0)) for one in now]


def _line(one: Used, before_micros: int) -> dict[str, Any]:
    return {"key": one.key, "calls": one.calls, "cost_micros": one.cost_micros, "before_micros": before_micros}


def _scaling(work: Work, since: date, until: date) -> dict[str, Any]:
    busy = []
    for day in _days(since, until):
        with work.transaction() as conn:
            busy.append((day, store.busiest(conn, day)))
        work.keep()
    day, busiest = max(busy, key=lambda one: one[1].of_minute)
    used, allowed = vitals.connections(work.conn)
    return {
        "messages": sum(one.messages for _, one in busy),
        "peak_messages_per_second": round(busiest.of_minute / 60, 2),
        "peak_day": f"{day}",
        "database_bytes": vitals.database_bytes(work.conn),
        "connections": used,
        "connections_allowed": allowed,
        "load_of_15_minutes": round(os.getloadavg()[2], 2),
        "processors": os.cpu_count(),
    }


def _days(since: date, until: date) -> Iterator[date]:
    for number in range((until - since).days + 1):
        yield since + timedelta(days=number)


def _models(conn: Conn, settings: Settings) -> dict[str, Any]:
    """Which models are asked: by the settings, and by stored routes, which stand before them."""
    return {
        "answers": [f"{one.label}/{one.model}" for one in settings.llm.providers],
        "embedding": settings.embeddings.model or settings.embeddings.local_model,
        "rerank": settings.rerank.model,
        "max_tokens": settings.llm.max_tokens,
        "call_deadline_s": settings.llm.call_deadline_s,
        "routes": store.routes(conn),
    }


def words(report: Report) -> list[str]:
    """The whole report for people, a line each."""
    if report.kind == "daily":
        return digest.words(report)
    body = report.body
    scaling, models = body["scaling"], body["models"]
    lines = [*digest.words(report), f"the month before: {amount(body['cost_before_micros'])}"]
    lines += _against("company", body["by_company"])
    lines += _against("model", body["by_model"])
    lines += [
        f"{scaling['messages']} messages, {scaling['peak_messages_per_second']} a second in the busiest minute"
        f" ({scaling['peak_day']})",
        f"database {scaling['database_bytes'] / 2**30:.2f} GB, {scaling['connections']} of"
        f" {scaling['connections_allowed']} connections, load {scaling['load_of_15_minutes']} on"
        f" {scaling['processors']} processors",
        f"models that answer: {', '.join(models['answers']) or 'none, passages are quoted'}; embedding"
        f" {models['embedding']}; rerank {models['rerank'] or 'none'}",
    ]
    for route in models["routes"]:
        whose = "everybody" if route["company_id"] is None else f"company {route['company_id']}"
        lines.append(f"  route of {whose} for {route['purpose']}: {', '.join(route['models'])}")
    return [digest.plain(line) for line in lines]


def _against(what: str, rows: Sequence[dict[str, Any]]) -> list[str]:
    return [f"  {what} {r['key']}: {amount(r['cost_micros'])}, before {amount(r['before_micros'])}" for r in rows]


def _preview(work: Work) -> Preview:
    month = last_month(work)
    if store.find(work.conn, "monthly", month) is not None:
        return Preview(0, 0, (f"the report of {month:%Y-%m} is made already: see `report list`",))
    spent = digest.cost(work.conn, month, _last_of(month))
    return Preview(1, 0, (f"would make the report of {month:%Y-%m}: models cost {amount(spent['cost_micros'])}",))


SEND = Job("models.send_report", _send, _preview)
