"""Files made into text, and files that mean harm."""

from __future__ import annotations

import io
import json
import zipfile

import pytest

from shared.knowledge import chunk
from shared.knowledge.extract import BYTES_MAX, FORMATS, Extracted, Turn, Unreadable, format_of, read_document
from shared.knowledge.extract.base import UNPACKED_MAX
from shared.model import NewChunk

W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'


def extract(kind: str, raw: bytes) -> Extracted:
    return FORMATS[kind].read(raw)


def docx(body: str, head: str = "") -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("word/document.xml", f"{head}<w:document {W}><w:body>{body}</w:body></w:document>")
    return file.getvalue()


def paragraph(text: str, style: str = "") -> str:
    kind = f'<w:pPr><w:pStyle w:val="{style}"/></w:pPr>' if style else ""
    return f"<w:p>{kind}<w:r><w:t>{text}</w:t></w:r></w:p>"


def pdf(*pages: str) -> bytes:
    """A PDF as small as one can be, each page with one line."""
    from pypdf import PdfWriter
    from pypdf.generic import DecodedStreamObject, DictionaryObject, NameObject

    writer = PdfWriter()
    writer.add_metadata({"/Title": "Handbook"})
    font = DictionaryObject({
        NameObject("/Type"): NameObject("/Font"), NameObject("/Subtype"): NameObject("/Type1"),
        NameObject("/BaseFont"): NameObject("/Helvetica"),
    })  # fmt: skip
    for line in pages:
        page = writer.add_blank_page(300, 300)
        page[NameObject("/Resources")] = DictionaryObject({
            NameObject("/Font"): DictionaryObject({NameObject("/F1"): font})
        })  # fmt: skip
        stream = DecodedStreamObject()
        stream.set_data(f"BT /F1 12 Tf 20 200 Td ({line}) Tj ET".encode())
        page[NameObject("/Contents")] = writer._add_object(stream)
    file = io.BytesIO()
    writer.write(file)
    return file.getvalue()


@pytest.mark.parametrize(
    ("name", "media_type", "kind"),
    [
        ("A.PDF", None, "pdf"), ("notes.md", "text/plain", "markdown"), ("call.vtt", None, "vtt"),
        ("about", "text/html; charset=utf-8", "html"), ("about.php", "text/html", "html"), ("logo.png", None, None),
        ("x", "application/zip", None), ("", None, None),
    ],
)  # fmt: skip
def test_a_format_is_told_by_the_name_and_else_by_the_type(name: str, media_type: str | None, kind: str | None) -> None:
    assert format_of(name, media_type) == kind


def test_html_keeps_headings_lists_and_tables_and_leaves_menus_and_scripts() -> None:
    found = extract("html", (
        b"<html><head><title>Our  returns</title><style>p{}</style></head><body><nav>Home</nav>"
        b"<h1>Returns</h1><p>Within <b>thirty</b>\n days &amp; free.</p><script>alert('x')</script>"
        b"<ul><li>shoes<li>bags</ul><table><tr><th>Size</th><th>Price</th></tr><tr><td>S</td><td>5</td></tr></table>"
        b"<footer><a href=/i>imprint</a> <a href=/p>privacy</a></footer>"
    ))  # fmt: skip

    assert found.title == "Our returns"
    assert found.text == (
        "# Returns\n\nWithin thirty days & free.\n\n- shoes\n- bags\n\n| Size | Price |\n| --- | --- |\n| S | 5 |"
    )


def test_html_says_its_encoding() -> None:
    assert extract("html", '<meta charset="iso-8859-1"><p>Käse</p>'.encode("latin-1")).text == "Käse"
    assert extract("html", "<p>Käse</p>".encode("windows-1252")).text == "Käse"


def test_a_word_document_keeps_headings_lists_and_tables() -> None:
    cell = "<w:tc>{}</w:tc>".format
    row = "<w:tr>" + cell(paragraph("Size")) + cell(paragraph("S")) + "</w:tr>"
    listed = "<w:p><w:pPr><w:numPr/></w:pPr><w:r><w:t>shoes</w:t></w:r></w:p>"
    found = extract("docx", docx(
        paragraph("Handbook", "Title") + paragraph("Returns", "Heading2") + paragraph("Within 30 days.") + listed
        + f"<w:tbl>{row}</w:tbl>"
    ))  # fmt: skip

    assert (found.title, found.text) == ("Handbook", "## Returns\n\nWithin 30 days.\n\n- shoes\n\nSize | S")


def test_a_pdf_gives_its_pages_and_its_title() -> None:
    found = extract("pdf", pdf("Return shoes within thirty days.", "We open at nine."))

    assert found.title == "Handbook"
    assert found.text == "Return shoes within thirty days.\n\nWe open at nine."


def test_a_table_s_cells_are_found_with_their_columns() -> None:
    found = extract("csv", "Product;Price\nShoe;50\n\nBag;\n".encode("utf-16"))

    assert found.text == "Product: Shoe\nPrice: 50\n\nProduct: Bag"


