"""Words are found by the ordinary spelling, however documents and questions write their letters."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from shared.embedded import Database
from shared.knowledge import search
from shared.knowledge.extract import read_document
from shared.store.db.pool import set_companies
from tests.factories import make_bot

CASES = Path(__file__).resolve().parents[3] / "shared" / "cases" / "documents" / "uni"


@pytest.fixture
def conn(database: Database) -> Iterator[psycopg.Connection]:
    bot = make_bot(database.admin_url)
    with psycopg.connect(database.url) as conn:
        set_companies(conn, [bot.company_id])
        yield conn


def share(conn: psycopg.Connection, text: str, question: str, language: str | None = None) -> float:
    """How much of the question's words is found in the only document there is."""
    [(company,)] = conn.execute("SELECT switchboard_companies()::bigint[]").fetchall()
    company_id = company[0]
    search.add(conn, company_id, source="one", title="Text", text=text, language=language)
    found = search.search(conn, company_id, question)
    return found[0].evidence["share"][0] if found else 0.0


@pytest.mark.parametrize(
    ("text", "question", "language"),
    [
        (unicodedata.normalize("NFD", "Die Gebühr für übergroße Möbel beträgt 80 EUR."), "Gebühr Möbel", "german"),
        ("Die Gebühr für übergroße Möbel.", unicodedata.normalize("NFD", "Gebühr Möbel"), "german"),
        ("Die Rück\u00adgabe\u00adfrist be\u00adträgt sieb\u00adzehn Tage.", "Rückgabefrist siebzehn", "german"),
        ("The ﬁnal reﬁll is conﬁrmed by the oﬃcer.", "final refill officer", "english"),
        ("Ｔｈｅ ｃｏｄｅ ｉｓ ＱＸ４４７１", "code QX4471", "english"),
        ("ﾃﾚﾋﾞの返品は十日以内", "テレビの返品", None),
        ("商品到着後、十日以内であれば返品できます。", "返品できます", None),
        ("يُمكِنُكَ إعادةُ المُنتَجِ خلالَ ثلاثينَ يوماً. مدة الضمـــان سنتان.", "المنتج الضمان", "arabic"),
        ("الضمان ٣٠ يوما", "30", "arabic"),
        ("İADE SÜRESİ ON DÖRT GÜNDÜR VE ILIK SUDA YIKANIR.", "iade süresi ılık", "turkish"),
        ("ลูกค้าสามารถคืนสินค้าได้ภายในสิบสี่วันหลังจากได้รับของ", "คืนสินค้า", None),
        ("ที่จอดรถหน้าร้านเปิดตั้งแต่เจ็ดโมงเช้า", "ที่จอดรถ", None),
        ("ລູກຄ້າສາມາດສົ່ງສິນຄ້າຄືນໄດ້ພາຍໃນສິບສີ່ວັນ", "ສິນຄ້າຄືນ", None),
        ("အိမ်မွေးတိရစ္ဆာန်များကိုဥယျာဉ်တွင်ခွင့်ပြုသည်", "ဥယျာဉ်တွင်", None),
        ("អតិថិជនអាចប្រគល់ទំនិញវិញក្នុងរយៈពេលដប់បួនថ្ងៃ", "ប្រគល់ទំនិញ", None),
        ("The code is QX\u20114471.", "QX-4471", "english"),
        ("19 EUR¹ for 10 m²", "19 EUR", "english"),
    ],
)
def test_a_word_is_found_by_its_ordinary_spelling(
    conn: psycopg.Connection, text: str, question: str, language: str | None
) -> None:
    assert share(conn, text, question, language) == pytest.approx(1.0)


def test_digits_of_all_scripts_are_the_same(conn: psycopg.Connection) -> None:
    for zero in "٠۰०০๐໐၀០":
        digits = "".join(chr(ord(zero) + n) for n in range(10))
        assert conn.execute("SELECT knowledge_plain('simple', %s)", (digits,)).fetchone() == ("0123456789",)


def test_what_is_ascii_stays_as_it_is(conn: psycopg.Connection) -> None:
    assert conn.execute("SELECT knowledge_plain('english', 'AX-3306-B (10-17)')").fetchone() == ("AX-3306-B (10-17)",)


ASKED = {
    "nfd.md": "Gebühr für übergroße Möbel", "arabic.md": "مدة الضمان", "japanese.md": "返品できます",
    "turkish.md": "iade süresi", "thai.md": "ที่จอดรถ", "ligature_control.md": "final refill flask",
    "nfc_control.md": "Gebühr für übergroße Möbel",
}  # fmt: skip


@pytest.mark.skipif(not CASES.exists(), reason="the cases are not here")
@pytest.mark.parametrize("name", ASKED)
def test_the_cases_are_found_by_the_ordinary_spelling(conn: psycopg.Connection, name: str) -> None:
    parsed = read_document("markdown", (CASES / name).read_bytes(), title=None, name=name)
    assert share(conn, parsed.text, ASKED[name]) == pytest.approx(1.0)
