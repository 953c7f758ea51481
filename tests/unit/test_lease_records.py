"""What a process holds stands in a file: whoever lives on reads it once the process is gone, and not before."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from shared.resilience.lease_records import PLACES, LeaseRecord, LeaseRecords, Left, reclaim_from_dead, served
from shared.settings import PROJECT_ROOT, child_environment

TURN, PART = LeaseRecord("turn", 3, 70, 2), LeaseRecord("part", 4, 80, 1)
HOLDER = """
import sys, time
from pathlib import Path
from shared.resilience.lease_records import LeaseRecords, LeaseRecord
held = LeaseRecords(Path(sys.argv[1]))
held.note([LeaseRecord("turn", 3, 69, 1), LeaseRecord("turn", 3, 70, 2), LeaseRecord("part", 4, 80, 1)])
held.forget(LeaseRecord("turn", 3, 69, 1))
print("held", flush=True)
time.sleep(60)
"""


def _inherited(folder: Path) -> list[LeaseRecord]:
    found: list[LeaseRecord] = []

    def take(_: str, pieces: list[LeaseRecord]) -> Left:
        found.extend(pieces)
        return Left.NOTHING

    reclaim_from_dead(folder, take)
    return found


def test_a_killed_process_leaves_what_it_held_to_one_reclaimer(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-P", "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE, cwd=PROJECT_ROOT,
        env=child_environment({"PYTHONPATH": str(PROJECT_ROOT)}),
    )  # fmt: skip
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    while_it_lives = _inherited(tmp_path)

    holder.send_signal(signal.SIGKILL)
    holder.wait(10)
    holder.stdout.close()

    assert while_it_lives == []
    assert _inherited(tmp_path) == [TURN, PART]
    assert _inherited(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_what_could_not_be_given_back_is_kept_for_the_next_look(tmp_path: Path) -> None:
    held = LeaseRecords(tmp_path)
    held.note([TURN])
    held.close()

    def fails(_: str, __: list[LeaseRecord]) -> Left:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        reclaim_from_dead(tmp_path, fails)
    reclaim_from_dead(tmp_path, lambda _, __: Left.WHAT_IT_HELD)
    assert _inherited(tmp_path) == [TURN]


def test_a_process_that_ends_in_order_leaves_nothing(tmp_path: Path) -> None:
    held = LeaseRecords(tmp_path)
    held.note([TURN, PART])
    held.forget(TURN)
    held.forget(PART)
    held.close()
    held.close()
    held.note([TURN])

    assert list(tmp_path.iterdir()) == []


def test_more_than_there_are_places_for_is_left_to_its_leases(tmp_path: Path) -> None:
    held = LeaseRecords(tmp_path)
    many = [LeaseRecord("turn", 1, number, 1) for number in range(PLACES + 5)]
    held.note(many)
    held.note(many[:1])  # twice is once
    held.forget(many[0])
    held.note([PART])
    held.close()

    assert sorted(_inherited(tmp_path)) == sorted([*many[1 : PLACES - 1], PART])


def test_a_folder_that_cannot_be_written_costs_nothing_but_the_speed(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    held = LeaseRecords(tmp_path / "file")

    held.note([TURN])
    held.forget(TURN)
    held.close()


@pytest.mark.parametrize("content", [b"", b"x" * 40, bytes(64), b"\x09" * 96], ids=["empty", "torn", "zeros", "odd"])
def test_a_damaged_file_is_forgotten(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "1-a.held").write_bytes(content)

    assert _inherited(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_a_station_is_served_while_a_process_of_it_lives_and_says_that_it_is_ready(tmp_path: Path) -> None:
    starting, working, leaving = (LeaseRecords(tmp_path, name) for name in ("reply", "deliver", "intake"))
    working.say_ready()
    leaving.say_ready()
    leaving.note([TURN])
    leaving.close()
    dead: list[tuple[str, list[LeaseRecord]]] = []

    assert served(tmp_path) == {"deliver"}

    def take(station: str, pieces: list[LeaseRecord]) -> Left:
        dead.append((station, pieces))
        return Left.NOTHING

    reclaim_from_dead(tmp_path, take)
    assert dead == [("intake", [TURN])]
    starting.say_ready()
    assert served(tmp_path) == {"reply", "deliver"}
    starting.close()
    working.close()
