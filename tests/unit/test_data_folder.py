"""DATA_DIR ends closed to others whatever was there before, or says what to do where it cannot."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from shared.embedded.folder import DataFolder, close_to_others, holder_of
from shared.errors import SettingsError


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("left", [(), ("log",), ("log", "run"), ("lock", "log", "somebody's"), ("secrets.json",)])
def test_it_ends_closed_whatever_a_failed_start_left(tmp_path: Path, left: tuple[str, ...]) -> None:
    data = tmp_path / "data"
    data.mkdir()
    for name in left:
        (data / name).mkdir() if "." not in name and name != "lock" else (data / name).write_text("{}")
    for path in (data, data / "log"):
        if path.exists():
            path.chmod(0o755)

    with DataFolder(data):
        assert (mode(data), mode(data / "log")) == (0o700, 0o700)


def test_a_folder_that_lacks_rights_of_its_owner_gets_them(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    data.chmod(0o600)
    if os.geteuid() != 0:
        pytest.skip("only root can look into it")

    with DataFolder(data):
        assert mode(data) == 0o700


def test_somebodys_own_folder_keeps_its_mode(tmp_path: Path) -> None:
    data = tmp_path / "home"
    data.mkdir()
    data.chmod(0o755)
    (data / "letters").touch()

    with DataFolder(data):
        assert (mode(data), mode(data / "log")) == (0o755, 0o700)


def test_where_modes_are_not_kept_another_disk_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tmp_path.chmod(0o755)
    monkeypatch.setattr(Path, "chmod", lambda *_: None)  # as vfat does without a word

    with pytest.raises(SettingsError, match=r"DATA_DIR: .* has mode 0755.*keeps no modes.*another disk"):
        close_to_others(tmp_path)


def test_who_holds_a_folder_is_known(tmp_path: Path) -> None:
    assert holder_of(tmp_path / "none") is None
    with DataFolder(tmp_path / "data"):
        assert holder_of(tmp_path / "data") == os.getpid()
    assert holder_of(tmp_path / "data") is None


def test_another_users_folder_is_told_with_what_to_do(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can become somebody else")
    tmp_path.chmod(0o755)
    outer = [parent for parent in tmp_path.parents if not parent.stat().st_mode & 0o001]
    before = {parent: mode(parent) for parent in outer}
    for parent in outer:
        parent.chmod(mode(parent) | 0o011)  # our group stays root's
    os.setresuid(65534, 65534, 0)
    try:
        with pytest.raises(SettingsError, match=r"it belongs to user id 0: run as that user, or as root: chown 65534"):
            close_to_others(tmp_path)
    finally:
        os.setresuid(0, 0, 0)
        for parent, old in before.items():
            parent.chmod(old)


def test_a_folder_that_may_not_be_written_is_told_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(SettingsError, match=r"DATA_DIR: .*/file/data cannot be used: Not a directory: set DATA_DIR"):
        DataFolder(tmp_path / "file" / "data").open()
