-- What customers attached: a row an attachment, fetched by a task, its bytes in the media store under their hash.
--
-- waiting: due at due_at (a claim moves it ahead, fenced by epoch). stored: the bytes are there. refused: we do not
-- want it (too large, a type nobody reads, infected). failed: it could not be had.
CREATE TABLE media (
    company_id      bigint NOT NULL,
    message_id      bigint NOT NULL,
    ordinal         int NOT NULL,                -- the attachment's place in its message, from 0
    channel_id      bigint NOT NULL,
    state           text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'stored', 'refused', 'failed')),
    reason          text,                        -- of refused and failed, and of the last attempt: a static word
    epoch           int NOT NULL DEFAULT 0,
    attempts        int NOT NULL DEFAULT 0,
    due_at          timestamptz NOT NULL DEFAULT now(),
    sha256          bytea,
    size_bytes      bigint,
    mime            text,                        -- as its server said, where we know the type
    created_at      timestamptz NOT NULL DEFAULT now(),
    finished_at     timestamptz,
    PRIMARY KEY (company_id, message_id, ordinal),
    FOREIGN KEY (company_id, message_id) REFERENCES messages ON DELETE CASCADE,
    CHECK (state <> 'stored' OR (sha256 IS NOT NULL AND size_bytes IS NOT NULL))
);
CREATE INDEX media_due ON media (company_id, due_at) WHERE state = 'waiting';
-- Whose bytes are these still: asked before they are deleted.
CREATE INDEX media_content ON media (company_id, sha256) WHERE sha256 IS NOT NULL;
SELECT switchboard_isolate('media');

CREATE FUNCTION claim_media(after_company bigint, lease_s double precision)
RETURNS TABLE (company_id bigint, message_id bigint, ordinal int, epoch int, attempts int)
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
SET plan_cache_mode = force_custom_plan AS $$
    WITH due AS (
        SELECT m.company_id, m.message_id, m.ordinal FROM media m
        WHERE m.company_id > after_company AND m.state = 'waiting' AND m.due_at <= clock_timestamp()
        ORDER BY m.company_id, m.due_at LIMIT 1 FOR UPDATE SKIP LOCKED)
    UPDATE media m SET epoch = m.epoch + 1, attempts = m.attempts + 1,
           due_at = clock_timestamp() + make_interval(secs => lease_s)
    FROM due WHERE m.company_id = due.company_id AND m.message_id = due.message_id AND m.ordinal = due.ordinal
    RETURNING m.company_id, m.message_id, m.ordinal, m.epoch, m.attempts
$$;
GRANT EXECUTE ON FUNCTION claim_media TO switchboard_app;
