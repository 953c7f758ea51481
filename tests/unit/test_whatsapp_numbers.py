"""One person's number in all the ways in which WhatsApp writes it, and never another person's."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.channels.whatsapp.numbers import one_spelling, spellings

SAME = [
    ("5215500000012", "525500000012"), ("5491123456789", "541123456789"), ("5511987654321", "551187654321"),
    ("5531996883193", "553196883193"), ("5511900000012", "551100000012"), ("2290197000000", "22997000000"),
    ("2290151000000", "22951000000"), ("2290120211234", "22920211234"),
    ("2250707000000", "22507000000"), ("2250102000000", "22502000000"), ("2250595000000", "22595000000"),
    ("2250797000000", "22597000000"), ("2250140000000", "22540000000"), ("2250584000000", "22584000000"),
    ("2252720212345", "22520212345"), ("2252522000000", "22522000000"),
]  # fmt: skip


@pytest.mark.parametrize(("new", "old"), SAME)
def test_two_spellings_of_one_number_are_one(new: str, old: str) -> None:
    assert one_spelling(new) == one_spelling(old)
    assert {new, old} <= set(spellings(new)) & set(spellings(old))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("5511933334444", "551133334444"),  # a mobile and a landline of São Paulo
        ("2250507000000", "22507000000"),  # another operator's number
        ("2250120212345", "22520212345"), ("2250720212345", "2252720212345"),  # a mobile and a landline of Abidjan
        ("2290143000000", "22943000000"),  # given out since: there was no 43 before
        ("4915500000007", "491550000007"), ("15215500000012", "1525500000012"), ("DE.70011223344", "DE.7001122334"),
        ("52155000000120", "5255000000120"), ("5491", "541"),
    ],
)  # fmt: skip
def test_numbers_of_two_people_stay_two(one: str, other: str) -> None:
    assert one_spelling(one) != one_spelling(other)


@given(st.from_regex(r"(52|54|55|229|225|49|1)[0-9]{6,12}", fullmatch=True))
def test_every_spelling_has_one_and_the_same(number: str) -> None:
    plain = one_spelling(number)
    assert one_spelling(plain) == plain
    assert {one_spelling(one) for one in spellings(number)} == {plain}


@given(st.text(max_size=30))
def test_what_is_no_number_stays_as_it_is(text: str) -> None:
    if not (text.isascii() and text.isdigit()):
        assert one_spelling(text) == text
        assert list(spellings(text)) == [text]
