"""Changes secrets without a pause: an app's webhook secret, and the keys that credentials are encrypted with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import get_args

from shared.errors import Permanent, SettingsError
from shared.store.db.pool import Conn
from shared.store.db.vault import Vault
from shared.store.tenants import registry
from shared.store.tenants.channels import AppRow
from shared.store.tenants.registry import SealedTable

SECRETS_KEPT = 2
"""The newest and the one before it: what the platform sends while it learns the new one."""


def rotate_secret(conn: Conn, vault: Vault, app: AppRow, new: str) -> None:
    """Put a new webhook secret in front; the one before it goes on counting until the next rotation or
    drop_old_secrets. Raises Permanent when somebody else rotated at the same moment."""
    _put_secrets(conn, vault, app, [new, *secrets_of(vault, app)][:SECRETS_KEPT])


def drop_old_secrets(conn: Conn, vault: Vault, app: AppRow) -> int:
    """Only the newest secret counts from now on; returns how many were dropped."""
    newest, *older = secrets_of(vault, app)
    if older:
        _put_secrets(conn, vault, app, [newest])
    return len(older)


def secrets_of(vault: Vault, app: AppRow) -> list[str]:
    """Newest first."""
    return [str(secret) for secret in vault.open(app.secrets)]


def _put_secrets(conn: Conn, vault: Vault, app: AppRow, secrets: list[str]) -> None:
    if not registry.replace_sealed(conn, "apps", app.id, app.secrets, vault.seal(secrets)):
        raise Permanent("app", f"the app {app.slug!r} was changed by somebody else just now: look again")


@dataclass(slots=True)
class Resealed:
    """changed: sealed anew. already: by the newest key before. moved: changed by somebody else meanwhile (run it
    again). sealed_shut: `table/id` of what no key opens."""

    changed: int = 0
    already: int = 0
    moved: int = 0
    sealed_shut: list[str] = field(default_factory=list)


def reseal_all(conn: Conn, vault: Vault, *, batch: int, dry_run: bool = False) -> Resealed:
    """Bring everything encrypted under the newest key, a transaction a batch; what is there is skipped. Whatever
    ends it half way, the next run does the rest. dry_run: only count."""
    done = Resealed()
    table: SealedTable
    for table in get_args(SealedTable):
        after_id = 0
        while rows := registry.sealed(conn, table, after_id, batch):
            with conn.transaction():
                for id_, old in rows:
                    _reseal(conn, vault, table, id_, old, done, dry_run=dry_run)
            after_id = rows[-1][0]
    return done


def _reseal(
    conn: Conn, vault: Vault, table: SealedTable, id_: int, old: bytes, done: Resealed, *, dry_run: bool
) -> None:
    if vault.is_newest(old):
        done.already += 1
        return
    try:
        new = vault.seal(vault.open(old))
    except SettingsError:
        done.sealed_shut.append(f"{table}/{id_}")
        return
    if dry_run or registry.replace_sealed(conn, table, id_, old, new):
        done.changed += 1
    else:
        done.moved += 1
