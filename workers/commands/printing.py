"""How commands show what they found: lines for people, JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any, TypeVar

import click

from shared.errors import Permanent

T = TypeVar("T")

as_json_option = click.option("--json", "as_json", is_flag=True, help="For programs.")


def print_json(value: Any) -> None:
    click.echo(json.dumps(value, ensure_ascii=False, default=str))


def print_rows(rows: Sequence[T], line: Callable[[T], str], *, empty: str, as_json: bool) -> None:
    """rows: dataclasses. empty: what to say to people when there are none."""
    if as_json:
        print_json([asdict(row) for row in rows])  # type: ignore[call-overload]
        return
    for row in rows:
        click.echo(line(row))
    if not rows:
        click.echo(empty)


def split_place(place: str, listing: str) -> tuple[int, int]:
    """COMPANY/ID as numbers. Raises Permanent naming the listing that prints such places."""
    company_id, _, id_ = place.partition("/")
    if not (company_id.isdecimal() and id_.isdecimal() and len(place) <= 40):
        raise Permanent("place", f"{place!r} should be COMPANY/ID, as `{listing}` prints it")
    return int(company_id), int(id_)
