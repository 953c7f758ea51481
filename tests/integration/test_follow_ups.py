"""What is answered after something was said before, with the true local model: each question by what it asks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import workers.commands
from shared.embedded import Database
from shared.knowledge import e5, search
from shared.knowledge.e5 import LocalE5
from tasks.knowledge import index
from tests.factories import Bot, make_bot
from tests.integration.said_and_answered import bot_said, say, steps
from tests.integration.station import Station

DEMO = Path(workers.commands.__file__).parent / "demo_knowledge"
PUMPS = """# Pumpe KX-2077-C
Die Pumpe KX-2077-C kostet 418 Euro. Die Lieferzeit der KX-2077-C beträgt 3 Tage.

# Pumpe KX-2080-A
Die Pumpe KX-2080-A kostet 590 Euro. Die Lieferzeit der KX-2080-A beträgt 12 Tage.

# Pumpe KX-3100
Die Pumpe KX-3100 kostet 1250 Euro. Die Lieferzeit der KX-3100 beträgt 6 Wochen.

# Versand
Die Versandkosten innerhalb Deutschlands betragen 6,90 Euro. Ab 250 Euro liefern wir versandkostenfrei.

# Dichtungen
Eine Gleitringdichtung hält im Dauerbetrieb etwa 8.000 Betriebsstunden, danach muss sie getauscht werden.
"""

pytestmark = pytest.mark.skipif(not e5.is_installed(), reason="the local embedding model is not installed")


@pytest.fixture
def station(database: Database, redis_url: str) -> Iterator[Station]:
    station = Station(database, redis_url, RELEVANCE_THRESHOLD=0.3)
    station.r.router = None
    station.r.embedder = LocalE5()
    yield station
    station.close()


@pytest.fixture
def shop(station: Station) -> Bot:
    bot = make_bot(station.inbox.server.admin_url)
    for path in sorted(DEMO.glob("*.md")):
        with station.r.db.transaction(bot.company_id) as conn:
            search.add(conn, bot.company_id, source=path.stem, title=path.stem, text=path.read_text("utf-8"))
    _index(station)
    return bot


@pytest.fixture
def factory(station: Station) -> Bot:
    bot = make_bot(station.inbox.server.admin_url)
    with station.r.db.transaction(bot.company_id) as conn:
        search.add(conn, bot.company_id, source="pumps", title="Pumpen", text=PUMPS, language="german")
    _index(station)
    return bot


def _index(station: Station) -> None:
    while station.index() is not index.Result.NOTHING_DUE:
        pass


def _last(station: Station) -> str:
    return bot_said(station)[-1]


@pytest.mark.parametrize(
    "question",
    ["What is the capital of France?", "Recommend me a pizza recipe", "Who won the chess world championship?"],
)
def test_a_question_about_something_else_gets_no_answer_of_before(station: Station, shop: Bot, question: str) -> None:
    say(station, shop, "Can I return shoes?", "Do you deliver to Norway?")
    assert "Norway" in _last(station)

    say(station, shop, question)

    assert steps(station)[-1][0] not in ("passages", "full")
    assert "Norway" not in _last(station)


def test_another_subject_is_answered_from_its_own_passage(station: Station, factory: Bot) -> None:
    say(station, factory, "Wie lange hält die Gleitringdichtung?")
    assert "8.000 Betriebsstunden" in _last(station)

    say(station, factory, "Wie hoch sind die Versandkosten innerhalb Deutschlands?")

    assert "6,90 Euro" in _last(station)
    assert "Betriebsstunden" not in _last(station)


def test_another_subject_in_another_language_comes_first(station: Station, shop: Bot) -> None:
    say(station, shop, "Wie lange kann ich Schuhe zurückgeben?", "Liefern Sie nach Norwegen?")

    assert "Norway" in _last(station)
    assert "return unworn shoes" not in _last(station)


@pytest.mark.parametrize("line", ["Und die Lieferzeit?", "And the delivery time?", "Wie lange dauert das?"])
def test_a_line_that_names_no_part_is_about_the_part_before(station: Station, factory: Bot, line: str) -> None:
    say(station, factory, "Was kostet die KX-2077-C?")
    assert "418" in _last(station)

    say(station, factory, line)

    assert "KX-2077-C" in _last(station)
    assert not any(other in _last(station) for other in ("KX-2080-A", "KX-3100"))
    assert "asked_with_before" in _passages(station)[0]["evidence"]


def test_what_a_part_is_asked_for_is_quoted(station: Station, factory: Bot) -> None:
    say(station, factory, "Was kostet die KX-2077-C?", "Und die Lieferzeit?")

    assert "3 Tage" in _last(station)


def test_a_line_that_names_another_part_is_about_that_one(station: Station, factory: Bot) -> None:
    say(station, factory, "Was kostet die KX-2077-C?", "und die KX-3100?")

    assert "1250 Euro" in _last(station)
    assert "KX-2077-C" not in _last(station)


def test_a_line_that_says_too_little_is_asked_with_the_question_before(station: Station, shop: Bot) -> None:
    say(station, shop, "Do you deliver to Norway?", "And with express?")

    assert "next working day" in _last(station)


def _passages(station: Station) -> list[dict[str, dict[str, object]]]:
    passages: list[dict[str, dict[str, object]]] = station.rows(
        "SELECT passages FROM receipts ORDER BY turn_id DESC LIMIT 1"
    )[0][0]
    return passages
