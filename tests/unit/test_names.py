"""Names and slugs that people give; that the database holds the same rules is an integration test's."""

from __future__ import annotations

import pytest

from shared.names import NAME_CHARS, SLUG_CHARS, name_of, slug_of


@pytest.mark.parametrize("name", ["Acme", "漢字", "a\u200db", "x" * NAME_CHARS, "\ufe0f1", "\U000e0001z"])
def test_a_name_is_taken_trimmed(name: str) -> None:
    assert name_of(f" {name}\u3000\n") == name


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("a\tb", "a name holds no control characters: take out U+0009"),
        ("a\x9fb", "a name holds no control characters: take out U+009F"),
        ("\u202eabc", "a name holds no control characters: take out U+202E"),
        ("", "a name has at least one character that can be seen"),
        ("\u200b", "a name has at least one character that can be seen"),
        ("\u3164\u2800", "a name has at least one character that can be seen"),
        ("\ufe00\ufe0f", "a name has at least one character that can be seen"),
        ("\U000e0100\U000e0fff\U000e0000", "a name has at least one character that can be seen"),
        ("x" * (NAME_CHARS + 1), "a name has at most 100 characters: this one has 101"),
    ],
)
def test_a_name_that_is_refused_says_what_is_wrong(name: str, said: str) -> None:
    with pytest.raises(ValueError) as error:
        name_of(name)
    assert str(error.value) == said


def test_the_message_calls_the_name_what_it_is() -> None:
    for wrong in ("a\tb", "", "x" * 101):
        with pytest.raises(ValueError, match=r"^a collection's name h"):
            name_of(wrong, "collection's name")


@pytest.mark.parametrize("slug", ["a", "7a", "a-1-b", "x" * SLUG_CHARS])
def test_a_slug_is_taken_in_lower_case(slug: str) -> None:
    assert slug_of(f" {slug.upper()} ") == slug


@pytest.mark.parametrize("slug", ["", "1", "a--b", "-a", "a-", "a_b", "ä", "x" * (SLUG_CHARS + 1), "a\nb"])
def test_a_slug_that_is_refused_says_what_is_wrong(slug: str) -> None:
    with pytest.raises(ValueError) as error:
        slug_of(slug)
    assert str(error.value) == (
        "a slug has up to 63 of a-z, 0-9 and single hyphens between them, and at least one letter"
    )
