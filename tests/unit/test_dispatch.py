"""The dispatcher: wake-ups become work, as much as there is room for, and no wake-up is lost between two looks."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from tasks.dispatch import ClaimCapacity, Claimed, Dispatcher

WITHIN_S = 10.0


class Due:
    """What is due, and the work on it. Work begins, and ends when `finish` lets it. claims: (cursor, room) of each
    claim; a claim runs `meanwhile`, if there is one, after it has looked."""

    def __init__(self, *pieces: int) -> None:
        self.pieces = list(pieces)
        self.claims: list[tuple[int, int]] = []
        self.meanwhile: Callable[[], None] | None = None
        self.finish = threading.Event()
        self.begun: list[int] = []
        self.began = threading.Semaphore(0)
        self.passed_on = 0
        self._lock = threading.Lock()

    def dispatcher(self, slots: int) -> Dispatcher[int]:
        return Dispatcher("test", slots, claim=self.claim, work=self.work, pass_on=self.pass_on)

    def claim(self, after_company: int, room: ClaimCapacity) -> Claimed[int]:
        with self._lock:
            self.claims.append((after_company, room.slots))
            taken, self.pieces = self.pieces[: room.slots], self.pieces[room.slots :]
        happens, self.meanwhile = self.meanwhile, None
        if happens is not None:
            happens()
        return Claimed(taken, taken, taken[-1] if taken else 0, more=len(taken) == room.slots)

    def work(self, piece: int) -> None:
        self.begun.append(piece)
        self.began.release()
        assert self.finish.wait(WITHIN_S)
        if piece < 0:
            raise ValueError("a piece that cannot be done")

    def pass_on(self) -> None:
        self.passed_on += 1

    def wait(self, pieces: int) -> None:
        for _ in range(pieces):
            assert self.began.acquire(timeout=WITHIN_S)


@pytest.fixture
def drains() -> Iterator[Callable[[Dispatcher[int]], threading.Thread]]:
    """Hears a wake-up on a thread of its own."""
    threads: list[threading.Thread] = []

    def drain(dispatcher: Dispatcher[int]) -> threading.Thread:
        thread = threading.Thread(target=dispatcher.drain, daemon=True)
        thread.start()
        threads.append(thread)
        return thread

    yield drain
    for thread in threads:
        thread.join(WITHIN_S)
        assert not thread.is_alive()


Drains = Callable[[Dispatcher[int]], threading.Thread]


def test_one_ring_begins_everything_that_is_due_and_returns_while_it_is_worked_on() -> None:
    due = Due(1, 2, 3)
    dispatcher = due.dispatcher(8)

    dispatcher.drain()
    due.wait(3)

    assert sorted(due.begun) == [1, 2, 3]
    assert due.claims == [(0, 8)]
    assert due.passed_on == 0
    due.finish.set()
    dispatcher.stop()


def test_nothing_due_claims_once_and_begins_nothing() -> None:
    due = Due()
    dispatcher = due.dispatcher(8)
    dispatcher.drain()
    dispatcher.stop()

    assert due.claims == [(0, 8)]
    assert due.begun == []


def test_more_than_there_is_room_for_is_passed_on_and_begun_as_room_comes(drains: Drains) -> None:
    due = Due(*range(1, 8))
    dispatcher = due.dispatcher(2)
    drains(dispatcher)
    due.wait(2)
    assert len(due.begun) == 2  # and not one more while these two are at it

    due.finish.set()
    due.wait(5)
    dispatcher.stop()

    assert sorted(due.begun) == list(range(1, 8))
    assert all(room <= 2 for _, room in due.claims)
    assert due.passed_on >= 1
    # the cursor goes on where the last claim ended
    assert due.claims[1][0] == 2


def test_a_ring_between_the_claim_and_its_end_is_not_lost(drains: Drains) -> None:
    """The claim has looked; then a turn becomes due and its wake-up comes, to a thread that finds somebody at it."""
    due = Due(1)
    dispatcher = due.dispatcher(8)

    def late() -> None:
        due.pieces.append(2)
        drains(dispatcher).join(WITHIN_S)  # returns at once: it has told the one who is at it

    due.meanwhile = late
    dispatcher.drain()
    due.wait(2)

    assert sorted(due.begun) == [1, 2]
    assert len(due.claims) == 2
    due.finish.set()
    dispatcher.stop()


def test_many_rings_at_once_are_heard_by_one_and_lose_nothing(drains: Drains) -> None:
    due = Due()
    due.finish.set()
    dispatcher = due.dispatcher(4)
    at_once = threading.Barrier(8)

    def add_and_wake_up(first: int) -> None:
        at_once.wait(WITHIN_S)
        for piece in range(first, first + 50):
            with due._lock:
                due.pieces.append(piece)
            dispatcher.drain()

    threads = [threading.Thread(target=add_and_wake_up, args=(n * 100 + 1,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WITHIN_S)
    dispatcher.stop()

    assert len(due.begun) == len(set(due.begun)) == 400


class Noisy(Due):
    """pieces: each its company's number, claimed as the database does it: none of a company that has its share."""

    def dispatcher(self, slots: int, share: float = 0.75) -> Dispatcher[int]:
        return Dispatcher("test", slots, share, claim=self.claim, work=self.work, pass_on=self.pass_on)

    def claim(self, after_company: int, room: ClaimCapacity) -> Claimed[int]:
        held, taken = Counter(room.held), list[int]()
        with self._lock:
            self.claims.append((after_company, room.slots))
            for piece in list(self.pieces):
                if len(taken) < room.slots and held[piece] < room.company_max:
                    held[piece] += 1
                    taken.append(piece)
                    self.pieces.remove(piece)
        return Claimed(taken, taken, taken[-1] if taken else 0, more=len(taken) == room.slots)


