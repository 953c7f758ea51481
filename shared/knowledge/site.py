"""Lists the pages of a website by its sitemap, as far as its robots.txt allows."""

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
    """The pages of a website.

    pages: addresses in the order of the sitemap, each with its `lastmod`, empty if there is none. left: how many were
    left out by robots.txt or by the limit. named: all addresses on this host that the sitemap names; None if a limit
    was met, so that there may be more.
    """

    pages: dict[str, str]
    left: int
    named: frozenset[str] | None = None


def pages_of(address: str, get: Get) -> Site:
    """List the pages of a sitemap and of the sitemaps that it refers to, all of one host. Each is parsed in a child
    process with limits.

    Raises Permanent if there is no sitemap, and whatever `get` and the child raise.
    """
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
    """Return the site's robots.txt, empty if there is none. Raises Permanent if it is forbidden or temporarily
    unavailable."""
    parts = urlsplit(address)
    fetched = get(f"{parts.scheme}://{parts.netloc}/robots.txt", ROBOTS_BYTES)
    if fetched.status in (401, 403, 429) or fetched.status >= 500:
        raise Permanent("site", f"its robots.txt answers {fetched.status}: the site may not be read")
    return fetched.body.decode("utf-8", "replace") if fetched.status == 200 else ""


def _read(fetched: Fetched, robots: str, host: str, room: int) -> dict[str, Any]:
    """Return what a sitemap names (extract/sitemap.py). Raises Permanent for anything else."""
    if fetched.status != 200:
        raise Permanent("site", f"the sitemap's address answers {fetched.status}")
    request = {"task": "sitemap", "robots": robots, "agent": AGENT, "host": host, "room": room}
    return sandbox.run(request, fetched.body, cpu_s=CPU_S)[0]
