"""Queues the pages of websites, and removes those that their sitemap no longer names."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

from psycopg.rows import scalar_row

from shared.store.db.pool import Conn
from shared.store.knowledge import names

REREAD_DAYS = 27
"""Whatever a sitemap says: some name the day on which they were made, and it never changes."""


QUEUE_PAGES = """
    /* sites.queue_pages */
    INSERT INTO imports (company_id, source, name, kind, described, site, lastmod)
    SELECT %(company)s, page, page, 'page', %(described)s::jsonb, %(site)s, nullif(changed, '')
    FROM unnest(%(pages)s::text[], %(changed)s::text[]) AS named (page, changed)
    ORDER BY page
    ON CONFLICT (company_id, source) DO UPDATE
    SET described = EXCLUDED.described,
        state = 'queued',
        site = EXCLUDED.site,
        left_at = NULL,
        lastmod = EXCLUDED.lastmod,
        seen = CASE WHEN imports.described = EXCLUDED.described THEN imports.seen END,
        reason = NULL,
        attempts = 0,
        version = imports.version + 1,
        due_at = now(),
        updated_at = now()
    WHERE imports.kind = 'page'
      AND (
          imports.state = 'done'
          AND imports.described = EXCLUDED.described
          AND imports.seen -> 'as' = to_jsonb(%(version)s::int)
          AND imports.lastmod = EXCLUDED.lastmod
          AND left(EXCLUDED.lastmod, 10) < to_char(imports.updated_at, 'YYYY-MM-DD')
          AND imports.updated_at > now() - make_interval(days => %(reread)s)
          AND EXISTS (
              SELECT 1
              FROM documents d
              WHERE d.company_id = imports.company_id
                AND d.id = imports.document_id
          )
      ) IS NOT TRUE
"""


def queue_pages(
    conn: Conn, company_id: int, pages: Mapping[str, str], described: Mapping[str, Any], *, site: str, version: int
) -> int:
    """Queue pages to be fetched, except those that have not changed: fetched with this version of the reader after the
    day of the sitemap's `lastmod`.

    pages: address and `lastmod`, empty if there is none. site: the sitemap that names them. Returns how many were
    queued.
    """
    return conn.execute(
        QUEUE_PAGES,
        {
            "company": company_id,
            "described": json.dumps(dict(described)),
            "site": site,
            "pages": list(pages),
            "changed": list(pages.values()),
            "version": version,
            "reread": REREAD_DAYS,
        },
    ).rowcount


LEFT_FOR_DAYS = 6
"""Less than the week between two readings: what two of them do not name is gone."""


DELETE_GONE_PAGES = """
    /* sites.part_with */
    DELETE FROM imports
    WHERE company_id = %(company)s
      AND site = %(site)s
      AND left_at < now() - make_interval(days => %(days)s)
    RETURNING source
"""


def part_with(conn: Conn, company_id: int, site: str, named: Collection[str]) -> int:
    """Mark pages that their sitemap no longer names; delete those that were marked LEFT_FOR_DAYS ago, with their
    documents.

    Does nothing if the sitemap names fewer than half of what it named before: then it is probably broken. named: all
    that it names. Returns how many were deleted.
    """
    values = {"company": company_id, "site": site, "named": list(named), "days": LEFT_FOR_DAYS}
    broken = conn.execute(
        """
        /* sites.part_with */
        SELECT count(*) FILTER (WHERE source = ANY (%(named)s)) * 2 < count(*)
        FROM imports
        WHERE company_id = %(company)s
          AND site = %(site)s
          AND kind = 'page'
          AND left_at IS NULL
        """,
        values,
    ).fetchone()
    if broken is not None and broken[0]:
        return 0
    conn.execute(
        """
        /* sites.part_with */
        UPDATE imports
        SET left_at = CASE WHEN source = ANY (%(named)s) THEN NULL ELSE coalesce(left_at, now()) END
        WHERE company_id = %(company)s
          AND site = %(site)s
          AND kind = 'page'
          AND (left_at IS NULL) <> (source = ANY (%(named)s))
        """,
        values,
    )
    gone = [str(row[0]) for row in conn.execute(DELETE_GONE_PAGES, values).fetchall()]
    names.release(conn, company_id, gone)
    return len(gone)


def queue_sites_again(conn: Conn, company_id: int) -> int:
    """Queue all of the company's websites again. Returns how many."""
    return conn.execute(
        """
        /* sites.queue_sites_again */
        UPDATE imports
        SET state = 'queued', reason = NULL, attempts = 0, version = version + 1, due_at = now(),
            updated_at = now()
        WHERE company_id = %s
          AND kind = 'site'
          AND state <> 'queued'
        """,
        (company_id,),
    ).rowcount


def count_sites(conn: Conn) -> int:
    """Count the websites of all companies that could be queued again. For the owner role."""
    with conn.cursor(row_factory=scalar_row) as cursor:
        found = cursor.execute(
            """
            /* sites.count_sites */
            SELECT count(*)
            FROM imports
            WHERE kind = 'site'
              AND state <> 'queued'
            """
        ).fetchone()
    assert isinstance(found, int)
    return found
