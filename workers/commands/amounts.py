"""Amounts of money on the command line, kept in millionths."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any

import click

MICROS = 1_000_000
MAX_MICROS = 10**15


class Amount(click.ParamType):  # type: ignore[type-arg]
    """An amount of money, as millionths."""

    name = "amount"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        micros = micros_of(str(value))
        if micros is None:
            self.fail(f"{value!r} is not an amount: a number from 0 on with at most six decimals", param, ctx)
        return micros


def micros_of(text: str) -> int | None:
    """Return an amount in millionths; None if it is none, or is not a whole number of them."""
    try:
        micros = Decimal(text) * MICROS
        if not 0 <= micros <= MAX_MICROS or micros != micros.to_integral_value():
            return None
    except InvalidOperation:
        return None
    return int(micros)


def money(micros: int | None) -> str:
    """An amount in words, with as many decimals as it has."""
    return "unknown: `price set` the model" if micros is None else f"{Decimal(micros) / MICROS:f}"
