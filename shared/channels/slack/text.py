"""Slack's texts as plain ones: its escapes, its links and mentions in angle brackets, its blocks.

Written after https://docs.slack.dev/messaging/formatting-message-text (in a text only & < > are escaped, and what
stands in angle brackets is a link or a mention) and https://docs.slack.dev/reference/block-kit/blocks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import Any

from shared.channels.fields import TEXT_LIMIT, Json, inner, written

_TOKEN = re.compile(r"<([^<>\n]{1,4000})>|&(lt|gt|amp);")
_MENTION = re.compile(r"<@([A-Z0-9]{1,32})(?:\|[^<>\n]{0,200})?>")
_ADDRESS = re.compile(_MENTION.pattern + r"[ \t,:]*")
_ENTITIES = {"lt": "<", "gt": ">", "amp": "&"}
_ENTITY = re.compile("&(lt|gt|amp);")
_READ_MAX = 4 * TEXT_LIMIT  # escapes make a text longer than what it says
_PIECES_MAX = 5_000


def of_message(message: Json, ours: frozenset[str] = frozenset()) -> str | None:
    """What a message says: its text, else that of its blocks, else that of its (old) attachments. ours: users whose
    mentions are left out, unless there is nothing else."""
    whole = _said(message, frozenset())
    return (_said(message, ours) if whole is not None and ours else None) or whole


def _said(message: Json, ours: frozenset[str]) -> str | None:
    text = message.get("text")
    if isinstance(text, str) and ours:
        text = _ADDRESS.sub(lambda match: "" if match[1] in ours else match[0], text[:_READ_MAX]).strip(" ")
    if message.get("text") and not text:
        return None  # nothing but our name; its blocks say the same
    return plain(text) or _joined(_of_blocks(message.get("blocks"), ours)) or _joined(_of_attached(message))


def mentioned(message: Json) -> frozenset[str]:
    """Users whom a message names in its text."""
    text = message.get("text")
    found = (match[1] for match in _MENTION.finditer(text[:_READ_MAX])) if isinstance(text, str) else ()
    return frozenset(islice(found, _PIECES_MAX))


def plain(value: Any) -> str | None:
    """A text in mrkdwn as it reads; asterisks and the like stay. None for no text and for nothing but whitespace."""
    return written(_TOKEN.sub(_shown, value[:_READ_MAX])) if isinstance(value, str) else None


def _shown(match: re.Match[str]) -> str:
    if match[2] is not None:
        return _ENTITIES[match[2]]
    address, _, label = (_unescaped(part) for part in match[1].partition("|"))
    if address[:1] in ("@", "#") and len(address) > 1:
        return address[0] + (label.removeprefix(address[0]) or address[1:])
    if address.startswith("!"):
        # !here, !subteam^S1|@group, !date^1392734382^{date}|18 February
        return label or "@" + (address.split("^")[1] if "^" in address else address[1:])
    scheme, colon, rest = address.partition(":")
    if not colon:
        return f"<{_unescaped(match[1])}>"  # nothing that Slack writes
    if scheme in ("mailto", "tel"):
        return label or rest
    if not label or label == address:
        return address
    # Slack makes a link of what looks like one: then the label is what was typed
    return label if rest.strip("/") == label.strip("/") else f"{label} ({address})"


def _unescaped(text: str) -> str:
    return _ENTITY.sub(lambda match: _ENTITIES[match[1]], text)


def _joined(pieces: Iterator[str]) -> str | None:
    lines = "".join(islice(pieces, _PIECES_MAX))[: 2 * TEXT_LIMIT].splitlines()
    return written("\n".join(line for line in lines if line.strip()))


def _each(value: Any) -> Iterator[Json]:
    """The objects in a list; each counts as a piece, so that a hostile body ends somewhere."""
    return (item if isinstance(item, dict) else {} for item in value) if isinstance(value, list) else iter(())


def _of_blocks(blocks: Any, ours: frozenset[str]) -> Iterator[str]:
    for block in _each(blocks):
        yield "\n"
        if block.get("type") == "rich_text":
            for element in _each(block.get("elements")):
                yield from _of_rich(element, ours)
        else:
            for text in (block.get("text"), *_each(block.get("fields")), *_each(block.get("elements"))):
                yield _of_object(text) + "\n"


def _of_object(text: Any) -> str:
    """A text object of a block ({type, text}), or the text itself; only mrkdwn is escaped."""
    if isinstance(text, dict) and text.get("type") == "mrkdwn":
        return plain(text.get("text")) or ""
    value = text.get("text") if isinstance(text, dict) else text
    return value[:TEXT_LIMIT] if isinstance(value, str) else ""


def _of_rich(element: Json, ours: frozenset[str]) -> Iterator[str]:
    """A section, quote, preformatted block or list of a rich text; lists hold sections."""
    if element.get("type") == "rich_text_list":
        for section in _each(element.get("elements")):
            yield "- "
            yield from _of_section(section, ours)
    else:
        yield from _of_section(element, ours)


def _of_section(section: Json, ours: frozenset[str]) -> Iterator[str]:
    after_ours = False
    for leaf in _each(section.get("elements")):
        if leaf.get("type") == "user" and leaf.get("user_id") in ours:
            after_ours = True
            continue
        said = _of_leaf(leaf)
        yield said.lstrip(" \t,:") if after_ours else said
        after_ours = False
    yield "\n"


_LEAVES = {"user": ("@", "user_id"), "usergroup": ("@", "usergroup_id"), "channel": ("#", "channel_id"),
           "team": ("@", "team_id"), "broadcast": ("@", "range")}  # fmt: skip


def _of_leaf(leaf: Json) -> str:
    kind, text = str(leaf.get("type")), written(leaf.get("text"))
    if kind in _LEAVES:
        sign, name = _LEAVES[kind]
        return sign + (written(leaf.get(name), 128) or "")
    if kind == "emoji":
        return _emoji(leaf)
    if kind == "link":
        url = written(leaf.get("url")) or ""
        return f"{text} ({url})" if text and text != url else url
    whole = leaf.get("text") if kind == "text" else leaf.get("fallback")
    return whole[:TEXT_LIMIT] if isinstance(whole, str) else text or ""


def _emoji(leaf: Json) -> str:
    """The character where its code is given (as 1f44b-1f3fd), else its name between colons."""
    codes, name = leaf.get("unicode"), written(leaf.get("name"), 128)
    if isinstance(codes, str) and len(codes) <= 64:
        try:
            return "".join(chr(int(code, 16)) for code in codes.split("-"))
        except (ValueError, OverflowError):
            pass  # no code
    return f":{name}:" if name else ""


def _of_attached(message: Json) -> Iterator[str]:
    """The old attachments, which bots and shared messages still have: their fallback says it in one text."""
    for attached in _each(message.get("attachments")):
        for name in ("pretext", "title", "text"):
            yield (plain(attached.get(name)) or "") + "\n"
        if not any(attached.get(name) for name in ("pretext", "title", "text")):
            yield (plain(attached.get("fallback")) or "") + "\n"


def names(message: Json, users: frozenset[str]) -> bool:
    """Whether a message mentions one of these users, in its text or, where it has none, in its blocks."""
    text = message.get("text")
    if isinstance(text, str) and text:
        return any(f"<@{user}>" in text or f"<@{user}|" in text for user in users)
    leaves = (
        leaf
        for block in _each(message.get("blocks"))
        for element in _each(block.get("elements"))
        for leaf in _each(element.get("elements"))
    )
    return any(leaf.get("type") == "user" and str(leaf.get("user_id")) in users for leaf in islice(leaves, _PIECES_MAX))


def option(value: Any) -> str | None:
    """The text of a button's or an option's label."""
    return plain(inner(value, "text").get("text")) if isinstance(value, dict) else None
