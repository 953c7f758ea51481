"""Styles, notes, alternatives, symbols, tables and margins of Word documents, read in this process."""

from __future__ import annotations

import pytest

from shared.knowledge.extract.base import Unreadable
from shared.knowledge.extract.docx import TINY_CHARS, read
from tests.unit.test_extract import W, docx, paragraph
from tests.unit.test_extract_charts import packed, related


def _text(body: str, **members: str) -> str:
    document = f"<w:document {W}><w:body>{body}</w:body></w:document>"
    return read(packed(**{"word/document.xml": document}, **members)).text


def _styled(*styles: str) -> dict[str, str]:
    return {"word/styles.xml": f"<w:styles {W}>{''.join(styles)}</w:styles>"}


def _style(id_: str, inside: str = "", name: str = "") -> str:
    named = f'<w:name w:val="{name}"/>' if name else ""
    return f'<w:style w:styleId="{id_}">{named}{inside}</w:style>'


# ------------------------------------------------------------------ styles

LEVEL = '<w:pPr><w:outlineLvl w:val="{}"/></w:pPr>'
ON = '<w:basedOn w:val="{}"/>'


@pytest.mark.parametrize(
    ("styles", "text"),
    [
        ([_style("a", LEVEL.format(1))], "## said"),
        ([_style("a", name="Heading 3")], "### said"),
        ([_style("a", LEVEL.format(0), name="heading 3")], "# said"),
        ([_style("a", LEVEL.format(8))], "###### said"),
        ([_style("a", LEVEL.format(9))], "said"),
        ([_style("a", LEVEL.format("x"), name="heading 2")], "## said"),
        ([_style("a", ON.format("b")), _style("b", ON.format("c")), _style("c", LEVEL.format(2))], "### said"),
        ([_style("a", ON.format("b"), name="heading 1"), _style("b", LEVEL.format(2))], "# said"),
        ([_style("a", ON.format("b")), _style("b", ON.format("a"))], "said"),
        ([_style("a", ON.format("nowhere"))], "said"),
        ([_style("a", "<w:pPr><w:numPr/></w:pPr>")], "- said"),
        ([_style("a", ON.format("b")), _style("b", "<w:pPr><w:numPr/></w:pPr>")], "- said"),
        ([_style("a", "<w:rPr><w:vanish/></w:rPr>")], ""),
        ([_style("a", '<w:rPr><w:vanish w:val="0"/></w:rPr>')], "said"),
        ([_style("a", '<w:rPr><w:vanish w:val="False"/></w:rPr>')], "said"),
        ([_style("b", LEVEL.format(1))], "said"),
    ],
)  # fmt: skip
def test_a_paragraph_is_what_its_style_says_or_the_one_that_it_is_based_on(styles: list[str], text: str) -> None:
    assert _text(paragraph("said", "a"), **_styled(*styles)) == text


def test_a_title_is_told_by_its_style_s_name_or_id() -> None:
    document = f"<w:document {W}><w:body>{paragraph('Ours', 'a')}{paragraph('Text')}</w:body></w:document>"
    found = read(packed(**{"word/document.xml": document}, **_styled(_style("a", name="Title"))))
    assert (found.title, found.text) == ("Ours", "Text")
    found = read(packed(**{"word/document.xml": document}, **_styled(_style("a", LEVEL.format(0), name="Title"))))
    assert (found.title, found.text) == (None, "# Ours\n\nText")


@pytest.mark.parametrize(
    ("own", "text"),
    [
        ('<w:outlineLvl w:val="2"/>', "### said"),
        ('<w:outlineLvl w:val="9"/>', "said"),
        ('<w:numPr><w:numId w:val="3"/></w:numPr><w:outlineLvl w:val="9"/>', "- said"),
        ('<w:numPr><w:numId w:val="0"/></w:numPr>', "## said"),
    ],
)
def test_what_a_paragraph_says_of_itself_comes_before_its_style(own: str, text: str) -> None:
    body = f'<w:p><w:pPr><w:pStyle w:val="a"/>{own}</w:pPr><w:r><w:t>said</w:t></w:r></w:p>'
    assert _text(body, **_styled(_style("a", LEVEL.format(1)))) == text


