"""Health checks of the work: what waits, what needs a person, and whether the scheduled jobs run."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any

from shared.resilience.load_shedding import STEPS
from shared.store.answers import load, usage
from shared.store.db.pool import Conn
from shared.store.inbound import balance as balances
from shared.store.inbound import drops
from shared.store.inbound.journal import Reader
from shared.store.lifecycle import backups as backups_store
from shared.store.operations import jobs as jobs_store
from shared.store.operations import state
from shared.store.tenants import channel_health
from tasks.operations import drop_reasons
from tasks.operations.health.check import CheckContext, CheckResult, Problem, need
from tasks.operations.health.clearing import JOURNAL, PARTS, TURNS, clearing, wakeup_queue

JOURNAL_S = 60.0
OVERDUE_S = 120.0
BALANCE_S = 1_800.0
"""It is taken every five minutes."""
WAKEUPS = 5_000
BUDGET_CHECK = "models.check_budgets"
"""The job whose last run tells of sums that are not the ledger's."""
RUNNING_S = 3_600.0
BACKGROUND_S = 1_800.0
"""Nobody waits for it to the minute."""


def journal(visit: CheckContext) -> CheckResult:
    reader = Reader(need(visit.journal), visit.settings.journal.shards)
    backlog = state.of_journal(reader)
    unread, shards = reader.beyond()
    data = {
        "entries": backlog.entries, "oldest_s": round(backlog.oldest_s, 1),
        **clearing(visit, {JOURNAL: backlog.entries})[JOURNAL],
    }  # fmt: skip
    words = f"{backlog.entries} accepted requests wait, the oldest for {backlog.oldest_s:.0f} s: is intake running?"
    problems = [Problem("old", words)] if backlog.oldest_s > JOURNAL_S else []
    if unread:
        problems.append(Problem("unread", unread_words(unread, shards)))
    return CheckResult(data, tuple(problems))


def unread_words(unread: int, shards: int) -> str:
    """Return the problem's text for requests that were accepted under a higher JOURNAL_SHARDS."""
    return f"{unread} accepted requests wait in unread shards: set JOURNAL_SHARDS to {shards} until they are stored"


def balance(visit: CheckContext) -> CheckResult:
    """Report the newest balance of what was received and what is stored, which are counted independently."""
    newest = balances.newest(need(visit.conn))
    if newest is None:
        return CheckResult({})
    age_s = (visit.now - newest.taken_at).total_seconds()
    data = {"missing": newest.missing, "in_flight": newest.in_flight, "taken_s": round(age_s)}
    problems = []
    if newest.missing:
        problems.append(
            Problem("open", f"{newest.missing} more requests were received than stored: ./switchboard balance")
        )
    if age_s > BALANCE_S:
        problems.append(Problem("old", f"the balance was last taken {age_s:.0f} s ago: is beat running?"))
    return CheckResult(data, tuple(problems))


def queues(visit: CheckContext) -> CheckResult:
    """Report the wake-ups in each queue. They have no age; the rows that they announce have one (below)."""
    depths = state.of_queues(need(visit.broker))
    empty = clearing(visit, {wakeup_queue(name): depth for name, depth in depths.items()})
    return CheckResult({name: {"wakeups": depth, **empty[wakeup_queue(name)]} for name, depth in depths.items()}, tuple(
        Problem(f"deep.{name}", f"{depth} wake-ups wait in {name}: are its workers running?")
        for name, depth in depths.items() if depth >= WAKEUPS
    ))  # fmt: skip


def rows(visit: CheckContext) -> CheckResult:
    found = state.of_database(need(visit.conn))
    problems = [
        Problem(f"overdue.{what}", f"{count} {what} are overdue, the oldest for {age_s:.0f} s")
        for what, count, age_s in (
            ("turns", found.overdue_turns, found.overdue_turn_s),
            ("parts", found.overdue_parts, found.overdue_part_s),
        )
        if age_s > OVERDUE_S
    ]
    problems += [
        Problem(key, f"{count} {words}")
        for key, count, words in (
            ("dead_letters", found.dead_letters, "requests are dead letters: ./switchboard dead-letters list"),
            (
                "unknown_outcomes",
                found.unknown_outcomes,
                "sends have an unknown outcome: ./switchboard outbound unknown-outcomes list",
            ),
            ("reauth", found.needing_reauth, "channels' credentials are refused: ./switchboard channel list"),
        )
        if count
    ]
    data: dict[str, Any] = {
        name: round(value, 1) if isinstance(value, float) else value
        for name, value in ((name, getattr(found, name)) for name in found.__dataclass_fields__)
    }
    empty = clearing(visit, {TURNS: found.overdue_turns, PARTS: found.overdue_parts})
    data |= {f"overdue_{what}_{key}": value for what, values in empty.items() for key, value in values.items()}
    return CheckResult(data, tuple(problems))


def background(visit: CheckContext) -> CheckResult:
    """Report documents, attachments and imports that are due, and since when."""
    found = state.of_background(need(visit.conn))
    empty = clearing(visit, {one.station: one.overdue for one in found})
    return CheckResult(
        {
            one.station: {"overdue": one.overdue, "oldest_s": round(one.oldest_s, 1), **empty[one.station]}
            for one in found
        },
        tuple(
            Problem(
                f"late.{one.station}", f"{one.overdue} of {one.station} are due, the oldest for {one.oldest_s:.0f} s"
            )
            for one in found
            if one.oldest_s > BACKGROUND_S
        ),
    )


