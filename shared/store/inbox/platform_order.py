"""The order in which a reader should meet messages: the platform's, where it tells one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import groupby
from typing import Protocol, TypeVar

_NUMBER_DIGITS_MAX = 18


def sequence_of(external_id: str | None) -> int | None:
    """A message's number on platforms that count them, which orders those of one second."""
    numeric = external_id is not None and external_id.isascii() and external_id.isdigit()
    return int(external_id) if external_id and numeric and len(external_id) <= _NUMBER_DIGITS_MAX else None


class Timed(Protocol):
    @property
    def role(self) -> str: ...

    @property
    def sent_at(self) -> datetime | None: ...

    @property
    def sequence(self) -> int | None: ...


T = TypeVar("T", bound=Timed)


def in_platform_order(lines: Sequence[T]) -> list[T]:
    """Messages in the order of their seqs as a reader should meet them: what a customer wrote in one go by the
    platform's time of it, then by its number there. Without a time a message keeps its place."""
    ordered: list[T] = []
    for by_customer, group in groupby(lines, lambda one: one.role == "customer" and one.sent_at is not None):
        run = list(group)
        ordered += sorted(run, key=_place) if by_customer else run
    return ordered


def _place(one: Timed) -> tuple[datetime | None, int]:
    return one.sent_at, one.sequence or 0
