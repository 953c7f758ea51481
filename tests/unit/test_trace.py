"""The chart of a turn's way: the order of the journey, one scale, no bar outside of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from shared.store.answers.receipts import Part, Story
from tasks.answers.trace import Span, chart, spans

ACCEPTED = datetime(2030, 1, 1, tzinfo=UTC)


def _at(ms: int) -> datetime:
    return ACCEPTED + timedelta(milliseconds=ms)


def _sent(at_ms: int, status: str | None = "sent") -> dict[str, Any]:
    return {"started_at": _at(at_ms).isoformat(), "duration_ms": 30 if status else None, "status": status,
            "meaning": "sent" if status == "sent" else None}  # fmt: skip


STORY = Story(
    company_id=1, turn_id=7, conversation_id=3, state="answered", attempts=1, error=None, received_at=ACCEPTED,
    stored_at=_at(10), wanted_at=_at(810), claimed_at=_at(815), finished_at=_at(1300), answer_stored_at=_at(1320),
    receipt={
        "passages": [{}, {}], "ms": {"gather": 5, "embed": 8, "search": 7, "model": 450, "total": 480},
        "attempts": [
            {"provider": "a", "model": "m", "outcome": "timeout", "offset_ms": 0, "duration_ms": 300},
            {"provider": "b", "model": "s", "outcome": "ok", "offset_ms": 310, "duration_ms": 140},
        ],
    },
    overtaken={}, parts=[Part(1, "sent", "sent", _at(1310), [_sent(1330)]), Part(2, "queued", None, _at(1310), [])],
)  # fmt: skip


def test_every_station_has_its_beginning_and_its_time() -> None:
    assert [(s.name, s.offset_ms, s.duration_ms) for s in spans(STORY)] == [
        ("accepted", 0, None),
        ("stored", 0, 10),
        ("quiet window", 10, 800),
        ("claimed", 810, 5),
        ("gathered", 815, 5),
        ("embedded", 820, 8),
        ("searched", 828, 7),
        ("model 1", 835, 300),
        ("model 2", 1145, 140),
        ("answer stored", 1295, 25),
        ("part 1 queued", 1320, 10),
        ("part 1 sent", 1330, 30),
        ("part 2 queued", 1320, None),
    ]


def test_an_answer_that_was_begun_early_says_so_and_where_it_waited() -> None:
    assert STORY.receipt is not None
    receipt = {**STORY.receipt, "ms": {**STORY.receipt["ms"], "quiet": 290, "total": 770}}
    early = replace(STORY, claimed_at=_at(40), receipt=receipt, answer_stored_at=_at(815), parts=[])
    found = spans(early)
    assert [(s.name, s.offset_ms, s.duration_ms) for s in found] == [
        ("accepted", 0, None),
        ("stored", 0, 10),
        ("quiet window", 10, 800),
        ("claimed", 40, None),
        ("gathered", 40, 5),
        ("embedded", 45, 8),
        ("searched", 53, 7),
        ("model 1", 60, 300),
        ("model 2", 370, 140),
        ("waited for quiet", 520, 290),
        ("answer stored", 810, 5),
    ]
    assert found[3].note == "begun early, 770 ms before the quiet window ended"


def test_a_turn_that_still_waits_is_told_as_far_as_it_came() -> None:
    waiting = replace(STORY, wanted_at=None, claimed_at=None, answer_stored_at=None, receipt=None, parts=[])
    assert [span.name for span in spans(waiting)] == ["accepted", "stored"]


def test_a_send_without_a_result_is_under_way_and_an_answer_from_before_these_times_has_none() -> None:
    going = replace(STORY, parts=[Part(1, "sending", None, _at(1310), [_sent(1330, None)])])
    assert spans(going)[-1] == Span("part 1 under way", 1330, None)
    old = replace(STORY, wanted_at=None, claimed_at=None, parts=[])
    assert [span.name for span in spans(old)] == ["accepted", "stored"]


def test_clocks_that_disagree_make_no_negative_time_and_no_bar_outside() -> None:
    ahead = replace(STORY, stored_at=_at(-500), wanted_at=_at(-400))
    found = spans(ahead)
    assert all(span.duration_ms is None or span.duration_ms >= 0 for span in found)
    assert len(chart(found)) == len(found)


def test_the_bars_stand_on_one_scale() -> None:
    lines = chart([Span("a", 0, 50), Span("b", 50, 50, "why"), Span("c", 100, None)], width=10)
    bars = [line[39:49].rstrip() for line in lines]
    assert bars == ["█████", "     █████", "         │"]
    assert lines[1].endswith("why")


def test_nothing_but_a_beginning_can_be_drawn() -> None:
    assert len(chart([Span("accepted", 0, None)])) == 1


def test_spans_say_what_was_found_asked_and_meant() -> None:
    refused = {**_sent(1330), "status": "failed", "meaning": "blocked"}
    same = {**_sent(1400), "status": "retry", "meaning": "retry"}
    parts = [Part(1, "failed", "blocked", _at(1310), [refused, same]), Part(2, "queued", None, _at(1310), []),
             Part(3, "canceled", "overtaken", _at(1310), [])]  # fmt: skip
    notes = {span.name: span.note for span in spans(replace(STORY, parts=parts))}
    assert notes == {
        "accepted": "", "stored": "", "quiet window": "", "claimed": "", "gathered": "", "embedded": "",
        "searched": "2 passages", "model 1": "a/m: timeout", "model 2": "b/s: ok", "answer stored": "",
        "part 1 queued": "", "part 1 failed": "blocked", "part 1 retry": "", "part 2 queued": "queued",
        "part 3 queued": "overtaken",
    }  # fmt: skip


def test_an_attempt_from_before_offsets_were_kept_begins_with_the_model() -> None:
    attempt = {"provider": "a", "model": "m", "outcome": "ok", "duration_ms": 300}
    receipt = {"passages": [], "ms": {"gather": 5}, "attempts": [attempt]}
    found = spans(replace(STORY, receipt=receipt, parts=[]))
    assert found[-1] == Span("model 1", 820, 300, "a/m: ok")  # and no end of it is known


def test_a_line_says_when_how_long_and_why() -> None:
    found = [
        Span("accepted", 0, None),
        Span("model 1", 5, 995, "a/m: ok"),
        Span("between", 500, 0),
        Span("end", 1000, 0),
    ]
    assert chart(found, width=4) == [
        "accepted             +0 ms             │",
        "model 1              +5 ms     995 ms  ████  a/m: ok",
        "between            +500 ms       0 ms    ▏",
        "end               +1000 ms       0 ms     █",
    ]
    assert chart([Span("a", 0, 1), Span("b", 0, 0)], width=2) == [
        "a                    +0 ms       1 ms  ██", "b                    +0 ms       0 ms  ▏",
    ]  # fmt: skip
    assert chart([], width=4) == []
