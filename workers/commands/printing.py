"""How commands show what they found: lines for people, JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any, TypeVar

import click

T = TypeVar("T")

as_json_option = click.option(
    "--json", "as_json", is_flag=True, help="One JSON value on standard output, for programs."
)


def counted(number: int, what: str) -> str:
    """`1 chunk`, `2 chunks`."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def print_json(value: Any) -> None:
    click.echo(json.dumps(value, ensure_ascii=False, default=str))


def limit_option(default: int, *, most: int) -> Any:
    """`--limit N`: the command asks for one row more than N, and `print_rows` says that there is more."""
    return click.option("--limit", default=default, show_default=True, type=click.IntRange(1, most),
                        help="Show at most this many.")  # fmt: skip


def print_rows(
    rows: Sequence[T], line: Callable[[T], str], *, empty: str, as_json: bool, limit: int | None = None
) -> None:
    """rows: dataclasses. empty: what to say to people when there are none. limit: how many are shown; where rows holds
    more, standard error says so."""
    if limit is not None and len(rows) > limit:
        rows = rows[:limit]
        click.echo(f"there are more than these {limit}: say --limit N for up to N of them", err=True)
    if as_json:
        print_json([asdict(row) for row in rows])  # type: ignore[call-overload]
        return
    for row in rows:
        click.echo(line(row))
    if not rows:
        click.echo(empty)


def print_result(value: Any, *lines: str, as_json: bool) -> None:
    """Print what a command did: one JSON value alone, or lines for people."""
    if as_json:
        print_json(value)
        return
    for line in lines:
        click.echo(line)


def fields(row: object) -> dict[str, Any]:
    """A dataclass' fields, one level deep."""
    return {name: getattr(row, name) for name in row.__dataclass_fields__}  # type: ignore[attr-defined]
