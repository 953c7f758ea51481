"""Keeps the prices of models as a list on the web has them, once a day."""

from __future__ import annotations

import asyncio

import structlog

from shared.errors import Transient
from shared.resilience.egress import Egress, EgressRefused, TooLarge, Unreachable
from shared.store.models import prices as store
from shared.store.operations.jobs import Cursor
from tasks.models.price_list import ListRefused, PriceList, read
from tasks.operations.jobs import Batch, Job, Preview, Work

log = structlog.get_logger(__name__)

FETCH_WITHIN_S = 20.0
MAX_BYTES = 16 * 1024 * 1024
IN_USE_DAYS = 30
NAMED_MAX = 5
"""Models that an error names."""
UNSET = "PRICES_URL is not set: prices are those of `price set`"


class ListUnavailable(Transient):
    """The list could not be fetched; the prices of before stay."""


def _sync(work: Work, cursor: Cursor | None) -> Batch:
    """Take over a list whole, or not at all. rows: prices that are new or have ended."""
    url = work.settings.llm.prices_url
    if url is None:
        return Batch(lacking=UNSET)
    listed = read(fetch(url))
    with work.transaction() as conn:
        before = store.listed(conn, IN_USE_DAYS)
        judge(listed, before)
        synced = store.sync(conn, listed.named, list(listed.known))
    log.info("prices_synced", models=len(listed.prices), new=synced.new, ended=synced.ended,
             passed_over=len(listed.passed_over))  # fmt: skip
    if work.resources is not None and synced.new + synced.ended:
        work.resources.invalidations.tell(store.TOPIC)
    return Batch(synced.new + synced.ended)


def judge(listed: PriceList, before: list[store.Held]) -> None:
    """Raise ListRefused for a list that has lost half of what the last one had, or a model that was called lately."""
    gone = [held for held in before if (held.provider, held.model) not in listed.known]
    lost = [f"{held.provider}/{held.model}".removeprefix("/") for held in gone if held.in_use]
    if lost:
        names = ", ".join(sorted(lost)[:NAMED_MAX]) + ("" if len(lost) <= NAMED_MAX else ", …")
        raise ListRefused(
            f"the list of prices has lost models in use ({names}): `price set` them, or look at PRICES_URL; the prices"
            " of before stay"
        )
    if before and 2 * (len(before) - len(gone)) <= len(before):
        raise ListRefused(
            f"the list of prices names {len(before) - len(gone)} of the {len(before)} models that it had: look at"
            " PRICES_URL; the prices of before stay"
        )


def fetch(url: str) -> bytes:
    """Fetch the list. Raises ListUnavailable; ListRefused for an address that is none, or a list that is too large."""
    return asyncio.run(_fetch(url))


async def _fetch(url: str) -> bytes:
    try:
        egress = Egress(trusted=[url])  # the operator's own address, which may lie inside a private network
    except ValueError:
        raise ListRefused("PRICES_URL is not a valid web address") from None
    try:
        fetched = await egress.get(url, purpose="site", deadline_s=FETCH_WITHIN_S, max_bytes=MAX_BYTES)
    except EgressRefused as e:
        raise ListRefused(f"PRICES_URL may not be fetched: {e}") from e
    except TooLarge as e:
        raise ListRefused(f"the list of prices is larger than {MAX_BYTES // 2**20} MB") from e
    except Unreachable as e:
        raise ListUnavailable(f"the list of prices cannot be reached ({e}); the prices of before stay") from e
    finally:
        await egress.aclose()
    if fetched.status != 200:
        raise ListUnavailable(f"PRICES_URL answered {fetched.status}; the prices of before stay")
    return fetched.body


def _would_sync(work: Work) -> Preview:
    url = work.settings.llm.prices_url
    if url is None:
        return Preview(0, 0, (UNSET,))
    listed = read(fetch(url))
    before = store.listed(work.conn, IN_USE_DAYS)
    judge(listed, before)
    held = {(one.provider, one.model): one.price for one in before}
    changed = sorted(key for key, price in listed.prices.items() if held.get(key) != price)
    ended = sorted(held.keys() - listed.known)
    lines = [f"would take the price of {maker}/{model}".replace(" /", " ") for maker, model in changed]
    lines += [f"would end the price of {maker}/{model}".replace(" /", " ") for maker, model in ended]
    return Preview(len(lines), 0, tuple(lines))


SYNC = Job("models.sync_prices", _sync, _would_sync)
