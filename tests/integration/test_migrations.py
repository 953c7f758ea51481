"""The schema's own way in: numbered files, each applied once."""

from __future__ import annotations

import threading
from pathlib import Path

import psycopg
import pytest

from shared.embedded import Database
from shared.errors import SettingsError
from shared.store.db import migrate


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two small migrations."""
    (tmp_path / "0001_one.sql").write_text("CREATE TABLE one (id int);")
    (tmp_path / "0002_two.sql").write_text("CREATE TABLE two (id int); INSERT INTO two VALUES (1);")
    return tmp_path


def _rows(database: Database, query: bytes) -> list[tuple[object, ...]]:
    with psycopg.connect(database.admin_url, autocommit=True) as conn:
        return list(conn.execute(query).fetchall())


def test_an_empty_database_gets_the_whole_schema_and_a_second_run_nothing(empty_database: Database) -> None:
    assert migrate.pending(empty_database.admin_url) == [name for name, _ in migrate.files()]

    first = migrate.migrate(empty_database.admin_url)
    again = migrate.migrate(empty_database.admin_url)

    assert first == [name for name, _ in migrate.files()]
    assert again == []
    assert migrate.pending(empty_database.admin_url) == []
    assert _rows(empty_database, b"SELECT count(*) FROM messages") == [(0,)]


def test_two_at_once_apply_each_file_once(empty_database: Database, folder: Path) -> None:
    applied: list[list[str]] = []
    at_once = threading.Barrier(2)

    def run() -> None:
        at_once.wait(10)
        applied.append(migrate.migrate(empty_database.admin_url, folder))

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert sorted(applied) == [[], ["0001_one.sql", "0002_two.sql"]]
    assert _rows(empty_database, b"SELECT count(*) FROM two") == [(1,)]


def test_a_new_file_is_applied_alone(empty_database: Database, folder: Path) -> None:
    migrate.migrate(empty_database.admin_url, folder)
    (folder / "0003_three.sql").write_text("CREATE TABLE three (id int);")

    assert migrate.pending(empty_database.admin_url, folder) == ["0003_three.sql"]
    assert migrate.migrate(empty_database.admin_url, folder) == ["0003_three.sql"]


def test_a_file_changed_after_it_was_applied_is_refused_by_name(empty_database: Database, folder: Path) -> None:
    migrate.migrate(empty_database.admin_url, folder)
    (folder / "0001_one.sql").write_text("CREATE TABLE one (id bigint);")

    with pytest.raises(SettingsError, match=r"0001_one\.sql was changed"):
        migrate.migrate(empty_database.admin_url, folder)


def test_a_file_that_fails_leaves_nothing_behind_and_is_tried_again(empty_database: Database, folder: Path) -> None:
    broken = folder / "0003_three.sql"
    broken.write_text("CREATE TABLE three (id int); SELECT 1 / 0;")
    with pytest.raises(psycopg.errors.DivisionByZero):
        migrate.migrate(empty_database.admin_url, folder)
    assert _rows(empty_database, b"SELECT to_regclass('two') IS NOT NULL, to_regclass('three')") == [(True, None)]

    broken.write_text("CREATE TABLE three (id int);")

    assert migrate.migrate(empty_database.admin_url, folder) == ["0003_three.sql"]


@pytest.mark.parametrize("name", ["0004_four.sql", "0002_again.sql", "three.sql", "0003-three.sql"])
def test_a_gap_a_double_or_a_misnamed_file_is_refused_by_name(folder: Path, name: str) -> None:
    (folder / name).write_text("SELECT 1;")

    with pytest.raises(ValueError, match="the next file should be"):
        migrate.files(folder)


def test_a_folder_without_migrations_is_an_error_and_not_an_empty_schema(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="holds no migration"):
        migrate.files(tmp_path)


def test_a_missing_application_role_is_named_with_the_command_that_makes_it(
    empty_database: Database, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The role belongs to the whole server, which other tests use: ask for one that is not there.
    monkeypatch.setattr(migrate, "APPLICATION_ROLE", "switchboard_nobody")

    with pytest.raises(SettingsError, match="CREATE ROLE switchboard_nobody"):
        migrate.migrate(empty_database.admin_url, folder)

    assert _rows(empty_database, b"SELECT to_regclass('one')") == [(None,)]


def _before(tmp_path: Path, number: str) -> Path:
    """A folder with the files below this number."""
    before = tmp_path / "before"
    before.mkdir()
    for name, content in migrate.files():
        if name < number:
            (before / name).write_text(content)
    return before


def test_what_stood_twice_before_it_was_refused_is_disabled_and_the_account_in_use_goes_on(
    empty_database: Database, tmp_path: Path
) -> None:
    """Two bots under one slug dropped everything: neither may be given what the other's customers write."""
    migrate.migrate(empty_database.admin_url, _before(tmp_path, "0047"))
    with psycopg.connect(empty_database.admin_url, autocommit=True) as conn:
        conn.execute("INSERT INTO companies (name) VALUES ('Harbour'), ('Market')")
        conn.execute(
            "INSERT INTO apps (platform, slug, secrets) VALUES ('telegram', 'shared', ''), ('telegram', 'alone', ''),"
            " ('messenger', 'meta', ''), ('messenger', 'other', '')"
        )
        conn.execute(
            "INSERT INTO channels (company_id, app_id, platform, external_id, credentials) VALUES"
            " (1, 1, 'telegram', '71', ''), (2, 1, 'telegram', '72', ''), (2, 2, 'telegram', '73', ''),"
            " (1, 3, 'messenger', '9', ''), (2, 4, 'messenger', '9', '')"
        )
        conn.execute("INSERT INTO channel_health (company_id, channel_id, received_at) VALUES (1, 4, now())")

    told: list[str] = []
    migrate.migrate(empty_database.admin_url, told=told.append)

    found = _rows(
        empty_database,
        b"SELECT a.slug, a.owner_id, c.company_id, c.state FROM apps a JOIN channels c ON c.app_id = a.id"
        b" ORDER BY c.id",
    )
    assert found == [
        ("shared", 1, 1, "disabled"), ("shared", 1, 2, "disabled"), ("alone", 2, 2, "active"),
        ("meta", None, 1, "active"), ("other", None, 2, "disabled"),
    ]  # fmt: skip
    assert [said.partition(" is disabled now")[0] for said in told] == [
        'channel 1/1 (telegram, account "71", slug shared)', 'channel 2/2 (telegram, account "72", slug shared)',
        'channel 2/5 (messenger, account "9", slug other)',
    ]  # fmt: skip