def test_a_list_s_number_zero_takes_a_paragraph_out_of_it() -> None:
    body = (
        '<w:p><w:pPr><w:pStyle w:val="a"/><w:numPr><w:numId w:val="0"/></w:numPr></w:pPr><w:r><w:t>x</w:t></w:r></w:p>'
    )
    assert _text(body, **_styled(_style("a", "<w:pPr><w:numPr/></w:pPr>"))) == "x"


# ------------------------------------------------------------------ runs


@pytest.mark.parametrize(
    ("runs", "text"),
    [
        ('<w:r><w:sym w:font="Wingdings" w:char="F0FC"/></w:r>', "✓"),
        ('<w:r><w:sym w:font="symbol" w:char="f0b0"/></w:r>', "°"),
        ('<w:r><w:sym w:font="Wingdings 2" w:char="F050"/></w:r>', "✓"),
        ('<w:r><w:sym w:font="Wingdings" w:char="F001"/></w:r>', "•"),
        ('<w:r><w:sym w:font="Acme" w:char="F0FC"/></w:r>', "•"),
        ("<w:r><w:t>a</w:t><w:tab/><w:t>b</w:t><w:ptab/><w:t>c</w:t><w:noBreakHyphen/><w:t>d</w:t></w:r>", "a b c-d"),
        ("<w:r><w:t>a</w:t><w:cr/><w:t>b</w:t><w:br/><w:t>c</w:t></w:r>", "a\nb\nc"),
        ("<w:r><w:rPr><w:dstrike/></w:rPr><w:t>a</w:t></w:r><w:r><w:t>b</w:t></w:r>", "b"),
        ("<w:r><w:rPr><w:vanish/></w:rPr><w:t>a</w:t></w:r><w:r><w:t>b</w:t></w:r>", "b"),
        ('<w:r><w:rPr><w:strike w:val="none"/></w:rPr><w:t>a</w:t></w:r>', "a"),
        ('<w:r><w:t>x</w:t></w:r><w:r><w:rPr><w:vertAlign w:val="subscript"/></w:rPr><w:t>-2</w:t></w:r>', "x₋₂"),
        ('<w:r><w:t>x</w:t></w:r><w:r><w:rPr><w:vertAlign w:val="superscript"/></w:rPr><w:t>2a</w:t></w:r>', "x2a"),
        ('<w:r><w:t>x</w:t></w:r><w:r><w:rPr><w:vertAlign w:val="baseline"/></w:rPr><w:t>2</w:t></w:r>', "x2"),
        ("<w:hyperlink><w:r><w:t>a</w:t></w:r></w:hyperlink><w:moveFrom><w:r><w:t>b</w:t></w:r></w:moveFrom>", "a"),
        ("<w:ins><w:r><w:t>a</w:t></w:r></w:ins><w:r><w:delText>b</w:delText></w:r>", "a"),
    ],
)
def test_a_run_says_what_word_shows_of_it(runs: str, text: str) -> None:
    assert _text(f"<w:p>{runs}</w:p>") == text


# ------------------------------------------------------------------ notes, alternatives


