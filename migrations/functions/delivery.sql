-- Claims of parts to send, and what becomes of sends without a result.

-- The next due part between two companies: a conversation's oldest open one. One of unknown outcome blocks the conversation
-- for a bound, then lets the others pass; a part with blocks = false blocks nobody.
-- Planned once and with a look-up for earlier parts, for the reasons that claim_turn has.
CREATE OR REPLACE FUNCTION claim_outbound(after_company bigint, before_company bigint, lease_s double precision,
                                          unblock_s double precision)
RETURNS TABLE (company_id bigint, id bigint, epoch int)
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off
SET enable_hashjoin = off SET enable_mergejoin = off AS $$
    WITH due AS (
        SELECT o.company_id, o.id FROM outbound o
        WHERE o.company_id > after_company AND o.company_id < before_company
          AND o.state = 'queued' AND o.due_at <= clock_timestamp()
          AND o.state IN ('queued', 'sending')
          AND NOT EXISTS (SELECT 1 FROM outbound earlier
                          WHERE earlier.company_id = o.company_id AND earlier.conversation_id = o.conversation_id
                            AND earlier.id < o.id AND earlier.state IN ('queued', 'sending', 'unknown_outcome')
                            AND earlier.blocks
                            AND (earlier.state <> 'unknown_outcome' OR earlier.unknown_since
                                 > clock_timestamp() - make_interval(secs => unblock_s)) OFFSET 0)
        ORDER BY o.company_id, o.due_at LIMIT 1 FOR UPDATE SKIP LOCKED)
    UPDATE outbound o SET epoch = o.epoch + 1, due_at = clock_timestamp() + make_interval(secs => lease_s)
    FROM due WHERE o.company_id = due.company_id AND o.id = due.id
    RETURNING o.company_id, o.id, o.epoch
$$;

-- Many at once, company by company and within its share: as claim_turns.
CREATE OR REPLACE FUNCTION claim_parts(after_company bigint, lim int, lease_s double precision,
                                       unblock_s double precision, held bigint[], company_max int)
RETURNS TABLE (company_id bigint, id bigint, epoch int)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    place bigint := after_company;
    at_share bigint[] := switchboard_at_share(held, company_max);
    border bigint;
    whole boolean := after_company = 0;
    found_any boolean := false;
BEGIN
    WHILE lim > 0 LOOP
        border := 9223372036854775807;
        IF at_share <> '{}' THEN
            SELECT coalesce(min(f), border) INTO border FROM unnest(at_share) f WHERE f > place;
        END IF;
        SELECT c.company_id, c.id, c.epoch INTO company_id, id, epoch
        FROM claim_outbound(place, border, lease_s, unblock_s) c;
        IF FOUND THEN
            RETURN NEXT;
            found_any := true;
            place := company_id;
            lim := lim - 1;
            held := held || company_id;
            IF cardinality(array_positions(held, company_id)) >= company_max THEN
                at_share := at_share || company_id;
            END IF;
        ELSIF border < 9223372036854775807 THEN
            place := border;
        ELSIF whole AND NOT found_any THEN
            RETURN;
        ELSE
            place := 0;
            whole := true;
            found_any := false;
        END IF;
    END LOOP;
END $$;

-- Sends whose result was not recorded in time: nobody knows what became of them. On platforms whose receivers take a
-- part once however often it comes (idempotent), they go again.
CREATE OR REPLACE FUNCTION expire_sending(lim int, idempotent text[] DEFAULT '{}')
RETURNS TABLE (company_id bigint, id bigint, state text)
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH late AS (
        SELECT o.company_id, o.id, (SELECT h.platform = ANY (idempotent) FROM channels h
                                    WHERE h.company_id = o.company_id AND h.id = o.channel_id) AS again
        FROM outbound o
        WHERE o.state = 'sending' AND o.due_at <= clock_timestamp() LIMIT lim FOR UPDATE SKIP LOCKED)
    UPDATE outbound o SET state = CASE WHEN late.again THEN 'queued' ELSE 'unknown_outcome' END,
           unknown_since = CASE WHEN late.again THEN NULL ELSE clock_timestamp() END,
           epoch = o.epoch + late.again::int, meaning = 'not_recorded'
    FROM late WHERE o.company_id = late.company_id AND o.id = late.id
    RETURNING o.company_id, o.id, o.state
$$;

-- What operators decide on, the oldest first.
CREATE OR REPLACE FUNCTION ops_unknown_outcomes(lim int)
RETURNS TABLE (company_id bigint, id bigint, conversation_id bigint, part int, meaning text, unknown_since timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT o.company_id, o.id, o.conversation_id, o.part, o.meaning, o.unknown_since
    FROM outbound o WHERE o.state = 'unknown_outcome' ORDER BY o.unknown_since LIMIT lim
$$;

-- ------------------------------------------------------------------ who may call what
REVOKE ALL ON FUNCTION claim_outbound, claim_parts, expire_sending, ops_unknown_outcomes FROM PUBLIC, switchboard_app;
GRANT EXECUTE ON FUNCTION claim_parts, expire_sending, ops_unknown_outcomes TO switchboard_app;
