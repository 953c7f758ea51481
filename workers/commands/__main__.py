"""`./switchboard …`: an error that the user can mend is one line, not a traceback."""

from __future__ import annotations

import sys

import click

from shared import settings
from shared.errors import SwitchboardError
from workers.commands import switchboard


def main() -> None:
    for words in settings.warnings():
        click.echo(f"warning: {words}", err=True)
    try:
        switchboard.main(prog_name="./switchboard")
    except SwitchboardError as e:
        click.echo(f"error: {e}", err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
