"""What of a page is content, and what stands in its tables' cells: the bounds of each rule."""

from __future__ import annotations

import pytest

from shared.knowledge.extract.base import Unreadable
from shared.knowledge.extract.html import BANNER_CHARS, SCRIPTS_CHARS, TINY_CHARS, read

LONG = "<p>" + "The pump costs 218.50 and is sent within four days. " * 60 + "</p>"
COOKIES = "<p>We use cookies.</p>"


def _text(html: str) -> str:
    return read(html.encode()).text


def _is_left(banner: str, beside: str = LONG) -> bool:
    """Whether a part of a page is left out. It says `Here`."""
    return "Here" not in _text(f"<body>{beside}{banner}</body>")


@pytest.mark.parametrize(
    "banner",
    [
        '<div id="cookie-bar">Here<button>OK</button></div>',
        '<div class="cookieHint">Here<a class="btn">Fine</a></div>',
        '<div class="onetrust">Here<a class="my button">Fine</a></div>',
        '<div id="gdpr">Here<input type="submit" value="x"></div>',
        '<div id="gdpr">Here<input type="BUTTON" value="x"></div>',
        '<div id="gdpr">Here<span role="Button">x</span></div>',
        '<div id="gdpr" role="dialog">Here</div>',
        '<div id="gdpr" role="alertdialog">Here</div>',
        '<div id="cookiewall">Here<button>OK</button></div>',
        '<div class="cookie banner">Here</div>',
        # unnamed, but it says what it is for and has something to agree with
        f"<div>Here{COOKIES}<button>Accept all</button></div>",
        f"<div>Here{COOKIES}<input type=button value='Accept'></div>",
        "<div>Here Куки<button>Принять</button></div>",
    ],
)
def test_what_asks_for_consent_to_cookies_is_left_out(banner: str) -> None:
    assert _is_left(banner)


@pytest.mark.parametrize(
    "banner",
    [
        '<div id="gdpr">Here is our policy.</div>',
        '<div id="gdpr">Here<a href="/policy">Read it</a></div>',
        '<div id="gdpr" role="main">Here</div>',
        '<div id="gdpr">Here<input type="text" value="x"></div>',
        '<div class="banner">Here<button>Buy</button></div>',
        "<div>Here<button>Accept all</button></div>",
        f"<div>Here{COOKIES}<button>Buy</button></div>",
        f"<div>Here{COOKIES}Accept</div>",
        f"<div>Here{COOKIES}<button>{'Read more of what may come of it all, and later: ' * 2}accept</button></div>",
    ],
)
def test_what_only_resembles_it_is_content(banner: str) -> None:
    assert not _is_left(banner)


def test_a_banner_is_short_and_not_most_of_the_page() -> None:
    def named(chars: int) -> str:
        return f'<div id="gdpr">Here{"x" * (chars - len("HereOK"))}<button>OK</button></div>'

    wide = LONG * 3
    assert _is_left(named(BANNER_CHARS - 1), wide)
    assert not _is_left(named(BANNER_CHARS), wide)

    def unnamed(chars: int) -> str:
        said = "HerecookiesAccept"
        return f"<div>Here<p>cookies</p>{'x' * (chars - len(said))}<button>Accept</button></div>"

    assert _is_left(unnamed(1_499), wide)
    assert not _is_left(unnamed(1_500), wide)

    # two thirds of all are not yet most
    assert _is_left(named(200), f"<p>{'y' * 100}</p>")
    assert not _is_left(named(200), f"<p>{'y' * 99}</p>")


def test_lists_of_links_are_menus_where_they_are_named_so_or_frame_the_page() -> None:
    links = "<a href=/a>Here it is</a> <a href=/b>Other</a>"
    assert _is_left(f"<nav>{links}</nav>")
    assert _is_left(f'<div role="Navigation">{links}</div>')
    assert _is_left(f'<div class="main menu">{links}</div>')
    assert _is_left(f"<header>{links}</header>")
    assert _is_left(f"<menu>{links}</menu>")
    assert _is_left(f"<div role=menu>{links}</div>")
    assert _is_left(f"<div role=menubar>{links}</div>")
    for inside in ("<article>", "<main>", "<section>", "<div role=main>", "<div role=article>"):
        assert not _is_left(f"{inside}<header>{links}</header>")
        assert not _is_left(f"{inside}<table><tr><td><header>{links}</header></table>")
    assert _is_left(f"<nav>Here {'x' * 195}</nav>")
    assert not _is_left(f"<nav>Here {'x' * 196}</nav>")
    assert not _is_left(f"<div>{links}</div>")
    assert not _is_left('<div class="menu"><a href=/a>Here it is</a></div>')
    assert not _is_left(f'<div class="menu">{links} {"Soup of the day. " * 10}</div>')
    # a menu of a restaurant: more words than links
    assert not _is_left(f"<nav>Here {'Soup of the day. ' * 20}</nav>")
    assert _is_left("<nav>Here</nav>")


