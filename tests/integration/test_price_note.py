"""What `up` says of a model that nobody knows the price of."""

from __future__ import annotations

import psycopg
import pytest

from shared.embedded import Database
from shared.money import Price
from shared.settings import Settings
from shared.store.models.prices import Named, set_prices
from workers.local import _without_price


@pytest.mark.parametrize(("url", "told"), [("https://api.example.com/v1", True), ("http://127.0.0.1:9/v1", False)])
def test_a_paid_model_without_a_price_is_told_with_the_command(database: Database, url: str, told: bool) -> None:
    config = Settings.of(LLM_BASE_URL=url, LLM_MODEL="gpt-x", DATABASE_ADMIN_URL=database.admin_url)
    with psycopg.connect(database.admin_url, autocommit=True) as conn:
        assert ["./switchboard price set gpt-x IN OUT" in note for note in _without_price(conn, config)] == [
            True
        ] * told
        set_prices(conn, [Named("gpt-x", "", Price(150_000, 600_000))])
        assert _without_price(conn, config) == []
