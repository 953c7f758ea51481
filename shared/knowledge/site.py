"""A website by its sitemap: which pages there are, and which of them its robots.txt lets us read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit
from urllib.robotparser import RobotFileParser
from xml.parsers import expat

from shared.errors import Permanent
from shared.resilience.egress import Fetched

AGENT = "Switchboard"
PAGES_MAX = 2_000
SITEMAPS_MAX = 20
SITEMAP_BYTES = 10 * 1024 * 1024
ROBOTS_BYTES = 512 * 1024
ADDRESS_CHARS = 2_000
LASTMOD_CHARS = 40

Get = Callable[[str, int], Fetched]
"""(address, bytes at most) → what stands there; through a guard that keeps it out of private networks."""


@dataclass(frozen=True, slots=True)
class Site:
    """pages: addresses in the order of the sitemap, with when it says that each changed, empty where it does not. left:
    how many robots.txt or the limit kept out. named: all of its host's that it names, read or not; None where a limit
    was met, and others may be named."""

    pages: dict[str, str]
    left: int
    named: frozenset[str] | None = None


def pages_of(address: str, get: Get) -> Site:
    """The pages of a sitemap and of those it points at, all of one host. Raises Permanent when there is no sitemap,
    and what `get` raises."""
    if urlsplit(address).scheme not in ("http", "https") or not urlsplit(address).hostname:
        raise Permanent("site", "a sitemap's address begins with https://")
    robots = _robots(address, get)
    host = urlsplit(address).netloc
    waiting, seen, pages, left = [address], {address}, dict[str, str](), 0
    named: set[str] = set()
    while waiting and len(seen) <= SITEMAPS_MAX:
        sitemaps, found = _read(get(waiting.pop(0), SITEMAP_BYTES))
        named.update(page for page in found if urlsplit(page).netloc == host)
        for page, lastmod in found.items():
            if urlsplit(page).netloc == host and robots.can_fetch(AGENT, page) and len(pages) < PAGES_MAX:
                pages[page] = lastmod
            else:
                left += page not in pages
        for sitemap in sitemaps:
            if urlsplit(sitemap).netloc == host and sitemap not in seen:
                seen.add(sitemap)
                waiting.append(sitemap)
    whole = not waiting and len(pages) < PAGES_MAX
    return Site(pages, left, frozenset(named) if whole else None)


def allowed(address: str, get: Get) -> bool:
    """Whether robots.txt lets us read this page."""
    return _robots(address, get).can_fetch(AGENT, address)


def _robots(address: str, get: Get) -> RobotFileParser:
    """No robots.txt allows everything; one that says to come back later, or may not be seen, nothing."""
    parts = urlsplit(address)
    parser = RobotFileParser()
    fetched = get(f"{parts.scheme}://{parts.netloc}/robots.txt", ROBOTS_BYTES)
    if fetched.status in (401, 403, 429) or fetched.status >= 500:
        raise Permanent("site", f"its robots.txt answers {fetched.status}: the site may not be read")
    text = fetched.body.decode("utf-8", "replace") if fetched.status == 200 else ""
    parser.parse(text.splitlines())
    return parser


def _read(fetched: Fetched) -> tuple[list[str], dict[str, str]]:
    """(sitemaps, pages with their lastmod) that a sitemap names. Raises Permanent for anything else."""
    if fetched.status != 200:
        raise Permanent("site", f"the sitemap's address answers {fetched.status}")
    reader = _Sitemap()
    try:
        reader.parse(fetched.body)
    except expat.ExpatError as e:
        raise Permanent("site", f"no sitemap: its XML is broken at line {e.lineno}") from None
    if reader.root not in ("urlset", "sitemapindex"):
        raise Permanent("site", "no sitemap: name the address of its sitemap.xml")
    found = {address: lastmod for address, lastmod in reader.found if address and len(address) <= ADDRESS_CHARS}
    return (list(found), {}) if reader.root == "sitemapindex" else ([], found)


class _Sitemap:
    """urlset/url/loc or sitemapindex/sitemap/loc, and lastmod beside it; entities of its own are refused, because they
    unfold."""

    def __init__(self) -> None:
        self.root = ""
        self.found: list[tuple[str, str]] = []
        self._entry: dict[str, str] = {}
        self._path: list[str] = []
        self._text: list[str] = []

    def parse(self, body: bytes) -> None:
        parser = expat.ParserCreate(namespace_separator=" ")
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._data
        parser.StartDoctypeDeclHandler = self._refuse
        parser.Parse(body, True)

    def _refuse(self, *_: object) -> None:
        raise Permanent("site", "no sitemap: it declares entities of its own")

    def _start(self, name: str, _: dict[str, str]) -> None:
        local = name.rpartition(" ")[2]
        self.root = self.root or local
        self._path.append(local)
        self._text = []

    def _data(self, data: str) -> None:
        self._text.append(data)

    def _end(self, name: str) -> None:
        if len(self._path) == 3 and self._path[1] in ("url", "sitemap"):
            self._entry[self._path[2]] = "".join(self._text).strip()
        elif len(self._path) == 2:
            self.found.append((self._entry.get("loc", ""), self._entry.get("lastmod", "")[:LASTMOD_CHARS]))
            self._entry = {}
        self._path.pop()
