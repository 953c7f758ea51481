"""`./switchboard …`: an error that the user can correct is one line, not a traceback.

Exit codes: 0 done; 1 nothing was done, or what was looked at is not well; 2 the command line, a setting or a service is
not as it should be.
"""

from __future__ import annotations

import sys

import click

from shared import settings
from shared.errors import NothingDone, SwitchboardError
from workers.commands import switchboard


def main() -> None:
    for words in settings.warnings():
        click.echo(f"warning: {words}", err=True)
    try:
        switchboard.main(prog_name="./switchboard")
    except SwitchboardError as e:
        click.echo(f"error: {e}", err=True)
        sys.exit(1 if isinstance(e, NothingDone) else 2)


if __name__ == "__main__":
    main()
