"""An answer whose passages a reranker chose."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tasks.answers.reply import PASSAGES, RERANKED, Result
from tests.factories import make_bot
from tests.integration.answered import replies
from tests.integration.station import Station


class Preferring:
    """A reranker that knows which text is right."""

    def __init__(self, right: str) -> None:
        self.right = right
        self.asked: list[list[str]] = []

    def scores(self, question: str, texts: Sequence[str]) -> list[float]:
        self.asked.append(list(texts))
        return [float(self.right in text) for text in texts]


def test_a_reranker_chooses_from_many_more_passages_than_an_answer_shows(
    station: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    bot = make_bot(station.inbox.server.admin_url)
    for number in range(RERANKED + 5):
        station.learn(bot, f"The shop opens at nine in the morning in street {number}, beside house {number * 7}.")
    preferring = Preferring("in street 33,")
    monkeypatch.setattr(station.r, "reranker", preferring)

    station.receive(bot, "When does the shop open in the morning?")
    assert station.answer() is Result.ANSWERED

    [asked] = preferring.asked
    assert len(asked) == RERANKED
    [(shown,)] = station.rows("SELECT jsonb_array_length(passages) FROM receipts")
    assert 0 < shown <= PASSAGES
    [(first,)] = station.rows(
        "SELECT c.text FROM receipts r JOIN chunks c ON c.id = (r.passages -> 0 ->> 'chunk')::bigint"
    )
    assert preferring.right in first
    assert replies(station)
