"""What models cost, as this process knows it: looked up once a minute at most, and at once after a price was set."""

from __future__ import annotations

from dataclasses import asdict

import orjson

from shared.cache.invalidation import Invalidations
from shared.cache.two_level import TwoLevel, key_of
from shared.money import Price
from shared.store.db.pool import Database
from shared.store.models import prices as store

TOPIC = "model_prices"
TTL_S = 60.0
"""How late a price may be heard of where whoever set it did not tell."""
ENTRIES = 5_000


class KnownPrices:
    """For any thread but an event loop's: what was not asked for lately is looked up in Redis and PostgreSQL."""

    def __init__(self, db: Database, cache: TwoLevel, invalidations: Invalidations) -> None:
        self._db, self._cache = db, cache
        self._invalidations: Invalidations | None = invalidations
        self._parsed: dict[bytes, Price | None] = {}

    def price_of(self, company_id: int, provider: str, model: str) -> Price | None:
        """Return what a company pays for a model of a provider, None if it is not known. Raises DatabaseUnavailable
        where nothing is remembered and the database is away."""
        heard, self._invalidations = self._invalidations, None  # most processes never ask for a price
        if heard is not None:
            self._cache.follow(heard, TOPIC)

        def make() -> bytes:
            with self._db.transaction(company_id) as conn:
                found = store.price_of(conn, company_id, provider, model)
            return orjson.dumps(None if found is None else asdict(found))

        body = self._cache.get_or_make(key_of("model_price", str(company_id), provider, model), make, topic=TOPIC)
        if body not in self._parsed:
            if len(self._parsed) >= ENTRIES:
                self._parsed.clear()
            said = orjson.loads(body)
            self._parsed[body] = None if said is None else Price(**said)
        return self._parsed[body]
