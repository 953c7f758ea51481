"""Imports and indexing ended at each of their steps: every document once, every vector once, nothing left half-way."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import pytest

from shared import faults
from shared.store.knowledge import imports
from tasks.knowledge.imports import import_next
from tasks.knowledge.index import Result as Indexed
from tasks.knowledge.index import index_next_document
from tests.factories import Bot
from tests.integration.station import Station
from tests.integration.test_imports import SITEMAP, Web, send, sitemap

PAGES = {
    "https://shop.example/robots.txt": "User-agent: *\nAllow: /",
    SITEMAP: sitemap("https://shop.example/returns"),
    "https://shop.example/returns": "<title>Returns</title><p>You may send everything back within thirty days.",
}
OF_A_FILE = ("claimed", "chunked", "stored", "before_commit", "after_commit")
OF_A_SITE = ("claimed", "site_fetched", "site_stored", "site_before_commit", "after_commit")
OF_A_PAGE = ("claimed", "fetched", "chunked", "stored", "before_commit", "after_commit")
OF_AN_INDEX = ("claimed", "embedded", "before_commit", "after_commit")


@pytest.fixture(autouse=True)
def _no_faults_after() -> Iterator[None]:
    yield
    faults.configure("", None)


def _goes_on(station: Station) -> None:
    """What was left is taken up again, as if its lease or pause were over."""
    station.execute("UPDATE imports SET due_at = now() WHERE state = 'queued'")
    station.execute("UPDATE indexing SET due_at = now() WHERE NOT done")


def _import_all(station: Station) -> None:
    for _ in range(20):
        _goes_on(station)
        try:
            import_next(station.r, 0)
        except faults.InjectedFault:
            continue  # as a process that dies with what it has claimed
        if not station.rows("SELECT 1 FROM imports WHERE state = 'queued'"):
            return
    raise AssertionError("imports were left after twenty rounds")


def _index_all(station: Station) -> None:
    for _ in range(20):
        _goes_on(station)
        try:
            result, _ = index_next_document(station.r, 0)
        except faults.InjectedFault:
            continue
        if result is Indexed.NOTHING_DUE:
            return
    raise AssertionError("the index never came to rest")


def _check(station: Station) -> None:
    """One document with its chunks, each with one vector, and nothing to do."""
    [(documents, promised)] = station.rows("SELECT count(*), sum(chunk_count) FROM documents")
    [(chunks, places, vectors, embedded)] = station.rows(
        "SELECT count(c.id), count(DISTINCT (c.document_id, c.ordinal)), count(e.chunk_id),"
        " count(DISTINCT e.chunk_id) FROM chunks c"
        " LEFT JOIN embeddings e ON e.company_id = c.company_id AND e.chunk_id = c.id"
    )
    assert documents == 1
    assert chunks == places == vectors == embedded == promised > 0
    assert station.rows("SELECT DISTINCT state, body IS NULL FROM imports") == [("done", True)]
    assert station.rows("SELECT count(*) FROM indexing WHERE NOT done") == [(0,)]


@pytest.mark.parametrize("point", OF_A_FILE)
def test_an_import_of_a_file_that_ends_anywhere_makes_one_document_embedded_once(
    station: Station, bot: Bot, tmp_path: Path, point: str
) -> None:
    send(station, bot, "returns.md", b"# Returns\n\nYou may send everything back within thirty days.")
    faults.configure(f"import.{point}=raise", tmp_path)

    _import_all(station)
    _index_all(station)

    assert (tmp_path / f"import.{point}.reached").exists()
    _check(station)
    texts = list(chain.from_iterable(station.embedder.asked))
    assert len(texts) == len(set(texts)), "something was embedded twice"


@pytest.mark.parametrize("point", [f"site.{p}" for p in OF_A_SITE] + [f"page.{p}" for p in OF_A_PAGE])
def test_a_reading_of_a_site_that_ends_anywhere_makes_each_page_one_document(
    station: Station, bot: Bot, tmp_path: Path, point: str
) -> None:
    Web(station, dict(PAGES))
    of, _, step = point.partition(".")
    with station.r.db.transaction(bot.company_id) as conn:
        imports.queue_site(conn, bot.company_id, SITEMAP, {})
    if of == "page":
        import_next(station.r, 0)
    faults.configure(f"import.{step}=raise", tmp_path)

    _import_all(station)
    _index_all(station)

    assert (tmp_path / f"import.{step}.reached").exists()
    _check(station)
    assert station.rows("SELECT count(*) FROM imports") == [(2,)]


@pytest.mark.parametrize("point", OF_AN_INDEX)
def test_indexing_that_ends_anywhere_leaves_each_chunk_one_vector(
    station: Station, bot: Bot, tmp_path: Path, point: str
) -> None:
    send(station, bot, "returns.md", b"# Returns\n\nYou may send everything back within thirty days.")
    _import_all(station)
    faults.configure(f"index.{point}=raise", tmp_path)

    _index_all(station)

    assert (tmp_path / f"index.{point}.reached").exists()
    _check(station)
    # only where the vectors were there and not yet stored is a model asked again
    again = point in ("embedded", "before_commit")
    assert len(list(chain.from_iterable(station.embedder.asked))) == (2 if again else 1)
