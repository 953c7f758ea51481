"""Chunks are found by the identifiers of a question, at any size, in one company; older documents get theirs later."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from shared.clock import SystemClock
from shared.embedded import Database
from shared.knowledge import chunk
from shared.knowledge.search import add, search
from shared.store.db.pool import Conn, set_companies
from shared.store.knowledge import documents
from shared.store.tenants import companies
from tasks.knowledge.identifiers import FIND_IDENTIFIERS
from tasks.operations import jobs
from tasks.operations.jobs import Work
from tests.factories import settings_for

CASES = Path(__file__).resolve().parents[3] / "shared" / "cases" / "documents"
MIGRATIONS = Path(__file__).resolve().parents[2] / "migrations"
PARTS = """
# Pumps
The pump KX-5510/C replaces the older KX-5500 and costs 318.50.

# Seals
Seal kit 0077-45-2 fits every KX pump. It holds 7.5 bar.

# Filters
Filter G.22.400.B must be changed each 2,500 hours. Error F_307 means that it is blocked.

# Hoses
Hose part no. 4012345678901 is sold by the metre. Software v3.20.4 is needed for hose control.

# Cables
Use #7730 for the ring.

# Warranty
We give a warranty of two years on everything.
"""


@pytest.fixture
def acme(database: Database) -> int:
    with psycopg.connect(database.admin_url) as conn:
        return companies.ensure(conn, "Acme").id


@pytest.fixture
def conn(database: Database, acme: int) -> Iterator[Conn]:
    with psycopg.connect(database.url) as connection:
        set_companies(connection, (acme,))
        yield connection


@pytest.mark.parametrize(
    ("question", "heading"),
    [
        ("0077-45-2", "Seals"),
        ("#7730", "Cables"),
        ("KX5510", "Pumps"),
        ("kx 5510", "Pumps"),
        ("F307", "Filters"),
        ("error 307", "Filters"),
        ("G22400B", "Filters"),
        ("2500 hours", "Filters"),
        ("3.20.4", "Hoses"),
        ("318,50", "Pumps"),
        ("Was kostet die KX-5510?", "Pumps"),
        ("4012345678901", "Hoses"),
    ],
)
def test_a_section_is_found_first_and_given_by_its_code(conn: Conn, acme: int, question: str, heading: str) -> None:
    add(conn, acme, source="parts", title="Parts", text=PARTS)
    best, *others = search(conn, acme, question)
    assert best.title == f"Parts > {heading}"
    assert best.relevance >= 0.5
    assert best.identifiers
    assert all(passage.relevance < 0.3 for passage in others)


def test_a_code_that_is_not_there_is_answered_by_no_other_one(conn: Conn, acme: int) -> None:
    add(conn, acme, source="parts", title="Parts", text=PARTS)
    assert max(passage.relevance for passage in search(conn, acme, "What does the pump KX-5511 cost?")) == 0
    [warranty] = [p for p in search(conn, acme, "warranty of two years on KX-5511?") if p.relevance > 0.3]
    assert warranty.title == "Parts > Warranty"


def test_the_parts_of_the_cases_are_found_by_their_codes(conn: Conn, acme: int) -> None:
    file = CASES / "codes" / "parts.md"
    if not file.exists():
        pytest.skip("the cases are not beside the project")
    add(conn, acme, source="parts", title="Spare parts", text=file.read_text("utf-8"))
    expected = {
        "0098-77-3": "Seals",
        "#8820": "Cables",
        "WX4410": "Pumps",
        "wx 4410": "Pumps",
        "E204": "Filters",
        "F12300A": "Filters",
        "1500 hours": "Filters",
        "2.10.3": "Hoses",
        "218,50": "Pumps",
    }
    for question, heading in expected.items():
        best = search(conn, acme, question)[0]
        assert (best.title, best.relevance >= 0.5) == (f"Spare parts > {heading}", True), question
    assert all(passage.relevance < 0.3 for passage in search(conn, acme, "WX-4411"))


def test_a_code_is_found_among_many_chunks_that_share_the_questions_words(conn: Conn, acme: int) -> None:
    for part in range(8):
        text = "\n\n".join(
            f"# Drill {n}\nHow much is the drill: ask. Code AX-{1000 + n}-B, {n} EUR."
            for n in range(part * 100, part * 100 + 100)
        )
        add(conn, acme, source=f"list-{part}", title="Price list", text=text)
    one, two, *_ = search(conn, acme, "How much is the drill ax1737b, and how much AX 1042 B?")
    assert ["AX-1737-B" in one.text, "AX-1042-B" in two.text] == [True, True]
    assert min(one.relevance, two.relevance) >= 0.9


def test_identifiers_are_one_companys(conn: Conn, acme: int, database: Database) -> None:
    with psycopg.connect(database.admin_url) as owner:
        rival = companies.ensure(owner, "Rival").id
    with psycopg.connect(database.url) as other:
        set_companies(other, (rival,))
        add(other, rival, source="parts", title="Parts", text=PARTS)
    add(conn, acme, source="faq", title="FAQ", text="Two years on every device.")
    assert search(conn, acme, "KX5510") == []
    assert conn.execute("SELECT count(*) FROM chunk_identifiers WHERE company_id = %s", (rival,)).fetchone() == (0,)


def test_documents_of_before_get_their_identifiers_once(
    database: Database, acme: int, conn: Conn, redis_url: str
) -> None:
    for source in ("one", "two"):
        documents.add_document(
            conn,
            acme,
            source=source,
            title="Parts",
            text=PARTS,
            content_hash=source.encode(),
            chunks=chunk.split("Parts", PARTS),
        )
    add(conn, acme, source="new", title="New", text="Code AX-9000-A.")
    conn.commit()
    with (
        psycopg.connect(database.url, autocommit=True) as app,
        psycopg.connect(database.admin_url, autocommit=True) as owner,
    ):
        clock, settings = SystemClock(), settings_for(database, redis_url)
        assert jobs.preview(FIND_IDENTIFIERS, Work(owner, settings, clock)).rows == 2
        done = FIND_IDENTIFIERS.batch(Work(app, settings, clock), None)
        again = FIND_IDENTIFIERS.batch(Work(app, settings, clock), None)
    assert (done.rows, done.next, again.rows) == (2, None, 0)
    set_companies(conn, (acme,))
    assert {passage.title for passage in search(conn, acme, "kx 5510")[:2]} == {"Parts > Pumps"}


def test_a_migration_has_the_identifiers_of_all_documents_found_again(
    database: Database, acme: int, conn: Conn, redis_url: str
) -> None:
    add(conn, acme, source="parts", title="Parts", text="The nozzle ET 5003/1 costs 12.00.")
    conn.execute("DELETE FROM chunk_identifiers WHERE company_id = %s", (acme,))  # keys of other rules
    conn.commit()
    with (
        psycopg.connect(database.url, autocommit=True) as app,
        psycopg.connect(database.admin_url, autocommit=True) as owner,
    ):
        work = Work(app, settings_for(database, redis_url), SystemClock())
        assert FIND_IDENTIFIERS.batch(work, None).rows == 0
        owner.execute((MIGRATIONS / "0021_identifiers_again.sql").read_bytes())
        assert FIND_IDENTIFIERS.batch(work, None).rows == 1
    set_companies(conn, (acme,))
    for question in ("Haben Sie ET5003/1?", "Price of ET-5003-1"):
        [passage] = search(conn, acme, question)
        assert passage.identifiers


def test_a_document_that_is_replaced_has_the_new_ones_only(conn: Conn, acme: int) -> None:
    add(conn, acme, source="a", title="A", text="Code AX-9000-A.")
    add(conn, acme, source="a", title="A", text="Code AX-9001-A.")
    assert conn.execute(
        "SELECT key FROM chunk_identifiers WHERE key LIKE '=%%' AND company_id = %s", (acme,)
    ).fetchall() == [("=AX9001A",)]
