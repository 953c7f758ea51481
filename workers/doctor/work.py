"""Checks of the work: what waits longer than it should, and what needs a person."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime

import psycopg

from shared.knowledge import embed, minilm
from shared.llm.money import is_paid
from shared.store.db.pool import describe
from shared.store.inbound import balance as balances
from shared.store.inbound import drops
from shared.store.inbound.journal import Reader
from shared.store.knowledge import embedding_models
from shared.store.lifecycle import backups as backups_store
from shared.store.models import prices as prices_store
from shared.store.models import routes
from shared.store.operations import state
from shared.store.tenants import channel_health
from tasks.lifecycle.backup import BackupFolder
from tasks.operations import drop_reasons
from tasks.operations.health import CheckContext as Look
from tasks.operations.health import knowledge as health_knowledge
from tasks.operations.health import work as health_work
from workers.doctor.context import DoctorContext, Finding, fail, ok, warn

BACKLOG_WARN_S = 10.0
BACKLOG_FAIL_S = 300.0
OVERDUE_WARN_S = 30.0
WAKEUPS_WARN = 5_000
PENDING_WARN = 100
REFUSED_WARN = 20
WATCH_WARN_S = 1_200.0


def journal(visit: DoctorContext) -> Iterator[Finding]:
    reader = Reader(visit.redis("journal"), visit.config.journal.shards)
    found = state.of_journal(reader)
    unread, shards = reader.beyond()
    if unread:
        yield fail("journal", health_work.unread_words(unread, shards).partition(": ")[0],
                   f"set JOURNAL_SHARDS to {shards} until they are stored")  # fmt: skip
    told = f"{found.entries} requests wait, the oldest for {found.oldest_s:.0f} s"
    if found.oldest_s >= BACKLOG_FAIL_S:
        yield fail("journal", told, "is intake running? look for background_thread_failed in its log")
    elif found.oldest_s >= BACKLOG_WARN_S:
        yield warn("journal", told, "intake is slow or has stopped: look at its log")
    else:
        yield ok("journal", told)


def wakeups(visit: DoctorContext) -> Iterator[Finding]:
    depths = state.of_queues(visit.redis("broker"))
    told = ", ".join(f"{name} {depth}" for name, depth in depths.items())
    if max(depths.values()) >= WAKEUPS_WARN:
        yield warn("queues", told, "its workers are behind or not running")
    else:
        yield ok("queues", told)


def rows(visit: DoctorContext) -> Iterator[Finding]:
    try:
        found = state.of_database(visit.database("owner"))
    except psycopg.Error as e:
        yield fail("work", f"could not be counted: {describe(e)}", "./switchboard migrate")
        return
    yield _overdue("turns", found.overdue_turns, found.overdue_turn_s, "reply")
    yield _overdue("parts", found.overdue_parts, found.overdue_part_s, "deliver")
    for count, what, do in (
        (found.needing_reauth, "channels whose credentials are refused", "channel list, then connect them again"),
        (found.unknown_outcomes, "sends of unknown outcome", "outbound unknown-outcomes list, then settle them"),
        (found.dead_letters, "dead letters", "dead-letters list, then redrive or discard them"),
    ):
        yield warn("people", f"{count} {what}", f"./switchboard {do}") if count else ok("people", f"no {what}")


def _overdue(what: str, count: int, oldest_s: float, worker: str) -> Finding:
    told = f"{count} {what} are due, the oldest for {oldest_s:.0f} s"
    if oldest_s < OVERDUE_WARN_S:
        return ok("work", told)
    return warn("work", told, f"is the {worker} worker running, and is its service answering?")


def jobs(visit: DoctorContext) -> Iterator[Finding]:
    """Report scheduled jobs whose newest run failed or does not end, and those that somebody paused."""
    found = health_work.jobs_found(visit.database("owner"), datetime.now(UTC)).problems
    for problem in found:
        told, _, do = problem.words.partition(": ./")
        yield warn("jobs", told, f"./{do}" if do else "./switchboard job history")
    if not found:
        yield ok("jobs", "no scheduled job failed, hangs or is paused")


def balance(visit: DoctorContext) -> Iterator[Finding]:
    """Report the newest balance; `./switchboard balance` takes a new one."""
    newest = balances.newest(visit.database("owner"))
    if newest is None:
        yield ok("balance", "not taken yet: this happens every five minutes while beat and the workers run")
    elif newest.missing:
        told = f"received and neither stored nor in flight: {newest.missing}, on {newest.taken_at:%Y-%m-%d %H:%M}"
        yield fail("balance", told, "./switchboard balance, then docs/runbook.md")
    else:
        yield ok("balance", f"nothing was missing on {newest.taken_at:%Y-%m-%d %H:%M}")


def webhooks(visit: DoctorContext) -> Iterator[Finding]:
    """Report what the platforms last said about our subscriptions; they are asked every five minutes."""
    now, quiet = datetime.now(UTC), []
    channels = [one for one in channel_health.listed(visit.database("owner")) if one.channel_state != "disabled"]
    for one in channels:
        name = f"{one.platform} {one.company_id}/{one.channel_id} ({one.slug})"
        if one.state == "failing":
            since = f" since {one.since:%Y-%m-%d %H:%M}" if one.since else ""
            yield fail("webhooks", f"{name}: {one.problem or 'failing'}{since}: messages do not arrive",
                       f"./switchboard channel health, then app register {one.slug}")  # fmt: skip
        elif one.pending is not None and one.pending >= PENDING_WARN:
            yield warn("webhooks", f"{name}: the platform holds back {one.pending} events", "is the gateway reachable?")
        elif one.refused >= REFUSED_WARN and one.refused > one.accepted:
            told = f"{name}: {one.refused} of its requests were refused in the last hour, {one.accepted} accepted"
            yield warn("webhooks", told, f"does the platform have the newest secret? ./switchboard app show {one.slug};"
                                         " or a stranger posts")  # fmt: skip
        if one.checked_at is None or (now - one.checked_at).total_seconds() > WATCH_WARN_S:
            quiet.append(one)
    if quiet and len(quiet) == len(channels):
        yield ok("webhooks", f"{len(channels)} channels, none checked in the last {WATCH_WARN_S // 60:.0f} minutes:"
                             " beat and the deliver worker do that")  # fmt: skip
    elif quiet:
        yield warn("webhooks", f"{len(quiet)} of {len(channels)} channels were not checked lately",
                   "./switchboard channel check COMPANY/ID")  # fmt: skip
    elif not any(one.state == "failing" for one in channels):
        yield ok("webhooks", f"{len(channels)} channels, none fails")


def dropped(visit: DoctorContext) -> Iterator[Finding]:
    """Report events of the last day that had no effect although they may hold a customer's words."""
    alerts = 0
    for one in drops.lately(visit.database("owner")):
        told, do = drop_reasons.told(one.reason), drop_reasons.what_to_do(one.reason)
        alerts += told == "alert"
        if one.reason == "no_channel":
            yield fail("dropped", one.words, f"{do}; once that is done: ./switchboard app seen {one.slug}")
        elif told == "alert":
            yield warn("dropped", one.words, f"{do}; once that is done: ./switchboard app seen {one.slug}")
        elif told == "listed":
            yield ok("dropped", f"{one.words}: {do}")
    if not alerts:
        yield ok("dropped", "no event that should have had an effect was dropped in the last day")


