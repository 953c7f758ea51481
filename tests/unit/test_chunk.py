from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.knowledge.chunk import (
    OPENING_CHARS,
    PAUSE_S,
    TAIL_CHARS,
    TARGET_CHARS,
    clean,
    parsed,
    split,
    split_turns,
    transcribed,
)  # fmt: skip
from shared.knowledge.extract.base import TITLE_CHARS, Turn

WORDS = "Each order can be sent back within thirty days of delivery. "


def titles(text: str) -> list[str]:
    return [chunk.title for chunk in split("Guide", text)]


def texts(text: str) -> list[str]:
    return [chunk.text for chunk in split("Guide", text)]


def test_a_short_text_is_one_chunk() -> None:
    assert texts("Hello.\n\nWorld.") == ["Hello.\n\nWorld."]


def test_a_blank_text_has_none() -> None:
    assert texts(" \n\n \t\n") == []


def test_headings_become_the_title_and_sections_stay_apart() -> None:
    markdown = "Intro\n\n# Returns\nThirty days.\n\n## Refunds\nFive days.\n\n# Shipping\nThree days."
    assert list(zip(titles(markdown), texts(markdown), strict=True)) == [
        ("Guide", "Intro"),
        ("Guide > Returns", "Thirty days."),
        ("Guide > Returns > Refunds", "Five days."),
        ("Guide > Shipping", "Three days."),
    ]


def test_underlined_headings_count_too() -> None:
    assert titles("Returns\n=======\nThirty days.\n\nRefunds\n-------\nFive days.") == [
        "Guide > Returns",
        "Guide > Returns > Refunds",
    ]


def test_a_heading_like_the_title_is_not_repeated() -> None:
    assert titles("# Guide\nText.") == ["Guide"]


def test_a_heading_with_nothing_under_it_can_still_be_found() -> None:
    assert texts("# Returns\n## Only online\n## Refunds\nFive days.\n# Contact: call 555") == [
        "## Only online",
        "Five days.",
        "# Contact: call 555",
    ]


def test_a_comment_in_fenced_code_is_no_heading() -> None:
    markdown = "```\n# not a heading\n\nx = 1\n```\nAfter."
    assert titles(markdown) == ["Guide"]
    assert texts(markdown) == [markdown]


def test_paragraphs_are_packed_until_a_chunk_is_full() -> None:
    paragraph = (WORDS * 5).strip()
    chunks = texts("\n\n".join([paragraph] * 8))
    assert all(chunk.count(paragraph) >= 2 for chunk in chunks)
    assert sum(chunk.count(paragraph) for chunk in chunks) == 8


def test_a_long_paragraph_is_cut_between_sentences() -> None:
    chunks = texts(WORDS * 60)
    assert len(chunks) > 1
    assert all(chunk.startswith("Each order") and chunk.endswith("delivery.") for chunk in chunks)


def test_a_sentence_without_end_is_cut_between_words() -> None:
    chunks = texts("word " * 900)
    assert len(chunks) > 1
    assert {word for chunk in chunks for word in chunk.split()} == {"word"}


def test_chinese_is_cut_between_sentences() -> None:
    chunks = texts("所有商品均可在三十天内退货。" * 150)
    assert all(chunk.endswith("。") and len(chunk) <= TARGET_CHARS + TAIL_CHARS for chunk in chunks)


@given(st.text(alphabet=st.sampled_from("ab. \n#=-`!。退\t"), max_size=4_000), st.integers(30, 300))
def test_chunks_are_slices_in_order_and_lose_no_word(text: str, target: int) -> None:
    end = 0
    kept = []
    for chunk in split("T", text, target):
        assert chunk.start_char >= end
        assert text[chunk.start_char : chunk.start_char + len(chunk.text)] == chunk.text
        assert 0 < len(chunk.text) <= target + TAIL_CHARS
        end = chunk.start_char + len(chunk.text)
        kept.append(chunk.text + chunk.title)
    assert {c for c in text if c in "ab退"} <= set("".join(kept))
    if "#" not in text and "=" not in text and "-" not in text:
        assert sorted("".join("".join(part.split()) for part in [c.text for c in split("T", text, target)])) == sorted(
            "".join(text.split())
        )


@given(st.text(alphabet=st.characters(), max_size=200) | st.sampled_from(["a\x00b\ud800", "\udc00\ud800x", "\r\n\r"]))
def test_what_was_cleaned_can_be_stored(text: str) -> None:
    cleaned = clean(text)
    cleaned.encode("utf-8")
    assert "\x00" not in cleaned
    assert clean(cleaned) == cleaned


def test_cleaning_keeps_what_is_whole() -> None:
    assert clean("a\r\nb 😀 ü") == "a\nb 😀 ü"


