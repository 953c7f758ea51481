"""Telegram's HTML markup: text and entities, or the refusal in Telegram's words."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import unescape
from typing import Any

ENTITY_TYPES = {
    "b": "bold", "strong": "bold", "i": "italic", "em": "italic", "u": "underline", "ins": "underline",
    "s": "strikethrough", "strike": "strikethrough", "del": "strikethrough", "code": "code", "pre": "pre",
    "a": "text_link", "blockquote": "blockquote", "tg-spoiler": "spoiler",
}  # fmt: skip

_NAME = re.compile(r"<([^\s>]*)(?=[\s>])")
_ATTRIBUTES = re.compile(r"((?:\s+[^\s=>]+(?:\s*=\s*(?:\"[^\"]*\"|'[^']*'|[^\s>\"']+))?)*)\s*>")
_END = re.compile(r"</([^\s>]*)\s*>")
_NAMED = re.compile(r"&(#\d+|#[xX][0-9a-fA-F]+|[A-Za-z][A-Za-z0-9]*);")
_HREF = re.compile(r"href\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s>\"']+))")
_KNOWN_NAMES = ("lt", "gt", "amp", "quot")


class CannotParse(ValueError):
    """The markup is wrong; the message says where, counted in bytes of UTF-8 as Telegram does."""


@dataclass(frozen=True, slots=True)
class _Open:
    tag: str
    href: str | None
    offset: int


def utf16_units(text: str) -> int:
    """The length as Telegram counts it: characters outside the basic plane are two."""
    return len(text) + sum(ord(character) > 0xFFFF for character in text)


def parse_html(markup: str) -> tuple[str, list[dict[str, Any]]]:
    """The text without its markup, and its entities, offset and length in UTF-16 units.

    Raises CannotParse on a tag that Telegram does not take, on unbalanced tags, and on a named character
    reference other than lt, gt, amp, quot. (Telegram shows such a reference as it is written; refusing it here
    makes the mistake visible.)
    """
    text: list[str] = []
    units = 0
    opened: list[_Open] = []
    entities: list[dict[str, Any]] = []
    position = 0
    while position < len(markup):
        if markup[position] == "<":
            if markup.startswith("</", position):
                position = _end_tag(markup, position, opened, entities, units)
            else:
                position = _start_tag(markup, position, opened, units)
            continue
        piece, position = _characters(markup, position)
        text.append(piece)
        units += utf16_units(piece)
    if opened:
        raise CannotParse(f'Can\'t find end tag corresponding to start tag "{opened[-1].tag}"')
    return "".join(text), sorted(entities, key=lambda entity: (entity["offset"], -entity["length"]))


def _byte(markup: str, position: int) -> int:
    return len(markup[:position].encode())


def _start_tag(markup: str, position: int, opened: list[_Open], units: int) -> int:
    name = _NAME.match(markup, position)
    if name is None:
        raise CannotParse(f"Unclosed start tag at byte offset {_byte(markup, position)}")
    tag = name[1].lower()
    if tag not in ENTITY_TYPES:
        raise CannotParse(f'Unsupported start tag "{tag}" at byte offset {_byte(markup, position)}')
    attributes = _ATTRIBUTES.match(markup, name.end())
    if attributes is None:
        raise CannotParse(f'Unclosed start tag "{tag}" at byte offset {_byte(markup, position)}')
    href = _HREF.search(attributes[1]) if tag == "a" else None
    opened.append(_Open(tag, unescape(href[1] or href[2] or href[3] or "") if href else None, units))
    return attributes.end()


def _end_tag(markup: str, position: int, opened: list[_Open], entities: list[dict[str, Any]], units: int) -> int:
    if not opened:
        raise CannotParse(f"Unexpected end tag at byte offset {_byte(markup, position)}")
    match = _END.match(markup, position)
    if match is None:
        raise CannotParse(f"Unclosed end tag at byte offset {_byte(markup, position)}")
    start = opened.pop()
    if match[1] and match[1].lower() != start.tag:
        raise CannotParse(
            f"Unmatched end tag at byte offset {_byte(markup, position)}, "
            f'expected "</{start.tag}>", found "</{match[1]}>"'
        )
    # An empty entity and a link without an address are shown as plain text.
    if units > start.offset and (start.tag != "a" or start.href):
        entity = {"offset": start.offset, "length": units - start.offset, "type": ENTITY_TYPES[start.tag]}
        entities.append(entity | ({"url": start.href} if start.href else {}))
    return match.end()


def _characters(markup: str, position: int) -> tuple[str, int]:
    """The plain text at `position` up to the next tag or reference, and where it ends."""
    if markup[position] != "&":
        end = min(
            (at for at in (markup.find("<", position), markup.find("&", position)) if at >= 0), default=len(markup)
        )
        return markup[position:end], end
    match = _NAMED.match(markup, position)
    if match is None:
        return "&", position + 1
    if not match[1].startswith("#") and match[1] not in _KNOWN_NAMES:
        raise CannotParse(f'Unsupported character reference "{match[0]}" at byte offset {_byte(markup, position)}')
    return unescape(match[0]), match.end()
