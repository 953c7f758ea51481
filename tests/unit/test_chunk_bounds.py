"""Headings, titles, tails and bounds of chunks, to the character."""

from __future__ import annotations

import pytest

from shared.knowledge import chunk
from shared.knowledge.chunk import TAIL_CHARS, clean, split, split_turns
from shared.knowledge.extract.base import TITLE_CHARS, Turn, Unreadable


def _titles(text: str) -> list[tuple[str, str]]:
    return [(part.title, part.text) for part in split("Guide", text)]


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("a\rb\r\nc\x00d", "a\nb\ncd"),
        ("ä\rb\r\nc\x00d\ud800", "ä\nb\ncd\ufffd"),
        ("so\u00adft\u200b hy\u2011phen\u00a0ä\u2028b", "soft hy-phen ä\nb"),
        ("a\u0308 ＡＢ１２ ﬁnal １０²", "ä AB12 final 10²"),
        ("ｶﾞ、。", "ガ、。"),
    ],
)
def test_a_word_reads_the_same_however_it_was_written(text: str, cleaned: str) -> None:
    assert clean(text) == cleaned


@pytest.mark.parametrize(
    ("line", "heading"),
    [
        ("# Returns", "Returns"),
        ("###### Returns ##", "Returns"),
        ("#\tReturns", "Returns"),
        ("## C# and F##  ", "C# and F"),
        ("# Returns # ", "Returns"),
        ("# #1 in town", "#1 in town"),
        ("## ##", "#"),
        ("####### Returns", None),
        ("#Returns", None),
        ("# ", None),
        ("X # Returns", None),
    ],
)
def test_what_is_a_heading_and_what_it_says(line: str, heading: str | None) -> None:
    path = "Guide" if heading is None else f"Guide > {heading}"
    said = f"{line}\nNine days." if heading is None else "Nine days."
    assert _titles(f"{line}\nNine days.") == [(path, said)]


def test_a_heading_without_text_below_it_is_found_under_those_above_it() -> None:
    assert _titles("# A\n## B\n### C\n## D\nx\n# E\n## F") == [
        ("Guide > A > B", "### C"), ("Guide > A > D", "x"), ("Guide > E", "## F"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("One\n==\nx", [("Guide > One", "x")]),
        ("One\n--\nx\n\nTwo\n-- \ny", [("Guide > One", "x"), ("Guide > Two", "y")]),
        ("A\n=\nOne\n---\nx", [("Guide > A > One", "x")]),
        # a second-level heading that was underlined ends at the next one, and not at a third-level one
        ("One\n--\nx\n### Two\ny\n## Three\nz",
         [("Guide > One", "x"), ("Guide > One > Two", "y"), ("Guide > Three", "z")]),
        ("two\nlines\n---\nx", [("Guide", "two\nlines\n---\nx")]),
        ("one\n\n---\nx", [("Guide", "one\n\n---\nx")]),
    ],
)  # fmt: skip
def test_a_line_is_a_heading_where_it_stands_alone_above_a_rule(text: str, found: list[tuple[str, str]]) -> None:
    assert _titles(text) == found


@pytest.mark.parametrize(
    "code", ["```\n# a\n``` b\n# c\n```", "~~~~\n# a\n~~~\n# b\n~~~~~", "```\n# a\n``~\n# b\n````"]
)
def test_fenced_code_ends_at_as_many_marks_alone(code: str) -> None:
    assert _titles(f"{code}\n# Returns\nNine days.") == [("Guide", code), ("Guide > Returns", "Nine days.")]


def test_a_title_that_is_too_long_loses_its_middle() -> None:
    def title(length: int) -> str:
        [part] = split("T" * 10, f"# {'h' * (length - 13)}\nx")
        return part.title

    assert title(TITLE_CHARS) == f"{'T' * 10} > {'h' * (TITLE_CHARS - 13)}"
    half = TITLE_CHARS // 2
    [part] = split("T" * TITLE_CHARS, f"# {'h' * 30}\nx")
    assert part.title == f"{'T' * (half - 1)}…{'T' * (half - 33)} > {'h' * 30}"
    assert len(part.title) == TITLE_CHARS
    [part] = split("T" * (TITLE_CHARS + 1), "x")
    assert part.title == "T" * (TITLE_CHARS - 1) + "…"
    [part] = split("T" * (half - 3) + "  " + "T" * TITLE_CHARS, "# h\nx")
    assert part.title.startswith("T" * (half - 3) + "…")


def test_a_short_tail_joins_the_chunk_before_it_while_both_fit() -> None:
    def lengths(*paragraphs: int) -> list[int]:
        return [len(part.text) for part in split("", "\n\n".join("a" * count for count in paragraphs), 300)]

    assert lengths(300, 300, TAIL_CHARS - 3) == [300, 300 + 2 + TAIL_CHARS - 3]
    assert lengths(300, TAIL_CHARS - 2) == [300 + TAIL_CHARS]
    assert lengths(300, TAIL_CHARS - 1) == [300, TAIL_CHARS - 1]
    assert lengths(100, TAIL_CHARS) == [100, TAIL_CHARS]
    assert lengths(200, TAIL_CHARS) == [200, TAIL_CHARS]


def test_a_long_paragraph_is_cut_at_its_own_sentences_and_words() -> None:
    assert [part.text for part in split("", "Aa bb. Cc dd.\n\nEe. Ff", 6)] == ["Aa bb.", "Cc dd.\n\nEe. Ff"]
    long = "a" * 250
    assert [part.text for part in split("", f"{long}. {long}\n\n{long} {long[:150]} b", 260)] == [
        f"{long}.", long, f"{long} {long[:150]} b",
    ]  # fmt: skip
    assert [len(part.text) for part in split("", "a" * 700, 300)] == [300, 400]


def test_a_document_has_a_bounded_number_of_sections_and_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    said = "sections, or headings that are too long: divide the document"
    monkeypatch.setattr(chunk, "CHUNKS_MAX", 3)
    assert len(split("", "# a\nx\n# b\nx\n# c\nx")) == 3
    with pytest.raises(Unreadable, match=f"more than 3 {said}"):
        split("", "# a\nx\n# b\nx\n# c\nx\n# d\nx")

    monkeypatch.setattr(chunk, "CHUNKED_CHARS_MAX", 2 * len("T > axx"))
    assert len(split("T", "# a\nxx\n# b\nxx")) == 2
    with pytest.raises(Unreadable, match=said):
        split("T", "# a\nxx\n# b\nxxx")

    # a chunk of what was said counts its speakers, too
    turns = [Turn("Ann", "x", None)]
    monkeypatch.setattr(chunk, "CHUNKED_CHARS_MAX", len("TAnn: xAnn"))
    assert len(split_turns("T", turns)) == 1
    monkeypatch.setattr(chunk, "CHUNKED_CHARS_MAX", len("TAnn: xAnn") - 1)
    with pytest.raises(Unreadable, match=said):
        split_turns("T", turns)


def test_what_is_said_later_is_cut_like_what_is_said_first() -> None:
    turns = [Turn("Ann", "a" * 295, 0.0), Turn("Ben", "b" * 295, 100.0)]
    assert [(part.text, part.start_char) for part in split_turns("T", turns, 300)] == [
        ("Ann: " + "a" * 295, 0), ("Ben: " + "b" * 295, 301),
    ]  # fmt: skip
