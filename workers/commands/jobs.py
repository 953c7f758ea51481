"""Commands for scheduled jobs: list them, show past runs, run one now, pause one."""

from __future__ import annotations

import difflib
from dataclasses import asdict
from datetime import UTC, datetime

import click
import psycopg

from shared import settings
from shared.clock import SystemClock
from shared.errors import NotFound, NothingDone, Permanent
from shared.store.operations import jobs as store
from tasks.operations import jobs as flow
from tasks.operations.jobs import Job, Work
from tasks.registry import JOBS
from workers.commands.printing import as_json_option, limit_option, print_json, print_rows
from workers.commands.setup import as_owner
from workers.commands.suggest import CUTOFF

NO_END_S = float("inf")
WIDTH = max(map(len, JOBS))
"""Of the column of names."""


@click.group()
def job() -> None:
    """Scheduled jobs."""


@job.command("list")
@as_json_option
def job_list(as_json: bool) -> None:
    """List the jobs: when each is due next (UTC) or since when it is paused, how its last run ended, and why it runs
    then."""
    from beat_schedule import TIMETABLE
    from tasks.operations import timetable

    now = datetime.now(UTC)
    with as_owner(settings.load()) as conn:
        last, paused = store.last_runs(conn), store.paused(conn)
    rows = []
    for name in JOBS:
        ran = last.get(name)
        next_at = timetable.following(TIMETABLE[name].at, now)
        since = paused.get(name)
        rows.append(
            {
                "job": name, "next_at": next_at, "paused_at": since, "why": TIMETABLE[name].why,
                "last": asdict(ran) if ran else None,
            }
        )  # fmt: skip
        if not as_json:
            when = f"next {next_at:%a %m-%d %H:%M}" if since is None else f"paused since {since:%m-%d %H:%M}"
            click.echo(f"{name:{WIDTH}}  {when:24}  {_result(ran)}")
            click.echo(f"    {TIMETABLE[name].why}")
    if as_json:
        print_json(rows)


@job.command("history")
@click.argument("name", required=False)
@limit_option(20, most=100_000)
@as_json_option
def job_history(name: str | None, limit: int, as_json: bool) -> None:
    """List runs, newest first."""
    if name is not None:
        _job(name)
    with as_owner(settings.load()) as conn:
        rows = store.history(conn, name, limit=limit + 1)
    print_rows(rows, _line, empty="nothing ran yet", as_json=as_json, limit=limit)


def _result(ran: store.Run | None) -> str:
    if ran is None:
        return "never ran"
    return f"{ran.outcome} {ran.started_at:%m-%d %H:%M}, {ran.rows} rows{': ' + ran.error if ran.error else ''}"


def _line(row: store.Run) -> str:
    took = f"{(row.finished_at - row.started_at).total_seconds():.1f} s" if row.finished_at else "unfinished"
    return (
        f"{row.started_at:%Y-%m-%d %H:%M:%S}  {row.name}  {row.outcome}  by {row.started_by}  {took}"
        f"  batches {row.batches}  rows {row.rows}  bytes {row.bytes}{'  ' + row.error if row.error else ''}"
    )


@job.command("run")
@click.argument("name")
@click.option("--dry-run", is_flag=True, help="Show what it would do; change nothing.")
@as_json_option
def job_run(name: str, dry_run: bool, as_json: bool) -> None:
    """Run a job now, to its end. It continues where an unfinished run stopped."""
    wanted = _job(name)
    config = settings.load()
    with as_owner(config) as conn:
        work = work_of(conn, config)
        if dry_run:
            show_preview(flow.preview(wanted, work), as_json=as_json)
            return
        ran = run_to_the_end(wanted, work)
    if as_json:
        print_json(asdict(ran))
        return
    click.echo(f"{name}  {ran.outcome}  batches {ran.batches}  rows {ran.rows}  bytes {ran.size}  {ran.seconds:.1f} s")


@job.command("pause")
@click.argument("name")
@as_json_option
def job_pause(name: str, as_json: bool) -> None:
    """Keep the timetable from running a job, until `job resume`; a run that is under way goes on. `job run` still
    works."""
    wanted = _job(name)
    with as_owner(settings.load()) as conn:
        store.ensure(conn, {name: SystemClock().now()})
        if not store.pause(conn, wanted.name):
            raise NothingDone("job", f"{name} is paused already")
    _say(name, "paused", as_json)


@job.command("resume")
@click.argument("name")
@as_json_option
def job_resume(name: str, as_json: bool) -> None:
    """Have the timetable run a paused job again, from its next hour on."""
    from beat_schedule import TIMETABLE
    from tasks.operations import timetable

    wanted = _job(name)
    slot = timetable.latest(TIMETABLE[name].at, SystemClock().now())
    with as_owner(settings.load()) as conn:
        if not store.resume(conn, wanted.name, slot=slot):
            raise NothingDone("job", f"{name} is not paused")
    _say(name, "resumed", as_json)


def _say(name: str, what: str, as_json: bool) -> None:
    if as_json:
        print_json({"job": name, "state": what})
        return
    click.echo(f"{name}  {what}")


def work_of(conn: psycopg.Connection, config: settings.Settings) -> Work:
    return Work(conn, config, SystemClock())


def run_to_the_end(wanted: Job, work: Work) -> flow.Ran:
    """Run a job. Raises Permanent while another run holds it, NothingDone if what it works on does not exist."""
    ran = flow.run(wanted, work, slot=None, by="hand", budget_s=NO_END_S)
    if ran is None:
        raise Permanent("job", f"{wanted.name} is running: see `job history {wanted.name}`, or try again later")
    if ran.lacking is not None:
        raise NothingDone("job", ran.lacking)
    return ran


def show_preview(found: flow.Preview, *, as_json: bool) -> None:
    if as_json:
        print_json(asdict(found))
        return
    for line in found.lines:
        click.echo(line)
    click.echo(f"rows it would change: {found.rows}, bytes: {found.size}; nothing was changed")


def _job(name: str) -> Job:
    found = JOBS.get(name)
    if found is None:
        near = difflib.get_close_matches(name, JOBS, n=3, cutoff=CUTOFF) or [one for one in JOBS if name in one][:3]
        hint = f"did you mean {' or '.join(near)}?" if near else "`job list` shows them"
        raise NotFound("job", f"no job is named {name!r}: {hint}")
    return found