VTT = """WEBVTT

NOTE nothing

1
00:00:01.000 --> 00:00:03.000
<v Ann Lee>Good morning,

00:00:03.000 --> 00:00:05.500 align:start
<v Ann Lee>how can I <i>help</i>?

00:00:06.000 --> 00:00:07.000
<v Bob>My parcel &amp; bag.</v>

01:00:00.000 --> 01:00:01.000
<v Bob>Still here?
"""


def test_cues_of_one_speaker_are_one_turn_until_a_pause() -> None:
    assert extract("vtt", VTT.encode()).turns == (
        Turn("Ann Lee", "Good morning, how can I help?", 1.0),
        Turn("Bob", "My parcel & bag.", 6.0),
        Turn("Bob", "Still here?", 3600.0),
    )


def test_subtitles_name_their_speakers_in_the_text() -> None:
    srt = (
        "1\r\n00:00:01,500 --> 00:00:02,000\r\nANN: Hello: you\r\n\r\n2\r\n00:00:02,000 --> 00:00:03,000\r\nthere.\r\n"
    )

    assert extract("srt", srt.encode()).turns == (Turn("ANN", "Hello: you there.", 1.5),)


@pytest.mark.parametrize(
    "content",
    [
        [{"speaker": "Ann", "text": "Hello", "start": 2}],
        {"title": "Call", "turns": [{"speaker": {"name": "Ann"}, "content": " Hello ", "start_ms": 2000}]},
        {"results": {"utterances": [{"speaker_name": "Ann", "transcript": "Hello", "start_time": "0:02"}]}},
    ],
)
def test_transcripts_of_several_services_mean_the_same(content: object) -> None:
    assert extract("transcript", json.dumps(content).encode()).turns == (Turn("Ann", "Hello", 2.0),)


HOSTILE = {
    "no pdf": ("pdf", b"%PDF-1.7 nothing", "not a valid PDF"),
    "pdf without text": ("pdf", pdf(""), "scan"),
    "pdf of scans": ("pdf", pdf("Our handbook", "", ""), "2 of 3 pages hold no text"),
    "no docx": ("docx", b"PK\x03\x04", "not a valid Word document"),
    "entities in docx": ("docx", docx(paragraph("&a;"), '<!DOCTYPE x [<!ENTITY a "aaaa">]>'), "entities"),
    "zip bomb": ("docx", docx("x" * (UNPACKED_MAX + 1)), "unfolds"),
    "too large": ("text", b"x" * (BYTES_MAX + 1), "MB"),
    "not UTF-8": ("markdown", "Мы открыты с девяти".encode("cp1251"), "UTF-8"),
    "no vtt": ("vtt", b"hello", "WEBVTT"),
    "no cues": ("srt", b"hello", "no cues"),
    "no json": ("transcript", b"[" * 100_000, "not valid JSON"),
    "json of something else": ("transcript", b'{"a": [1, 2]}', "not a transcript"),
    "nested html": ("html", b"<div>" * 100_000, "nested"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_cannot_be_read_says_why(name: str) -> None:
    kind, raw, told = HOSTILE[name]
    with pytest.raises(Unreadable, match=told):
        read_document(kind, raw, title=None, name="x")


def test_a_parser_that_hangs_is_ended_and_takes_nobody_along(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.knowledge.extract.sandbox.WALL_S", 1)
    slow = "".join(f"<{'svg' if n < 300 else 'a b'}>" for n in range(3_000_000)).encode()
    with pytest.raises(Unreadable, match="longer than"):
        read_document("html", slow, title=None, name="x")

    assert read_document("text", b"We open at nine.", title=None, name="hours").title == "hours"


def test_every_format_has_a_suffix_and_a_type() -> None:
    assert all(each.suffixes and each.media for each in FORMATS.values())


# ------------------------------------------------------------------ transcripts in chunks


def spoken(*said: tuple[str, str, float | None]) -> list[NewChunk]:
    turns = [Turn(*one) for one in said]
    chunks = chunk.split_turns("Call", turns, 120)
    text = chunk.transcribed(turns)
    for part in chunks:
        assert text[part.start_char : part.start_char + len(part.text)] == part.text
    return chunks


def test_turns_stay_whole_while_they_fit_and_name_who_speaks_and_when() -> None:
    chunks = spoken(("Ann", "a" * 60, 0.0), ("Bob", "b" * 40, 5.0), ("Cy", "c" * 60, 3725.0))

    assert [(part.title, part.speakers) for part in chunks] == [
        ("Call > 0:00:00", ("Ann", "Bob")), ("Call > 1:02:05", ("Cy",)),
    ]  # fmt: skip


def test_a_long_turn_is_cut_at_sentences_and_keeps_its_speaker() -> None:
    chunks = spoken(("Ann", "One sentence here is long enough. " * 8, None))

    assert len(chunks) > 1
    assert all(part.speakers == ("Ann",) and part.title == "Call" for part in chunks)
    assert all(part.text.endswith(".") for part in chunks[:-1])


def test_after_a_silence_something_else_begins() -> None:
    turns = [Turn("Ann", "x" * 400, 0.0), Turn("Bob", "y", 500.0)]

    assert len(chunk.split_turns("Call", turns)) == 2
    assert len(chunk.split_turns("Call", [turns[0], Turn("Bob", "y", 30.0)])) == 1
