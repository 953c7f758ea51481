"""An answer's light Markdown as each platform can show it: Telegram's HTML, Slack's mrkdwn, WhatsApp's marks, or plain
text. What is no markup stays as it was written.

No rendering is longer than its text, apart from what Telegram's and Slack's escapes add, which these do not count, and
from the end of a block that is not closed, which `parts` closes before.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from shared.channels.markdown import Span, spans


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a platform writes it. marks: kind → what stands before and after. block: the same for code, by its language.
    link: from the label as rendered and the address as written. quote: what stands before and after each line of a
    quotation. nested: what stands before an item of a list in a list. escape: makes a text harmless."""

    marks: Mapping[str, tuple[str, str]]
    block: Callable[[str], tuple[str, str]]
    link: Callable[[str, str], str]
    quote: tuple[str, str] = ("> ", "")
    nested: str = "◦"
    escape: Callable[[str], str] = field(default=lambda text: text)


def to_html(text: str) -> str | None:
    """The text as HTML of Telegram's subset, escaped; None if it holds no markup and can go as it is.

    What Telegram shows of it is never longer than `text`. https://core.telegram.org/bots/api#html-style
    """
    found = spans(text)
    return _whole(text, found, _HTML).replace(_NEXT_LINE, "\n") if found else None


def to_mrkdwn(text: str) -> str:
    """The text as Slack's mrkdwn, escaped: & < > as entities, so that nothing of it becomes a mention or a link but
    our own links. https://docs.slack.dev/messaging/formatting-message-text"""
    return _whole(text, spans(text), _MRKDWN)


def to_whatsapp(text: str) -> str:
    """The text with WhatsApp's marks: *bold*, _italic_, ~struck~, `code`, ```blocks```; a link's address stands behind
    its label. https://faq.whatsapp.com/539178204879377"""
    return _whole(text, spans(text), _WHATSAPP)


def to_plain(text: str) -> str:
    """The text without marks, a link's address behind its label, with lists as they are written: for platforms that
    show text as it is."""
    return _whole(text, spans(text), _PLAIN)


def _whole(text: str, found: tuple[Span, ...], dialect: Dialect) -> str:
    made = _content(text, 0, len(text), found, dialect)
    return made if made.strip() else dialect.escape(text)


def _content(text: str, start: int, end: int, inside: tuple[Span, ...], dialect: Dialect) -> str:
    pieces = []
    for span in inside:
        pieces += [dialect.escape(text[start : span.start]), _element(text, span, dialect)]
        start = span.end
    return "".join([*pieces, dialect.escape(text[start:end])])


def _element(text: str, span: Span, dialect: Dialect) -> str:
    if span.kind == "bullet":
        return dialect.nested if span.about == "nested" else "-"
    if span.kind == "rule":
        return ""
    if span.kind == "block":
        before, after = dialect.block(span.about)
        return f"{before}{dialect.escape(text[span.inner : span.inner_end])}{after}"
    made = _content(text, span.inner, span.inner_end, span.inside, dialect)
    if span.kind == "quote":
        before, after = dialect.quote
        return f"{before if made else before.rstrip()}{made}{after}"
    if span.kind == "link":
        return dialect.link(made, span.about)
    before, after = dialect.marks.get(span.kind, ("", ""))
    if span.kind == "heading" and any(one.kind in ("bold", "both", "code") for one in span.inside):
        return made  # marks inside marks of their kind are none
    return f"{before}{made}{after}"


def _html_block(language: str) -> tuple[str, str]:
    if not language:
        return "<pre>", "</pre>"
    return f'<pre><code class="language-{html.escape(language)}">', "</code></pre>"


def _html_link(label: str, url: str) -> str:
    return f'<a href="{html.escape(url)}">{label}</a>'


def _mrkdwn_link(label: str, url: str) -> str:
    # a bar would end the address
    return f"<{_escaped(url).replace('|', '%7C')}|{label}>"


def _beside(label: str, url: str) -> str:
    return (
        url if label.strip() in (url, url.removeprefix("https://"), url.removeprefix("http://")) else f"{label} ({url})"
    )


def _escaped(text: str) -> str:
    return html.escape(text, quote=False)


_NEXT_LINE = "</blockquote>\n<blockquote>"
"""Lines of one quotation are shown as one."""
_HTML = Dialect(
    {"bold": ("<b>", "</b>"), "italic": ("<i>", "</i>"), "both": ("<b><i>", "</i></b>"), "strike": ("<s>", "</s>"),
     "code": ("<code>", "</code>"), "heading": ("<b>", "</b>")},
    _html_block, _html_link, quote=("<blockquote>", "</blockquote>"), escape=_escaped,
)  # fmt: skip
_MRKDWN = Dialect(
    {"bold": ("*", "*"), "italic": ("_", "_"), "both": ("*_", "_*"), "strike": ("~", "~"), "code": ("`", "`"),
     "heading": ("*", "*")},
    lambda language: ("```\n", "\n```"), _mrkdwn_link, escape=_escaped,  # a language would be its first line
)  # fmt: skip
_WHATSAPP = Dialect(
    {"bold": ("*", "*"), "italic": ("_", "_"), "both": ("*_", "_*"), "strike": ("~", "~"), "code": ("`", "`"),
     "heading": ("*", "*")},
    lambda language: ("```", "```"), _beside,
)  # fmt: skip
_PLAIN = Dialect({}, lambda language: ("", ""), _beside, quote=("", ""), nested="-")  # a ring takes three bytes
