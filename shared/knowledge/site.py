"""A website by its sitemap: which pages there are, and which of them its robots.txt lets us read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from shared.errors import Permanent
from shared.knowledge.extract import sandbox
from shared.knowledge.extract.sitemap import SITEMAPS_MAX
from shared.resilience.egress import Fetched

AGENT = "Switchboard"
PAGES_MAX = 2_000
NAMED_MAX = 50_000
"""So many addresses are kept to be compared with the next reading's."""
SITEMAP_BYTES = 10 * 1024 * 1024
ROBOTS_BYTES = 512 * 1024
CPU_S = 20

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
    """The pages of a sitemap and of those it points at, all of one host. Each is read in a child that has limits.
    Raises Permanent when there is no sitemap, and what `get` and the child raise."""
    host = _host(address)
    robots = _robots(address, get)
    waiting, seen, pages, left = [address], {address}, dict[str, str](), 0
    named: set[str] | None = set()
    while waiting and len(seen) <= SITEMAPS_MAX:
        told = _read(get(waiting.pop(0), SITEMAP_BYTES), robots, host, PAGES_MAX - len(pages))
        if named is not None:
            named.update(told["named"])
            named = None if len(named) > NAMED_MAX else named
        pages.update((page, lastmod) for page, lastmod in told["pages"])
        left += told["left"]
        fresh = [sitemap for sitemap in dict.fromkeys(told["sitemaps"]) if sitemap not in seen]
        seen.update(fresh)
        waiting += fresh
    whole = not waiting and len(pages) < PAGES_MAX
    return Site(pages, left, frozenset(named) if whole and named is not None else None)


def _host(address: str) -> str:
    try:
        parts = urlsplit(address)
        if parts.scheme in ("http", "https") and parts.hostname:
            return parts.netloc
    except ValueError:
        pass  # an address with brackets that hold none
    raise Permanent("site", "a sitemap's address begins with https://")


def _robots(address: str, get: Get) -> str:
    """No robots.txt allows everything; one that says to come back later, or may not be seen, nothing."""
    parts = urlsplit(address)
    fetched = get(f"{parts.scheme}://{parts.netloc}/robots.txt", ROBOTS_BYTES)
    if fetched.status in (401, 403, 429) or fetched.status >= 500:
        raise Permanent("site", f"its robots.txt answers {fetched.status}: the site may not be read")
    return fetched.body.decode("utf-8", "replace") if fetched.status == 200 else ""


def _read(fetched: Fetched, robots: str, host: str, room: int) -> dict[str, Any]:
    """What a sitemap names (extract/sitemap.py). Raises Permanent for anything else."""
    if fetched.status != 200:
        raise Permanent("site", f"the sitemap's address answers {fetched.status}")
    request = {"task": "sitemap", "robots": robots, "agent": AGENT, "host": host, "room": room}
    return sandbox.run(request, fetched.body, cpu_s=CPU_S)[0]
