"""The schema's own way in: numbered files, each applied once, and functions, applied when they changed."""

from __future__ import annotations

import re
import shutil
import threading
from pathlib import Path

import psycopg
import pytest

from shared.embedded import Database
from shared.errors import SettingsError
from shared.store.db import migrate, old_chain
from tests.schema import statements


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


# ------------------------------------------------------------------ a folder is one migration


def test_a_folder_is_one_migration_that_is_applied_whole_or_not_at_all(
    empty_database: Database, tmp_path: Path
) -> None:
    (tmp_path / "0001_baseline").mkdir()
    (tmp_path / "0001_baseline" / "01_one.sql").write_text("CREATE TABLE one (id int PRIMARY KEY);")
    broken = tmp_path / "0001_baseline" / "02_two.sql"
    broken.write_text("CREATE TABLE two (id int REFERENCES one); SELECT 1 / 0;")
    with pytest.raises(psycopg.errors.DivisionByZero):
        migrate.migrate(empty_database.admin_url, tmp_path)
    assert _rows(empty_database, b"SELECT to_regclass('one')") == [(None,)]

    broken.write_text("CREATE TABLE two (id int REFERENCES one);")
    assert migrate.migrate(empty_database.admin_url, tmp_path) == ["0001_baseline"]

    broken.write_text("CREATE TABLE two (id int REFERENCES one, text text);")
    with pytest.raises(SettingsError, match="0001_baseline was changed after it was applied: add a new file"):
        migrate.migrate(empty_database.admin_url, tmp_path)


# ------------------------------------------------------------------ functions


@pytest.fixture
def functions(folder: Path) -> Path:
    """A function that a table needs and one that needs the table, beside the two migrations."""
    (folder / "functions" / "before_tables").mkdir(parents=True)
    (folder / "functions" / "before_tables" / "rules.sql").write_text(
        "CREATE OR REPLACE FUNCTION is_plain(n int) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT n < 10';"
    )
    (folder / "functions" / "counts.sql").write_text(
        "CREATE OR REPLACE FUNCTION how_many() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM two';"
    )
    (folder / "0001_one.sql").write_text("CREATE TABLE one (id int CHECK (is_plain(id)));")
    return folder / "functions"


def test_functions_are_applied_around_the_tables_and_again_when_they_changed(
    empty_database: Database, folder: Path, functions: Path
) -> None:
    everything = ["functions/before_tables/rules.sql", "0001_one.sql", "0002_two.sql", "functions/counts.sql"]
    assert migrate.pending(empty_database.admin_url, folder) == everything
    assert migrate.migrate(empty_database.admin_url, folder) == everything
    assert migrate.migrate(empty_database.admin_url, folder) == []

    counts = functions / "counts.sql"
    counts.write_text(counts.read_text().replace("count(*)", "10 * count(*)"))

    assert migrate.pending(empty_database.admin_url, folder) == ["functions/counts.sql"]
    assert migrate.migrate(empty_database.admin_url, folder) == ["functions/counts.sql"]
    assert migrate.pending(empty_database.admin_url, folder) == []
    assert _rows(empty_database, b"SELECT how_many()") == [(10,)]


def test_nothing_is_applied_where_a_numbered_file_was_changed(
    empty_database: Database, folder: Path, functions: Path
) -> None:
    migrate.migrate(empty_database.admin_url, folder)
    (folder / "0002_two.sql").write_text("CREATE TABLE two (id bigint);")
    rules = functions / "before_tables" / "rules.sql"
    rules.write_text(rules.read_text().replace("n < 10", "true"))

    with pytest.raises(SettingsError, match=r"0002_two\.sql was changed"):
        migrate.migrate(empty_database.admin_url, folder)

    assert _rows(empty_database, b"SELECT is_plain(11)") == [(False,)]


def test_the_functions_of_this_version_are_no_reason_to_refuse_a_backup(folder: Path, functions: Path) -> None:
    applied = {name: migrate.checksum(text) for name, text in migrate.files(folder)}
    assert migrate.unknown({**applied, "functions/counts.sql": "another", "functions/gone.sql": "x"}, folder) == []
    assert migrate.unknown({**applied, "0002_two.sql": "another"}, folder) == ["0002_two.sql"]
    assert migrate.unknown({**applied, "0003_three.sql": "a newer version's"}, folder) == ["0003_three.sql"]


# ------------------------------------------------------------------ undo


def test_the_newest_migration_is_taken_back_and_functions_are_applied_anew(
    empty_database: Database, folder: Path, functions: Path
) -> None:
    (folder / "0003_three.sql").write_text("CREATE TABLE three (id int); DROP FUNCTION IF EXISTS how_many();")
    (folder / "0003_three.undo.sql").write_text("DROP TABLE three; DROP FUNCTION how_many();")
    migrate.migrate(empty_database.admin_url, folder)

    assert migrate.undo(empty_database.admin_url, folder) == "0003_three.sql"

    assert _rows(empty_database, b"SELECT to_regclass('three')") == [(None,)]
    assert "0003_three.sql" in migrate.pending(empty_database.admin_url, folder)
    assert "functions/counts.sql" in migrate.migrate(empty_database.admin_url, folder)
    assert _rows(empty_database, b"SELECT how_many()") == [(1,)]


