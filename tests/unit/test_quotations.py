"""What is quoted of passages without a model."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.knowledge.quote import quote
from shared.llm import prompt
from tests.unit.fixtures_prompt import RETURNS, SHIPPING, passage

FOUND = "This is what I found:"


def test_a_quotation_holds_the_sentence_that_answers_and_its_citation() -> None:
    text = quote([RETURNS], "How long do refunds take?", FOUND)
    assert "Refunds take five days." in text
    assert "[1]" in text


def test_a_quotation_passes_the_citation_check_unchanged() -> None:
    text = quote([RETURNS, SHIPPING], "How long do refunds and parcels take?", FOUND)
    assert prompt.check_citations(text, [RETURNS, SHIPPING]) == (text, ((1, RETURNS), (2, SHIPPING)))


def test_a_far_less_relevant_second_passage_is_left_out() -> None:
    assert "[2]" not in quote([RETURNS, passage("We ship with DHL.", relevance=0.2)], "return", FOUND)


def test_the_same_sentence_is_not_quoted_twice() -> None:
    assert quote([RETURNS, RETURNS], "refunds", FOUND).count("Refunds take five days.") == 1


def test_nothing_to_quote_is_a_mistake() -> None:
    with pytest.raises(ValueError, match=r"^nothing to quote$"):
        quote([], "x", FOUND)


@given(st.lists(st.text(min_size=1, max_size=2_000), min_size=1, max_size=3), st.text(max_size=100))
def test_a_quotation_is_short_whatever_stands_in_the_passages(texts: list[str], question: str) -> None:
    passages = [passage(text, id=n) for n, text in enumerate(texts)]
    text = quote(passages, question, FOUND)
    assert len(text) < 600
    assert text.startswith(FOUND) or not text


def test_an_endless_sentence_is_cut_at_a_word() -> None:
    text = quote([passage("refund " * 400)], "refund", FOUND)
    assert len(text) < 600
    assert "refund…” [1]" in text


# ------------------------------------------------------------------ quotations


@pytest.mark.parametrize(
    ("question", "quoted"),
    [
        ("How long do refunds take?", "Refunds take five days."),
        ("receipts", "Keep the receipt."),
        ("return within days", "You can return anything within 30 days. … Refunds take five days."),
        ("nothing of it", "You can return anything within 30 days. Keep the receipt. Refunds take five days."),
    ],
)
def test_the_sentences_that_share_words_are_quoted_in_their_order(question: str, quoted: str) -> None:
    text = "You can return anything within 30 days. Keep the receipt. Refunds take five days."
    assert quote([passage(text)], question, FOUND) == f"{FOUND}\n“{quoted}” [1]"


def test_at_most_three_sentences_are_quoted_the_best_first() -> None:
    text = "Red. Shoes are red. Old shoes are red. Blue hats. Some old shoes. Shoes."
    assert quote([passage(text)], "old red shoes", "") == (
        "\n“Shoes are red. Old shoes are red. … Some old shoes.” [1]"
    )


@pytest.mark.parametrize(("relevance", "count"), [(0.75, 2), (0.74, 1)])
def test_a_second_passage_is_quoted_from_three_quarters_of_the_first_one_s_relevance_on(
    relevance: float, count: int
) -> None:
    passages = [passage("One.", relevance=1.0), passage("Two.", relevance=relevance), passage("Three.", relevance=1.0)]
    assert quote(passages, "x", "") == "\n“One.” [1]\n“Two.” [2]"[: 11 * count]


def test_a_quotation_has_599_characters_at_most_and_two_share_them() -> None:
    frame = len("\n“” [1]")
    longest = "x" * (599 - frame)
    assert quote([passage(longest)], "q", "") == f"\n“{longest}” [1]"
    assert quote([passage(longest + "x")], "q", "") == f"\n“{longest[:-1]}…” [1]"
    assert quote([passage(longest)], "q", "I") == f"I\n“{longest[:-2]}…” [1]"
    half = "y" * (299 - frame)
    both = quote([passage(half), passage("z" * 700)], "q", "")
    assert both == f"\n“{half}” [1]\n“{'z' * (599 - 299 - frame - 1)}…” [2]"


def test_what_the_first_quotation_says_is_not_said_again_and_a_blank_passage_says_nothing() -> None:
    assert quote([passage("One. Two."), passage("One.")], "one two", "") == "\n“One. Two.” [1]"
    assert quote([passage(" \n"), passage("Two.")], "two", "Found:") == "Found:\n“Two.” [2]"


def test_words_are_compared_by_their_beginning_and_wide_scripts_by_pairs_of_characters() -> None:
    text = "We are closed. Returning is free. 営業時間は九時です。 返品は無料です。"
    assert quote([passage(text)], "can I RETURN it", "") == "\n“Returning is free.” [1]"
    assert quote([passage(text)], "返品", "") == "\n“返品は無料です。” [1]"


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ("> **Refunds**  take\t`five` days", "Refunds take five days"),
        ("> - • Refunds*", "- • Refunds*"),
        ("•*-># Refunds [2] take five days【1】.", "Refunds take five days."),
    ],
)
def test_a_quoted_sentence_is_on_one_line_without_marks(text: str, quoted: str) -> None:
    assert quote([passage(text)], "refunds", "") == f"\n“{quoted}” [1]"


@pytest.mark.parametrize(
    ("text", "question", "quoted"),
    [
        ("Red shoes. Charging is free.", "what do you charge", "Charging is free."),
        ("What is the colour. Prices are low.", "What is the price", "Prices are low."),
        ("営業時間です。 配送料金です。", "料金", "配送料金です。"),
    ],
)
def test_the_words_that_matter_find_the_sentence(text: str, question: str, quoted: str) -> None:
    assert quote([passage(text)], question, "") == f"\n“{quoted}” [1]"


@pytest.mark.parametrize(("more", "count"), [(0, 2), (1, 1)])
def test_sentences_are_added_while_there_is_room_for_what_stands_between_them(more: int, count: int) -> None:
    room = 599 - len("\n“” [1]")
    one = "q " + "x" * 297 + "."
    other = "q " + "y" * (room - len(one) - 1 - 3 + more) + "."
    found = quote([passage(f"{one} {other}")], "q", "")
    assert [letter in found for letter in "xy"] == [True, count == 2]


def test_a_sentence_that_is_too_long_ends_with_its_last_whole_word() -> None:
    words = " ".join(f"word{number}" for number in range(200))
    found = quote([passage(words)], "q", "")
    said = found.removeprefix("\n“").removesuffix("…” [1]")
    assert words.startswith(f"{said} ")
    assert len(found) > 599 - len("word123 ")
