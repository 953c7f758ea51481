"""The subscription watchdog: ask platforms how their webhooks fare, before they give up on us, and tell a person.

Meta unsubscribes a page after about an hour of failing, Slack an app that took fewer than 5 % of an hour's events; a
round every five minutes leaves most of that hour to act in.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import structlog

from shared.channels.base import ReportsHealth
from shared.errors import Cancelled, SettingsError
from shared.model import ChannelHealth, Destination
from shared.store.inbox import changes
from shared.store.tenants import channel_health, channels, companies
from shared.store.tenants.channel_health import Answers, Watched
from tasks.tenants import metrics
from tasks.tenants.resources import TenantResources

log = structlog.get_logger(__name__)

PAGE = 200
AT_ONCE = 20
ENOUGH = 20
"""Answers in the last hour from which something can be concluded."""
EARLY_KEPT = timedelta(days=8)
"""Platforms send again what was not taken for up to seven days: after that nothing comes that was waited for."""
UNKNOWN = ChannelHealth("unknown")


def watch_channels(r: TenantResources) -> tuple[int, int]:
    """One round over every channel. Returns how many were looked at and how many of them fail."""
    after, looked, failing = (0, 0), 0, 0
    answers: dict[int, Answers] = {}
    while True:
        with r.db.transaction() as conn:
            page = channel_health.to_watch(conn, after, PAGE)
            for app_id in {one.app_id for one in page} - answers.keys():
                answers[app_id] = channel_health.answers_of(conn, app_id)
        if not page:
            return looked, failing
        for start in range(0, len(page), AT_ONCE):
            some = page[start : start + AT_ONCE]
            for one, said in zip(some, _ask(r, some), strict=True):
                failing += _keep(r, one, judge(said, answers[one.app_id]))
        looked += len(page)
        after = (page[-1].company_id, page[-1].channel_id)


def judge(said: ChannelHealth, answered: Answers) -> ChannelHealth:
    """Judge a channel by what the platform says and what we know ourselves: how its requests were answered. Strangers
    may post nonsense and be refused; it counts only where nobody is let in at all."""
    problem = None
    if answered.accepted + answered.failed >= ENOUGH and answered.failed > answered.accepted:
        problem = "webhooks_failing"
    elif answered.refused >= ENOUGH and answered.accepted == 0:
        problem = "webhooks_refused"
    if said.state == "failing" or problem is None:
        return said if said.state != "unknown" or not answered.accepted else ChannelHealth("ok", pending=said.pending)
    return ChannelHealth("failing", problem, said.pending)


def _ask(r: TenantResources, some: Sequence[Watched]) -> list[ChannelHealth]:
    """Ask the platforms about these channels, concurrently."""
    places = [_place(r, one) if isinstance(r.platforms.get(one.platform), ReportsHealth) else None for one in some]

    async def one_of(watched: Watched, place: Destination) -> ChannelHealth:
        platform = r.platforms[watched.platform]
        assert isinstance(platform, ReportsHealth)
        try:
            return await asyncio.wait_for(platform.health(r.http, place), r.settings.delivery.send_deadline_s)
        except TimeoutError:
            return UNKNOWN

    async def nothing() -> ChannelHealth:
        return UNKNOWN

    async def together() -> list[ChannelHealth]:
        pairs = zip(some, places, strict=True)
        return await asyncio.gather(*(nothing() if place is None else one_of(one, place) for one, place in pairs))

    try:
        return r.loop.run(together(), timeout_s=r.settings.delivery.send_deadline_s + 5)
    except (TimeoutError, Cancelled):
        return [UNKNOWN] * len(some)


def _place(r: TenantResources, one: Watched) -> Destination | None:
    with r.db.transaction(one.company_id) as conn:
        account = channels.account_of(conn, one.company_id, one.channel_id)
    if account is None:
        return None
    try:
        credentials = r.vault.open_credentials(account[1])
    except SettingsError:
        return None  # the delivery meets the lost key and says so
    if not account[2] and "account_id" in credentials:  # connected before it was written down
        with r.db.transaction(one.company_id) as conn:
            channels.learn_business_account(conn, one.company_id, one.channel_id, credentials["account_id"])
    return Destination(account[0], credentials, "")


def _keep(r: TenantResources, one: Watched, found: ChannelHealth) -> bool:
    """Record the result. That a channel fails is reported once."""
    with r.db.transaction(one.company_id) as conn:
        before = channel_health.checked(conn, one.company_id, one.channel_id, found)
        if found.problem == "bad_token":
            channels.set_state(conn, one.company_id, one.channel_id, "needs_reauth")
    fails, failed = found.state == "failing", before == "failing"
    fields = {"company_id": one.company_id, "channel_id": one.channel_id, "platform": one.platform}
    if fails and not failed:
        metrics.CHANNEL_ALERTS.inc(one.platform, "channel_failing", found.problem or "")
        log.error("channel_failing", **fields, problem=found.problem, pending=found.pending)
    elif failed and not fails:
        log.info("channel_recovered", **fields)
    return fails


def forget_early(r: TenantResources) -> int:
    """Drop edits, deletions and statuses of messages that never came. Returns how many."""
    with r.db.transaction() as conn:
        ids = companies.ids(conn)
    gone = 0
    for company_id in ids:
        with r.db.transaction(company_id) as conn:
            gone += changes.purge_early(conn, company_id, r.clock.now() - EARLY_KEPT)
    return gone
