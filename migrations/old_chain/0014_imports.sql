-- What is to become a document: files that were sent, pages that are to be fetched. A row each, so that whatever stops
-- half-way goes on, progress can be counted, and what cannot be read stands there with its reason.

CREATE TABLE imports (
    company_id  bigint NOT NULL REFERENCES companies,
    id          bigint GENERATED ALWAYS AS IDENTITY,
    source      text NOT NULL CHECK (source <> ''),     -- the document's: a path, an address
    name        text NOT NULL,                          -- what it is called, which tells its format
    kind        text NOT NULL CHECK (kind IN ('file', 'page', 'site')),  -- site: a sitemap, which becomes pages
    media_type  text,
    described   jsonb NOT NULL DEFAULT '{}',            -- title, collection, language, category, dated_at
    body        bytea,                                  -- of a file, until it is done
    state       text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'done', 'parked')),
    reason      text,                                   -- why it is parked, or why it waits
    document_id bigint,
    attempts    int NOT NULL DEFAULT 0,
    version     int NOT NULL DEFAULT 1,                 -- grows when it is queued anew: fences who had the old one
    due_at      timestamptz NOT NULL DEFAULT now(),
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (company_id, id),
    UNIQUE (company_id, source)
);
CREATE INDEX imports_due ON imports (company_id, due_at) WHERE state = 'queued';
CREATE INDEX imports_by_state ON imports (company_id, state, id);
SELECT switchboard_isolate('imports');

-- The import that is due next, of the first company behind after_company that has one; due again when the lease is over.
CREATE FUNCTION claim_import(after_company bigint, lease_s double precision)
RETURNS TABLE (company_id bigint, import_id bigint, version int, attempts int)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
SET plan_cache_mode = force_custom_plan AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH due AS (
        SELECT i.company_id, i.id FROM imports i
        WHERE i.company_id > after_company AND i.state = 'queued' AND i.due_at <= clock_timestamp()
        ORDER BY i.company_id, i.due_at LIMIT 1 FOR UPDATE SKIP LOCKED)
    UPDATE imports i SET attempts = i.attempts + 1, due_at = clock_timestamp() + make_interval(secs => lease_s)
    FROM due WHERE i.company_id = due.company_id AND i.id = due.id
    RETURNING i.company_id, i.id, i.version, i.attempts;
END $$;
GRANT EXECUTE ON FUNCTION claim_import TO switchboard_app;
