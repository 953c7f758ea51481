"""`./switchboard doctor`: what works, what does not, and what to do about it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

import click

from shared import settings
from shared.embedded.folder import holder_of
from shared.errors import SettingsError
from workers.commands.printing import as_json_option, print_json
from workers.doctor import Finding, fail
from workers.doctor.checks import WITHOUT_SERVICES, examine


@click.command()
@as_json_option
def doctor(as_json: bool) -> None:
    """Check configuration, services and work. Prints a line each: ok, warn or FAIL with what to do. Exits 1 on FAIL.

    Changes nothing, and says what it can when services are down.
    """
    found = []
    for finding in _findings():
        found.append(finding)
        if not as_json:
            _show(finding)
    levels = [finding.level for finding in found]
    if as_json:
        print_json([asdict(finding) for finding in found])
    else:
        click.echo(f"{levels.count('ok')} ok, {levels.count('warn')} warn, {levels.count('FAIL')} FAIL")
    if "FAIL" in levels:
        raise SystemExit(1)


def _findings() -> Iterable[Finding]:
    try:
        config = settings.load()
    except SettingsError as e:
        return [fail("configuration", str(e), "correct these settings; the rest can be checked then")]
    if config.database.url or config.database.admin_url or config.redis.url:
        return examine(config)
    return [*_not_running(config.system.data_dir), *examine(config, WITHOUT_SERVICES)]


def _not_running(data_dir: Path) -> Iterable[Finding]:
    """Neither are services of the user's named, nor has a running `up` written where its own are."""
    if not data_dir.is_dir():
        yield fail("system", f"DATA_DIR={data_dir} does not exist", "./switchboard up makes it, or name another one")
    elif (process := holder_of(data_dir)) is not None:
        yield fail("system", f"the system of {data_dir} is starting, or ends (process {process})", "look again")
    else:
        yield fail("system", f"the system of {data_dir} is not running", "./switchboard up starts it")


def _show(finding: Finding) -> None:
    colour = {"ok": "green", "warn": "yellow", "FAIL": "red"}[finding.level]
    click.echo(f"{click.style(f'{finding.level:<4}', fg=colour)}  {finding.check:<17}  {finding.found}")
    if finding.do:
        click.echo(f"{'':<25}→ {finding.do.replace(os.linesep, ' ')}")
