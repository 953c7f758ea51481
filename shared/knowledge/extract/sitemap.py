"""Sitemaps and robots.txt: which addresses a site names, and which of them may be read. Runs in a child."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit
from urllib.robotparser import RobotFileParser
from xml.parsers import expat

from shared.knowledge.extract.base import Unreadable, XmlReader

ADDRESS_CHARS = 2_000
LASTMOD_CHARS = 40
ENTRIES_MAX = 50_000
"""Of a sitemap, as its protocol has it."""
SITEMAPS_MAX = 20
DEPTH_MAX = 100
TEXT_CHARS = 4_000
"""Of one element: an address is shorter."""


def read(raw: bytes, robots: str, agent: str, host: str, room: int) -> dict[str, Any]:
    """pages: [address, lastmod] of those that may be read, up to room; named: all of the host's; sitemaps: of an index.
    left: how many were named and are not among the pages. Raises Unreadable."""
    reader = _Sitemap()
    try:
        reader.parse(raw)
    except expat.ExpatError as e:
        raise Unreadable(f"not a valid sitemap: its XML is broken at line {e.lineno}") from None
    if reader.root not in ("urlset", "sitemapindex"):
        raise Unreadable("not a valid sitemap: name the address of its sitemap.xml")
    if reader.root == "sitemapindex":
        inner = [address for address in reader.found if _host(address) == host][: SITEMAPS_MAX + 1]
        return {"sitemaps": inner, "pages": [], "named": [], "left": 0}
    rules = RobotFileParser()
    rules.parse(robots.splitlines())
    named = [address for address in reader.found if _host(address) == host]
    pages: list[tuple[str, str]] = []
    for address in named:
        if len(pages) >= room:
            break
        if rules.can_fetch(agent, address):
            pages.append((address, reader.found[address]))
    return {"sitemaps": [], "pages": pages, "named": named, "left": len(reader.found) - len(pages)}


def _host(address: str) -> str | None:
    try:
        return urlsplit(address).netloc
    except ValueError:
        return None


class _Sitemap(XmlReader):
    """urlset/url/loc or sitemapindex/sitemap/loc, and lastmod beside it."""

    def __init__(self) -> None:
        self.root = ""
        self.found: dict[str, str] = {}
        self._entry: dict[str, str] = {}
        self._path: list[str] = []
        self._text: list[str] = []
        self._size = 0

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        local = name.rpartition(":")[2]
        self.root = self.root or local
        if len(self._path) >= DEPTH_MAX:
            raise Unreadable("not a valid sitemap: its elements are nested too deeply")
        self._path.append(local)
        self._text, self._size = [], 0

    def _data(self, data: str) -> None:
        self._size += len(data)
        if self._size <= TEXT_CHARS:
            self._text.append(data)

    def _end(self, name: str) -> None:
        if len(self._path) == 3 and self._path[1] in ("url", "sitemap"):
            self._entry[self._path[2]] = "".join(self._text).strip()
        elif len(self._path) == 2:
            self._add(self._entry.get("loc", ""), self._entry.get("lastmod", "")[:LASTMOD_CHARS])
            self._entry = {}
        self._path.pop()

    def _add(self, address: str, lastmod: str) -> None:
        if not address or len(address) > ADDRESS_CHARS:
            return
        if len(self.found) >= ENTRIES_MAX and address not in self.found:
            raise Unreadable(f"the sitemap names more than {ENTRIES_MAX} addresses: divide it")
        self.found[address] = lastmod
