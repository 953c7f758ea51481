"""Which language a text is written in."""

from __future__ import annotations

import pytest

from shared.knowledge.language import detect, detect_each
from shared.store.knowledge.documents import LANGUAGES

TEXTS = {
    "english": "You can send anything back within thirty days of the delivery, and we pay for the parcel.",
    "german": "Sie können alles innerhalb von dreißig Tagen zurückschicken, und wir zahlen für das Paket.",
    "spanish": "Puede devolver todo en un plazo de treinta días y nosotros pagamos los gastos del envío para usted.",
    "french": "Vous pouvez tout renvoyer dans les trente jours et nous payons les frais de port pour vous.",
    "italian": "Si può restituire tutto entro trenta giorni dalla consegna e il pacco non costa nulla per il cliente.",
    "russian": "Вы можете вернуть всё в течение тридцати дней, и мы оплатим посылку.",
    "serbian": "Можете вратити све у року од тридесет дана, а ми плаћамо пакет. Његова цена је иста.",
    "arabic": "يمكنك إرجاع أي شيء خلال ثلاثين يومًا من التسليم ونحن ندفع ثمن الطرد.",
    "greek": "Μπορείτε να επιστρέψετε τα πάντα μέσα σε τριάντα ημέρες.",
    "hindi": "आप तीस दिनों के भीतर कुछ भी वापस भेज सकते हैं।",
    "simple": "所有商品均可在三十天内退货。",
}


@pytest.mark.parametrize("language", TEXTS)
def test_a_sentence_tells_its_language(language: str) -> None:
    assert detect(TEXTS[language]) == language
    assert language in LANGUAGES


@pytest.mark.parametrize("text", ["", "42", "iPhone 15 Pro Max", "https://example.org/a?b=c", "Ana Li, An Ko"])
def test_what_cannot_be_told_is_left_open(text: str) -> None:
    assert detect(text) is None
    assert detect(text, "german") == "german"


def test_a_short_text_among_others_is_taken_for_their_language() -> None:
    assert detect_each([TEXTS["german"], "Paket A-17", TEXTS["german"], TEXTS["english"]]) == [
        "german", "german", "german", "english",
    ]  # fmt: skip
    assert detect_each(["A-17"]) == ["english"]


def test_the_commonest_language_decides_and_is_expected_of_all() -> None:
    """`de` is French and Spanish: alone it tells nothing, among French texts it is French."""
    texts = [TEXTS["spanish"], TEXTS["french"], TEXTS["french"], "A-17"]
    assert detect_each(texts) == ["spanish", "french", "french", "french"]
    assert detect_each(["A-17"], "german") == ["german"]
    assert detect_each([]) == []


# ------------------------------------------------------------------ at the bounds


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("the you which", "english"),
        ("the you the you the you", None),  # two different function words are chance
        ("the you which " + "x " * 27, "english"),
        ("the you which " + "x " * 28, None),  # less than a tenth
        ("αβγ ab", "greek"),
        ("αβ ab", None),  # half of the letters
        ("α", "greek"),
        ("а" * 48 + "ђ", "serbian"),
        ("а" * 49 + "ђ", "russian"),  # one letter in fifty
    ],
)
def test_a_language_is_told_from_enough_words_or_letters_on(text: str, language: str | None) -> None:
    assert detect(text) == language


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("the you which nicht", "english"),
        ("the you which they nicht wird", "german"),  # only twice as many
        ("the you which they this nicht wird", "english"),
        ("the you", "german"),
    ],
)
def test_where_a_language_is_expected_another_one_has_to_be_clearly_ahead(text: str, language: str) -> None:
    assert detect(text, "german") == language


def test_of_two_with_as_many_words_the_one_with_more_different_ones_is_taken() -> None:
    assert detect("the the you which nicht wird werden mit") == "german"
    assert detect("the you which they nicht nicht wird werden") == "english"


def test_texts_that_belong_together_are_read_in_their_commonest_language() -> None:
    english, german = "the you which", "nicht wird werden"
    mixed = f"{english} nicht wird"
    assert detect(mixed) == "english"
    assert detect_each([english, german, german, german, mixed]) == ["english", *["german"] * 4]
