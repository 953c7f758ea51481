-- Programs as channels (Standard Webhooks): their requests are named by a header, and answers to them may be sent again
-- for days, which must hold up nothing else.
ALTER TABLE webhook_raw
    ADD COLUMN delivery_id text;                 -- the sender's name for the request, the same each time it comes

-- As before, with that name.
DROP FUNCTION ops_parked_one(date, text, text, int);
CREATE FUNCTION ops_parked_one(on_day date, on_stream text, at_entry text, at_ordinal int)
RETURNS TABLE (platform text, app_id bigint, request_id text, still_parked boolean, body bytea, delivery_id text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT e.platform, e.app_id, e.request_id, e.outcome = 'parked', r.body, r.delivery_id
    FROM webhook_events e
    LEFT JOIN webhook_raw r ON r.day = e.day AND r.stream = e.stream AND r.entry_id = e.entry_id
    WHERE e.day = on_day AND e.stream = on_stream AND e.entry_id = at_entry AND e.ordinal = at_ordinal
$$;
GRANT EXECUTE ON FUNCTION ops_parked_one TO switchboard_app;

ALTER TABLE outbound
    ADD COLUMN blocks boolean NOT NULL DEFAULT true;  -- false: later parts of the conversation need not wait for it

-- As before, but for parts that block nobody.
CREATE OR REPLACE FUNCTION claim_outbound(after_company bigint, lease_s double precision, unblock_s double precision)
RETURNS TABLE (company_id bigint, id bigint, epoch int)
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
SET plan_cache_mode = force_custom_plan AS $$
    WITH due AS (
        SELECT o.company_id, o.id FROM outbound o
        WHERE o.company_id > after_company AND o.state = 'queued' AND o.due_at <= clock_timestamp()
          AND o.state IN ('queued', 'sending')
          AND NOT EXISTS (SELECT 1 FROM outbound earlier
                          WHERE earlier.company_id = o.company_id AND earlier.conversation_id = o.conversation_id
                            AND earlier.id < o.id AND earlier.state IN ('queued', 'sending', 'uncertain')
                            AND earlier.blocks
                            AND (earlier.state <> 'uncertain' OR earlier.uncertain_at
                                 > clock_timestamp() - make_interval(secs => unblock_s)))
        ORDER BY o.company_id, o.due_at LIMIT 1 FOR UPDATE SKIP LOCKED)
    UPDATE outbound o SET epoch = o.epoch + 1, due_at = clock_timestamp() + make_interval(secs => lease_s)
    FROM due WHERE o.company_id = due.company_id AND o.id = due.id
    RETURNING o.company_id, o.id, o.epoch
$$;

-- Sends whose result was not recorded in time: nobody knows what became of them. On platforms whose receivers take a
-- part once however often it comes, they go again.
DROP FUNCTION expire_sending(int);
CREATE FUNCTION expire_sending(lim int, idempotent text[] DEFAULT '{}')
RETURNS TABLE (company_id bigint, id bigint, state text)
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH late AS (
        SELECT o.company_id, o.id, (SELECT h.platform = ANY (idempotent) FROM channels h
                                    WHERE h.company_id = o.company_id AND h.id = o.channel_id) AS again
        FROM outbound o
        WHERE o.state = 'sending' AND o.due_at <= clock_timestamp() LIMIT lim FOR UPDATE SKIP LOCKED)
    UPDATE outbound o SET state = CASE WHEN late.again THEN 'queued' ELSE 'uncertain' END,
           uncertain_at = CASE WHEN late.again THEN NULL ELSE clock_timestamp() END,
           epoch = o.epoch + late.again::int, meaning = 'not_recorded'
    FROM late WHERE o.company_id = late.company_id AND o.id = late.id
    RETURNING o.company_id, o.id, o.state
$$;
GRANT EXECUTE ON FUNCTION expire_sending TO switchboard_app;