def test_a_company_has_no_more_than_its_share_under_way_and_another_one_begins_at_once(drains: Drains) -> None:
    due = Noisy(*[7] * 10)
    dispatcher = due.dispatcher(4)
    drains(dispatcher)
    due.wait(3)
    assert due.begun == [7, 7, 7]

    with due._lock:
        due.pieces.append(8)
    drains(dispatcher).join(WITHIN_S)
    due.wait(1)

    assert due.begun == [7, 7, 7, 8]  # while the other one's are all at it
    due.finish.set()
    due.wait(7)
    dispatcher.stop()
    assert Counter(due.begun) == {7: 10, 8: 1}


def test_what_was_passed_over_begins_when_its_company_is_below_its_share_without_a_wake_up() -> None:
    due = Noisy(*[7] * 6)
    due.finish.set()
    dispatcher = due.dispatcher(1)

    dispatcher.drain()
    dispatcher.stop()

    assert due.begun == [7] * 6
    assert due.passed_on >= 1  # another process may have room for it


def test_stopping_while_a_company_is_held_to_its_share_begins_nothing_more(drains: Drains) -> None:
    due = Noisy(7, 7, 7)
    dispatcher = due.dispatcher(2)
    draining = drains(dispatcher)
    due.wait(1)

    dispatcher.cancel()
    draining.join(WITHIN_S)
    due.finish.set()
    dispatcher.stop()

    assert due.begun == [7]
    assert due.pieces == [7, 7]


class Hanging(Due):
    """pieces: each its platform's number, claimed as the database does it: none of one that has its share."""

    def dispatcher(self, slots: int) -> Dispatcher[int]:
        return Dispatcher("test", slots, 1.0, 0.75, claim=self.claim, work=self.work, pass_on=self.pass_on)

    def claim(self, after_company: int, room: ClaimCapacity) -> Claimed[int]:
        held, taken = Counter(room.lanes), list[int]()
        with self._lock:
            for piece in list(self.pieces):
                if len(taken) < room.slots and held[str(piece)] < room.lane_max:
                    held[str(piece)] += 1
                    taken.append(piece)
                    self.pieces.remove(piece)
        return Claimed(taken, [1] * len(taken), 1, len(taken) == room.slots, [str(piece) for piece in taken])


def test_a_platform_that_hangs_has_no_more_than_its_share_under_way_and_another_one_begins_at_once(
    drains: Drains,
) -> None:
    due = Hanging(*[7] * 10)
    dispatcher = due.dispatcher(4)
    drains(dispatcher)
    due.wait(3)
    assert due.begun == [7, 7, 7]

    with due._lock:
        due.pieces.append(8)
    drains(dispatcher).join(WITHIN_S)
    due.wait(1)

    assert due.begun == [7, 7, 7, 8]  # while the first one's all hang
    due.finish.set()
    due.wait(7)
    dispatcher.stop()
    assert Counter(due.begun) == {7: 10, 8: 1}
    assert not dispatcher._lanes


def test_a_piece_that_fails_frees_its_slot() -> None:
    due = Due(-1, 5)
    due.finish.set()
    dispatcher = due.dispatcher(1)
    dispatcher.drain()
    dispatcher.stop()

    assert due.begun == [-1, 5]


def test_a_claim_that_fails_fails_the_ring_and_the_next_ring_is_heard() -> None:
    due = Due(1)
    due.finish.set()
    dispatcher = due.dispatcher(2)

    def away() -> None:
        raise ConnectionError("the database is away")

    due.meanwhile = away
    with pytest.raises(ConnectionError):
        dispatcher.drain()
    due.pieces.append(2)
    dispatcher.drain()
    dispatcher.stop()

    assert due.begun == [2]  # the first one's lease ends by itself


def test_stopping_while_every_slot_is_busy_claims_nothing_more_and_waits_for_what_was_begun(drains: Drains) -> None:
    due = Due(1, 2, 3)
    dispatcher = due.dispatcher(1)
    draining = drains(dispatcher)
    due.wait(1)

    dispatcher.cancel()
    draining.join(WITHIN_S)
    stopped = threading.Thread(target=dispatcher.stop)
    stopped.start()
    dispatcher.drain()  # a wake-up that comes now finds nobody
    assert stopped.is_alive()
    due.finish.set()
    stopped.join(WITHIN_S)

    assert not stopped.is_alive()
    assert due.begun == [1]
    assert due.pieces == [2, 3]
