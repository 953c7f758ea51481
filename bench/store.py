"""What the tables take: events a second in batches on one worker, and an inbox that stays as fast as it grows.

PostgreSQL with fsync on, Valkey with fsync every second; everything as the application role, in the product's own
transactions.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench import batches, inboxes
from shared.embedded import Database, DataFolder, Postgres, Valkey
from shared.embedded.ports import choose_port
from shared.store.db.migrate import migrate
from tests.services import PLACES_FOR_ROOT, PREFIX


@contextmanager
def _services() -> Iterator[tuple[Postgres, Valkey]]:
    with ExitStack() as stack:
        folder = stack.enter_context(DataFolder(Path(tempfile.mkdtemp(prefix=PREFIX)), places_for_root=PLACES_FOR_ROOT))
        stack.callback(folder.discard)
        postgres = stack.enter_context(Postgres(folder, port=choose_port(None)))
        yield postgres, stack.enter_context(Valkey(folder, port=choose_port(None)))


def _new_database(postgres: Postgres, name: str) -> Database:
    database = postgres.create_database(name)
    migrate(database.admin_url)
    return database


def report(scale: float = 1.0) -> list[str]:
    with _services() as (postgres, valkey):
        per_s = batches.measure(_new_database(postgres, "batches"), valkey.database_url(1), scale)
        sizes = [inboxes.SMALL, max(10 * inboxes.SMALL, int(inboxes.LARGE * scale))]
        inboxes_of = [
            inboxes.Inbox(
                size, _new_database(postgres, f"inbox_{size}"), postgres.superuser_url, valkey.database_url(number)
            )
            for number, size in enumerate(sizes, 2)
        ]
        measured = inboxes.measure(inboxes_of)
    return [*batches.lines(per_s), *inboxes.lines(sizes, measured)]