def test_of_a_page_s_foot_links_and_claims_of_rights_are_left_out() -> None:
    links = "<a href=/a>Here it is</a> <a href=/b>Other</a>"
    assert _is_left(f"<footer>{'Call 555 at any time. ' * 9}<div>{links}</div></footer>")
    assert _is_left(f"<header>{'Call 555 at any time. ' * 9}<div>{links}</div></header>")
    # four fifths of it are links
    assert _is_left("<footer>Call 555.<div><a href=/a>Here</a>x</div></footer>")
    assert not _is_left("<footer>Call 555.<div><a href=/a>Here</a>xy</div></footer>")
    assert not _is_left(f"<div>{'Call 555 at any time. ' * 9}<div>{links}</div></div>")
    assert _is_left("<footer>Call 555.<p>© 2026 Acme Here</p></footer>")
    assert _is_left("<footer>Call 555.<p>Copyright Here</p></footer>")
    assert _is_left("<footer>Call 555.<p>All Rights reserved Here</p></footer>")
    assert not _is_left("<footer>Call 555.<p>Here we are</p></footer>")
    assert not _is_left(f"<footer>Call 555.<p>© Here {'x' * 300}</p></footer>")
    assert not _is_left("<p>© Here</p>")


# ------------------------------------------------------------------ tables


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("<p>a</p><p>b</p>", "a; b"),
        ("<ul><li>a<li>b</ul>", "a; b"),
        ('<img alt="yes">', "yes"),
        ('<span aria-label="no"></span><img alt="yes">', "no"),
        ('<i title="maybe"></i>', "maybe"),
        ('<img alt="" title="yes">', "yes"),
        ('<img alt="yes">text', "text"),
        ("<input type=Checkbox checked>", "✓"),
        ("<input type=radio>", "✗"),
        ("<input type=text checked>", ""),
        ("<input type=hidden><input type=checkbox checked>", "✓"),
        ("<i></i>", ""),
    ],
)
def test_a_cell_says_what_stands_in_it_or_what_its_picture_shows(cell: str, said: str) -> None:
    assert _text(f"<table><tr><td>Name<td>Has it<tr><td>A<td>{cell}</table>").endswith(f"| A | {said} |")


@pytest.mark.parametrize(
    ("table", "text"),
    [
        ("<table role=presentation><tr><td>a<td>b</table>", "a\n\nb"),
        ("<table role=none><tr><td>a<td>b</table>", "a\n\nb"),
        ("<table><tr><td>a<tr><td>b</table>", "a\n\nb"),
        ("<table><tr><td><h2>a</h2>c<td>b</table>", "## a\n\nc\n\nb"),
        ("<table><tr><td><table><tr><td>a<td>b</table><td>c</table>", "a | b\n\nc"),
        ("<table><tr><th>a<th>b<tr><td>1<td>2</table>", "| a | b |\n| --- | --- |\n| 1 | 2 |"),
        ("<table><thead><tr><td>a<td>b<tr><td>c<td>d<tbody><tr><td>1<td>2</table>",
         "| a / c | b / d |\n| --- | --- |\n| 1 | 2 |"),
        ("<table><tr><th>a<th>b<tr><th>c<th>d<tr><td>1<td>2</table>",
         "| a / c | b / d |\n| --- | --- |\n| 1 | 2 |"),
        ("<table><tr><td>a<td>b<tr><td>c<td>d<tr><td>1<td>2</table>",
         "| a | b |\n| --- | --- |\n| c | d |\n| 1 | 2 |"),
        ("<table><thead><tr><td>a<td>b<tbody><tr><td>1<td>2<tfoot><tr><td>3<td>4</table>",
         "| a | b |\n| --- | --- |\n| 1 | 2 |\n| 3 | 4 |"),
        ("<table><tr><th>a<th>b<th>c<tr><td colspan=2>1<td>2</table>",
         "| a | b | c |\n| --- | --- | --- |\n| 1 | 1 | 2 |"),
        ("<table><tr><th>a<th>b<tr><td colspan=2>1</table>", "| a | b |\n| --- | --- |\n| 1 | 1 |"),
        ("<table><tr><th>a<th>b<tr><td colspan=2>1<tr><td colspan=2>2</table>",
         "| a | b |\n| --- | --- |\n| 1 | 1 |\n| 2 | 2 |"),
        ("<table><tr><th>a<th>b<tr><td colspan=2>x<tr><td colspan=2>y<tr><td>1<td>2<tr><td colspan=2>z</table>",
         "x\n\ny\n| a | b |\n| --- | --- |\n| 1 | 2 |\n\nz"),
        ("<table><tr><th>a<th>b<tr><td colspan=x>1<td rowspan=0>2</table>", "| a | b |\n| --- | --- |\n| 1 | 2 |"),
        ("<table><caption>Rates</caption><tr></tr><tr><th>a<th>b<tr><td>1<td>2</table>",
         "Rates\n| a | b |\n| --- | --- |\n| 1 | 2 |"),
    ],
)  # fmt: skip
def test_a_table_is_one_unless_it_only_puts_text_beside_text(table: str, text: str) -> None:
    assert _text(table) == text


