"""Which lines of a conversation are questions by themselves, in many languages."""

from __future__ import annotations

import pytest

from shared.knowledge.follow_up import READ_CHARS, Stands, carries_identifiers, stands, together

ALONE = """
What is the capital of France?
Recommend me a pizza recipe
Who won the chess world championship?
Do you deliver to Norway?
Is it possible to return shoes?
And what is the capital of France?
Wie hoch sind die Versandkosten innerhalb Deutschlands?
Liefern Sie nach Norwegen?
¿Cuál es la capital de Francia?
Quelle est la capitale de la France ?
Какая столица Франции?
法国的首都是哪里？
退货期限是多久？
"""
NOT = """
And Express?
und M10?
how much?
and for children?
in blue?
within how many days?
Can I return them?
How long does it take?
No, I meant the black shoes
Are these shops open on Sundays?
Any other colours?
Und die Lieferzeit?
Was kostet das?
Was ist mit Schweden?
¿Y para niños?
¿Cuánto cuesta?
Et en express ?
Combien ça coûte ?
E per i bambini?
E quanto custa?
En de prijs?
A ile kosztuje?
А сколько стоит?
А для детей?
Peki ya fiyatı?
那多少钱？
"""
PERHAPS = """
What is the price?
What is the weather?
Gibt es Gutscheine?
Sweden?
"""


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        *((line, Stands.ALONE) for line in ALONE.strip().splitlines()),
        *((line, Stands.NOT) for line in NOT.strip().splitlines()),
        *((line, Stands.PERHAPS) for line in PERHAPS.strip().splitlines()),
    ],
)
def test_a_line_stands_alone_by_its_own_words(line: str, expected: Stands) -> None:
    assert stands(line) is expected


def test_a_long_line_stands_alone() -> None:
    assert stands("and it " * READ_CHARS) is Stands.ALONE


def test_a_line_is_asked_with_the_questions_back_to_one_that_stands_alone() -> None:
    before = ["And for children?", "Do you deliver shoes to Norway?", "When do your shops open?"]

    assert together("how much?", before) == "Do you deliver shoes to Norway?\nAnd for children?\nhow much?"
    assert together("Who won the chess world championship?", before) is None
    assert together("how much?", []) is None


def test_identifiers_are_carried_to_a_line_that_names_none() -> None:
    asked = "Was kostet die KX-2077-C?"

    assert carries_identifiers("Und die Lieferzeit?", f"{asked}\nUnd die Lieferzeit?")
    assert not carries_identifiers("und die KX-3100?", f"{asked}\nund die KX-3100?")
    assert not carries_identifiers("how much?", "Do you deliver to Norway?\nhow much?")
