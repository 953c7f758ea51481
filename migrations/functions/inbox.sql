-- Claims of attachments.

-- The attachment that is due next, of the first company behind after_company that has one. It is due again when the
-- lease is over.
CREATE OR REPLACE FUNCTION claim_media(after_company bigint, lease_s double precision)
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

-- ------------------------------------------------------------------ who may call what
REVOKE ALL ON FUNCTION claim_media FROM PUBLIC, switchboard_app;
GRANT EXECUTE ON FUNCTION claim_media TO switchboard_app;
