"""What a process imports is left alone by the collector, and what it makes afterwards is not."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from shared import startup


@pytest.fixture(autouse=True)
def thawed() -> Iterator[None]:
    yield
    gc.unfreeze()


class Node:
    def __init__(self) -> None:
        self.itself = self


def test_what_was_made_inside_is_not_looked_at_again_and_what_came_later_is() -> None:
    with startup.imports():
        assert not gc.isenabled()
        inside = weakref.ref(Node())
    later = weakref.ref(Node())

    gc.collect()

    assert gc.isenabled()
    assert inside() is not None
    assert later() is None


def test_after_an_import_that_fails_garbage_is_collected_as_before() -> None:
    with pytest.raises(ImportError), startup.imports():
        raise ImportError("no such module")

    assert gc.isenabled()