def knowledge(visit: DoctorContext) -> Iterator[Finding]:
    """Check that every document has vectors and that the vector indexes find the nearest ones."""
    look = Look(visit.config, datetime.now(UTC), visit.database("owner"), None, None, None)
    for check, well in (
        (health_knowledge.embedding_models_filled, "every document has vectors of every embedding model"),
        (health_knowledge.recall_kept, "the vector indexes find the nearest vectors"),
    ):
        found = check(look)
        for problem in found.problems:
            words, _, do = problem.words.partition(": ")
            yield warn("knowledge", words, do)
        if not found.problems:
            yield ok("knowledge", well)
    yield from _embedder_of_the_active_model(visit)


def _embedder_of_the_active_model(visit: DoctorContext) -> Iterator[Finding]:
    usable = embed.models(visit.config)
    for model in embedding_models.every(visit.database("owner")):
        if model.state != "active" or model.name in usable:
            continue
        has = minilm.MEND if model.name == minilm.MODEL else "Add it to EMBEDDINGS_FALLBACKS"
        yield warn(
            "knowledge", f"nothing here embeds with {model.name}, which is the active model: until"
            f" {usable[0]} is filled questions are searched by their words only",
            f"{has}, or, once it is filled: ./switchboard embedding-models switch {usable[0]}",
        )  # fmt: skip


def prices(visit: DoctorContext) -> Iterator[Finding]:
    """Check that each model which may cost money has a price: without one no budget can bound it."""
    conn, config = visit.database("owner"), visit.config
    asked = [
        (0, configured.label, configured.model) for configured in config.llm.providers if is_paid(configured.base_url)
    ]
    asked += [(step.company_id or 0, step.provider, step.model) for step in routes.every(conn) if step.paid]
    for company_id, provider, model in dict.fromkeys(asked):
        if prices_store.price_of(conn, company_id, provider, model) is None:
            whose = f" in a route of company {company_id}" if company_id else ""
            found = f"{model} of {provider}{whose} has no price: no budget can bound it, so it is not asked"
            yield fail("prices", found, f"./switchboard price set {model} IN OUT; 0 0 if it is free")
        else:
            yield ok("prices", f"{model} of {provider} has a price")


def backups(visit: DoctorContext) -> Iterator[Finding]:
    """Check that there is a recent backup, that it was restored as a test, and that others cannot read it."""
    config, now = visit.config, datetime.now(UTC)
    folder = config.backup_folder
    if folder.exists() and not os.access(folder, os.W_OK):
        yield fail("backups", f"{folder} cannot be written by user id {os.geteuid()}", "correct BACKUP_DIR or its mode")
    if folder.exists() and folder.stat().st_mode & 0o077:
        yield fail(
            "backups", f"{folder} can be read by others and contains what customers wrote", f"chmod 700 {folder}"
        )
    found = backups_store.state(visit.database("owner"))
    if found.made_at is None:
        if found.born_at is not None and (now - found.born_at).total_seconds() > config.backup.alert_after_h * 3600:
            yield warn("backups", "there is no backup", "./switchboard backup run; is beat running?")
        else:
            yield ok("backups", "none yet: the first one is made within the hour")
        return
    age_h = (now - found.made_at).total_seconds() / 3600
    told = f"{found.kept}, the newest {age_h:.1f} h old, {found.bytes} bytes"
    if age_h > config.backup.alert_after_h:
        yield warn("backups", told, "./switchboard job history lifecycle.make_backup says why")
    if found.proof in ("differs", "failed"):
        yield fail(
            "backups", f"the newest that was tested does not restore ({found.proof})", "./switchboard backup prove"
        )
    elif found.restorable_at is None:
        yield ok("backups", f"{told}; none was tested yet: ./switchboard backup prove")
    else:
        yield ok("backups", f"{told}; the one of {found.restorable_at:%Y-%m-%d %H:%M} was restored as a test")
    if not any(one.name == found.newest for one in BackupFolder(folder).all()):
        yield warn("backups", f"the newest is not in {folder}: it was made on another machine, or was deleted",
                   "./switchboard backup list where the maintenance worker runs")  # fmt: skip
