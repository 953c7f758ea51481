"""Stores model providers: an address, a sealed key, and the models that are asked there.

company_id None: the installation's own, which every company may use and only the owner role writes. Changes are told
by the topics of `changed_topics` after the commit (shared/cache/invalidation.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, get_args

from psycopg import errors
from psycopg.rows import class_row, scalar_row
from psycopg.types.json import Jsonb

from shared.errors import NothingDone
from shared.store.db.pool import Conn

Kind = Literal["chat", "embedding", "rerank", "transcription"]
KINDS: tuple[Kind, ...] = get_args(Kind)
State = Literal["active", "disabled"]
MODELS_MAX = 200
"""Of one provider."""
TOPIC = "model_routes"


def topic(company_id: int) -> str:
    """The topic of a company's own routes."""
    return f"{TOPIC}:{company_id}"


def changed_topics(company_id: int | None) -> tuple[str, ...]:
    """What is told after the commit when a company's providers or routes changed (which companies have routes of their
    own concerns everybody), or without a company the installation's."""
    return (TOPIC,) if company_id is None else (topic(company_id), f"{TOPIC}:all")


@dataclass(frozen=True, slots=True)
class Model:
    """A model as its provider names it, and what it is asked for."""

    name: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class NewProvider:
    """sealed: `{"api_key": …}` by the vault, None where it asks for none. key_hint: the key's last characters, for
    people. paid: what it costs must be known before it is asked."""

    company_id: int | None
    name: str
    base_url: str
    sealed: bytes | None = field(repr=False)
    key_hint: str
    models: tuple[Model, ...]
    paid: bool
    state: State = "active"


@dataclass(frozen=True, slots=True)
class Provider(NewProvider):
    """A row."""

    id: int = 0
    created_at: datetime | None = None
    updated_at: datetime | None = None

    def kind_of(self, model: str) -> Kind | None:
        """None: it has no such model."""
        return next((one.kind for one in self.models if one.name == model), None)


@dataclass(frozen=True, slots=True)
class _Row:
    id: int
    company_id: int | None
    name: str
    base_url: str
    credentials: bytes | None
    key_hint: str
    models: list[dict[str, Any]]
    paid: bool
    state: State
    created_at: datetime
    updated_at: datetime

    def read(self) -> Provider:
        return Provider(
            self.company_id, self.name, self.base_url, None if self.credentials is None else bytes(self.credentials),
            self.key_hint, models_of(self.models), self.paid, self.state, self.id, self.created_at, self.updated_at,
        )  # fmt: skip


def models_of(stored: Iterable[dict[str, Any]]) -> tuple[Model, ...]:
    return tuple(Model(str(one["name"]), one["kind"]) for one in stored)


def _as_json(models: Sequence[Model]) -> Jsonb:
    return Jsonb([{"name": one.name, "kind": one.kind} for one in models])


def listed(conn: Conn, company_id: int | None, *, after_id: int = 0, limit: int = 1_000) -> list[Provider]:
    """List what a company may use by id: its own providers and the installation's; without a company these alone."""
    with conn.cursor(row_factory=class_row(_Row)) as cursor:
        rows = cursor.execute(
            """
            /* providers.listed */
            SELECT id, company_id, name, base_url, credentials, key_hint, models, paid, state, created_at, updated_at
            FROM model_providers
            WHERE (company_id IS NULL OR company_id = %s)
              AND id > %s
            ORDER BY id
            LIMIT %s
            """,
            (company_id, after_id, limit),
        ).fetchall()
    return [row.read() for row in rows]


def every(conn: Conn) -> list[Provider]:
    """List the providers of everybody. For the owner role."""
    with conn.cursor(row_factory=class_row(_Row)) as cursor:
        rows = cursor.execute(
            """
            /* providers.every */
            SELECT id, company_id, name, base_url, credentials, key_hint, models, paid, state, created_at, updated_at
            FROM model_providers
            ORDER BY company_id NULLS FIRST, name
            """
        ).fetchall()
    return [row.read() for row in rows]


