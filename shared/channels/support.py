"""What each platform can do here, in one table: for people (docs/channels), held to the code by a test."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from shared.channels import markup
from shared.channels.base import Platform, ReportsHealth
from shared.model import Kind

_LONG = 100_000
_NARROW, _WIDE = "x", "漢"


@dataclass(frozen=True, slots=True)
class Support:
    """What the code alone does not say.

    proof: what proves where a webhook is from. events: the kinds that its parser tells apart. window: until when we
    may answer. settled: how a send of unknown outcome ends.
    """

    proof: str
    events: frozenset[Kind]
    window: str
    settled: str


_META: frozenset[Kind] = frozenset(
    {"message", "edited", "deleted", "reaction", "delivery", "read", "echo", "handover", "referral", "optin",
     "account", "other"}
)  # fmt: skip

SUPPORT: Mapping[str, Support] = MappingProxyType(
    {
        "telegram": Support(
            "a secret header",
            frozenset({"message", "edited", "deleted", "reaction", "echo", "account", "other"}),
            "no limit",
            "by a person",
        ),
        "messenger": Support(
            "HMAC-SHA256 of the body", _META, "24 h; a person 7 days", "by the echo, which carries our reference"
        ),
        "instagram": Support(
            "HMAC-SHA256 of the body", _META, "24 h; a person 7 days", "by the echo: its text and its time"
        ),
        "whatsapp": Support(
            "HMAC-SHA256 of the body",
            _META,
            "24 h",
            "by the status, which carries our reference",
        ),
        "slack": Support(
            "HMAC-SHA256 of time and body",
            frozenset({"message", "edited", "deleted", "reaction", "echo", "account", "other"}),
            "no limit",
            "by the message's event, which carries our reference",
        ),
        "standard": Support(
            "HMAC-SHA256 of id, time and body",
            frozenset({"message", "edited", "deleted", "echo", "other"}),
            "no limit",
            "by sending it again under its id",
        ),
        "widget": Support("a visitor's token", frozenset({"message", "other"}), "no limit", "never unknown"),
    }
)


def part_limit(platform: Platform) -> str:
    """How long a part may be, as its splitting shows."""
    narrow, wide = (max(map(len, platform.split(letter * _LONG))) for letter in (_NARROW, _WIDE))
    if narrow == _LONG:
        return "any length"
    return f"{narrow} characters" if narrow == wide else f"{narrow} bytes of UTF-8"


def rates(platform: Platform) -> str:
    """The limits of one send, as its rates say: of the channel first, then of the chat."""
    said = []
    for rate in platform.rates("1", "-5" if platform.name == "telegram" else "5"):
        per = "s" if rate.per_s == 1 else f"{rate.per_s:g} s"
        burst = f" after {rate.burst} at once" if rate.burst > rate.count else ""
        said.append(f"{rate.count} / {per}{burst}")
    return ", ".join(said) or "none"


def tries(platform: Platform) -> str:
    if platform.local_delivery:
        return "none: delivered once stored"
    hours = platform.patience.expires_after_s / 3600
    return f"up to {platform.patience.attempts_max} in {hours:g} h"


def table(platforms: Mapping[str, Platform]) -> str:
    """Markdown."""
    columns = (
        "channel", "a webhook is proven by", "kinds of events", "longest part", "rate limits", "answers allowed for",
        "attempts", "an unknown outcome is settled", "health can be asked for",
    )  # fmt: skip
    lines = [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    for name, platform in platforms.items():
        support = SUPPORT[name]
        page = "../widget.md" if name == "widget" else f"{name}.md"
        cells = (
            f"[{name}]({page})", support.proof, ", ".join(sorted(support.events)), part_limit(platform),
            rates(platform), support.window, tries(platform), support.settled,
            "yes" if isinstance(platform, ReportsHealth) else "no",
        )  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


_WRITTEN = (
    "**bold**", "*italic*", "~~struck~~", "`code`", "```py\nx = 1\n```", "[label](https://a.example)", "## Heading",
    "* item", "* item\n  * below it", "> quoted", "| a | b |",
)  # fmt: skip


def markup_table() -> str:
    """Markdown: what becomes of an answer's Markdown on each platform, by what the renderings do."""
    columns = ("an answer has", "Telegram", "Slack", "WhatsApp", "Messenger, Instagram")
    lines = [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    for text in _WRITTEN:
        shown = (text, markup.to_html(text) or text, markup.to_mrkdwn(text), markup.to_whatsapp(text),
                 markup.to_plain(text))  # fmt: skip
        lines.append(f"| {' | '.join(map(_as_code, shown))} |")
    return "\n".join(lines)


def _as_code(text: str) -> str:
    """As code in a cell of a table; a line's end is shown as ⏎."""
    shown = text.replace("\n", "⏎").replace("|", "\\|")
    return f"```` {shown} ````" if "`" in shown else f"`{shown}`"
