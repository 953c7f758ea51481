"""What the tests of embedding models do alike: index all that is due, ask, look which model ranked, drop a model."""

from __future__ import annotations

from datetime import UTC, datetime

from shared.store.db.pool import Conn
from tasks.knowledge import embedding_models as flow
from tasks.knowledge.index import Result
from tests.factories import Bot
from tests.integration.station import Station

OPENING = "Doors are open from nine."


def index_all(station: Station) -> None:
    station.r.embedding_models.forget()
    for _ in range(100):
        if station.index() is Result.NOTHING_DUE:
            station.r.embedding_models.forget()
            return
    raise AssertionError("it has no end")


def states(station: Station) -> dict[str, str]:
    return {str(model): str(state) for model, state in station.rows("SELECT name, state FROM embedding_models")}


def receipt(station: Station) -> tuple[object, ...]:
    """Which model ranked the passages of the newest answer, and what it says of the first passage."""
    return station.rows("SELECT embedding_model, passages->0->'cosine' FROM receipts ORDER BY turn_id DESC LIMIT 1")[0]


def asked(station: Station, bot: Bot, chat: int) -> tuple[object, ...]:
    station.receive(bot, "When may I visit?", chat=chat)
    station.answer()
    return receipt(station)


def drop(conn: Conn, model: str) -> int:
    return flow.drop(conn, model, now=lambda: datetime.now(UTC), told=lambda gone: None, sleep=lambda seconds: None)
