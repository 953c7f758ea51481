"""The pieces of an answer in the making: gathered, whole, and taken back where no message comes of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from shared.live.publisher import Heard
from shared.live.stream import EVERY_S, LONG_CHARS, UNHEARD_EVERY_S, AnswerStream
from shared.live.topics import AnswerId, Chat, News, PartialAnswer, Stored, Withdrawn

CHAT, ANSWER = Chat(1, 2, "5"), AnswerId(7, 3)


class Recorder:
    """Takes the publisher's place; says of each piece at once how many heard it."""

    def __init__(self, watchers: int = 1) -> None:
        self.watchers = watchers
        self.told: list[News] = []
        self.chats: list[Chat] = []

    def tell(self, chats: Iterable[Chat], news: News, heard: Heard | None = None) -> None:
        self.chats += chats
        self.told.append(news)
        if heard is not None:
            heard(self.watchers)


class Timers:
    """The event loop's clock: what was called later, and after how long."""

    def __init__(self) -> None:
        self.waits: list[float] = []
        self.due: list[Callable[[], None]] = []

    def call_later(self, delay_s: float, call: Callable[[], None]) -> object:
        self.waits.append(delay_s)
        self.due.append(call)
        return object()

    def go(self) -> None:
        self.due.pop()()


def _streaming(monkeypatch: object, watchers: int = 1) -> tuple[AnswerStream, Recorder, Timers]:
    recorder, timers = Recorder(watchers), Timers()
    monkeypatch.setattr(asyncio, "get_running_loop", lambda: timers)  # type: ignore[attr-defined]
    return AnswerStream(recorder, CHAT, ANSWER), recorder, timers  # type: ignore[arg-type]


def test_the_first_piece_goes_at_once_and_what_follows_is_gathered(monkeypatch: object) -> None:
    stream, recorder, timers = _streaming(monkeypatch)

    stream.piece("We ")
    timers.go()
    stream.piece("open ")
    stream.piece("at nine.")
    timers.go()

    assert recorder.told == [PartialAnswer(ANSWER, "We "), PartialAnswer(ANSWER, "We open at nine.")]
    assert recorder.chats == [CHAT, CHAT]
    assert timers.waits == [0.0, EVERY_S]


def test_nobody_watching_is_asked_for_once_a_second(monkeypatch: object) -> None:
    stream, _, timers = _streaming(monkeypatch, watchers=0)

    stream.piece("We ")
    timers.go()
    stream.piece("open")

    assert timers.waits == [0.0, UNHEARD_EVERY_S]


def test_a_longer_text_goes_out_less_often(monkeypatch: object) -> None:
    stream, _, timers = _streaming(monkeypatch)
    for text in ("a" * (LONG_CHARS - 2), "a", "a", "a" * LONG_CHARS):
        stream.piece(text)
        timers.go()

    assert timers.waits == [0.0, EVERY_S, 2 * EVERY_S, 3 * EVERY_S]


def test_another_attempt_begins_with_nothing(monkeypatch: object) -> None:
    stream, recorder, timers = _streaming(monkeypatch)
    stream.piece("We ")
    stream.restart()
    timers.go()
    stream.piece("Closed.")
    timers.go()

    assert recorder.told == [PartialAnswer(ANSWER, "Closed.")]


def test_a_message_takes_the_pieces_place_and_nothing_follows_it(monkeypatch: object) -> None:
    stream, recorder, timers = _streaming(monkeypatch)
    with stream as entered:
        entered.piece("We open")
        timers.go()
        entered.piece(" at nine")
        entered.became_message()
        timers.go()
        entered.piece("!")

    assert recorder.told == [PartialAnswer(ANSWER, "We open"), Stored(ANSWER)]
    assert recorder.chats == [CHAT, CHAT]
    assert timers.due == []


def test_pieces_without_a_message_are_taken_back(monkeypatch: object) -> None:
    stream, recorder, timers = _streaming(monkeypatch)
    with stream:
        stream.piece("We open")
        timers.go()
        stream.piece(" at nine")
    timers.go()
    stream.piece("!")

    assert recorder.told == [PartialAnswer(ANSWER, "We open"), Withdrawn(ANSWER)]
    assert recorder.chats == [CHAT, CHAT]
    assert timers.due == []


def test_where_nothing_was_shown_nothing_is_taken_back(monkeypatch: object) -> None:
    stream, recorder, _ = _streaming(monkeypatch)
    with stream:
        pass
    with stream:
        stream.piece("We")

    assert recorder.told == []
