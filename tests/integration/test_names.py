"""Names and slugs: the database and shared/names.py agree, and a database with older names is mended."""

from __future__ import annotations

import psycopg
import pytest

from shared.embedded import Database
from shared.names import name_of
from shared.store.tenants import companies
from shared.store.tenants.companies import NameTaken

NAMES = [
    "Acme", "Ä", "x" * 100, "漢字", "👩‍👩‍👧", "نام‌ها", "a b", "", "\u3164",
    "\u200b", "\u2800", "a\tb", "a\x7f", "a\u0085b", "a\u2028",
    "\u202eabc", "a\u2066b", "x" * 101, "\ufe0f",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_the_database_refuses_what_the_function_refuses(database: Database, name: str) -> None:
    try:
        taken = name_of(name) == name
    except ValueError:
        taken = False
    with psycopg.connect(database.admin_url, autocommit=True) as conn:
        try:
            conn.execute("INSERT INTO companies (name) VALUES (%s)", (name,))
            stored = True
        except psycopg.errors.CheckViolation:
            stored = False

    assert stored == taken


SLUGS = {
    "Bücher & Mehr": "bucher-mehr", "Straße": "strasse", "Łódź's Æther": "lodzs-aether", "Щука и Ёж": "shchuka-i-yozh",
    "Ελλάδα": "ellada", "漢字": "company", "1234": "company-1234", "  --  A  --": "a", "y" * 90: "y" * 50,
}  # fmt: skip


def test_slugs_are_made_from_names_and_are_unique(database: Database) -> None:
    with psycopg.connect(database.admin_url, autocommit=True) as conn:
        assert {name: companies.create(conn, name).slug for name in SLUGS} == SLUGS
        assert companies.create(conn, "bücher, mehr").slug == "bucher-mehr-2"
        assert companies.create(conn, "Other", "my-shop").slug == "my-shop"
        with pytest.raises(NameTaken, match="slug 'my-shop'"):
            companies.create(conn, "Third", "my-shop")
        for slug in ("12", "a--b", "-a", "ä", "a" * 64, ""):
            with pytest.raises(ValueError, match="a slug has"):
                companies.create(conn, "Fourth", slug)


@pytest.mark.parametrize(("first", "second"), [("Acme", "ACME"), ("Straße", "STRASSE"), ("ﬁne", "FINE"), ("ΣΑΣ", "σας"),
                                               ("Acme", "Ac\u200bme"), ("A B", "a  b")])  # fmt: skip
def test_names_that_differ_only_in_case_or_form_are_the_same(database: Database, first: str, second: str) -> None:
    with psycopg.connect(database.admin_url, autocommit=True) as conn:
        made = companies.create(conn, first)
        with pytest.raises(NameTaken):
            companies.create(conn, second)
        assert companies.ensure(conn, second).id == made.id


@pytest.mark.parametrize(
    ("taken", "wanted"), [("Ada", "Ａｄａ"), ("Ａｄａ", "ADA"), ("Zo\u00e9", "Zoe\u0301"), ("Straße", "STRASSE")]
)
def test_a_free_agents_name_is_one_that_the_index_takes(database: Database, taken: str, wanted: str) -> None:
    with psycopg.connect(database.admin_url, autocommit=True) as conn:
        company_id = companies.create(conn, "Acme").id
        companies.add_agent(conn, company_id, taken)

        assert companies.free_agent_name(conn, company_id, wanted) == f"{wanted} 2"

        for expected in (f"{wanted} 2", f"{wanted} 3"):
            free = companies.free_agent_name(conn, company_id, wanted)
            companies.add_agent(conn, company_id, free)
            assert free == expected
        assert companies.free_agent_name(conn, company_id, "Somebody else") == "Somebody else"
