"""Contacts: who writes, as a channel knows them."""

from __future__ import annotations

from dataclasses import dataclass

from psycopg.rows import tuple_row

from shared.store.db.pool import Conn


@dataclass(frozen=True, slots=True)
class ContactKey:
    company_id: int
    channel_id: int
    external_id: str


UPSERT_CONTACTS = """
    /* contacts.ensure_contacts */
    INSERT INTO contacts AS c (company_id, channel_id, external_id, name)
    SELECT *
    FROM unnest(%s::bigint[], %s::bigint[], %s::text[], %s::text[])
    ON CONFLICT (company_id, channel_id, external_id) DO UPDATE
    SET name = excluded.name
    WHERE excluded.name IS NOT NULL
      AND c.name IS DISTINCT FROM excluded.name
"""

# LIMIT 1: one look into the index for each key. As a join the planner reads all of a company's contacts.
CONTACT_IDS = """
    /* contacts.ensure_contacts */
    SELECT k.company_id, k.channel_id, k.external_id, c.id
    FROM unnest(%s::bigint[], %s::bigint[], %s::text[]) AS k (company_id, channel_id, external_id)
    CROSS JOIN LATERAL (
        SELECT c.id
        FROM contacts c
        WHERE c.company_id = k.company_id
          AND c.channel_id = k.channel_id
          AND c.external_id = k.external_id
        LIMIT 1
    ) c
"""


def ensure_contacts(conn: Conn, names: dict[ContactKey, str | None]) -> dict[ContactKey, int]:
    """Make or rename these contacts where needed; returns their ids."""
    if not names:
        return {}
    # sorted: two writers never wait in a circle
    keys = sorted(names, key=lambda k: (k.company_id, k.channel_id, k.external_id))
    values = [
        [k.company_id for k in keys],
        [k.channel_id for k in keys],
        [k.external_id for k in keys],
        [names[k] for k in keys],
    ]
    conn.execute(UPSERT_CONTACTS, values)
    rows = conn.cursor(row_factory=tuple_row).execute(CONTACT_IDS, values[:3])
    return {ContactKey(company, channel, external_id): id_ for company, channel, external_id, id_ in rows}