def test_a_note_stands_where_it_is_first_referred_to_and_others_at_the_end() -> None:
    def note(id_: str, inside: str, kind: str = "") -> str:
        return f'<w:footnote w:id="{id_}"{kind}>{inside}</w:footnote>'

    notes = (
        note("0", paragraph("line"), ' w:type="separator"') + note("1", paragraph("one") + paragraph("more"))
        + note("2", "<w:p/>") + note("3", paragraph("left"))
    )  # fmt: skip
    ends = f'<w:endnotes {W}><w:endnote w:id="1">{paragraph("end")}</w:endnote></w:endnotes>'
    refers = '<w:r><w:footnoteReference w:id="{}"/></w:r>'.format
    body = (
        f"<w:p><w:r><w:t>A</w:t></w:r>{refers(1)}{refers(1)}{refers(2)}{refers(9)}{refers(0)}"
        '<w:r><w:endnoteReference w:id="1"/></w:r></w:p>'
    )
    members = {"word/footnotes.xml": f"<w:footnotes {W}>{notes}</w:footnotes>", "word/endnotes.xml": ends}
    assert _text(body, **members) == "A (one more) (end)\n\nleft"


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ("<w:Choice>{a}</w:Choice><w:Fallback>{b}</w:Fallback>", "a"),
        ("<w:Choice><w:p/></w:Choice><w:Fallback>{b}</w:Fallback>", "b"),
        ("<w:Choice><w:p/></w:Choice><w:Choice>{b}</w:Choice>", "b"),
        ("<w:Fallback>{b}</w:Fallback>", "b"),
        ("<w:Choice><w:p/></w:Choice>", ""),
        ("", ""),
    ],
)
def test_of_alternatives_the_first_that_says_something_is_read(options: str, text: str) -> None:
    filled = options.format(a=paragraph("a"), b=paragraph("b"))
    assert _text(f"<w:AlternateContent>{filled}</w:AlternateContent>") == text
    boxed = filled.replace("<w:p>", "<w:txbxContent><w:p>").replace("</w:p>", "</w:p></w:txbxContent>")
    assert _text(f"<w:p><w:r><w:AlternateContent>{boxed}</w:AlternateContent></w:r></w:p>") == text


# ------------------------------------------------------------------ tables


def _row(*cells: str, properties: str = "") -> str:
    return f"<w:tr><w:trPr>{properties}</w:trPr>{''.join(f'<w:tc>{paragraph(cell)}</w:tc>' for cell in cells)}</w:tr>"


@pytest.mark.parametrize(
    ("table", "text"),
    [
        (_row("a", "b") + _row("1", "2", properties="<w:del/>") + _row("3", "4"),
         "| a | b |\n| --- | --- |\n| 3 | 4 |"),
        ('<w:tblPr><w:tblCaption w:val="Rates"/></w:tblPr>' + _row("a", "b") + _row("1", "2"),
         "Rates\n| a | b |\n| --- | --- |\n| 1 | 2 |"),
        (_row("a", "b", "c") + _row("1", "2", properties='<w:gridBefore w:val="1"/>'),
         "| a | b | c |\n| --- | --- | --- |\n|  | 1 | 2 |"),
        (_row("a", "b", "c") + _row("1", "2", properties='<w:gridBefore w:val="x"/>'),
         "| a | b | c |\n| --- | --- | --- |\n| 1 | 2 |  |"),
        (_row("a", "b", properties="<w:tblHeader/>") + _row("c", "d", properties="<w:tblHeader/>") + _row("1", "2"),
         "| a / c | b / d |\n| --- | --- |\n| 1 | 2 |"),
        (_row("a", "b", properties='<w:tblHeader w:val="off"/>') + _row("c", "d") + _row("1", "2"),
         "| a | b |\n| --- | --- |\n| c | d |\n| 1 | 2 |"),
        (f"<w:sdt><w:sdtContent>{_row('a', 'b')}</w:sdtContent></w:sdt><w:ins>{_row('1', '2')}</w:ins>",
         "| a | b |\n| --- | --- |\n| 1 | 2 |"),
        (f"<w:customXml>{_row('a', 'b')}</w:customXml><w:smartTag>{_row('1', '2')}</w:smartTag>",
         "| a | b |\n| --- | --- |\n| 1 | 2 |"),
        (_row("a") + _row("b"), "a\n\nb"),
    ],
)  # fmt: skip
def test_a_table_keeps_its_rows_caption_and_empty_places(table: str, text: str) -> None:
    assert _text(f"<w:tbl>{table}</w:tbl>") == text


# ------------------------------------------------------------------ headers and footers


def _run(said: str) -> str:
    return f'<w:r><w:t xml:space="preserve">{said}</w:t></w:r>'


def _char(kind: str) -> str:
    return f'<w:r><w:fldChar w:fldCharType="{kind}"/></w:r>'