def test_short_turns_of_a_transcript_stay_together() -> None:
    turns = [Turn("Ann", "Hello?", 0.0), Turn("Ben", "Yes?", 2.0), Turn("Ann", "Is this the shop?", 4.0)]

    [chunk] = split_turns("Call", turns)

    assert chunk.text == "Ann: Hello?\nBen: Yes?\nAnn: Is this the shop?"
    assert chunk.speakers == ("Ann", "Ben")


# ------------------------------------------------------------------ a document as it is stored


def test_a_text_is_stored_cleaned_with_its_chunks() -> None:
    found = parsed(" Gu\x00ide\r\n ", "# Returns\r\nThirty\x00 days.")
    assert (found.title, found.text, found.kind, found.times) == ("Guide", "# Returns\nThirty days.", "text", "")
    assert [(chunk.title, chunk.text) for chunk in found.chunks] == [("Guide > Returns", "Thirty days.")]
    assert parsed("t" * (TITLE_CHARS - 1) + "  x", "").title == "t" * (TITLE_CHARS - 1)


def test_a_transcript_is_stored_with_who_speaks_and_when() -> None:
    found = parsed("Call", "", [Turn("A\x00nn", "Hel\x00lo.", 1.5), Turn("", "Yes?\r\n", None)])
    assert (found.title, found.text, found.kind, found.times) == (
        "Call",
        "Ann: Hello.\nYes?\n",
        "transcript",
        "1.5None",
    )
    assert [(chunk.title, chunk.text, chunk.speakers) for chunk in found.chunks] == [
        ("Call > 0:00:01", "Ann: Hello.\nYes?\n", ("Ann",))
    ]


# ------------------------------------------------------------------ transcripts


def _cut(turns: list[Turn], target_chars: int = TARGET_CHARS) -> list[tuple[str, str]]:
    """Titles and texts; each text stands in the transcript where its chunk says."""
    text, chunks = transcribed(turns), split_turns("Call", turns, target_chars)
    assert all(text[one.start_char : one.start_char + len(one.text)] == one.text for one in chunks)
    return [(one.title, one.text) for one in chunks]


def test_turns_fill_a_chunk_to_its_last_character() -> None:
    turns = [Turn("", letter * 9, None) for letter in "abcd"]
    # two turns and the line end between them are 19 characters
    assert _cut(turns, 19) == [("Call", "aaaaaaaaa\nbbbbbbbbb"), ("Call", "ccccccccc\nddddddddd")]
    assert [text for _, text in _cut(turns, 18)] == [letter * 9 for letter in "abcd"]


def test_a_turn_as_long_as_a_chunk_is_whole_and_a_longer_one_is_cut() -> None:
    sentences = "One two three. " * 8
    assert _cut([Turn("", sentences.strip(), 0.0)], 119) == [("Call > 0:00:00", sentences.strip())]
    assert len(_cut([Turn("", sentences * 4, 0.0), Turn("", "b" * 30, 0.5)], 119)) == 4
    # also one that does not stand first
    assert [len(text) for _, text in _cut([Turn("", "a" * 119, None), Turn("", sentences.strip(), None)], 119)] == [
        119
    ] * 2


@pytest.mark.parametrize(
    ("opening", "silence_s", "count"),
    [(OPENING_CHARS, 0.001, 2), (OPENING_CHARS, 0.0, 1), (OPENING_CHARS - 1, 60.0, 1)],
)
def test_a_long_silence_begins_a_chunk_where_the_one_before_has_something_to_say(
    opening: int, silence_s: float, count: int
) -> None:
    """Fifteen characters are a second of speech; the last turn before the silence begins at 100 s."""
    first = Turn("", "a" * (opening - 152), 0.0)
    last = Turn("", "b" * 150, 100.0)
    after = Turn("", "c", 110.0 + PAUSE_S + silence_s)
    assert len(_cut([first, last, after])) == count
    # the same at the end of a recording, where what came before is no part of it
    assert len(_cut([Turn("", "x" * (TARGET_CHARS - 10), None), first, last, after])) == count + 1


@pytest.mark.parametrize("missing", [0, 1])
def test_without_a_time_nobody_falls_silent(missing: int) -> None:
    turns = [Turn("", "a" * 400, 0.0), Turn("", "b", 500.0)]
    assert len(_cut(turns)) == 2
    turns[missing] = Turn("", turns[missing].text, None)
    assert len(_cut(turns)) == 1


def test_a_chunk_s_title_says_when_it_begins_in_hours_minutes_and_seconds() -> None:
    turns = [Turn("", "a" * 400, seconds) for seconds in (59.9, 3599.0, 3600.0, 2 * 3600 + 61.0)]
    assert [title for title, _ in _cut(turns, 400)] == [
        "Call > 0:00:59", "Call > 0:59:59", "Call > 1:00:00", "Call > 2:01:01",
    ]  # fmt: skip
