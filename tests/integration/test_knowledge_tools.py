"""What a model may ask of a company's knowledge, and how well the index keeps finding it."""

from __future__ import annotations

from datetime import UTC, datetime

import psycopg
import pytest

from shared.knowledge.extract import Turn
from shared.knowledge.search import add
from shared.store.knowledge import documents, embeddings
from shared.store.knowledge import index_audit as recall
from shared.store.knowledge.filters import Filter
from tasks.knowledge import index_audit
from tasks.knowledge.tools import Desk, cited
from tests.factories import Bot, make_bot, update
from tests.integration.station import Station


@pytest.fixture
def bot(station: Station) -> Bot:
    bot = make_bot(station.inbox.server.admin_url)
    with station.r.db.transaction(bot.company_id) as conn:
        for source, category, month, text in (
            ("returns", "service", 1, "# Returns\n\nRefund within thirty days.\n\n# Warranty\n\nRepair for two years."),
            ("old", "archive", 2, "Refund within ten days."),
        ):
            add(conn, bot.company_id, source=source, title=source, text=text, category=category,
                dated_at=datetime(2026, month, 1, tzinfo=UTC))  # fmt: skip
        turns = [Turn("Ann", "My refund is late.", 0.0), Turn("Bob", "It comes today.", 4.0)]
        add(conn, bot.company_id, source="call", title="Call", turns=turns, dated_at=datetime(2026, 3, 1, tzinfo=UTC))
    while station.index().value != "nothing_due":
        pass
    return bot


@pytest.fixture
def desk(station: Station, bot: Bot) -> Desk:
    return Desk(station.r, bot.company_id)


def test_each_tool_finds_what_it_is_for(desk: Desk) -> None:
    assert {p.title.split(" > ")[0] for p in desk.search("refund")} == {"returns", "old", "Call"}
    assert [p.title for p in desk.search_by_speaker("refund", "ann")] == ["Call > 0:00:00"]
    assert [p.title for p in desk.search_by_category("refund", "archive")] == ["old"]
    since = datetime(2026, 2, 1, tzinfo=UTC)
    assert [p.title for p in desk.search_by_date("refund", since, datetime(2026, 3, 1, tzinfo=UTC))] == ["old"]
    assert [d.source for d in desk.list_documents()] == ["returns", "old", "call"]


def test_a_passage_is_read_with_its_surroundings_and_cited_by_its_characters(desk: Desk, station: Station) -> None:
    found = next(p for p in desk.search("warranty repair") if p.title == "returns > Warranty")

    around = desk.read_passage(found.chunk_id)

    assert [p.title for p in around] == ["returns > Returns", "returns > Warranty"]
    [place] = cited([found])
    [(text,)] = station.rows(f"SELECT text FROM documents WHERE id = {found.document_id}")
    assert str(text)[int(str(place["start"])) : int(str(place["end"]))] == found.text
    assert desk.read_passage(10**9) == []


def test_two_documents_are_compared_by_one_question(desk: Desk) -> None:
    one, other, _ = (d.id for d in desk.list_documents())

    found = desk.compare_documents(one, other, "How long for a refund?")

    assert found[one][0].text == "Refund within thirty days."
    assert found[other][0].text == "Refund within ten days."


def test_nobody_leaves_what_they_may_see(desk: Desk, station: Station, bot: Bot) -> None:
    one, other, _ = (d.id for d in desk.list_documents())
    guest = Desk(station.r, bot.company_id, "guest", Filter(documents=(one,)))
    hidden = desk.search_by_category("refund", "archive")[0]

    assert {p.document_id for p in guest.search("refund")} == {one}
    assert guest.search_by_category("refund", "archive") == []
    assert guest.compare_documents(one, other, "refund")[other] == []
    assert [d.id for d in guest.list_documents()] == [one]
    assert guest.read_passage(hidden.chunk_id) == []

    rival = Desk(station.r, make_bot(station.inbox.server.admin_url).company_id)
    assert not [*rival.search("refund"), *rival.list_documents(), *rival.read_passage(hidden.chunk_id)]
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        rival.compare_documents(one, other, "refund")


# ------------------------------------------------------------------ the audit


def test_a_small_company_and_one_that_nobody_asked_need_no_audit(station: Station, bot: Bot) -> None:
    assert index_audit.audit(station.r, bot.company_id) is None
    station.execute("UPDATE knowledge_stats SET chunks = 50000")
    assert index_audit.audit(station.r, bot.company_id) is None


def test_an_index_that_misses_what_is_near_is_told_to_look_further(
    station: Station, bot: Bot, monkeypatch: pytest.MonkeyPatch
) -> None:
    station.inbox.journal(bot, update("when is my refund?"))
    station.inbox.drain_all()
    station.execute("UPDATE knowledge_stats SET chunks = 50000")
    assert index_audit.audit(station.r, bot.company_id) == 1.0

    def last() -> tuple[float, int]:
        [(share, ef_search)] = station.rows("SELECT recall, ef_search FROM recall_audits")
        return float(share), int(ef_search)

    assert last() == (1.0, 200)
    nearest = embeddings.nearest
    monkeypatch.setattr(
        "tasks.knowledge.index_audit.embeddings.nearest",
        lambda *args, exact=False: nearest(*args, exact=exact)[0 if exact else 3 :],
    )
    share = index_audit.audit(station.r, bot.company_id)
    assert share is not None
    assert share < 0.5
    assert last() == (share, 400)


def test_an_index_that_looks_further_still_answers(station: Station, bot: Bot) -> None:
    station.execute("UPDATE knowledge_stats SET chunks = 50000")
    with station.r.db.transaction(bot.company_id) as conn:
        recall.record(conn, bot.company_id, recall=0.5, questions=1, ef_search=400)
        space = embeddings.find_model(conn, "fake", 5)
        assert space is not None
        assert len(embeddings.nearest(conn, bot.company_id, space, [0.5] * 5, 10)) == 4
        assert documents.version(conn, bot.company_id) > 0