def test_a_migration_without_an_undo_is_not_taken_back(empty_database: Database, folder: Path) -> None:
    migrate.migrate(empty_database.admin_url, folder)

    with pytest.raises(SettingsError, match=r"0002_two\.sql\) has no undo"):
        migrate.undo(empty_database.admin_url, folder)

    assert _rows(empty_database, b"SELECT count(*) FROM two") == [(1,)]


def test_an_undo_that_fails_leaves_everything_as_it_was(empty_database: Database, folder: Path) -> None:
    (folder / "0002_two.undo.sql").write_text("DROP TABLE two; SELECT 1 / 0;")
    migrate.migrate(empty_database.admin_url, folder)

    with pytest.raises(psycopg.errors.DivisionByZero):
        migrate.undo(empty_database.admin_url, folder)

    assert migrate.migrate(empty_database.admin_url, folder) == []
    assert _rows(empty_database, b"SELECT count(*) FROM two") == [(1,)]


def test_an_undo_of_no_migration_is_refused_by_name(folder: Path) -> None:
    (folder / "0003_three.undo.sql").write_text("SELECT 1;")

    with pytest.raises(ValueError, match=r"0003_three\.undo\.sql undoes no migration"):
        migrate.files(folder)


def _check_undos(database: Database, folder: Path, growing: Path) -> None:
    """Apply what is behind the first migration one by one; each is undone by its undo, or says why it has none."""
    before_tables = folder / "functions" / "before_tables"  # the other functions may need the newest tables
    if before_tables.exists():
        shutil.copytree(before_tables, growing / "functions" / "before_tables")
    first, *others = [folder / name for name, _ in migrate.files(folder) if not migrate.is_repeatable(name)]
    (shutil.copytree if first.is_dir() else shutil.copy)(first, growing / first.name)
    migrate.migrate(database.admin_url, growing)
    for path in others:
        undo = path.with_name(f"{path.stem}.undo.sql")
        before = statements(database)
        shutil.copy(path, growing)
        migrate.migrate(database.admin_url, growing)
        if not undo.exists():
            assert re.search(r"^-- no undo: \S", path.read_text("utf-8"), re.MULTILINE), (
                f"{path.name} has neither {undo.name} nor a line `-- no undo: why`"
            )
            continue
        after = statements(database)
        shutil.copy(undo, growing)
        assert migrate.undo(database.admin_url, growing) == path.name
        assert statements(database) == before, f"{undo.name} does not bring back what was"
        migrate.migrate(database.admin_url, growing)
        assert statements(database) == after, f"{path.name} gives something else after {undo.name}"


def test_every_migration_after_the_baseline_can_be_undone_or_says_why_not(
    empty_database: Database, tmp_path: Path
) -> None:
    _check_undos(empty_database, migrate.FOLDER, tmp_path)


@pytest.mark.parametrize(
    ("text", "undo", "complaint"),
    [
        ("ALTER TABLE two ADD COLUMN word text;", "ALTER TABLE two DROP COLUMN word;", None),
        ("-- no undo: the words are gone\nDROP TABLE two;", None, None),
        ("DROP TABLE two;", None, "neither"),
        ("ALTER TABLE two ADD COLUMN word text; CREATE INDEX ON two (id);", "ALTER TABLE two DROP COLUMN word;",
         "does not bring back"),
        ("CREATE TABLE IF NOT EXISTS three (id int);", "SELECT 1;", "does not bring back"),
    ],
)  # fmt: skip
def test_that_check_finds_what_is_missing(
    empty_database: Database, folder: Path, tmp_path_factory: pytest.TempPathFactory, text: str, undo: str | None,
    complaint: str | None,
) -> None:  # fmt: skip
    (folder / "0002_two.undo.sql").write_text("DROP TABLE two;")
    (folder / "0003_three.sql").write_text(text)
    if undo is not None:
        (folder / "0003_three.undo.sql").write_text(undo)
    growing = tmp_path_factory.mktemp("growing")
    if complaint is None:
        _check_undos(empty_database, folder, growing)
    else:
        with pytest.raises(AssertionError, match=f"0003_three.*{complaint}"):
            _check_undos(empty_database, folder, growing)


