"""What a database's schema is, in a form that can be compared: by pg_dump, in an order that tells nothing of how it was
made."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from shared.embedded import Database
from shared.embedded.programs import postgres_programs
from shared.store.db import migrate


def copy_migrations_before(name: str, folder: Path) -> None:
    """Copy the migrations older than this one, and the functions that tables use, into an empty folder."""
    shutil.copytree(migrate.FOLDER / "functions" / "before_tables", folder / "functions" / "before_tables")
    for path in migrate.FOLDER.glob("0*"):
        if path.name < name[:4]:
            (shutil.copytree if path.is_dir() else shutil.copy)(path, folder / path.name)


def statements(database: Database) -> list[str]:
    """All that makes the schema: tables, indexes, functions, policies, triggers, grants."""
    return _dumped(database, "--schema-only")


def rows(database: Database) -> list[str]:
    """All rows but those that say which migrations were applied, without the times at which they were made."""
    dumped = _dumped(database, "--data-only", "--inserts", "--exclude-table=schema_migrations")
    return [re.sub(r"'\d{4}-\d\d-\d\d [^']*'", "'some time'", statement) for statement in dumped]


def _dumped(database: Database, *arguments: str) -> list[str]:
    parts: dict[str, Any] = dict(conninfo_to_dict(database.admin_url))
    password = str(parts.pop("password", None) or "")
    ended = subprocess.run(
        [postgres_programs() / "pg_dump", f"--dbname={make_conninfo('', **parts)}", *arguments],
        env={"PGPASSWORD": password}, capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    told = re.sub(r"^\\(un)?restrict .*$", "", ended.stdout, flags=re.MULTILINE)
    return sorted(part.strip() for part in told.split("\n--\n-- ") if part.strip())
