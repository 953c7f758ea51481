"""HTML made into text, read in this process."""

from __future__ import annotations

import pytest

from shared.knowledge.extract.html import read


def _text(html: str) -> str:
    return read(html.encode()).text


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("<p>Käse 漢字".encode("utf-16"), "Käse 漢字"),
        (b"\xfe\xff" + "<p>Käse".encode("utf-16-be"), "Käse"),
        ("<p>Käse 漢字".encode(), "Käse 漢字"),
        ('<meta charset="shift_jis"><p>漢字'.encode("shift_jis"), "漢字"),
        (b"<meta charset='iso-8859-5'><p>\xbf", "П"),
        # a name that no browser reads, or that is none, is passed over
        ('<meta charset="utf-7"><p>+AGE- Käse'.encode(), "+AGE- Käse"),
        ('<meta charset="nonsense"><p>Käse'.encode(), "Käse"),
        # what the page says of itself is wrong
        ('<meta charset="ascii"><p>Käse'.encode(), "Käse"),
        (b"<p>K\xe4se \x80", "Käse €"),
        (b"\xff\xfe<\x00p\x00>\x00a\x00\x00\xd8b\x00", "a\ufffdb"),
    ],
)
def test_a_page_s_encoding_is_found(raw: bytes, text: str) -> None:
    assert read(raw).text == text


def test_an_encoding_is_looked_for_in_the_beginning_of_a_page_only() -> None:
    meta = '<meta charset="iso-8859-5">'
    within = " " * (2048 - len(meta)) + meta
    assert read(within.encode() + b"<p>\xbf").text == "П"
    assert read(b" " * 4096 + meta.encode() + b"<p>\xbf").text == "¿"


def test_a_page_s_title_is_its_first_and_no_part_of_the_text() -> None:
    found = read(b"<title>Our &amp; your\n<!-- x -->returns</title><p>Text</p><svg><title>An icon</title></svg><p>More")
    assert (found.title, found.text) == ("Our & your <!-- x -->returns", "Text\n\nMore")
    assert read(b"<p>Text").title is None


def test_white_space_is_one_blank_and_what_is_written_with_its_form_keeps_it() -> None:
    assert _text("<div> Open \n\t at  nine </div>") == "Open at nine"
    assert _text("<pre>  a\n    b  \n\nc</pre><p>  d \n e</p>") == "  a\n    b\nc\n\nd e"
    # the form ends with its own end, also where an end stands alone before it, or one is inside another
    assert _text("</pre><pre> a<div> b</div><pre> c</pre> d</pre><p> e</p>") == " a\n\n b\n\n c\n\n d\n\ne"


def test_blocks_lines_and_items_are_kept_apart() -> None:
    assert _text("<p>a<br>b<p>c<div>d</div>e<blockquote>f</blockquote>") == "a\nb\n\nc\n\nd\n\ne\n\nf"
    assert _text("<ul><li>a<li><b>b</b></ul>") == "- a\n- b"
    assert _text("a<span>b</span>c") == "abc"


def test_empty_lines_and_items_are_left() -> None:
    assert _text("<ul><li> <li>- <li>a</ul><p> <br> </p>") == "- a"


def test_a_heading_is_one_line_and_has_its_level() -> None:
    assert _text("<h1>Our<br> returns </h1><h3>Refunds</h3>Five days") == "# Our returns\n\n### Refunds\n\nFive days"
    assert _text("<h7>a</h7><hr><h2></h2>b") == "a\n\nb"


def test_cells_of_a_row_stand_on_one_line() -> None:
    assert _text("<table><tr><th>Size<th>Price<tr><td>S<td>5</table>") == "| Size | Price |\n| --- | --- |\n| S | 5 |"


@pytest.mark.parametrize("tag", ["script", "style", "nav", "svg"])
def test_what_is_no_text_is_left_with_all_that_it_holds(tag: str) -> None:
    assert _text(f"<p>a</p><{tag}>b</{tag}><p>c</p>") == "a\n\nc"


def test_what_is_left_ends_with_its_own_end() -> None:
    assert _text("<nav><form>a</nav>b</form>c") == "bc"
    assert _text("<nav>a<nav>b</nav>c</nav>d") == "d"
