"""Our answers' light Markdown as the HTML that Telegram understands, and as Slack's mrkdwn.

Conservative on purpose: what is not clearly markup stays as it was written, so that an asterisk in a formula
or an unclosed fence reaches the customer unchanged.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable

# Repeats keep what they took (`++`), and what they hold is looked at before: each character is read a few times at
# most, also where a model never closes what it opened.
_LINK = (
    r"\[(?P<label>(?=[^\[\]\n]*[^\[\]\s])[^\[\]\n]++)\]"
    r"\((?P<url>https?://(?:[^\s()<>]++|\([^\s()<>]*+\))+)\)"
)
_MARKUP = re.compile(
    r"```(?:(?P<language>[A-Za-z0-9_+#-]+)?[ \t]*\n)?(?P<block>(?=\s*+(?!```)\S)(?:[^`]++|`(?!``))*)```"
    r"|(?<!`)`(?P<code>(?=[^`\n]*[^`\s])[^`\n]++)`(?!`)"
    # 2**3**4 is no bold: no letter or digit may touch the asterisks from outside
    r"|(?<![0-9A-Za-z*])\*\*(?=[^\s*])(?P<bold>[^*\n]++)(?<=\S)\*\*(?![0-9A-Za-z*])"
    r"|" + _LINK,
    re.DOTALL,
)
_LINK_ALONE = re.compile(_LINK)


def to_html(text: str) -> str | None:
    """The text as HTML of Telegram's subset, escaped; None if it holds no markup and can go as it is.

    Knows **bold**, `code`, ```blocks``` with or without a language, [label](http…). What Telegram shows of it
    is never longer than `text`.
    """
    converted, found = _replace(_MARKUP, text, _element)
    return converted if found else None


def to_mrkdwn(text: str) -> str:
    """The text as Slack's mrkdwn, escaped: & < > as entities, so that nothing of it becomes a mention or a link but
    our own links. https://docs.slack.dev/messaging/formatting-message-text"""
    return _replace(_MARKUP, text, _mrkdwn)[0]


def _mrkdwn(match: re.Match[str]) -> str:
    if match["block"] is not None:
        return f"```\n{_escape(match['block'].strip(chr(10)))}\n```"  # a language would be its first line
    if match["code"] is not None:
        return f"`{_escape(match['code'])}`"
    if match["bold"] is not None:
        inner, _ = _replace(_LINK_ALONE, match["bold"], _mrkdwn_link)
        return f"*{inner}*"
    return _mrkdwn_link(match)


def _mrkdwn_link(match: re.Match[str]) -> str:
    # a bar would end the address
    return f"<{_escape(match['url']).replace('|', '%7C')}|{_escape(match['label'])}>"


def _replace(pattern: re.Pattern[str], text: str, element: Callable[[re.Match[str]], str]) -> tuple[str, bool]:
    pieces, end = [], 0
    for match in pattern.finditer(text):
        pieces += [_escape(text[end : match.start()]), element(match)]
        end = match.end()
    return "".join([*pieces, _escape(text[end:])]), bool(pieces)


def _element(match: re.Match[str]) -> str:
    if match["block"] is not None:
        return _block(match["block"].rstrip("\n"), match["language"])
    if match["code"] is not None:
        return f"<code>{_escape(match['code'])}</code>"
    if match["bold"] is not None:
        inner, _ = _replace(_LINK_ALONE, match["bold"], _link)
        return f"<b>{inner}</b>"
    return _link(match)


def _block(code: str, language: str | None) -> str:
    if language is None:
        return f"<pre>{_escape(code)}</pre>"
    return f'<pre><code class="language-{language}">{_escape(code)}</code></pre>'


def _link(match: re.Match[str]) -> str:
    return f'<a href="{html.escape(match["url"])}">{_escape(match["label"])}</a>'


def _escape(text: str) -> str:
    return html.escape(text, quote=False)