def test_states_in_the_words_of_the_baseline_are_renamed_and_undone_with_their_rows(
    empty_database: Database, tmp_path: Path
) -> None:
    shutil.copytree(migrate.FOLDER / "functions" / "before_tables", tmp_path / "functions" / "before_tables")
    shutil.copytree(migrate.FOLDER / "0001_baseline", tmp_path / "0001_baseline")
    migrate.migrate(empty_database.admin_url, tmp_path)
    old = ("parked", "parked", "uncertain", True, "rows.parked")
    new = ("dead_letter", "failed", "unknown_outcome", True, "rows.dead_letters")
    with psycopg.connect(empty_database.admin_url, autocommit=True) as conn:
        conn.execute(
            """
            INSERT INTO webhook_events
                (day, stream, entry_id, ordinal, received_at, platform, app_id, kind, outcome)
            VALUES (current_date, 's', '1-0', 0, now(), 'telegram', 1, 'other', 'parked');
            INSERT INTO companies (slug, name) VALUES ('acme', 'Acme');
            INSERT INTO imports (company_id, source, name, kind, state)
            SELECT id, 'a.pdf', 'a.pdf', 'file', 'parked' FROM companies;
            INSERT INTO apps (platform, slug, secrets) VALUES ('telegram', 'acme', '');
            INSERT INTO channels (company_id, app_id, platform, external_id, credentials)
            SELECT c.id, a.id, 'telegram', '1', '' FROM companies c, apps a;
            INSERT INTO conversations (company_id, channel_id, chat)
            SELECT company_id, id, '5' FROM channels;
            INSERT INTO outbound
                (company_id, conversation_id, channel_id, message_id, part, text, state, uncertain_at)
            SELECT company_id, id, channel_id, 1, 1, 'x', 'uncertain', now() FROM conversations;
            INSERT INTO alerts (key, words) VALUES ('rows.parked', '1 request');
            """
        )
    states = b"""
        SELECT e.outcome, i.state, o.state, to_json(o) ->> '%s' IS NOT NULL, a.key
        FROM webhook_events e, imports i, outbound o, alerts a
    """
    as_it_was, as_it_is = states % b"uncertain_at", states % b"unknown_since"
    assert _rows(empty_database, as_it_was) == [old]

    for path in migrate.FOLDER.glob("0002_*.sql"):
        shutil.copy(path, tmp_path)
    migrate.migrate(empty_database.admin_url, tmp_path)
    assert _rows(empty_database, as_it_is) == [new]

    migrate.undo(empty_database.admin_url, tmp_path)
    assert _rows(empty_database, as_it_was) == [old]


# ------------------------------------------------------------------ databases from before the baseline


def _as_before_the_baseline(database: Database, last: str, checksum: str) -> None:
    """What schema_migrations says of a database that the old migrations made."""
    with psycopg.connect(database.admin_url, autocommit=True) as conn:
        conn.execute("DELETE FROM schema_migrations")
        conn.execute(
            "INSERT INTO schema_migrations (name, checksum) VALUES ('0001_base.sql', 'x'), (%s, %s)", (last, checksum)
        )


def test_a_database_at_the_end_of_the_old_migrations_is_adopted_and_goes_on(
    empty_database: Database, database: Database, tmp_path: Path
) -> None:
    shutil.copytree(migrate.FOLDER / old_chain.BASELINE, tmp_path / old_chain.BASELINE)
    before_tables = migrate.FOLDER / "functions" / "before_tables"
    shutil.copytree(before_tables, tmp_path / "functions" / "before_tables")
    migrate.migrate(empty_database.admin_url, tmp_path)
    _as_before_the_baseline(empty_database, old_chain.LAST, old_chain.LAST_CHECKSUM)
    with psycopg.connect(empty_database.admin_url, autocommit=True) as conn:
        conn.execute("ALTER TABLE indexing RENAME CONSTRAINT indexing_company_id_fkey TO indexing_company_id_fkey1")

    applied = migrate.migrate(empty_database.admin_url)

    numbered = [name for name, _ in migrate.files() if not migrate.is_repeatable(name)]
    assert [name for name in applied if not migrate.is_repeatable(name)] == numbered[1:]
    assert _rows(empty_database, b"SELECT name FROM schema_migrations WHERE name ~ '^[0-9]' ORDER BY 1") == [
        (name,) for name in numbered
    ]
    assert migrate.pending(empty_database.admin_url) == []
    assert statements(empty_database) == statements(database)


@pytest.mark.parametrize(
    ("last", "checksum"), [("0047_owned_apps.sql", "x"), (old_chain.LAST, "another"), ("0054_later.sql", "x")]
)
def test_a_database_that_stands_elsewhere_in_the_old_migrations_is_refused_by_name(
    database: Database, last: str, checksum: str
) -> None:
    _as_before_the_baseline(database, last, checksum)

    with pytest.raises(SettingsError, match=rf"older than the baseline.*{last}"):
        migrate.migrate(database.admin_url)

    assert _rows(database, b"SELECT count(*) FROM schema_migrations") == [(2,)]


def test_a_backup_from_the_end_of_the_old_migrations_can_be_restored() -> None:
    assert migrate.unknown({"0001_base.sql": "x", old_chain.LAST: old_chain.LAST_CHECKSUM}) == []
    assert migrate.unknown({"0001_base.sql": "x", old_chain.LAST: "another"}) != []
