"""Questions about the asker's own case are told from those that documents answer, in 17 languages."""

from __future__ import annotations

import random
import unicodedata

import pytest

from shared.triage import own_case, texts
from shared.triage.own_case_words import WORDS


@pytest.mark.parametrize(
    "question",
    [
        "Where is my order 10023841?",
        "cancel my subscription for account 55",
        "Where's my order? It's #10023841 and I'm really annoyed",
        "Wo bleibt mein Paket? Die Nummer lautet 10023841.",
        "Wo ist meine Bestellung 10023841?",
        "order 10023841 hasn't arrived",
        "¿Dónde está mi pedido 10023841?",
        "Где моя посылка 12345678?",
        "What's the status of order #10023841",
        "my order AB-12345 is late",
        "status of booking 55821",
        "Bestellung Nr. 10023841 ist noch nicht da",
        "我的订单10023841在哪里",
    ],
)
def test_a_case_that_is_named_by_its_number_is_known_as_such(question: str) -> None:
    assert own_case.judge(question) == "reference"
    assert own_case.has_reference(f"hello there\n{question}")


@pytest.mark.parametrize(
    "question",
    [
        "wo bleibt mein Paket",
        "Où est ma commande ?",
        "Cadê meu pedido?",
        "dov'è il mio ordine",
        "waar blijft mijn pakket",
        "gdzie jest moja paczka",
        "где мой заказ",
        "де моє замовлення",
        "siparişim nerede",
        "أين طلبي؟",
        "मेरा ऑर्डर कहाँ है",
        "di mana pesanan saya",
        "注文した商品がまだ届きません",
        "제 주문 어디 있나요",
        "我的订单在哪里",
        "has my refund been processed yet",
        "when will my parcel arrive",
        "cancel my order",
        "when do I get my money",
        "wheres my stuff??",
    ],
)
def test_a_case_without_a_number_is_told_by_words_of_its_language(question: str) -> None:
    assert own_case.judge(question) == "status"


@pytest.mark.parametrize(
    "question",
    [
        "How do I cancel my order?",
        "Where can I see my order?",
        "Wie kann ich meine Bestellung stornieren?",
        "Can I return order within 30 days?",
        "can I order 1000 pieces",
        "How long does delivery take?",
        "Do you ship to Norway?",
        "Wo sehe ich meine Bestellung?",
        "what is your refund policy",
        "Can I change my delivery address?",
        "Wann kommt der Bus",
        "How much is AX-1234-B?",
        "kann ich mein Paket umleiten",
        "¿Cómo puedo cancelar mi pedido?",
        "comment annuler ma commande",
        "где можно посмотреть мой заказ",
        "注文をキャンセルする方法",
        "如何取消我的订单",
        "where do you deliver",
        "Can an order be cancelled?",
        "When are parcels delivered?",
        "Which payment methods are there",
        "how do i track my order 10023841",
        "my washing machine shows E18",
        "Where is your store?",
        "Is my data safe?",
        "what does my policy cover",
        "2024 order form",
    ],
)
def test_how_things_are_done_and_what_is_for_everybody_is_no_own_case(question: str) -> None:
    assert own_case.judge(question) is None


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("order 100234", "reference"),
        ("order 12345", None),
        ("where is order 12345", "reference"),
        ("where is order 1234", "reference"),
        ("where is order 123", None),
        ("where is order 2024", None),
        ("where is order 1924", None),
        ("where is order 20241", "reference"),
        ("where is order ab-2024", "reference"),
        ("where is order", None),
        ("where is the order no nr number 10023841", "reference"),
        ("where is the order no nr number id 10023841", None),
        ("i want to order 100234", None),
        ("Wie kann ich order 1234567 stornieren?", None),
        ("cancel my subscription, account 5", "status"),
        ("cancel my subscription 55", "status"),
        ("cancel my subscription, account five", "status"),
        ("late: my big new order", "status"),
        ("late: my big new red order", None),
        ("order late, my friend", "status"),
        ("where is my parcel; meine Bestellung 10023841", "reference"),
        ("取消我的订单", "status"),
        ("取消订单", None),
        ("我的订单12345在哪里", "reference"),
        ("我的订单1234在哪里", "status"),
        ("我的订单", None),
    ],
)
def test_numbers_and_words_must_be_near_and_long_enough(text: str, kind: str | None) -> None:
    assert own_case.judge(text) == kind


def test_each_of_the_last_ten_lines_is_asked_by_itself_where_the_whole_is_of_no_case() -> None:
    how = "How do I cancel an order?"
    assert own_case.judge(f"{how}\nwhere is my parcel") == "status"
    assert own_case.judge(f"{how}\nwhere is my parcel\nwhere is my order 10023841") == "reference"
    assert own_case.judge("\n".join(["where is my parcel", how, *["hi"] * 8])) == "status"
    assert own_case.judge("\n".join(["where is my parcel", how, *["hi"] * 9])) is None


def test_a_list_is_parted_into_whole_words_stems_and_sequences() -> None:
    tables = {"en": {"case": "Ｏrder parcel* look_up parcels*"}, "de": {"act": "order"}}
    assert own_case._index(tables) == own_case._Index(
        {"order": [("en", "case"), ("de", "act")]},
        {"parc": [("parcel", ("en", "case")), ("parcels", ("en", "case"))]},
        {"look": [(("look", "up"), ("en", "case"))]},
    )


def test_there_are_words_for_each_language_that_there_are_texts_in() -> None:
    assert WORDS.keys() == texts.LANGUAGES
    assert {frozenset(roles) for roles in WORDS.values()} == {
        frozenset(("own", "case", "own_case", "status", "act", "how"))
    }


def test_the_index_finds_what_a_search_word_by_word_finds() -> None:
    """The slow form: each word of the text against each entry of each list."""
    entries = [
        (language, role, entry)
        for language in WORDS.keys() - {"ja", "ko", "zh"}
        for role, listed in WORDS[language].items()
        for entry in unicodedata.normalize("NFKC", listed).casefold().split()
    ]
    assert min(len(entry) for _, _, entry in entries if entry.endswith("*")) > own_case.STEM_HEAD

    def begins_with(words: list[str], place: int, entry: str) -> bool:
        if entry.endswith("*"):
            return words[place].startswith(entry[:-1])
        phrase = entry.split("_")
        return words[place : place + len(phrase)] == phrase

    chance = random.Random(5)
    known = sorted({word for _, _, entry in entries for word in entry.rstrip("*").split("_")})
    for _ in range(300):
        picked = chance.choices(entries, k=4)
        words = [word for _, _, entry in picked for word in entry.replace("*", chance.choice(("", "en"))).split("_")]
        words += chance.choices(known, k=4)
        if chance.random() < 0.5:
            chance.shuffle(words)
        slowly: dict[str, dict[str, list[int]]] = {}
        for place in range(len(words)):
            for language, role, entry in entries:
                if begins_with(words, place, entry):
                    slowly.setdefault(language, {}).setdefault(role, []).append(place)
        assert own_case.places(words) == slowly, words


def test_long_texts_cost_little() -> None:
    """What grew with the square of a length would not end within a test's time."""
    for text in (
        "my order " * 50_000,
        "1" * 500_000,
        "a-" * 200_000,
        "\n" * 100_000 + "my order 123456",
        "क" * 100_000,
    ):
        own_case.judge(text)
