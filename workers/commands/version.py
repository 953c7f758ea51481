"""`./switchboard --version`."""

from __future__ import annotations

import tomllib

import click

from shared.settings import PROJECT_ROOT


def number() -> str:
    """The version that pyproject.toml gives."""
    with (PROJECT_ROOT / "pyproject.toml").open("rb") as file:
        return str(tomllib.load(file)["project"]["version"])


def add_option(group: click.Group) -> None:
    group.params.append(
        click.Option(
            ["--version"], is_flag=True, is_eager=True, expose_value=False, callback=_show, help="Show the version."
        )
    )


def _show(ctx: click.Context, param: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        click.echo(f"switchboard {number()}")
        ctx.exit()
