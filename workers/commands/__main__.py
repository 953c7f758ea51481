"""`./switchboard …`: an error that the user can mend is one line, not a traceback."""

from __future__ import annotations

import sys

import click

from shared.errors import SwitchboardError
from workers.commands import switchboard


def main() -> None:
    try:
        switchboard.main(prog_name="./switchboard")
    except SwitchboardError as e:
        click.echo(f"error: {e}", err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
