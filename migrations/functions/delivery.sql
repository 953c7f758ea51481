-- Claims of parts to send, and what becomes of sends without a result.

-- What a part's send waits for, counted together: a platform, or the account itself where each has a host of its own
-- (apart: those platforms).
CREATE OR REPLACE FUNCTION switchboard_lane(platform text, channel_id bigint, apart text[]) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN platform = ANY (apart) THEN platform || ':' || channel_id::text ELSE platform END
$$;

-- The next due part between two companies: a conversation's oldest open one. One of unknown outcome blocks the conversation
-- for a bound, then lets the others pass; a part with blocks = false blocks nobody.
-- Planned once and with a look-up for earlier parts, for the reasons that claim_turn has.
CREATE OR REPLACE FUNCTION claim_outbound(after_company bigint, before_company bigint, lease_s double precision,
                                          unblock_s double precision, apart text[])
RETURNS TABLE (company_id bigint, id bigint, epoch int, lane text)
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
    RETURNING o.company_id, o.id, o.epoch,
              (SELECT switchboard_lane(h.platform, h.id, apart) FROM channels h
               WHERE h.company_id = o.company_id AND h.id = o.channel_id)
$$;

-- The same while lanes are shut, which have as many sends under way as they may: channel by channel of the others, so that
-- however much waits for a platform that hangs, none of it is read.
CREATE OR REPLACE FUNCTION claim_outbound_beside(after_company bigint, before_company bigint, lease_s double precision,
                                                 unblock_s double precision, apart text[], shut text[])
RETURNS TABLE (company_id bigint, id bigint, epoch int, lane text)
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off
SET enable_hashjoin = off SET enable_mergejoin = off AS $$
    WITH due AS (
        SELECT first.company_id, first.id, switchboard_lane(h.platform, h.id, apart) AS lane
        FROM channels h
        CROSS JOIN LATERAL (
            SELECT o.company_id, o.id FROM outbound o
            WHERE o.company_id = h.company_id AND o.channel_id = h.id
              AND o.state = 'queued' AND o.due_at <= clock_timestamp()
              AND o.state IN ('queued', 'sending')
              AND NOT EXISTS (SELECT 1 FROM outbound earlier
                              WHERE earlier.company_id = o.company_id AND earlier.conversation_id = o.conversation_id
                                AND earlier.id < o.id AND earlier.state IN ('queued', 'sending', 'unknown_outcome')
                                AND earlier.blocks
                                AND (earlier.state <> 'unknown_outcome' OR earlier.unknown_since
                                     > clock_timestamp() - make_interval(secs => unblock_s)) OFFSET 0)
            ORDER BY o.company_id, o.channel_id, o.due_at LIMIT 1 FOR UPDATE SKIP LOCKED) first
        WHERE h.company_id > after_company AND h.company_id < before_company
          AND switchboard_lane(h.platform, h.id, apart) <> ALL (shut)
        ORDER BY h.company_id, h.id LIMIT 1)
    UPDATE outbound o SET epoch = o.epoch + 1, due_at = clock_timestamp() + make_interval(secs => lease_s)
    FROM due WHERE o.company_id = due.company_id AND o.id = due.id
    RETURNING o.company_id, o.id, o.epoch, due.lane
$$;

-- Many at once, company by company and within its share: as claim_turns. And within its lane's share: see switchboard_lane.
CREATE OR REPLACE FUNCTION claim_parts(after_company bigint, lim int, lease_s double precision,
                                       unblock_s double precision, held bigint[], company_max int,
                                       held_lanes text[] DEFAULT '{}', lane_max int DEFAULT 2147483647,
                                       apart text[] DEFAULT '{}')
RETURNS TABLE (company_id bigint, id bigint, epoch int, lane text)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    place bigint := after_company;
    at_share bigint[] := switchboard_at_share(held, company_max);
    shut text[] := '{}';
    border bigint;
    whole boolean := after_company = 0;
    found_any boolean := false;
BEGIN
    IF held_lanes <> '{}' THEN
        shut := coalesce((SELECT array_agg(l) FROM (SELECT l FROM unnest(held_lanes) l GROUP BY l
                                                    HAVING count(*) >= lane_max) full_lanes), '{}');
    END IF;
    WHILE lim > 0 LOOP
        border := 9223372036854775807;
        IF at_share <> '{}' THEN
            SELECT coalesce(min(f), border) INTO border FROM unnest(at_share) f WHERE f > place;
        END IF;
        IF shut = '{}' THEN
            SELECT c.company_id, c.id, c.epoch, c.lane INTO company_id, id, epoch, lane
            FROM claim_outbound(place, border, lease_s, unblock_s, apart) c;
        ELSE
            SELECT c.company_id, c.id, c.epoch, c.lane INTO company_id, id, epoch, lane
            FROM claim_outbound_beside(place, border, lease_s, unblock_s, apart, shut) c;
        END IF;
        IF FOUND THEN
            RETURN NEXT;
            found_any := true;
            place := company_id;
            lim := lim - 1;
            held := held || company_id;
            held_lanes := held_lanes || lane;
            IF cardinality(array_positions(held, company_id)) >= company_max THEN
                at_share := at_share || company_id;
            END IF;
            IF cardinality(array_positions(held_lanes, lane)) >= lane_max THEN
                shut := shut || lane;
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
REVOKE ALL ON FUNCTION claim_outbound, claim_outbound_beside, claim_parts, expire_sending, ops_unknown_outcomes FROM PUBLIC, switchboard_app;
GRANT EXECUTE ON FUNCTION claim_parts, expire_sending, ops_unknown_outcomes TO switchboard_app;
