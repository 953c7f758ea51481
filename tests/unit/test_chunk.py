from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from shared.knowledge.chunk import TAIL_CHARS, TARGET_CHARS, clean, split, split_turns
from shared.knowledge.extract.base import Turn

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
