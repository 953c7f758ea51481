"""Stores companies and their agents (the people who answer)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import LiteralString

from psycopg import errors
from psycopg.rows import class_row, scalar_row

from shared.names import name_of, slug_of
from shared.store.db.pool import Conn


@dataclass(frozen=True, slots=True)
class Company:
    """slug: how commands name it, beside its id; it never changes."""

    id: int
    slug: str
    name: str
    daily_token_budget: int | None = None


_BY_NAME = """
    /* companies.by_name */
    SELECT id, slug, name, daily_token_budget
    FROM companies
    WHERE name_key(name) = name_key(%s)
"""
_BY_SLUG = """
    /* companies.by_slug */
    SELECT id, slug, name, daily_token_budget
    FROM companies
    WHERE slug = %s
"""
_BY_ID = """
    /* companies.by_id */
    SELECT id, slug, name, daily_token_budget
    FROM companies
    WHERE id = %s
"""


class NameTaken(ValueError):
    """Another one has this name, or one that differs only in case; `slug` is that company's."""

    def __init__(self, message: str, slug: str | None = None) -> None:
        super().__init__(message)
        self.slug = slug


def ensure(conn: Conn, name: str) -> Company:
    """Return the company of this name, made if there is none. For the owner role. Raises ValueError for a bad name."""
    return by_name(conn, name) or create(conn, name)


def create(conn: Conn, name: str, slug: str | None = None) -> Company:
    """Make a company. slug: made from the name where it is not given. For the owner role.

    Raises NameTaken, and ValueError for a name or slug that is none.
    """
    name, slug = name_of(name), None if slug is None else slug_of(slug)
    try:
        with conn.transaction():
            row = conn.execute(
                """
                /* companies.create */
                INSERT INTO companies (name, slug)
                VALUES (%s, %s)
                RETURNING id
                """,
                (name, slug),
            ).fetchone()
            assert row is not None
            conn.execute("/* companies.create */ INSERT INTO company_totals (company_id) VALUES (%s)", row)
    except errors.UniqueViolation as e:
        raise _taken(conn, name, slug, e.diag.constraint_name) from None
    made = by_id(conn, int(str(row[0])))
    assert made is not None
    return made


def _taken(conn: Conn, name: str, slug: str | None, constraint: str | None) -> NameTaken:
    if constraint == "companies_slug_once":
        return NameTaken(f"another company has the slug {slug!r}: choose another one", slug)
    there = by_name(conn, name)
    whose = "another company" if there is None else f"company {there.id}, with the slug {there.slug},"
    return NameTaken(
        f"{whose} has the name {name!r} already: choose another one", None if there is None else there.slug
    )


def rename(conn: Conn, company_id: int, name: str) -> None:
    """Give a company another name; its slug stays. For the owner role. Raises as `create` does."""
    name = name_of(name)
    try:
        with conn.transaction():
            conn.execute(
                """
                /* companies.rename */
                UPDATE companies
                SET name = %s
                WHERE id = %s
                """,
                (name, company_id),
            )
    except errors.UniqueViolation as e:
        raise _taken(conn, name, None, e.diag.constraint_name) from None


def by_name(conn: Conn, name: str) -> Company | None:
    """Find a company by its name, without regard to case."""
    return _one(conn, _BY_NAME, name.replace("\x00", ""))


def by_slug(conn: Conn, slug: str) -> Company | None:
    """Find a company by its slug."""
    return _one(conn, _BY_SLUG, slug.replace("\x00", ""))


def by_id(conn: Conn, company_id: int) -> Company | None:
    """Find a company by its id."""
    return _one(conn, _BY_ID, company_id)


def _one(conn: Conn, query: LiteralString, value: str | int) -> Company | None:
    with conn.cursor(row_factory=class_row(Company)) as cursor:
        return cursor.execute(query, (value,)).fetchone()


def slugs(conn: Conn, *, limit: int) -> dict[str, str]:
    """Return companies' names by slug, oldest first. For the owner role."""
    rows = conn.execute(
        """
        /* companies.slugs */
        SELECT slug, name
        FROM companies
        ORDER BY id
        LIMIT %s
        """,
        (limit,),
    )
    return {str(slug): str(name) for slug, name in rows.fetchall()}


def ids(conn: Conn) -> list[int]:
    """List every company's id; works without a company set."""
    with conn.cursor(row_factory=scalar_row) as cursor:
        return cursor.execute("/* companies.ids */ SELECT company_id FROM company_ids()").fetchall()


def ids_after(conn: Conn, company_id: int, *, limit: int) -> list[int]:
    """List the next companies' ids, in order; works without a company set."""
    with conn.cursor(row_factory=scalar_row) as cursor:
        return cursor.execute(
            """
            /* companies.ids_after */
            SELECT company_id
            FROM company_ids()
            WHERE company_id > %s
            ORDER BY 1
            LIMIT %s
            """,
            (company_id, limit),
        ).fetchall()


def add_agent(conn: Conn, company_id: int, name: str) -> int:
    """Add an agent, without an API key yet; returns its id. Raises NameTaken if an agent who is not disabled has the
    name, ValueError for an invalid name. For the owner role."""
    name = name_of(name)
    try:
        with conn.transaction():
            row = conn.execute(
                """
                /* companies.add_agent */
                INSERT INTO agents (company_id, name)
                VALUES (%s, %s)
                RETURNING id
                """,
                (company_id, name),
            ).fetchone()
    except errors.UniqueViolation as e:
        if e.diag.constraint_name != "agents_name_once":
            raise
        raise NameTaken(f"the company has an agent named {name!r} already: choose another name, or disable that one"
                        ) from None  # fmt: skip
    assert row is not None
    return int(str(row[0]))


_FREE_AGENT_NAME = """
    /* companies.free_agent_name */
    WITH taken AS (
        SELECT name_key(name) AS key
        FROM agents
        WHERE company_id = %(company)s
          AND disabled_at IS NULL
    ), tried AS (
        SELECT n, CASE WHEN n = 1 THEN %(name)s::text ELSE %(name)s::text || ' ' || n END AS name
        FROM generate_series(1, (SELECT count(*) + 1 FROM taken)) n
    )
    SELECT name
    FROM tried
    WHERE name_key(name) NOT IN (SELECT key FROM taken)
    ORDER BY n
    LIMIT 1
"""


def free_agent_name(conn: Conn, company_id: int, name: str) -> str:
    """Return this name, with a number where an agent who is not disabled has it."""
    row = conn.execute(_FREE_AGENT_NAME, {"company": company_id, "name": name}).fetchone()
    assert row is not None
    return str(row[0])
