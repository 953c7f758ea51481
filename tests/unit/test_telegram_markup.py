"""Light Markdown becomes Telegram's HTML only where it clearly is markup."""

from __future__ import annotations

import html
import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.channels.markup import to_html
from shared.channels.text import utf16_units


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("**bold** text", "<b>bold</b> text"),
        ("a < b and **c > d**", "a &lt; b and <b>c &gt; d</b>"),
        ("use `x < 1`", "use <code>x &lt; 1</code>"),
        ("```\na & b\n```", "<pre>a &amp; b</pre>"),
        ("```python\nx < 1\n```", '<pre><code class="language-python">x &lt; 1</code></pre>'),
        ("```inline block```", "<pre>inline block</pre>"),
        ("[Fees](https://h.example/a_(b)?c=\"d)", '<a href="https://h.example/a_(b)?c=&quot;d">Fees</a>'),
        ("**[Fees](https://h.example)**", '<b><a href="https://h.example">Fees</a></b>'),
        ("这是**粗体**文字", "这是<b>粗体</b>文字"),
        ("`**not bold**`", "<code>**not bold**</code>"),
        ("Free [1]. **Yes**", "Free [1]. <b>Yes</b>"),
    ],
)  # fmt: skip
def test_clear_markup_is_converted(text: str, expected: str) -> None:
    assert to_html(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "plain <b>text</b> & more",
        "2**3 and 4**5",
        "** spaced **",
        "****",
        "``` ```",
        "```unclosed",
        "`unclosed",
        "``double``",
        "source [1] and [2]",
        "[x](javascript:alert)",
        "[x](http://a b)",
        "**over\ntwo lines**",
    ],
)
def test_what_is_not_clearly_markup_stays_as_written(text: str) -> None:
    assert to_html(text) is None


class _Checker(HTMLParser):
    """Refuses tags that do not nest, and keeps what a reader sees."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.seen = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in ("b", "i", "s", "code", "pre", "a")
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.seen += data


pieces = st.sampled_from(
    ["**", "`", "```", "\n", "[", "](", ")", "https://a.b", "<", "&", '"', "x", " ", "py", "*", "😀"]
)


@given(st.lists(pieces, max_size=40).map("".join))
def test_any_mixture_of_marks_gives_html_that_closes_and_shows_no_more_than_was_written(text: str) -> None:
    converted = to_html(text)
    if converted is None:
        return
    reader = _Checker()
    reader.feed(converted)
    reader.close()
    assert not reader.open
    assert utf16_units(reader.seen) <= utf16_units(text)
    assert reader.seen.strip()


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=60))
def test_no_text_of_ours_becomes_a_tag(text: str) -> None:
    converted = to_html(f"**x** {text}") or ""
    without_tags = re.sub(r'</?(b|i|s|code|pre)>|</a>|<a href="[^"<>]*">|<code class="language-[^"]*">', "", converted)
    assert "<" not in without_tags
    assert html.unescape(without_tags).startswith("x ")
