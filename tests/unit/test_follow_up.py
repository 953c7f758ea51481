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
今天天气
还有退货期限
靴のサイズ
ومتى تفتحون المتجر يوم الأحد؟
diese Schuhe kaufen
Is it possible to pay in cash?
Do the shops open this year?
kann ich diese Schuhe umtauschen und sie zurückgeben?
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
多久？
它
这个可以退货吗？
还有童鞋
还有运动鞋呢？
那个红色的
それはいくらですか
그럼 세일
Is it better in this colour?
Is it good?
this year they open
"""
PERHAPS = """
What is the price?
What is the weather?
Gibt es Gutscheine?
Sweden?
وكم السعر؟
وللأطفال؟
童鞋
运动鞋
价格
세일
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


def test_no_more_than_three_earlier_questions_are_asked_with_a_line() -> None:
    assert together("how much?", ["in red?", "in blue?", "and that?", "Do you deliver shoes to Norway?"]) == (
        "and that?\nin blue?\nin red?\nhow much?"
    )


def test_an_and_that_is_written_together_with_its_word_opens_a_line_as_one_apart_does() -> None:
    """Arabic: "and the price?" against "the price?", "and when …" against "when …"."""
    assert stands("وكم السعر؟") is stands("و كم السعر؟") is Stands.PERHAPS
    assert stands("وكم؟") is stands("كم؟") is Stands.NOT


def test_of_texts_without_spaces_three_characters_are_a_word() -> None:
    assert [stands("鞋" * length) for length in (1, 3, 4)] == [Stands.PERHAPS, Stands.PERHAPS, Stands.ALONE]
    assert [stands("还有" + "鞋" * length) for length in (1, 3, 4)] == [Stands.NOT, Stands.NOT, Stands.ALONE]
    assert [stands("鞋" * length + "它") for length in (1, 3, 4)] == [Stands.NOT, Stands.NOT, Stands.ALONE]
