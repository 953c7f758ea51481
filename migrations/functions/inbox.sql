-- Claims of attachments, and handed-over conversations that the bot comes back to.

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

-- Handed-over conversations in which nobody has written for as long as was settled when they were handed over, nor
-- before the time that their customers were told, the next lim behind a place. A thread that another application holds is not ours to answer in.
CREATE OR REPLACE FUNCTION quiet_handovers(after_company bigint, after_conversation bigint, lim int)
RETURNS TABLE (company_id bigint, id bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT c.company_id, c.id FROM conversations c
    WHERE c.status = 'handed_over' AND c.bot_off_at IS NOT NULL AND c.bot_off_reason IS DISTINCT FROM 'another_app'
      AND (c.company_id, c.id) > (after_company, after_conversation)
      AND greatest(c.last_message_at, c.bot_off_at, c.opens_at) + make_interval(secs => c.return_after_s)
          <= clock_timestamp()
    ORDER BY c.company_id, c.id LIMIT lim
$$;

-- ------------------------------------------------------------------ who may call what
REVOKE ALL ON FUNCTION claim_media, quiet_handovers FROM PUBLIC, switchboard_app;
GRANT EXECUTE ON FUNCTION claim_media, quiet_handovers TO switchboard_app;
