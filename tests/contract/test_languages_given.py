"""With the local model, a plain question in the documents' language has its passage first, and it is given."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from shared.embedded import Database
from shared.knowledge import e5, search
from shared.knowledge.e5 import LocalE5
from shared.store.db.pool import Conn, set_companies
from shared.store.knowledge import embeddings
from shared.store.tenants import companies

pytestmark = pytest.mark.skipif(not e5.is_installed(), reason="the local model is not installed")
CASES = Path(__file__).resolve().parents[3] / "shared" / "cases" / "documents"
THRESHOLD = 0.3
OWN = {
    "en": [
        "Unused tents may be sent back within 60 days.",
        "Orders are handed to the carrier at 15:00.",
        "The bicycle stand at the gate is free.",
    ],
    "de": [
        "Unbenutzte Zelte können innerhalb von 60 Tagen zurückgegeben werden.",
        "Bestellungen gehen um 15 Uhr an den Paketdienst.",
        "Der Fahrradständer am Tor ist kostenlos.",
    ],
    "fr": [
        "Les tentes inutilisées peuvent être renvoyées sous 60 jours.",
        "Les commandes partent chez le transporteur à 15 heures.",
        "Le parc à vélos près du portail est gratuit.",
    ],
    "ru": [
        "Неиспользованные палатки можно вернуть в течение 60 дней.",
        "Заказы передаются перевозчику в 15:00.",
        "Стоянка для велосипедов у ворот бесплатная.",
    ],
    "zh": ["未使用的帐篷可以在六十天内退货。", "订单在下午三点交给快递公司。", "大门旁的自行车停放处免费。"],
}
ASKED = {
    "en": ["How long can I send back a tent?", "When do orders leave?", "Is the bicycle stand free?"],
    "de": [
        "Wie lange kann ich ein Zelt zurückgeben?",
        "Wann gehen Bestellungen raus?",
        "Ist der Fahrradständer kostenlos?",
    ],
    "fr": [
        "Combien de temps puis-je renvoyer une tente ?",
        "Quand partent les commandes ?",
        "Le parc à vélos est-il gratuit ?",
    ],
    "ru": [
        "Сколько времени можно вернуть палатку?",
        "Когда отправляются заказы?",
        "Стоянка для велосипедов бесплатная?",
    ],
    "zh": ["帐篷多久之内可以退货？", "订单什么时候发出？", "自行车停放免费吗？"],
}
ASKED_OF_CASES = {
    "en": ["How long can I send back boots?", "When do parcels leave?", "Is the car park free?"],
    "de": ["Wie lange kann ich Stiefel zurückgeben?", "Wann gehen die Pakete raus?", "Ist der Parkplatz kostenlos?"],
    "fr": [
        "Combien de temps puis-je renvoyer des bottes ?",
        "Quand partent les colis ?",
        "Le parking est-il gratuit ?",
    ],
    "ru": ["Сколько времени можно вернуть ботинки?", "Когда отправляются посылки?", "Парковка бесплатная?"],
    "zh": ["靴子多久之内可以退货？", "包裹什么时候发出？", "停车场免费吗？"],
}


@pytest.fixture(scope="module")
def model() -> LocalE5:
    return LocalE5(threads=1)


@pytest.fixture
def company(database: Database) -> int:
    with psycopg.connect(database.admin_url) as conn:
        return companies.ensure(conn, "Acme").id


@pytest.fixture
def conn(database: Database, company: int) -> Iterator[Conn]:
    with psycopg.connect(database.url) as connection:
        set_companies(connection, (company,))
        yield connection


def _store(conn: Conn, company: int, model: LocalE5, texts: list[str]) -> None:
    for n, text in enumerate(texts):
        search.add(conn, company, source=str(n), title=f"{n}", text=text, language=None)
    rows = conn.execute("SELECT id, title || E'\\n' || text FROM chunks WHERE company_id = %s", (company,)).fetchall()
    vectors = model.embed([str(text) for _, text in rows], deadline_s=60, passages=True)
    model_id = embeddings.ensure_model(conn, model.model, len(vectors[0]))
    embeddings.add(
        conn, company, model_id, [(int(str(row[0])), vector) for row, vector in zip(rows, vectors, strict=True)]
    )


def _given(conn: Conn, company: int, model: LocalE5, question: str) -> str:
    """The first passage, if it is given."""
    meanings = search.understand(model, [question], deadline_s=60)
    best = search.search(conn, company, question, 6, meanings.get(question))[0]
    return best.text if best.relevance >= THRESHOLD else f"not given: {best.relevance:.2f} {best.text}"


@pytest.mark.parametrize("language", OWN)
def test_each_question_is_given_its_passage(conn: Conn, company: int, model: LocalE5, language: str) -> None:
    _store(conn, company, model, OWN[language])
    assert [_given(conn, company, model, question) for question in ASKED[language]] == OWN[language]


@pytest.mark.parametrize("language", ASKED_OF_CASES)
def test_each_question_to_the_cases_is_given_its_passage(
    conn: Conn, company: int, model: LocalE5, language: str
) -> None:
    folder = CASES / "lang" / language
    if not folder.exists():
        pytest.skip("the cases are not beside the project")
    texts = [file.read_text("utf-8") for file in sorted(folder.glob("*.md"))]
    _store(conn, company, model, texts)
    given = [_given(conn, company, model, question) for question in ASKED_OF_CASES[language]]
    assert [said in text for said, text in zip(given, texts, strict=True)] == [True] * 3, given


NEGATED = """# Bikes

Bikes are allowed in the yard. Bikes are not allowed on the stairs.

# Music

Music is not permitted after ten."""


@pytest.mark.parametrize(
    ("own", "question", "said"),
    [
        (True, "Are bikes allowed on the stairs?", "not allowed on the stairs"),
        (True, "May I play music late?", "not permitted after ten"),
        (False, "Are dogs allowed in the restaurant?", "not allowed in the restaurant"),
        (False, "May I smoke inside?", "not permitted anywhere indoors"),
    ],
)
def test_a_negation_is_given_whole(
    conn: Conn, company: int, model: LocalE5, own: bool, question: str, said: str
) -> None:
    file = CASES / "md" / "negation.md"
    if not own and not file.exists():
        pytest.skip("the cases are not beside the project")
    _store(conn, company, model, [NEGATED if own else file.read_text("utf-8")])
    assert said in _given(conn, company, model, question)
    assert not _given(conn, company, model, question).startswith("not given")