def test_a_long_caption_is_a_paragraph_that_loses_nothing_and_stands_there_once() -> None:
    said = "Rates " + "of the season " * 40 + "without tax"
    rows = "<tr><th>a<th>b<tr><td colspan=2>x<tr><td>1<td>2<tr><td colspan=2>y<tr><td>3<td>4"
    text = _text(f"<table><caption>{said}</caption>{rows}</table>")
    assert text == f"{said}\n\nx\n| a | b |\n| --- | --- |\n| 1 | 2 |\n\ny\n| a | b |\n| --- | --- |\n| 3 | 4 |"


# ------------------------------------------------------------------ lines, controls, titles


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("a<br>b<p>c", "a\nb\n\nc"),
        ("<ul><li><p>a</p><li>b <b>c</b></ul>d", "- a\n- b c\n\nd"),
        ("<dl><dt>a<dd>b</dl>", "a\n\nb"),
        ("<ul><li><dl><dt>a</dt>b</dl></ul>", "- a\nb"),
        ("<pre>a\n  b</pre>c", "a\n  b\n\nc"),
        ("<h3>a\n b</h3>c", "### a b\n\nc"),
        ("x<label>Size</label><select><option>S<option><option>L</select>y", "x Size S, L y"),
        ("x<input type=submit value=Buy>y<input value=hidden>z", "x Buy y z"),
        ("x<button>Buy</button>y", "x Buy y"),
        ("10<sup>2</sup> H<sub>2</sub>O x<sup>a</sup>", "10² H₂O xa"),
        ("a<s>b</s><del>c</del>d", "ad"),
        ("<select>" + "<option>x" * 60 + "</select>", ", ".join("x" * 50)),
    ],
)
def test_a_page_s_lines_are_those_that_a_browser_shows(html: str, text: str) -> None:
    assert _text(html) == text


def test_a_title_that_never_ends_ends_at_the_next_tag() -> None:
    found = read(b"<html><head><TITLE>Prices<body><p>The pump costs 218.50.</p></body>")
    assert (found.title, found.text) == ("Prices", "The pump costs 218.50.")
    assert (read(b"<title>Prices").title, read(b"<title>Prices").text) == ("Prices", "")
    found = read(b"<title>A</title><p>b</p><svg><title>c")
    assert (found.title, found.text) == ("A", "b")


def test_a_page_that_is_all_menu_is_read_as_it_is() -> None:
    assert _text("<nav><a href=/a>Home</a> <a href=/b>Prices</a></nav>") == "Home Prices"


def test_a_page_of_scripts_and_hardly_a_word_is_refused() -> None:
    def page(words: int, script: int) -> bytes:
        return f"<body><p>{'w' * words}</p><script>{'s' * script}</script>".encode()

    with pytest.raises(Unreadable) as error:
        read(page(TINY_CHARS - 1, SCRIPTS_CHARS))
    assert str(error.value) == (
        f"{TINY_CHARS - 1} characters of text beside scripts of {SCRIPTS_CHARS}: they may show the rest; save what the "
        "browser shows, or send the text"
    )
    assert read(page(TINY_CHARS, SCRIPTS_CHARS)).text == "w" * TINY_CHARS
    assert read(page(1, SCRIPTS_CHARS - 1)).text == "w"


def test_the_encoding_that_a_page_was_sent_with_wins() -> None:
    assert read("<p>Łódź".encode("iso-8859-2"), "iso-8859-2").text == "Łódź"
