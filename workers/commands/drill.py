"""`./switchboard drill`: causes faults in a private copy of the system and prints a scorecard."""

from __future__ import annotations

import itertools
import json
import os
import signal
import sys
from pathlib import Path

import click

from shared import settings
from shared.embedded import DataFolder
from shared.telemetry import logs
from workers.drill import failover, kills, outages, outside, scorecard
from workers.drill.stage import Fault, Score, play
from workers.sandbox import places
from workers.sandbox.bots import Bot
from workers.sandbox.system import Drilled, drilled_system

FAULTS: tuple[Fault, ...] = (*kills.FAULTS, *outages.FAULTS, *failover.FAULTS, *outside.FAULTS)
COMPANIES = 3


@click.command()
@click.option("--short", is_flag=True, help="The most telling faults, with short bounds: about a minute.")
@click.option(
    "--only",
    "only",
    multiple=True,
    metavar="NAME",
    help="Only this fault, or those whose names begin with NAME. May be given several times.",
)
@click.option("--list", "list_", is_flag=True, help="List the faults.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per line.")
@click.option("--keep", is_flag=True, help="Keep the copy's data folder, with its logs.")
def drill(short: bool, only: tuple[str, ...], list_: bool, as_json: bool, keep: bool) -> None:
    """Break a private copy of the system in every way known, under traffic, and count what became of each message.

    Passes with nothing lost among accepted messages, no reply twice, and an unknown outcome only where a kill fell
    between send and record. What no setting can prevent is counted as `stated`.
    """
    chosen = [fault for fault in FAULTS if _chosen(fault, short, only)]
    if not chosen:
        raise click.UsageError("there is no such fault: see --list")
    if list_:
        for fault in chosen:
            click.echo(f"{fault.name:30}{'short  ' if fault.short else '       '}{fault.what}")
        return
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that everything is stopped in order
    logs.configure("ERROR")  # that processes die is what we came for
    folder = settings.load(of_running_system=False).system.data_dir / f"drill-{os.getpid()}"
    failed = _run(folder, chosen, quick=short, as_json=as_json, keep=keep)
    if failed:
        raise SystemExit(f"the drill failed: {', '.join(failed)}; its logs are in {folder / 'log'}")
    if not as_json:
        click.echo("everything is as promised")


def _chosen(fault: Fault, short: bool, only: tuple[str, ...]) -> bool:
    if only:
        return any(fault.name.startswith(name) for name in only)
    return fault.short or not short


def _run(folder: Path, chosen: list[Fault], *, quick: bool, as_json: bool, keep: bool) -> list[str]:
    """Return the names of the faults that did not pass."""
    failed = []
    with drilled_system(folder, quick=quick) as system:
        bots = _bots(system)
        numbers = itertools.count(100_000)
        if not as_json:
            click.echo(scorecard.head())
        for fault in chosen:
            told = _Told(fault)
            try:
                score = play(system, bots, numbers, fault, quick=quick, say=told.say)
            except (KeyboardInterrupt, SystemExit):
                click.echo(f"interrupted: no verdict on {fault.name}, which was at: {told.last}", err=True)
                raise
            _show(score, as_json)
            if not score.passed:
                failed.append(fault.name)
    if not (failed or keep):
        DataFolder(folder).open().discard()
    return failed


class _Told:
    """What is done now, for whoever waits at a terminal; faults that wait for a breaker take two minutes."""

    def __init__(self, fault: Fault) -> None:
        self._fault, self.last = fault, "the beginning"

    def say(self, words: str) -> None:
        self.last = words
        if sys.stderr.isatty():
            click.echo(f"  {self._fault.name}: {words}", err=True)


def _bots(system: Drilled) -> list[Bot]:
    """Companies with a bot each and, between them, a widget and a place on every other platform."""
    bots = [system.new_bot() for _ in range(COMPANIES)]
    others = [system.new_place(name, bots[n % COMPANIES].company_id) for n, name in enumerate(places.OTHERS)]
    return [*bots, system.new_widget(bots[0]), *others]


def _show(score: Score, as_json: bool) -> None:
    click.echo(json.dumps(scorecard.as_json(score)) if as_json else scorecard.line(score))
