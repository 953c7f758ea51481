"""Backups' folder: which stay, and that only whole ones stand under a backup's name."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from shared.errors import NotFound
from tasks.lifecycle.backup.folder import BackupFolder, BackupFolderBusy, Tiers, name_of, superfluous

NOON = datetime(2031, 3, 5, 12, 40, tzinfo=UTC)  # a Wednesday


def _hourly(hours: int) -> list[str]:
    return [name_of(NOON - timedelta(hours=n)) for n in range(hours)]


def _left(names: list[str], tiers: Tiers) -> list[str]:
    gone = superfluous(names, tiers)
    return sorted((name for name in names if name not in gone), reverse=True)


def test_hours_days_and_weeks_keep_their_newest() -> None:
    left = _left(_hourly(24 * 60), Tiers(3, 2, 2, 2))

    assert left == [
        "20310305T124000Z", "20310305T114000Z", "20310305T104000Z",  # hours
        "20310304T234000Z",  # yesterday
        "20310302T234000Z",  # last week's Sunday
        "20310228T234000Z",  # last month
    ]  # fmt: skip


def test_thinned_every_hour_it_comes_to_the_same_as_thinned_once() -> None:
    tiers, kept = Tiers(5, 4, 3, 2), list[str]()
    everything = sorted(_hourly(24 * 40))
    for name in everything:
        kept.append(name)
        gone = superfluous(kept, tiers)
        kept = [n for n in kept if n not in gone]

    assert sorted(kept, reverse=True) == _left(everything, tiers)


def test_after_a_pause_what_there_is_counts_and_not_what_there_should_be() -> None:
    old = [name_of(NOON - timedelta(days=400 + n)) for n in range(3)]

    assert superfluous(old, Tiers(1, 3, 0, 0)) == []
    assert superfluous([old[0]], Tiers(1, 0, 0, 0)) == []


def test_a_half_one_is_no_backup_and_goes_with_the_next(tmp_path: Path) -> None:
    place = BackupFolder(tmp_path / "b")
    with place.held():
        (place.half("20310305T114000Z") / "database.dump").write_bytes(b"ha")
        assert place.all() == []

        half = place.half("20310305T124000Z")
        (half / "database.dump").write_bytes(b"whole")
        made = place.keep(half, {"facts": {}})

    assert [b.name for b in place.all()] == [made.name] == ["20310305T124000Z"]
    assert sorted(p.name for p in place.path.iterdir()) == [".lock", "20310305T124000Z"]
    assert {oct(p.stat().st_mode & 0o777) for p in (place.path, made.path)} == {"0o700"}
    assert oct((made.path / "manifest.json").stat().st_mode & 0o777) == "0o600"


def test_two_do_not_work_in_one_folder(tmp_path: Path) -> None:
    place = BackupFolder(tmp_path)
    with place.held(), pytest.raises(BackupFolderBusy), BackupFolder(tmp_path).held():
        pass
    with place.held():
        pass


def test_one_that_is_not_there_is_named(tmp_path: Path) -> None:
    (tmp_path / "20310305T114000Z").mkdir()
    with pytest.raises(NotFound, match="no backup '20310305T124000Z'"):
        BackupFolder(tmp_path).one("20310305T124000Z")


def test_a_proof_that_cannot_be_read_is_none(tmp_path: Path) -> None:
    place = BackupFolder(tmp_path)
    (tmp_path / "20310305T114000Z").mkdir()
    for words in (b"", b"[]", b'{"proof": "great", "at": "2031-03-05T12:00:00+00:00"}',
                  b'{"proof": "failed", "at": "2031-03-05T12:00:00"}', b'{"proof": "failed", "at": 3}'):  # fmt: skip
        (tmp_path / "20310305T114000Z" / "proof.json").write_bytes(words)
        assert place.all()[0].proof is None, words
