"""What free space means: full, low, read-only or room, in words, by bytes and by share, and when it ends."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from gateway.http.load_shedding import Bounds as JournalBounds
from gateway.http.load_shedding import reason
from shared.resilience.disk import Bounds, journal_folder, look, rooms
from shared.store.inbound.journal import State, unwritten
from tests.factories import settings

BLOCK = 4096
BOUNDS = Bounds(full_bytes=100 * BLOCK, full_share=0.0, low_bytes=200 * BLOCK, low_share=0.05)


def disk(free: int, total: int = 1_000, flags: int = 0) -> Any:
    """A look at a disk of so many blocks, some of which an ordinary user may still have."""
    return lambda _: os.statvfs_result((BLOCK, BLOCK, total, free + 50, free, 10, 10, 10, flags, 255))


@pytest.mark.parametrize(
    ("free", "total", "full_until_now", "wanted"),
    [
        (200, 1_000, False, "ok"),
        (199, 1_000, False, "low"),
        (100, 1_000, False, "low"),
        (99, 1_000, False, "full"),
        (124, 1_000, True, "full"),
        (125, 1_000, True, "low"),
        (499, 10_000, False, "low"),  # 5 % of it are more than the bytes
        (500, 10_000, False, "ok"),
        (0, 1_000, False, "full"),
    ],
)
def test_a_disk_is_full_or_low_by_bytes_or_share(free: int, total: int, full_until_now: bool, wanted: str) -> None:
    assert look(Path("/data"), BOUNDS, full_until_now=full_until_now, stat=disk(free, total)).level == wanted


def test_the_words_name_the_setting_the_folder_and_the_free_bytes() -> None:
    room = look(Path("/data"), BOUNDS, ("DATA_DIR", "the journal"), stat=disk(12))

    assert room.words.startswith(
        "the disk of DATA_DIR and the journal is full: 49152 of 4096000 bytes are free at /data"
    )
    assert "nothing is accepted below 409600" in room.words


def test_a_disk_that_can_only_be_read_is_called_that_whatever_is_free() -> None:
    room = look(Path("/data"), BOUNDS, stat=disk(900, flags=os.ST_RDONLY))

    assert (room.level, room.words) == ("read_only", "the disk of DATA_DIR can only be read: /data")


def test_folders_of_one_disk_are_told_once_and_missing_ones_not_at_all(tmp_path: Path) -> None:
    config = settings(DATA_DIR=tmp_path, BACKUP_DIR=tmp_path / "none", MEDIA_DIR=None, METRICS_DIR=tmp_path)

    (room,) = rooms(config, stat=disk(900))

    assert room.names == ("DATA_DIR", "METRICS_DIR")


@pytest.mark.parametrize(
    ("url", "wanted"), [("redis://127.0.0.1:16379/0", True), ("redis://cache.example:6379/0", False)]
)
def test_only_a_journal_of_this_machine_lies_on_its_disk(tmp_path: Path, url: str, wanted: bool) -> None:
    (tmp_path / "valkey").mkdir()
    (tmp_path / "valkey" / "valkey.conf").touch()

    found = journal_folder(settings(DATA_DIR=tmp_path, REDIS_URL=url))

    assert found == (tmp_path / "valkey" if wanted else None)


@pytest.mark.parametrize(
    ("state", "disk_full", "wanted"),
    [
        (State(0, 1000, 0.0), True, "disk"),
        (State(0, 1000, 0.0, unwritten=True), False, "disk"),
        (State(0, 1000, 0.0), False, None),
    ],
)
def test_a_full_disk_of_the_journal_is_a_reason_to_refuse(state: State, disk_full: bool, wanted: str | None) -> None:
    assert reason(state, JournalBounds(0.9, 3600.0), False, disk_full) == wanted


def test_a_server_without_an_append_only_file_has_nothing_unwritten() -> None:
    assert not unwritten({"aof_enabled": 0, "aof_last_write_status": "err"})
    assert unwritten({"aof_enabled": 1, "aof_last_write_status": "err"})
    assert not unwritten({})  # a service that does not show it
