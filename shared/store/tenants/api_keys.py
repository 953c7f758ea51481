"""API keys: who may do what for a company over HTTP. A key is shown once and stored as a hash."""

from __future__ import annotations

import hashlib
import re
import secrets
import string
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from psycopg import errors
from psycopg.rows import class_row

from shared.names import name_of
from shared.store.db.pool import Conn
from shared.store.tenants.companies import NameTaken

Scope = Literal["read", "write", "admin", "models", "end-user"]

SCOPES: Final[Mapping[Scope, str]] = {
    "read": "see conversations, messages, documents and how the company is set up",
    "write": "change them: write to customers, take conversations over, add and delete documents",
    "admin": "manage the company's API keys, model providers, routes and limits",
    "models": "ask language models through the company's routes, at its cost",
    "end-user": "act for the company's own users, one named in each request",
}
"""By name, what a key with this scope may do. None includes another one."""
AGENT_SCOPES = ("read", "write")
OPERATOR = "operator"
"""Who made a key by a command. A key that made another one is `key ID`."""
KEYS_MAX = 1_000
"""Working keys of a company."""

ALPHABET = string.digits + string.ascii_letters
RANDOM_CHARS, SUM_CHARS = 43, 6
"""62^43 is a little more than 256 bits; 62^6 more than a CRC-32."""
PREFIX_CHARS = 8
KEY = re.compile(r"sb_[0-9A-Za-z]{49}")


def new_key() -> str:
    """Make a key: `sb_`, 43 random characters, and a checksum of 6 over all before it."""
    said = "sb_" + "".join(secrets.choice(ALPHABET) for _ in range(RANDOM_CHARS))
    return said + _sum_of(said)


def is_mistyped(key: str) -> bool:
    """Whether this is no key although it begins as one: a character is wrong, or missing. Older keys (`sbk_…`) have no
    checksum."""
    return key.startswith("sb_") and not (KEY.fullmatch(key) and _sum_of(key[:-SUM_CHARS]) == key[-SUM_CHARS:])


def _sum_of(said: str) -> str:
    left, digits = zlib.crc32(said.encode()), ""
    for _ in range(SUM_CHARS):
        left, digit = divmod(left, len(ALPHABET))
        digits = ALPHABET[digit] + digits
    return digits


def hash_key(key: str) -> bytes:
    """Hash a key. Keys are 256 random bits, so one round of SHA-256 is enough: there is nothing to guess."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()


def scopes_of(names: Iterable[str]) -> list[str]:
    """Return these scopes, each once and in their order. Raises ValueError for one that there is not, and for none."""
    wanted = set(names)
    if unknown := sorted(wanted - SCOPES.keys()):
        raise ValueError(f"there is no scope {unknown[0]!r}: a key has some of {', '.join(SCOPES)}")
    if not wanted:
        raise ValueError(f"a key needs a scope: some of {', '.join(SCOPES)}")
    return [scope for scope in SCOPES if scope in wanted]


class TooMany(ValueError):
    """The company has as many keys as it may have."""


@dataclass(frozen=True, slots=True)
class Holder:
    """Who a key belongs to. agent_id: the person whose key it is, None: a program's. unnoted: its use was last written
    more than a minute ago."""

    company_id: int
    key_id: int
    agent_id: int | None
    scopes: list[str]
    expires_at: datetime | None
    unnoted: bool


@dataclass(frozen=True, slots=True)
class KeyLine:
    """company: its slug. prefix: how the key begins. created_by: `operator`, or `key ID`. A key works while it has no
    revoked_at and its expires_at has not come."""

    company_id: int
    id: int
    company: str
    name: str
    prefix: str
    scopes: list[str]
    agent_id: int | None
    created_by: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None


ADD = """
    /* api_keys.add */
    INSERT INTO api_keys (company_id, name, prefix, key_hash, scopes, agent_id, created_by, expires_at)
    SELECT
        %(company)s, %(name)s, %(prefix)s, %(hash)s, %(scopes)s, %(agent)s, %(by)s, %(expires)s
    WHERE (
        SELECT count(*)
        FROM api_keys
        WHERE company_id = %(company)s
          AND revoked_at IS NULL
          AND (expires_at IS NULL OR expires_at > now())
    ) < %(most)s
    RETURNING id
