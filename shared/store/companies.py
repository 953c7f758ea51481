"""Companies and their agents (the people who answer)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Literal

from psycopg import sql

from shared.store.pool import Conn

Text = Literal["handover_text", "notice_text", "overload_text"]


@dataclass(frozen=True, slots=True)
class Company:
    id: int
    name: str
    handover_text: str
    notice_text: str
    overload_text: str
    daily_token_budget: int | None = None


def ensure(conn: Conn, name: str) -> Company:
    """The company of this name, made if there is none. For the owner role."""
    conn.execute(
        "/* companies.ensure */ INSERT INTO companies (name) VALUES (%s) ON CONFLICT (name) DO NOTHING", (name,)
    )
    company = by_name(conn, name)
    assert company is not None
    conn.execute(
        "/* companies.ensure */ INSERT INTO company_totals (company_id) VALUES (%s) ON CONFLICT DO NOTHING",
        (company.id,),
    )
    return company


def by_name(conn: Conn, name: str) -> Company | None:
    row = conn.execute(
        "/* companies.by_name */ SELECT id, name, handover_text, notice_text, overload_text FROM companies"
        " WHERE name = %s",
        (name,),
    ).fetchone()
    return Company(*row) if row else None  # type: ignore[arg-type]


def set_text(conn: Conn, company_id: int, which: Text, text: str) -> None:
    """What customers are told where there is no answer. For the owner role."""
    conn.execute(
        sql.SQL("/* companies.set_text */ UPDATE companies SET {} = %s WHERE id = %s").format(sql.Identifier(which)),
        (text, company_id),
    )


def ids(conn: Conn) -> list[int]:
    """Every company's id; works without a company set."""
    return [int(str(row[0])) for row in conn.execute("/* companies.ids */ SELECT company_id FROM company_ids()")]


def ids_after(conn: Conn, company_id: int, *, limit: int) -> list[int]:
    """The next companies' ids, in order; works without a company set."""
    rows = conn.execute(
        "/* companies.ids_after */ SELECT company_id FROM company_ids() WHERE company_id > %s ORDER BY 1 LIMIT %s",
        (company_id, limit),
    ).fetchall()
    return [int(str(row[0])) for row in rows]


def hash_key(api_key: str) -> bytes:
    """Keys are 256 random bits, so one round of SHA-256 is enough: there is nothing to guess."""
    return hashlib.sha256(api_key.encode()).digest()


def add_agent(conn: Conn, company_id: int, name: str, api_key: str) -> int:
    """For the owner role. Returns the agent's id."""
    row = conn.execute(
        "/* companies.add_agent */ INSERT INTO agents (company_id, name, key_hash) VALUES (%s, %s, %s) RETURNING id",
        (company_id, name, hash_key(api_key)),
    ).fetchone()
    assert row is not None
    return int(str(row[0]))


def agent_of_key(conn: Conn, api_key: str) -> tuple[int, int] | None:
    """(company_id, agent_id) of a key that is in force, None otherwise."""
    row = conn.execute(
        "/* companies.agent_of_key */ SELECT company_id, agent_id FROM agent_of_key(%s)", (hash_key(api_key),)
    ).fetchone()
    return (int(str(row[0])), int(str(row[1]))) if row else None
