"""What a claim may take, and what it brought: pieces of work of several companies, and where the next one goes on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")
NO_COMPANY_MAX = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Room:
    """slots: how many pieces. held: the company of each piece that is under way here. company_max: how many one company
    may have under way here, those of `held` included."""

    slots: int
    held: Sequence[int] = ()
    company_max: int = NO_COMPANY_MAX


@dataclass(frozen=True, slots=True)
class Claimed(Generic[T]):
    """companies: of each piece. company: the one that was served last, behind which the next claim begins; 0: at the
    first. more: whether more may be due than there was room for."""

    pieces: Sequence[T]
    companies: Sequence[int]
    company: int
    more: bool