"""


def add(
    conn: Conn,
    company_id: int,
    name: str,
    key: str,
    scopes: Iterable[str],
    *,
    created_by: str,
    expires_at: datetime | None = None,
    agent_id: int | None = None,
) -> int:
    """Store a key; returns its id. agent_id: whose it is, if a person's.

    Raises NameTaken if a program's key that was not revoked has the name, ValueError for a bad name or scope, for an
    agent that the company does not have, TooMany beyond KEYS_MAX.
    """
    name = name_of(name)
    values = {
        "company": company_id, "name": name, "prefix": key[:PREFIX_CHARS], "hash": hash_key(key),
        "scopes": scopes_of(scopes), "agent": agent_id, "by": created_by, "expires": expires_at, "most": KEYS_MAX,
    }  # fmt: skip
    try:
        with conn.transaction():
            row = conn.execute(ADD, values).fetchone()
    except errors.ForeignKeyViolation:
        raise ValueError("the company has no such agent") from None
    except errors.UniqueViolation as e:
        if e.diag.constraint_name != "api_keys_name_once":
            raise
        raise NameTaken(
            f"the company has an API key named {name!r} already: choose another name, or revoke that one"
        ) from None
    if row is None:
        raise TooMany(f"the company has {KEYS_MAX} working API keys already: revoke those that nobody uses")
    return int(str(row[0]))


def holder_of(conn: Conn, key: str) -> Holder | None:
    """Return who holds a working key, None otherwise; works without a company set."""
    with conn.cursor(row_factory=class_row(Holder)) as cursor:
        return cursor.execute(
            """
            /* api_keys.holder_of */
            SELECT company_id, key_id, agent_id, scopes, expires_at, unnoted
            FROM holder_of_key(%s)
            """,
            (hash_key(key),),
        ).fetchone()


def is_known(conn: Conn, key: str) -> bool:
    """Whether a key was ever made here, also one that works no longer. For the owner role."""
    query = "/* api_keys.is_known */ SELECT 1 FROM api_keys WHERE key_hash = %s"
    return conn.execute(query, (hash_key(key),)).fetchone() is not None


def note_used(conn: Conn, keys: Sequence[tuple[int, int]]) -> None:
    """Write that these (company_id, key_id) were used now; works without a company set. What was written within the
    last minute, or is being written by another process, stays."""
    conn.execute(
        "/* api_keys.note_used */ SELECT note_keys_used(%s, %s)",
        ([company for company, _ in keys], [key for _, key in keys]),
    )


REVOKE = """
    /* api_keys.revoke */
    UPDATE api_keys
    SET revoked_at = now()
    WHERE company_id = %s
      AND id = %s
      AND revoked_at IS NULL
"""
MADE_BY = """
    /* api_keys.made_by */
    UPDATE api_keys
    SET revoked_at = coalesce(revoked_at, now())
    WHERE company_id = %(company)s
      AND created_by = ANY(%(makers)s)
      AND id <> ALL(%(seen)s)
    RETURNING id, revoked_at = now()
"""


def revoke(conn: Conn, company_id: int, key_id: int, *, with_made: bool = False) -> list[int]:
    """Let a key work no longer; returns which keys were revoked, none where there is no such key or it was before.

    with_made: also the keys that it made, and those that they made. Each is revoked before those that it made are
    looked for, so that one that is just being made (`hold`) is found.
    """
    with conn.transaction():
        revoked = [key_id] if conn.execute(REVOKE, (company_id, key_id)).rowcount == 1 else []
        seen, makers = [key_id], [key_id] if with_made else []
        while makers:
            values = {"company": company_id, "makers": [f"key {maker}" for maker in makers], "seen": seen}
            made = [(int(str(found)), bool(now)) for found, now in conn.execute(MADE_BY, values).fetchall()]
            makers = [found for found, _ in made]
            seen += makers
            revoked += [found for found, now in made if now]
    return revoked


HOLD = """
    /* api_keys.hold */
    SELECT 1
    FROM api_keys
    WHERE company_id = %s
      AND id = %s
      AND revoked_at IS NULL
      AND (expires_at IS NULL OR expires_at > now())
    FOR SHARE
"""


def hold(conn: Conn, company_id: int, key_id: int) -> bool:
    """Whether a key works; if so nobody revokes it before this transaction has ended."""
    return conn.execute(HOLD, (company_id, key_id)).fetchone() is not None


LIST = """
    /* api_keys.listing */
    SELECT
        k.company_id, k.id, c.slug AS company, k.name, k.prefix, k.scopes, k.agent_id, k.created_by, k.created_at,
        k.expires_at, k.revoked_at, k.last_used_at
    FROM api_keys k
    JOIN companies c ON c.id = k.company_id
    WHERE k.company_id = coalesce(%(company)s, k.company_id)
      AND k.id > %(after)s
      AND (%(revoked)s OR k.revoked_at IS NULL)
    ORDER BY k.company_id, k.id
    LIMIT %(limit)s
"""


def listing(
    conn: Conn, company_id: int | None = None, *, after_id: int = 0, revoked: bool = True, limit: int | None = None
) -> list[KeyLine]:
    """List a company's keys by id, or for the owner role those of all companies. revoked: revoked ones, too."""
    values = {"company": company_id, "after": after_id, "revoked": revoked, "limit": limit}
    with conn.cursor(row_factory=class_row(KeyLine)) as cursor:
        return cursor.execute(LIST, values).fetchall()


def one(conn: Conn, company_id: int, key_id: int) -> KeyLine | None:
    """Return a company's key."""
    found = listing(conn, company_id, after_id=key_id - 1, limit=1)
    return found[0] if found and found[0].id == key_id else None