def _field(instruction: str, result: str) -> str:
    told = f"<w:r><w:instrText>{instruction}</w:instrText></w:r>"
    return f"{_char('begin')}{told}{_char('separate')}{_run(result)}{_char('end')}"


@pytest.mark.parametrize(
    ("inside", "text"),
    [
        (f"{_run('Page ')}{_field('PAGE', '3')}", ""),
        (f"{_run('Valid for all, ')}{_field(' page MERGEFORMAT', '3')}{_run(' and on')}", "Valid for all, and on"),
        (f"{_run('Written by ')}{_field('AUTHOR', 'Ann')}", "Written by Ann"),
        (
            f"{_run('Written for us by ')}{_field('DATE', '1.5.')}{_field('AUTHOR', 'Ann Lee')}",
            "Written for us by Ann Lee",
        ),
        (f'{_run("Page ")}<w:fldSimple w:instr=" NUMPAGES ">{_run("5")}</w:fldSimple>', ""),
        (f'{_run("Written by ")}<w:fldSimple w:instr="AUTHOR">{_run("Ann")}</w:fldSimple>', "Written by Ann"),
        (_run("Short"), "Short"),
        (_run("123 456"), ""),
        (_run("abcdefghijklmno") + _field("PAGE", "3"), ""),
        (_run("abcdefghijklmnop") + _field("PAGE", "3"), "abcdefghijklmnop"),
    ],
)
def test_a_margin_is_told_without_the_fields_that_count_pages(inside: str, text: str) -> None:
    members = {
        "word/_rels/document.xml.rels": related(rId1="header header1.xml"),
        "word/header1.xml": f"<w:hdr {W}><w:p>{inside}</w:p></w:hdr>",
    }
    assert _text(paragraph("Text"), **members) == "\n\n".join(filter(None, ["Text", text]))


def test_headers_come_before_footers_and_each_text_once() -> None:
    def margin(said: str) -> str:
        return f"<w:hdr {W}>{paragraph(said)}</w:hdr>"

    members = {
        "word/_rels/document.xml.rels": related(
            a="footer f.xml", b="header h.xml", c="header again.xml", d="header gone.xml"
        ),
        "word/f.xml": margin("foot"), "word/h.xml": margin("head"), "word/again.xml": margin("head"),
    }  # fmt: skip
    assert _text(paragraph("Text"), **members) == "Text\n\nhead\n\nfoot"


# ------------------------------------------------------------------ the file


def test_the_main_part_is_where_the_file_says_and_its_parts_beside_it() -> None:
    main = f"<w:document {W}><w:body>{paragraph('said', 'a')}</w:body></w:document>"
    raw = packed(**{
        "_rels/.rels": related(rId1="officeDocument docs/main.xml"), "docs/main.xml": main,
        "docs/styles.xml": f"<w:styles {W}>{_style('a', LEVEL.format(1))}</w:styles>",
    })  # fmt: skip
    assert read(raw).text == "## said"
    raw = packed(**{"_rels/.rels": related(rId1="officeDocument gone.xml"), "word/document.xml": main})
    assert read(raw).text == "said"
    raw = packed(**{
        "word/document.xml": main, "word/_rels/document.xml.rels": related(rId1="styles other.xml"),
        "word/other.xml": f"<w:styles {W}>{_style('a', LEVEL.format(0))}</w:styles>",
    })  # fmt: skip
    assert read(raw).text == "# said"


def test_a_document_of_pictures_and_hardly_a_word_is_refused() -> None:
    with pytest.raises(Unreadable) as error:
        _text(paragraph("x" * (TINY_CHARS - 1)), **{"word/media/image1.png": "x"})
    assert str(error.value) == (
        f"{TINY_CHARS - 1} characters of text beside pictures: recognise the text that they show first"
    )
    assert _text(paragraph("x" * TINY_CHARS), **{"word/media/image1.png": "x"}) == "x" * TINY_CHARS
    assert _text(paragraph("x"), **{"media/image1.png": "x"}) == "x"
    assert read(docx(paragraph("x"))).text == "x"