def own(conn: Conn, company_id: int | None, name: str, *, lock: bool = False) -> Provider | None:
    """Return a company's own provider, or without a company the installation's. lock: nobody else changes it until the
    transaction ends."""
    with conn.cursor(row_factory=class_row(_Row)) as cursor:
        if lock:
            cursor.execute(
                """
                /* providers.lock */
                SELECT 1 AS id
                FROM model_providers
                WHERE company_id IS NOT DISTINCT FROM %s
                  AND name = %s
                FOR UPDATE
                """,
                (company_id, name),
            )
        row = cursor.execute(
            """
            /* providers.own */
            SELECT id, company_id, name, base_url, credentials, key_hint, models, paid, state, created_at, updated_at
            FROM model_providers
            WHERE company_id IS NOT DISTINCT FROM %s
              AND name = %s
            """,
            (company_id, name),
        ).fetchone()
    return None if row is None else row.read()


def by_id(conn: Conn, company_id: int, provider_id: int) -> Provider | None:
    """Return a provider that a company may use: its own or the installation's."""
    found = listed(conn, company_id, after_id=provider_id - 1, limit=1)
    return found[0] if found and found[0].id == provider_id else None


def visible(conn: Conn, company_id: int | None, name: str) -> Provider | None:
    """Return what a company means by a name: its own provider, else the installation's."""
    found = own(conn, company_id, name)
    return found if found is not None or company_id is None else own(conn, None, name)


def is_name_taken(conn: Conn, company_id: int | None, name: str) -> bool:
    """Return whether a name would stand for two providers that one company may use."""
    with conn.cursor(row_factory=scalar_row) as cursor:
        cursor.execute(
            """
            /* providers.is_name_taken */
            SELECT EXISTS (
                SELECT 1
                FROM model_providers
                WHERE name = %(name)s
                  AND (company_id IS NULL OR %(company)s::bigint IS NULL OR company_id = %(company)s)
            )
            """,
            {"name": name, "company": company_id},
        )
        return bool(cursor.fetchone())


def add(conn: Conn, new: NewProvider) -> int:
    """Add a provider and return its id. Raises NothingDone if its name is taken."""
    if is_name_taken(conn, new.company_id, new.name):
        raise NothingDone("model_provider", f"there is a provider {new.name!r} already")
    try:
        with conn.transaction(), conn.cursor(row_factory=scalar_row) as cursor:
            found = cursor.execute(
                """
                /* providers.add */
                INSERT INTO model_providers (company_id, name, base_url, credentials, key_hint, models, paid, state)
                VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
                RETURNING id
                """,
                (new.company_id, new.name, new.base_url, new.sealed, new.key_hint, _as_json(new.models), new.paid,
                 new.state),
            ).fetchone()  # fmt: skip
    except errors.UniqueViolation:
        raise NothingDone("model_provider", f"there is a provider {new.name!r} already") from None
    assert found is not None
    return int(found)


def change(conn: Conn, changed: Provider) -> None:
    """Write a provider that was read with `lock`. Its company and name stay."""
    conn.execute(
        """
        /* providers.change */
        UPDATE model_providers
        SET base_url = %s, credentials = %s, key_hint = %s, models = %s, paid = %s, state = %s,
            updated_at = clock_timestamp()
        WHERE id = %s
        """,
        (changed.base_url, changed.sealed, changed.key_hint, _as_json(changed.models), changed.paid, changed.state,
         changed.id),
    )  # fmt: skip


def remove(conn: Conn, provider_id: int) -> bool:
    """Delete a provider. Returns False if there is none. Raises psycopg's ForeignKeyViolation while a route asks it."""
    cursor = conn.execute("/* providers.remove */ DELETE FROM model_providers WHERE id = %s", (provider_id,))
    return cursor.rowcount == 1