def test_titles_and_reasons_over_500_characters_are_cut_and_what_is_cut_off_stays_findable(
    empty_database: Database, tmp_path: Path
) -> None:
    migrate.migrate(empty_database.admin_url, _before(tmp_path, "0050"))
    with psycopg.connect(empty_database.admin_url, autocommit=True) as conn:
        conn.execute("INSERT INTO companies (name) VALUES ('Harbour')")
        conn.execute("INSERT INTO collections (company_id, name) VALUES (1, 'default')")
        conn.execute(
            "INSERT INTO documents"
            " (company_id, collection_id, source, title, language, text, content_hash, chunk_count)"
            " SELECT 1, 1, 'source ' || n, left(repeat('é', 3000), n), 'simple', 'Open at nine.', '', 1"
            " FROM unnest(array[499, 500, 501, 3000]) n ORDER BY n"
        )
        conn.execute(
            "INSERT INTO chunks (company_id, document_id, ordinal, language, title, text, start_char, tsv, length)"
            " SELECT company_id, id, 0, language, title || ' lighthouse', text, 0,"
            " knowledge_tsvector(language, title || ' lighthouse'), 1 FROM documents ORDER BY id"
        )
        conn.execute(
            "INSERT INTO imports (company_id, source, name, kind, state, reason)"
            " SELECT 1, 'source ' || n, 'a file', 'file', 'parked', repeat('x', n)"
            " FROM unnest(array[500, 3000]) n ORDER BY n"
        )
    before = _rows(empty_database, b"SELECT id, text, tsv::text, updated_at FROM documents JOIN"
                   b" (SELECT document_id, tsv FROM chunks) c ON c.document_id = id ORDER BY id")  # fmt: skip

    migrate.migrate(empty_database.admin_url)

    assert _rows(empty_database, b"SELECT length(title) FROM documents ORDER BY id") == [(499,), (500,), (500,), (500,)]
    chunks = b"SELECT length(title), title ~ 'lighthouse$', tsv @@ 'lighthouse' FROM chunks ORDER BY document_id"
    assert _rows(empty_database, chunks) == [(500, False, True)] * 4
    assert _rows(empty_database, b"SELECT length(reason) FROM imports ORDER BY id") == [(500,), (500,)]
    after = _rows(empty_database, b"SELECT id, text, tsv::text, updated_at FROM documents JOIN"
                  b" (SELECT document_id, tsv FROM chunks) c ON c.document_id = id ORDER BY id")  # fmt: skip
    assert after == before
