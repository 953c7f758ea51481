"""Root's copies of PostgreSQL's programs: taken from a neighbour where one is whole, else from the wheel."""

from __future__ import annotations

from pathlib import Path

from shared.embedded.programs import INSTALL, copied_postgres_programs


def _whole(programs: Path) -> bool:
    return (programs / "initdb").is_file() and (programs.parent / "share" / "postgresql" / "postgres.bki").is_file()


def test_a_copy_is_taken_by_links_from_a_neighbour_that_is_whole(tmp_path: Path) -> None:
    first = copied_postgres_programs(tmp_path / "one")
    second = copied_postgres_programs(tmp_path / "two")

    assert _whole(first)
    assert _whole(second)
    assert (first / "postgres").samefile(second / "postgres")


def test_a_neighbour_that_is_being_deleted_is_not_copied(tmp_path: Path) -> None:
    first = copied_postgres_programs(tmp_path / "one")
    (first / "initdb").unlink()

    second = copied_postgres_programs(tmp_path / "two")

    assert _whole(second)
    assert second == tmp_path / "two" / second.relative_to(tmp_path / "two").parts[0] / INSTALL / "bin"