def channels(visit: CheckContext) -> CheckResult:
    """Report channels whose messages do not arrive, and of which a platform reported a problem."""
    found = channel_health.troubled(need(visit.conn))
    data: dict[str, Any] = {"failing": {}, "told": {}}
    problems = []
    for one in found:
        kind, name = ("failing" if one.failing else "told"), f"{one.platform}.{one.word}"
        data[kind][name] = one.channels
        words = f"{one.channels} channels of {one.platform}: {one.word}: ./switchboard channel health"
        problems.append(Problem(f"{kind}.{name}", words))
    return CheckResult(data, tuple(problems))


DROPPED_SHOWN = 50


def dropped(visit: CheckContext) -> CheckResult:
    """Events that should have had an effect and had none, by application and reason; over a day after the last one, or
    when a channel is connected for them."""
    found = [one for one in drops.lately(need(visit.conn)) if drop_reasons.told(one.reason) != "counted"]
    data = {
        f"{one.slug}.{one.reason}": {
            "platform": one.platform, "events": one.events, "accounts": one.accounts, "account": one.account,
            "since": one.since.isoformat(), "last_at": one.last_at.isoformat(), "told": drop_reasons.told(one.reason),
        } for one in found[:DROPPED_SHOWN]
    }  # fmt: skip
    alerts = [one for one in found if drop_reasons.told(one.reason) == "alert"]
    problems = [
        Problem(f"{one.slug}.{one.reason}", f"{one.words}: {drop_reasons.what_to_do(one.reason)}")
        for one in alerts[:DROPPED_SHOWN]
    ]
    if len(alerts) > DROPPED_SHOWN:
        more = f"the same of {len(alerts) - DROPPED_SHOWN} more applications or reasons: ./switchboard channel health"
        problems.append(Problem("more", more))
    return CheckResult(data, tuple(problems))


def overload(visit: CheckContext) -> CheckResult:
    """Report for how long the last customer will wait, at the reply workers' pace, and which companies get cheaper
    answers."""
    now = load.now(need(visit.conn))
    steps = {step: sum(one == level for one in now.levels.values()) for level, step in enumerate(STEPS[1:], 1)}
    data = {"clear_s": round(now.clear_s, 1), "per_s": round(now.per_s, 2), "companies": steps}
    short = steps["passages"] + steps["handover"]
    words = f"{short} companies' customers get passages or an apology, and the last one will wait {now.clear_s:.0f} s"
    return CheckResult(data, (Problem("short", f"{words}: start more reply workers"),) if short else ())


def budgets(visit: CheckContext) -> CheckResult:
    """Report companies that have used up their tokens of the day (UTC), and sums of money that are not the ledger's."""
    found = usage.budgets_today(need(visit.conn), visit.settings.answers.budget_cheaper_share)
    compared = jobs_store.last_runs(need(visit.conn)).get(BUDGET_CHECK)
    drifted = 0 if compared is None else compared.rows
    problems = []
    if found.beyond:
        used_up = f"{found.beyond} companies have used up their tokens of the day"
        problems.append(Problem("beyond", f"{used_up} and get quoted passages: ./switchboard budget tokens"))
    if drifted:
        words = f"{drifted} sums that count against budgets are not the ledger's: ./switchboard budget check --repair"
        problems.append(Problem("drift", words))
    return CheckResult({**asdict(found), "drifted": drifted}, tuple(problems))


def jobs(visit: CheckContext) -> CheckResult:
    """Report the newest run of every job, and those that somebody paused."""
    return jobs_found(need(visit.conn), visit.now)


def jobs_found(conn: Conn, now: datetime) -> CheckResult:
    """As jobs(), of a connection of one's own."""
    last, paused = jobs_store.last_runs(conn), jobs_store.paused(conn)
    shown = {}
    problems = [
        Problem(f"paused.{name}", f"{name} is paused since {since:%Y-%m-%d %H:%M}: ./switchboard job resume {name}")
        for name, since in paused.items()
    ]
    for name, run in sorted(last.items()):
        shown[name] = {
            "outcome": run.outcome, "started_at": run.started_at.isoformat(), "rows": run.rows, "bytes": run.bytes,
            "finished_at": run.finished_at.isoformat() if run.finished_at else None, "error": run.error,
        }  # fmt: skip
        if run.outcome == "failed":
            problems.append(Problem(f"failed.{name}", f"{name} failed: {run.error}: ./switchboard job history {name}"))
        elif run.outcome == "running" and (now - run.started_at).total_seconds() > RUNNING_S:
            problems.append(Problem(f"stuck.{name}", f"{name} has been running since {run.started_at:%Y-%m-%d %H:%M}"))
    return CheckResult(shown, tuple(problems))


def backups(visit: CheckContext) -> CheckResult:
    """Report the newest backup and the newest that was restored as a test. A new system need not have one yet."""
    conn, settings = need(visit.conn), visit.settings
    found = backups_store.state(conn)
    data = {
        "kept": found.kept, "bytes": found.bytes, "newest": found.newest, "proof": found.proof,
        "newest_age_s": _age_s(visit, found.made_at), "restorable_age_s": _age_s(visit, found.restorable_at),
    }  # fmt: skip
    problems = []
    for key, at, hours, words in (
        ("old", found.made_at, settings.backup.alert_after_h, "no backup was made in the last {:.0f} hours"),
        ("unproven", found.restorable_at, settings.backup.proof_alert_after_h,
         "no backup was restored as a test in the last {:.0f} hours"),
    ):  # fmt: skip
        since = at or found.born_at
        if since is not None and (visit.now - since).total_seconds() > hours * 3600:
            problems.append(Problem(key, f"{words.format(hours)}: ./switchboard backup list"))
    if found.proof in ("differs", "failed"):
        words = f"the newest backup that was tested does not restore ({found.proof}): ./switchboard job history"
        problems.append(Problem("broken", words))
    return CheckResult(data, tuple(problems))


def _age_s(visit: CheckContext, at: datetime | None) -> float | None:
    return round((visit.now - at).total_seconds()) if at else None
