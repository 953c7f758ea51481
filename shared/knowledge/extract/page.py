"""A page's elements, parsed as browsers do, with how much text and how many links are in each."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from shared.knowledge.extract.base import Unreadable
from shared.knowledge.extract.below import below
from shared.knowledge.extract.package import NODES_MAX

DEPTH_MAX = 120
"""What is nested deeper is taken as if it stood there."""
OPEN_MAX = 4_000
SOURCED_CHARS = 2_000
"""What a script from another address counts."""
_LEFT = frozenset((
    "script", "style", "noscript", "template", "svg", "iframe", "head", "object", "canvas", "audio", "video", "math",
    "textarea", "datalist", "rt", "rp", "del", "s", "strike", "-comment",
))  # fmt: skip
"""No text, or text that is not to be read: readings above characters, prices that were."""
_TAG = re.compile(r"<(/?)([a-z][a-z0-9:-]{0,30})")
_NEVER_DEEP = frozenset(
    [
        "area",
        "base",
        "br",
        "col",
        "embed",
        "hr",
        "img",
        "input",
        "link",
        "meta",
        "source",
        "track",
        "wbr",
        "html",
        "head",
        "body",
        "p",
        "li",
        "dt",
        "dd",
        "tr",
        "td",
        "th",
        "thead",
        "tbody",
        "tfoot",
        "option",
        "optgroup",
        "a",
        "button",
        "nobr",
    ]
)
"""They have no end, or end by themselves where the next one begins."""
_WORD = re.compile(r"[a-z]+")


class Element:
    """chars: of all text below; linked: of those, in links and buttons; links: how many there are. scripts: of a page,
    characters in them."""

    __slots__ = ("attributes", "chars", "children", "linked", "links", "name", "scripts")

    def __init__(self, name: str, attributes: Mapping[str, str | None]) -> None:
        self.name = name
        self.attributes = attributes
        self.children: list[Element | str] = []
        self.chars = self.linked = self.links = self.scripts = 0

    def get(self, name: str) -> str:
        return self.attributes.get(name) or ""

    def every(self) -> Iterator[Element]:
        """All elements below."""
        return (child for child in below(self.children) if isinstance(child, Element))

    def plain(self) -> str:
        """All text below, on one line."""
        return " ".join("".join(child if isinstance(child, str) else " " for child in below(self.children)).split())

    def words(self) -> set[str]:
        """Of its class and id."""
        split = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", f"{self.get('class')} {self.get('id')}"[:500])
        return set(_WORD.findall(split.lower()))


def parsed(text: str) -> tuple[Element, str]:
    """The page's elements and its title. Copied in a loop, because a page may nest as deeply as it likes."""
    from selectolax.lexbor import LexborHTMLParser

    _refuse_depths(text)
    tree = LexborHTMLParser(text)
    found = tree.css_first("title")
    title = found.text(deep=True) if found is not None else ""
    root = Element("body", {})
    root.scripts = sum(
        SOURCED_CHARS if script.attributes.get("src") else len(script.text(deep=True)) for script in tree.css("script")
    )
    open_: list[tuple[Element, Any]] = [(root, tree.body)]  # with the node that each one was made of
    node = tree.body.first_child if tree.body is not None else None
    count = 0
    while open_:
        if node is None:
            element, made_of = open_.pop()
            if open_ and made_of is not None:
                _tell(open_[-1][0], element)
                node = made_of.next
            continue
        count += 1
        if count > NODES_MAX:
            raise Unreadable(f"more than {NODES_MAX} elements: divide the page")
        name = node.tag or ""
        if name == "-text":
            _add_text(open_[-1][0], node.text_content or "")
        elif name not in _LEFT:
            deep = len(open_) > DEPTH_MAX
            element = open_[-1][0] if deep and name not in ("br",) else Element(name, node.attributes)
            if element is not open_[-1][0]:
                open_[-1][0].children.append(element)
            child = node.first_child
            if child is not None:
                open_.append((element, node))
                node = child
                continue
            if element is not open_[-1][0]:
                _tell(open_[-1][0], element)
        node = node.next
    return root, title


def _refuse_depths(text: str) -> None:
    """Raise Unreadable for more elements open at once than any page has: with each further one the parser looks
    through all of them."""
    depth = at = 0
    lowered = text.lower()
    for tag in _TAG.finditer(lowered):
        if tag.start() < at or tag[2] in _NEVER_DEEP:
            continue
        if tag[1]:
            depth = max(0, depth - 1)
        elif tag[2] == "script":
            at = lowered.find("</script", tag.end())
            if at < 0:
                return
        else:
            depth += 1
            if depth > OPEN_MAX:
                raise Unreadable("nested too deeply")


def _add_text(parent: Element, text: str) -> None:
    parent.children.append(text)
    parent.chars += len(text) - text.count(" ") - text.count("\n")


def _tell(parent: Element, element: Element) -> None:
    """Add what an element has to the one that it stands in."""
    if element is parent:
        return
    parent.chars += element.chars
    if element.name in ("a", "button"):
        parent.linked += element.chars
        parent.links += 1
    else:
        parent.linked += element.linked
        parent.links += element.links
