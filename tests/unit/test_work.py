"""What is told of a piece of work: once when it begins, once when it has ended, from where most is known."""

from __future__ import annotations

import copy
from collections.abc import Iterator

import pytest

from shared.telemetry import work
from shared.telemetry.work import Piece


@pytest.fixture
def told() -> Iterator[list[Piece]]:
    """Copies: a piece is told twice and changes in between."""
    seen: list[Piece] = []
    work.report_to(lambda piece: seen.append(copy.deepcopy(piece)))
    yield seen
    work.report_to(None)


def test_a_piece_is_told_when_it_begins_and_when_it_has_ended(told: list[Piece]) -> None:
    with work.caused_by("wake-up 7"), work.piece("answers.answer_turn", "turn-1-2", company=1, turn=2, request=None):
        assert [(one.ending, one.ids) for one in told] == [(None, {"company": 1, "turn": 2})]
        work.about(request="r-9", conversation=None)
        work.ended("handover", "nothing_relevant")

    began, ended = told
    assert (began.key, ended.key, ended.name) == ("turn-1-2", "turn-1-2", "answers.answer_turn")
    assert (ended.ending, ended.code, ended.cause) == ("succeeded", "handover:nothing_relevant", "wake-up 7")
    assert ended.ids == {"company": 1, "turn": 2, "request": "r-9"}
    assert ended.runtime_s > 0


@pytest.mark.parametrize(
    ("tell", "ending"), [(work.ended, "succeeded"), (work.failed, "failed"), (work.retried, "retried")]
)
def test_each_ending_is_told_with_its_code(told: list[Piece], tell: object, ending: str) -> None:
    with work.piece("delivery.send_part"):
        assert callable(tell)
        tell("code")

    assert (told[1].ending, told[1].code) == (ending, "code")


def test_the_first_ending_counts_because_it_is_told_where_most_is_known(told: list[Piece]) -> None:
    with work.piece("answers.answer_turn"):
        work.retried("database_unavailable")
        work.ended("done")

    assert (told[1].ending, told[1].code) == ("retried", "database_unavailable")


def test_a_piece_that_raises_has_failed_and_says_the_errors_class_alone(told: list[Piece]) -> None:
    with pytest.raises(ValueError, match="words of a customer"), work.piece("inbox.fetch_medium"):
        raise ValueError("words of a customer")

    assert (told[1].ending, told[1].code) == ("failed", "ValueError")


def test_a_piece_inside_another_ends_itself_alone(told: list[Piece]) -> None:
    with work.piece("knowledge.embed_due"):
        with work.piece("knowledge.embed_batch"):
            work.retried("no_connection")
        work.ended("done")

    assert [(one.name, one.ending) for one in told if one.ending] == [
        ("knowledge.embed_batch", "retried"),
        ("knowledge.embed_due", "succeeded"),
    ]


def test_pieces_without_a_key_are_each_of_their_own(told: list[Piece]) -> None:
    for _ in range(2):
        with work.piece("knowledge.embed_batch"):
            pass

    assert told[0].key == told[1].key != told[2].key


def test_what_has_ended_already_is_told_with_when_it_began(told: list[Piece]) -> None:
    work.tell("inbound.store_batch", "succeeded", "stored", 2.0, stream="j-0", requests=3)

    began, ended = told
    assert (began.ending, ended.ending, ended.code, ended.runtime_s) == (None, "succeeded", "stored", 2.0)
    assert (ended.ids, began.began_at) == ({"stream": "j-0", "requests": 3}, ended.began_at)


def test_a_piece_that_outlives_its_listener_ends_as_it_began(told: list[Piece]) -> None:
    """A process that closes stops listening while a task still runs."""
    with work.piece("knowledge.embed_due"):
        work.report_to(None)

    assert [one.ending for one in told] == [None, "succeeded"]


def test_without_a_listener_nothing_is_told_and_work_goes_on() -> None:
    with work.piece("answers.answer_turn", company=1):
        work.about(turn=2)
        work.ended("full")
    work.tell("inbound.store_batch", "succeeded", "stored", 0.1)


def test_a_wakeup_that_finds_nothing_to_do_is_told_to_nobody(told: list[Piece]) -> None:
    with work.wakeup("knowledge.embed_due", "7"):
        pass

    assert told == []


def test_a_wakeup_is_told_once_it_leads_to_a_piece_and_before_it(told: list[Piece]) -> None:
    with work.wakeup("delivery.send_due", "7"):
        assert told == []
        with work.piece("delivery.send_part", "part-1-2"):
            pass
        with work.piece("delivery.send_part", "part-1-3"):
            pass

    assert [(one.key, one.ending) for one in told] == [
        ("7", None), ("part-1-2", None), ("part-1-2", "succeeded"), ("part-1-3", None), ("part-1-3", "succeeded"),
        ("7", "succeeded"),
    ]  # fmt: skip
    assert {one.cause for one in told[1:5]} == {"7"}
    assert told[-1].code == "done"


def test_a_wakeup_whose_pieces_are_done_by_other_threads_is_told_when_the_first_is_handed_on(told: list[Piece]) -> None:
    with work.wakeup("delivery.send_due", "7"):
        assert work.cause() == "7"
        assert [one.key for one in told] == ["7"]


def test_a_wakeup_that_fails_or_has_something_to_say_is_told_at_its_end(told: list[Piece]) -> None:
    with pytest.raises(ZeroDivisionError), work.wakeup("knowledge.embed_due", "7"):
        raise ZeroDivisionError
    with work.wakeup("operations.catch_up", "8"):
        work.ended("woke 2")

    assert [(one.key, one.ending, one.code) for one in told] == [
        ("7", None, ""), ("7", "failed", "ZeroDivisionError"), ("8", None, ""), ("8", "succeeded", "woke 2"),
    ]  # fmt: skip
    assert all(one.runtime_s > 0 for one in told if one.ending)


def test_a_wakeup_inside_another_is_told_by_itself(told: list[Piece]) -> None:
    with work.wakeup("outer", "7"):
        with work.wakeup("inner", "8"), work.piece("piece", "9"):
            pass
        assert [one.key for one in told] == ["8", "9", "9", "8"]

    assert work.cause() is None
