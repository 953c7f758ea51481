"""Elements and texts below an element, found without recursion: a document may nest as deeply as it likes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Protocol, TypeVar


class Parent(Protocol):
    """An element: its children are elements of its kind and texts."""

    @property
    def children(self) -> Iterable[Any]: ...


E = TypeVar("E", bound=Parent)


def below(children: Iterable[E | str]) -> Iterator[E | str]:
    """The children, and after each element what is below it: the order of the document."""
    waiting = [iter(children)]
    while waiting:
        child = next(waiting[-1], None)
        if child is None:
            waiting.pop()
        else:
            yield child
            if not isinstance(child, str):
                waiting.append(iter(child.children))
