"""An answer's Markdown becomes what each platform shows, loses no word, and is whole in every part."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared import channels
from shared.channels import markdown, parts
from shared.channels.markup import to_html, to_mrkdwn, to_plain, to_whatsapp
from shared.channels.text import utf16_units
from tests.factories import settings as settings_of

CASES = Path(__file__).resolve().parents[3] / "shared" / "cases" / "channels"
PLATFORMS = channels.build(settings_of().channels)
TABLE = "| Size | Price |\n|---|---:|\n| **43** | 49 € |"

# Markdown → Telegram, Slack, WhatsApp, plain
SHOWN = {
    "**bold**": ("<b>bold</b>", "*bold*", "*bold*", "bold"),
    "__bold__": ("<b>bold</b>", "*bold*", "*bold*", "bold"),
    "so *very* good": ("so <i>very</i> good", "so _very_ good", "so _very_ good", "so very good"),
    "_very_ good": ("<i>very</i> good", "_very_ good", "_very_ good", "very good"),
    "***both***": ("<b><i>both</i></b>", "*_both_*", "*_both_*", "both"),
    "~~old~~ new": ("<s>old</s> new", "~old~ new", "~old~ new", "old new"),
    "# Boots": ("<b>Boots</b>", "*Boots*", "*Boots*", "Boots"),
    "## Boots ##": ("<b>Boots</b>", "*Boots*", "*Boots*", "Boots"),
    "# **Boots**": ("<b>Boots</b>", "*Boots*", "*Boots*", "Boots"),
    "use `x < 1`": ("use <code>x &lt; 1</code>", "use `x &lt; 1`", "use `x < 1`", "use x < 1"),
    "```py\nx < 1\n```": (
        '<pre><code class="language-py">x &lt; 1</code></pre>', "```\nx &lt; 1\n```", "```x < 1```", "x < 1",
    ),
    "~~~\nx\n~~~": ("<pre>x</pre>", "```\nx\n```", "```x```", "x"),
    "````\n```\n````": ("<pre>```</pre>", "```\n```\n```", "`````````", "```"),
    "[Fees](https://h.example)": (
        '<a href="https://h.example">Fees</a>', "<https://h.example|Fees>", "Fees (https://h.example)",
        "Fees (https://h.example)",
    ),
    "[h.example](https://h.example)": (
        '<a href="https://h.example">h.example</a>', "<https://h.example|h.example>", "https://h.example",
        "https://h.example",
    ),
    "![Boots](https://h.example/b.png)": (
        '<a href="https://h.example/b.png">Boots</a>', "<https://h.example/b.png|Boots>",
        "Boots (https://h.example/b.png)", "Boots (https://h.example/b.png)",
    ),
    "<https://h.example>": ("https://h.example",) * 4,
    "* one\n* two": ("- one\n- two",) * 4,
    "**a *b* c**": ("<b>a <i>b</i> c</b>", "*a _b_ c*", "*a _b_ c*", "a b c"),
    r"2 \* 3": ("2 * 3",) * 4,
    "> No *returns*\n> after & before": (
        "<blockquote>No <i>returns</i>\nafter &amp; before</blockquote>", "> No _returns_\n> after &amp; before",
        "> No _returns_\n> after & before", "No returns\nafter & before",
    ),
    "> a\n>\n> 2 b\nc": (
        "<blockquote>a\n\n2 b</blockquote>\nc", "> a\n>\n> 2 b\nc", "> a\n>\n> 2 b\nc", "a\n\n2 b\nc",
    ),
    "> > deep\n> * one": ("<blockquote>deep\n- one</blockquote>", "> deep\n> - one", "> deep\n> - one", "deep\n- one"),
    "* one\n  * two\n  - **three**\n* four": (
        "- one\n  ◦ two\n  ◦ <b>three</b>\n- four", "- one\n  ◦ two\n  ◦ *three*\n- four",
        "- one\n  ◦ two\n  ◦ *three*\n- four", "- one\n  - two\n  - three\n- four",
    ),
    "1. one\n   - two\n\n   - three": ("1. one\n   ◦ two\n\n   ◦ three",) * 3 + ("1. one\n   - two\n\n   - three",),
    TABLE: (
        "Size | Price\n<b>43</b> | 49 €", "Size | Price\n*43* | 49 €", "Size | Price\n*43* | 49 €",
        "Size | Price\n43 | 49 €",
    ),
}  # fmt: skip


@pytest.mark.parametrize("text", SHOWN)
def test_each_platform_shows_what_it_can(text: str) -> None:
    assert (to_html(text), to_mrkdwn(text), to_whatsapp(text), to_plain(text)) == SHOWN[text]


@pytest.mark.parametrize(
    "text",
    [
        "2*3*4 and 2**3**4", "2 * 3 * 4", "snake_case_name and a_b", "5 ~ 6", "- one\n- two", "#hashtag", "1 # 2",
        "(*) required (*)", "*Terms apply", "a|b", "--- \n---", "C:\\new\\x", "[1] and [2](note)", "x [y] (z)",
        "_ _", "** **", "`", "``", "~~~~", "1. one\n2. two", "> 50 € is free", ">= 3", ">:(",
        "  - one\n  - two", "*\nx*", "价格*很*好吗 2*3",
    ],
)  # fmt: skip
def test_what_is_no_markup_stays_as_it_was_written(text: str) -> None:
    if text.startswith("价格"):
        assert to_plain(text) == "价格很好吗 2*3"  # no letter of ours on the outside: marks
        return
    assert to_plain(text) == to_whatsapp(text) == text
    assert to_html(text) is None


PIECES = st.sampled_from(
    ["**", "*", "_", "__", "~~", "`", "```", "```py\n", "~~~\n", "\n", "\n\n", "# ", "- ", "* ", "| ", " |", "|--|",
     "[", "](", ")", "https://a.b", "<", ">", "&", '"', "x", "ab cd", " ", "😀", "é",
     "\\", "!", "1", "(", "漢字", "\u0301", "\n> ", "> ", "\n  - ", "\n1. "]
)  # fmt: skip
TEXTS = st.lists(PIECES, max_size=60).map("".join)
MARKS = re.compile(r"[*_~`|\[\]()<>#!\\\-\s]")
ANSWERS = st.lists(st.one_of(PIECES, st.text(max_size=30)), max_size=40).map("".join)


def _words(text: str) -> str:
    return MARKS.sub("", text)


def _all_said(text: str, shown: str) -> bool:
    """Whether each word is shown, in its order; a language behind a fence is none."""
    at, said = 0, _words(shown)
    for character in _words(re.sub(r"(`{3,}|~{3,})[A-Za-z0-9_+#.-]{1,40}[ \t\r]*\n", "\n", text)):
        at = said.find(character, at) + 1
        if not at:
            return False
    return True


@given(ANSWERS)
@settings(deadline=None)
def test_no_word_is_lost_and_nothing_grows(text: str) -> None:
    plain, whatsapp = to_plain(text), to_whatsapp(text)
    assert _all_said(text, plain.replace("://", "")) or _all_said(text, plain)
    assert _all_said(text, whatsapp.replace("://", "")) or _all_said(text, whatsapp)
    unclosed = bool(found := markdown.spans(text)) and found[-1].kind == "block" and found[-1].inner_end == len(text)
    assert max(len(plain), len(whatsapp) - 4 * unclosed) <= len(text)
    assert len(to_plain(text).encode("utf-8", "replace")) <= len(text.encode("utf-8", "replace"))


LONG = st.lists(
    st.one_of(
        st.sampled_from(["**", "`", "\n\n", "```\n", "\n```\n", "```python\n", "~~", "*", "_", "word ", "x" * 90]),
        st.text(st.characters(codec="utf-8"), max_size=20),
    ),
    max_size=60,
).map(lambda pieces: "".join(pieces) * 4)  # fmt: skip


@given(LONG, st.integers(120, 300))
@settings(deadline=None, max_examples=150)
def test_parts_fit_and_say_everything(text: str, limit: int) -> None:
    for made, size in (
        (parts.split_utf16(text, limit), utf16_units),
        (parts.split_utf8(text, limit), lambda part: len(part.encode())),
    ):
        assert all(part.strip() and size(part) <= limit for part in made)
        kept = "".join(_words(part) for part in made)
        at = 0
        for character in _words(text):  # a language is said again behind each border
            at = kept.find(character, at) + 1
            assert at


CODE = (
    "Run this first:\n\n```python\n" + "\n".join(f"    row_{i} = f({i})  # `v`" for i in range(200)) + "\n```\n\nDone."
)


@pytest.mark.parametrize("name", ["telegram", "slack", "whatsapp", "messenger", "instagram"])
def test_a_long_block_is_closed_and_opened_again_in_each_part(name: str) -> None:
    made = PLATFORMS[name].split(CODE)
    assert len(made) > 1
    for part in made:
        assert part.count("```") % 2 == 0
        assert [span.kind for span in markdown.spans(part)] == ["block"]
    lines = [line for part in made for line in part.splitlines() if line.startswith("    row_")]
    assert lines == [line for line in CODE.splitlines() if line.startswith("    row_")]
    assert all(part.split("```")[1].startswith("python\n") for part in made)


@pytest.mark.parametrize("mark", ["**", "*", "_", "__", "~~", "`", "***"])
def test_emphasis_is_closed_and_opened_again_in_each_part(mark: str) -> None:
    text = f"Note: {mark}{'these words are meant ' * 60}here{mark} and no more."
    made = parts.split_utf16(text, 200)
    assert len(made) > 3
    kinds = [[span.kind for span in markdown.spans(part)] for part in made]
    assert len({tuple(found) for found in kinds}) == 1, kinds
    assert " ".join(to_plain(part) for part in made) == to_plain(text)
    for part in made[1:-1]:
        assert part.startswith(mark)
        assert part.endswith(mark)


def test_a_long_quotation_is_one_in_each_part() -> None:
    text = "> " + "these words are **meant** here " * 40 + "so\n> and so are these"
    made = parts.split_utf16(text, 200)
    assert len(made) > 3
    assert all(part.startswith("> ") and markdown.spans(part)[0].kind == "quote" for part in made)
    assert all((to_html(part) or "").count("<blockquote>") == 1 for part in made)
    assert " ".join(to_plain(part).replace("\n", " ") for part in made) == to_plain(text).replace(" \n", " ").replace(
        "\n", " "
    )


def test_code_that_was_cut_off_is_closed() -> None:
    assert parts.split_utf16("See:\n```py\nx = 1", 100) == ["See:\n```py\nx = 1\n```"]


def test_links_and_marks_are_never_cut() -> None:
    text = "See [the fees of our harbour](https://harbour.example/fees) for all. " * 40
    for part in parts.split_utf16(text, 150):
        assert part.count("[") == part.count("](https://harbour.example/fees)")


def test_a_link_longer_than_a_part_still_comes_whole_in_words() -> None:
    text = f"[fees](https://h.example/{'a' * 500}) ok"
    made = parts.split_utf16(text, 120)
    assert all(utf16_units(part) <= 120 for part in made)
    assert "".join(made).replace(" ", "") == text.replace(" ", "")


@pytest.mark.parametrize(
    "hostile",
    ["*", "**", "_a", "`", "```", "```\n", "~~~\n", "[", "[a](", "[a](http://", "[a](http://(", "# ", "|", "| |\n",
     "\\", "**a *b _c ~~d ", "<http://", "* ", "![", "````",
     "```py\nx\n", "> ", "> a\n", "> > a\n>\n", " >", "\n  - a"],
)  # fmt: skip
def test_what_a_hostile_model_writes_takes_bounded_steps(hostile: str) -> None:
    text = hostile * (60_000 // len(hostile))
    assert to_plain(text) is not None
    assert all(len(part) <= 4096 for part in parts.split_utf16(text, 4096))


@pytest.mark.parametrize("name", ["telegram", "slack", "whatsapp", "messenger", "instagram"])
def test_case_of_a_long_fence(name: str) -> None:
    path = CASES / "16-answer-long-fence.txt"
    if not path.exists():
        pytest.skip("the cases are not at hand")
    text = path.read_text()
    made = PLATFORMS[name].split(text)
    assert len(made) > 1
    assert all(part.count("```") % 2 == 0 for part in made)
    assert [line for part in made for line in part.splitlines() if line.startswith("row_")] == [
        line for line in text.splitlines() if line.startswith("row_")
    ]
