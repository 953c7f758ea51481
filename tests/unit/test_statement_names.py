"""Every statement of the store says in its first comment of which module it is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from psycopg._queries import MAX_CACHED_STATEMENT_LENGTH

from shared.store.answers import replies

STORE = Path(__file__).resolve().parents[2] / "shared" / "store"
NAMED = re.compile(r"/\* ([a-z_]+)\.([a-z_0-9]+) \*/")
MODULES = sorted(path for path in STORE.rglob("*.py") if path.name != "__init__.py")


@pytest.mark.parametrize("path", MODULES, ids=[path.relative_to(STORE).as_posix() for path in MODULES])
def test_a_statement_is_named_after_its_module(path: Path) -> None:
    assert {module for module, _ in NAMED.findall(path.read_text()) if module != "module"} <= {path.stem}


def test_the_longest_statement_is_short_enough_for_psycopg_to_read_it_once() -> None:
    assert len(replies.MAKE.encode()) <= MAX_CACHED_STATEMENT_LENGTH
