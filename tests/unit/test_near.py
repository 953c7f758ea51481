"""Slips of the finger are found, wrong letters and short words are left alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.triage.near import LETTERS_MIN, Near

NEAR = Near(["hablar", "persona", "agent", "operator", "mens"])


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("ablar", "hablar"), ("hablra", "hablar"), ("habllar", "hablar"), ("agnet", "agent"), ("hablar", None),
        ("agenda", None), ("operater", None), ("mns", None), ("menss", None), ("", None), ("x" * 500, None),
    ],
)  # fmt: skip
def test_the_word_that_is_meant(written: str, meant: str | None) -> None:
    assert NEAR.to(written) == meant


@given(st.text(min_size=LETTERS_MIN, max_size=12), st.data())
def test_each_letter_left_out_or_one_too_many_is_found(word: str, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(word) - 1))
    near = Near([word])
    for slip in (word[:place] + word[place + 1 :], word[:place] + "q" + word[place:]):
        assert near.to(slip) == word or slip == word


def test_words_of_five_to_thirty_letters_are_meant_and_of_two_the_first_in_the_alphabet() -> None:
    long = "abcdefghij" * 3
    assert Near([long]).to(long + "q") == long
    assert Near([long]).to(long[1:]) == long
    assert Near([long + "q"]).to(long) is None
    assert Near(["abcdeg", "abcdef"]).to("abcde") == "abcdef"
    assert Near(["abcde"]).to("abce") == "abcde"
    assert Near(["abcd"]).to("abcde") is None
