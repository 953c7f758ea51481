"""What one claim brought: pieces of work of several companies, and where the next claim goes on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Claimed(Generic[T]):
    """company: the one that was served last, behind which the next claim begins; 0: at the first.
    more: whether more may be due than there was room for."""

    pieces: Sequence[T]
    company: int
    more: bool
