"""Relevance at the default threshold with the true local model, on texts and questions of a shop in three languages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from shared.embedded import Database
from shared.knowledge import e5, search
from shared.knowledge.e5 import LocalE5
from shared.settings.answers import AnswersSettings
from shared.store.db.pool import set_companies
from shared.triage import texts
from tasks.knowledge import evaluation, index
from tasks.knowledge.evaluation import Row
from tests.factories import make_bot
from tests.integration.said_and_answered import bot_said, steps
from tests.integration.station import Station

DATA = Path(__file__).parents[1] / "contract" / "relevance"
THRESHOLD = AnswersSettings.model_fields["relevance_threshold"].default
SHOWN = 6

pytestmark = pytest.mark.skipif(not e5.is_installed(), reason="the local embedding model is not installed")


@pytest.fixture
def owner(database: Database) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database.admin_url, autocommit=True) as conn:
        yield conn


def read(language: str) -> tuple[list[Row], list[str], list[str], list[str]]:
    """Return the texts, and questions in full, colloquial ones, and those that no text answers."""
    rows: list[Row] = []
    full: list[str] = []
    short: list[str] = []
    elsewhere: list[str] = []
    for line in (DATA / f"{language}.txt").read_text("utf-8").splitlines():
        kind, _, text = line.partition(" ")
        if kind == "#":
            title, _, body = text.partition(" | ")
            rows.append(Row(f"row {len(rows)}", title, body, None))
        elif kind == "?":
            (full if len(full) < len(rows) else short).append(text)
        else:
            elsewhere.append(text)
    return rows, full, short, elsewhere


def answered(owner: psycopg.Connection, company_id: int, questions: list[str]) -> int:
    """Return for how many of the questions a passage is relevant enough."""
    meanings = search.understand(LocalE5(), questions, deadline_s=60)
    with owner.transaction():
        set_companies(owner, [company_id])
        found = [search.search(owner, company_id, each, SHOWN, meanings[each]) for each in questions]
    return sum(any(passage.relevance >= THRESHOLD for passage in passages) for passages in found)


@pytest.mark.parametrize("language", ["de", "tr"])
def test_a_shop_answers_what_it_knows_and_hands_over_the_rest(owner: psycopg.Connection, language: str) -> None:
    rows, full, short, elsewhere = read(language)
    company_id = evaluation.load(owner, "shop", rows, LocalE5()).company_id
    courteous = [f"@acme_bot Hallo, ich hätte eine Frage: {each} Viele Grüße" for each in full]

    assert answered(owner, company_id, full) == len(full) == 12
    assert answered(owner, company_id, courteous) == len(full)
    assert answered(owner, company_id, short) >= 0.75 * len(short)
    assert answered(owner, company_id, elsewhere) <= 0.3 * len(elsewhere)


def test_a_question_in_another_language_is_answered_by_its_meaning(owner: psycopg.Connection) -> None:
    company_id = evaluation.load(owner, "shop", read("en")[0], LocalE5()).company_id

    _, full, _, elsewhere = read("de")

    assert answered(owner, company_id, full) >= 0.85 * len(full)
    assert answered(owner, company_id, elsewhere) <= 0.2 * len(elsewhere)


@pytest.fixture
def german_shop(database: Database, redis_url: str) -> Iterator[Station]:
    """A worker with the local model and the default threshold, whose model for answers is down."""
    station = Station(database, redis_url, RELEVANCE_THRESHOLD=THRESHOLD)
    station.r.embedder = LocalE5()
    station.model.status = 400
    yield station
    station.close()


def test_a_reply_answers_a_polite_question_and_offers_a_person_for_another_subject(german_shop: Station) -> None:
    station, bot = german_shop, make_bot(german_shop.inbox.server.admin_url)
    rows, [question, *_], _, elsewhere = read("de")
    with station.r.db.transaction(bot.company_id) as conn:
        for row in rows:
            search.add(conn, bot.company_id, source=row.id, title=row.title, text=row.text, language=None)
    while station.index() is index.Result.INDEXED:
        pass

    station.receive(bot, f"Hallo, ich hätte da eine Frage: {question} Vielen Dank und viele Grüße", chat=1)
    station.receive(bot, elsewhere[3], chat=2)
    station.answer()
    station.answer()

    assert steps(station) == [("passages", "model_unavailable"), ("unknown", "nothing_relevant")]
    answer, offer = bot_said(station)
    assert "innerhalb von 30 Tagen zurückgeben" in answer
    assert offer == texts.default("unknown", "de")
