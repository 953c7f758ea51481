"""Stores rate limits: how much a contact, user, key or address may ask for in a time, a row a purpose.

company_id None: the default, which only the owner role writes. A company's own row stands in place of the whole default
row. Changes are told by the topic of `topic` after the commit (shared/cache/invalidation.py). Limits of a calendar day
are others: daily limits (limits.py), which PostgreSQL counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Literal, get_args

from psycopg.rows import class_row

from shared.resilience.limits import AtOnce, Limit, Window
from shared.store.db.pool import Conn

TOPIC = "rate_limits"
Purpose = Literal["answers", "expensive", "group_messages", "api_user", "api_key", "address", "address_signed_in"]
PURPOSES: tuple[Purpose, ...] = get_args(Purpose)
COUNT_MAX, AT_ONCE_MAX, ANSWERS_MAX = 1_000_000, 10_000, 1_000
_WINDOWS: Mapping[str, float] = {"per_second": 1.0, "per_10_seconds": 10.0, "per_minute": 60.0, "per_hour": 3600.0}


@dataclass(frozen=True, slots=True)
class Bounds:
    """None: no such limit. at_once: so much of it may be under way at the same time."""

    per_second: int | None = None
    per_10_seconds: int | None = None
    per_minute: int | None = None
    per_hour: int | None = None
    at_once: int | None = None

    def limits(self, key: str) -> tuple[Limit, ...]:
        """These bounds for whoever has this key, the shortest time first."""
        found: list[Limit] = [
            Window(key, count, per_s) for name, per_s in _WINDOWS.items() if (count := getattr(self, name)) is not None
        ]
        return (*found, AtOnce(key, self.at_once)) if self.at_once is not None else tuple(found)


FIELDS = tuple(asdict(Bounds()))
DEFAULTS: Mapping[Purpose, Bounds] = {
    "answers": Bounds(per_hour=60),
    "expensive": Bounds(per_minute=10, per_hour=100, at_once=5),
    "group_messages": Bounds(per_second=10),
    "api_user": Bounds(per_hour=1_000),
    "api_key": Bounds(per_hour=10_000),
    "address": Bounds(per_10_seconds=10),
    "address_signed_in": Bounds(per_10_seconds=100),
}
"""As the migrations set them: what counts while the database has never been asked, and what `limit reset` goes back
to."""
ABOUT: Mapping[Purpose, str] = {
    "answers": "answers to one contact, on every channel",
    "expensive": "recall, transcription and the like, for one contact or user",
    "group_messages": "plain messages of one member of a group",
    "api_user": "API calls of one signed-in user",
    "api_key": "API calls with one key of a company",
    "address": "conversations, messages and answers that strangers of one address ask for",
    "address_signed_in": "the same by signed-in agents of one address",
}


@dataclass(frozen=True, slots=True)
class RateLimit:
    """A row."""

    purpose: Purpose
    company_id: int | None
    bounds: Bounds
    updated_at: datetime


_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class _Row(Bounds):
    purpose: Purpose = "answers"
    company_id: int | None = None
    updated_at: datetime = _NEVER

    def as_limit(self) -> RateLimit:
        bounds = Bounds(*(getattr(self, name) for name in FIELDS))
        return RateLimit(self.purpose, self.company_id, bounds, self.updated_at)


def topic(company_id: int | None) -> str:
    """What is told when a company's limits changed; without a company, when the defaults did."""
    return TOPIC if company_id is None else f"{TOPIC}:{company_id}"


def checked(purpose: str, bounds: Bounds) -> Purpose:
    """The purpose. Raises ValueError, which says what to change."""
    found = next((one for one in PURPOSES if one == purpose), None)
    if found is None:
        raise ValueError(f"nothing is limited as {purpose!r}: there are {', '.join(PURPOSES)}")
    for name, count in asdict(bounds).items():
        most = AT_ONCE_MAX if name == "at_once" else COUNT_MAX
        if count is not None and not 1 <= count <= most:
            raise ValueError(f"{name} should be 1 to {most:,}, or none: no such limit")
    if found == "answers" and (bounds != Bounds(per_hour=bounds.per_hour) or (bounds.per_hour or 0) > ANSWERS_MAX):
        raise ValueError(f"answers are limited by the hour alone (per_hour, 1 to {ANSWERS_MAX:,} or none)")
    return found


def everything(conn: Conn, company_id: int | None = None) -> list[RateLimit]:
    """List the defaults, each followed by companies' own limits; with company_id by this company's alone. As the owner,
    or in the company's transaction."""
    with conn.cursor(row_factory=class_row(_Row)) as cursor:
        rows = cursor.execute(
            """
            /* rate_limits.everything */
            SELECT purpose, company_id, per_second, per_10_seconds, per_minute, per_hour, at_once, updated_at
            FROM rate_limits
            WHERE company_id IS NULL
               OR company_id = %(company)s
               OR %(company)s::bigint IS NULL
            ORDER BY purpose, company_id NULLS FIRST
            """,
            {"company": company_id},
        ).fetchall()
    return [row.as_limit() for row in rows if row.purpose in PURPOSES]


def bounds_of(conn: Conn, company_id: int) -> dict[Purpose, Bounds]:
    """What holds for a company, by purpose. In its transaction."""
    return {limit.purpose: limit.bounds for limit in everything(conn, company_id)}


def set_bounds(conn: Conn, purpose: str, company_id: int | None, bounds: Bounds) -> None:
    """Set a company's own limits of a purpose, or with company_id None the default. Raises ValueError."""
    conn.execute(
        """
        /* rate_limits.set_bounds */
        INSERT INTO rate_limits (company_id, purpose, per_second, per_10_seconds, per_minute, per_hour, at_once)
        VALUES (
            %(company)s, %(purpose)s, %(per_second)s, %(per_10_seconds)s, %(per_minute)s, %(per_hour)s, %(at_once)s
        )
        ON CONFLICT (company_id, purpose) DO UPDATE
        SET per_second = excluded.per_second,
            per_10_seconds = excluded.per_10_seconds,
            per_minute = excluded.per_minute,
            per_hour = excluded.per_hour,
            at_once = excluded.at_once,
            updated_at = now()
        """,
        {"company": company_id, "purpose": checked(purpose, bounds), **asdict(bounds)},
    )


def changed(bounds: Bounds, counts: Mapping[str, int | None]) -> Bounds:
    """The bounds with some of them replaced, by the name of their column."""
    return replace(bounds, **counts)


def reset(conn: Conn, purpose: Purpose, company_id: int | None) -> bool:
    """Delete a company's own limits of a purpose, so that the default holds again; with company_id None the default
    becomes the built-in one. Returns False if nothing changed."""
    if company_id is None:
        if bounds_of_default(conn, purpose) == DEFAULTS[purpose]:
            return False
        set_bounds(conn, purpose, None, DEFAULTS[purpose])
        return True
    return (
        conn.execute(
            "/* rate_limits.reset */ DELETE FROM rate_limits WHERE company_id = %s AND purpose = %s",
            (company_id, purpose),
        ).rowcount
        == 1
    )


def bounds_of_default(conn: Conn, purpose: Purpose) -> Bounds | None:
    found = [limit for limit in everything(conn) if limit.purpose == purpose and limit.company_id is None]
    return found[0].bounds if found else None
