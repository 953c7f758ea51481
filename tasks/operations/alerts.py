"""Alerts: a problem that a check finds is reported once, again after a day, and when it is over."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from contextlib import ExitStack
from datetime import datetime
from typing import Any

import structlog

from shared.clock import SystemClock
from shared.errors import Permanent, ServiceFailed, Transient
from shared.resilience import retries
from shared.resilience.breaker import BreakerOpen
from shared.resilience.egress import Egress, EgressRefused
from shared.resilience.outside import host_of, is_neutral
from shared.resilience.shared_breaker import ANSWER_WITHIN_S, SharedBreakers
from shared.settings import Settings
from shared.store.db.pool import Conn
from shared.store.db.redis import connect, connect_async
from shared.store.operations import alerts as store
from shared.store.operations import vitals
from shared.store.operations.alerts import Alert
from shared.store.operations.jobs import Cursor
from tasks.operations import health
from tasks.operations.jobs import Batch, Job, Preview, Work

log = structlog.get_logger(__name__)

AGAIN_AFTER_S = 24 * 3600.0
POST_WITHIN_S = 10.0
SOCKET_S = 2.0


class AlertNotTaken(Transient):
    """The webhook did not accept the alerts; they are sent with the next run."""


class AlertFailed(ServiceFailed, AlertNotTaken):
    """Nor did it say anything about them: it is down."""


def look(conn: Conn, settings: Settings, now: datetime) -> dict[str, health.Examined]:
    """Run every check, on connections of its own to Redis."""
    with ExitStack() as clients:

        def client(name: str) -> object:
            url = settings.need(name)
            if not url.startswith(("redis://", "rediss://")):
                return None
            made = connect(url, socket_timeout_s=SOCKET_S)
            clients.callback(made.close)
            return made

        return health.examine(
            health.CheckContext(settings, now, conn, client("JOURNAL_URL"), client("BROKER_URL"), client("CACHE_URL"))  # type: ignore[arg-type]
        )


def _evaluate(work: Work, cursor: Cursor | None) -> Batch:
    problems = health.problems(look(work.conn, work.settings, work.clock.now()))
    with work.transaction() as conn:
        store.settle(conn, problems)
    due = store.to_tell(work.conn, again_after_s=AGAIN_AFTER_S)
    if due:
        tell(work.settings, due, work.clock.now())
        with work.transaction() as conn:
            store.told(conn, due)
    return Batch(len(due))


def _preview(work: Work) -> Preview:
    problems = health.problems(look(work.conn, work.settings, work.clock.now()))
    return Preview(len(problems), 0, tuple(f"{key}  {words}" for key, words in sorted(problems.items())))


def tell(settings: Settings, alerts: list[Alert], now: datetime) -> None:
    """Log them, and post them where an address is set: the operator's own, which may lie inside a private network.
    Raises AlertNotTaken, EgressRefused for what is no address."""
    for alert in alerts:
        log.warning("alert_over" if alert.cleared else "alert", key=alert.key, words=alert.words)
    data = {"alerts": [
        {"key": a.key, "state": "recovered" if a.cleared else "firing", "words": a.words, "since": a.since.isoformat()}
        for a in alerts]}  # fmt: skip
    post(settings, _id_of(alerts, now), "switchboard.alerts", data, now)


def post(settings: Settings, id_: str, kind: str, data: dict[str, Any], now: datetime) -> bool:
    """Post something to the alert webhook; returns False where none is set. id_: the same each time that it is sent
    again, so that receivers can recognise a repetition. Raises AlertNotTaken, EgressRefused."""
    url = settings.operations.alert_webhook_url
    if url is None:
        return False
    said = {"type": kind, "timestamp": now.isoformat(), "data": data}
    body = json.dumps(said, ensure_ascii=False).encode()
    asyncio.run(_post(settings, url, body, _headers(settings, id_, now, body)))
    return True


async def _post(settings: Settings, url: str, body: bytes, headers: dict[str, str]) -> None:
    try:
        egress = Egress(trusted=[url])
    except ValueError:
        raise EgressRefused("ALERT_WEBHOOK_URL is not a valid web address") from None
    clock = SystemClock()
    ends_at_s = clock.monotonic_s() + POST_WITHIN_S
    breakers = SharedBreakers(
        connect_async(settings.need("CACHE_URL"), socket_timeout_s=ANSWER_WITHIN_S), neutral=is_neutral, kind="alert",
    )  # fmt: skip

    async def once() -> None:
        async with breakers.of(host_of(url)).guarding():
            answer = await egress.post(url, body, headers, deadline_s=max(0.0, ends_at_s - clock.monotonic_s()))
            if answer.status >= 500:
                raise AlertFailed(f"the alert webhook answered {answer.status}")
            if answer.status >= 300:
                raise AlertNotTaken(f"the alert webhook answered {answer.status}")

    try:
        await retries.retrying(retries.ALERT, ends_at_s)(once)
    except BreakerOpen as e:
        raise AlertNotTaken("the alert webhook has failed again and again; it is tried again with a later run") from e
    finally:
        await egress.aclose()
        await breakers.aclose()


def _id_of(alerts: list[Alert], now: datetime) -> str:
    """An id that stays the same while the alerts do."""
    told = ",".join(f"{a.id}{'-' if a.cleared else '+'}" for a in alerts)
    return "alert_" + hashlib.sha256(f"{told}:{now:%Y-%m-%d}".encode()).hexdigest()[:32]


def _headers(settings: Settings, id_: str, now: datetime, body: bytes) -> dict[str, str]:
    """Sign a request as Standard Webhooks does."""
    headers = {"content-type": "application/json", "webhook-id": id_, "webhook-timestamp": str(int(now.timestamp()))}
    secret = settings.operations.alert_webhook_secret.get_secret_value()
    if secret:
        signed = b".".join((id_.encode(), headers["webhook-timestamp"].encode(), body))
        mac = hmac.new(_key(secret), signed, hashlib.sha256).digest()
        headers["webhook-signature"] = "v1," + base64.b64encode(mac).decode()
    return headers


def _key(secret: str) -> bytes:
    try:
        return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except ValueError:
        raise Permanent("settings", "ALERT_WEBHOOK_SECRET should be whsec_ and base64") from None


def _keep_sizes(work: Work, cursor: Cursor | None) -> Batch:
    with work.transaction() as conn:
        return Batch(vitals.keep_sizes(conn, work.clock.now().date()))


def _sizes(work: Work) -> Preview:
    tables = vitals.table_sizes(work.conn)
    return Preview(len(tables), 0, tuple(f"{t.name}  {t.bytes} bytes" for t in tables))


EVALUATE = Job("operations.evaluate_alerts", _evaluate, _preview)
KEEP_SIZES = Job("operations.record_table_sizes", _keep_sizes, _sizes)
