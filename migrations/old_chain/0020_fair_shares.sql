-- A company may hold no more than its share of a process: a claim says whose pieces are under way there, and takes none
-- of a company that has as many as it may. The companies that have are stepped over, however much of theirs is due.

CREATE FUNCTION claim_turn(after_company bigint, before_company bigint, lease_s double precision)
RETURNS TABLE (company_id bigint, id bigint, epoch int)
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off
SET enable_hashjoin = off SET enable_mergejoin = off AS $$
    WITH due AS (
        SELECT t.company_id, t.id FROM turns t
        WHERE t.company_id > after_company AND t.company_id < before_company
          AND t.state IN ('waiting', 'answering') AND t.due_at <= clock_timestamp()
          AND NOT EXISTS (SELECT 1 FROM turns earlier
                          WHERE earlier.company_id = t.company_id AND earlier.conversation_id = t.conversation_id
                            AND earlier.id < t.id AND earlier.state IN ('waiting', 'answering'))
        ORDER BY t.company_id, t.due_at LIMIT 1 FOR UPDATE SKIP LOCKED)
    UPDATE turns t SET state = 'answering', epoch = t.epoch + 1, attempts = t.attempts + 1,
           due_at = clock_timestamp() + make_interval(secs => lease_s), claimed_at = clock_timestamp(),
           wanted_at = CASE WHEN t.state = 'waiting' THEN t.due_at ELSE t.wanted_at END
    FROM due WHERE t.company_id = due.company_id AND t.id = due.id
    RETURNING t.company_id, t.id, t.epoch
$$;

CREATE FUNCTION claim_outbound(after_company bigint, before_company bigint, lease_s double precision,
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
                            AND earlier.id < o.id AND earlier.state IN ('queued', 'sending', 'uncertain')
                            AND earlier.blocks
                            AND (earlier.state <> 'uncertain' OR earlier.uncertain_at
                                 > clock_timestamp() - make_interval(secs => unblock_s)))
        ORDER BY o.company_id, o.due_at LIMIT 1 FOR UPDATE SKIP LOCKED)
    UPDATE outbound o SET epoch = o.epoch + 1, due_at = clock_timestamp() + make_interval(secs => lease_s)
    FROM due WHERE o.company_id = due.company_id AND o.id = due.id
    RETURNING o.company_id, o.id, o.epoch
$$;

-- Of these pieces' companies those that have as many as they may.
CREATE FUNCTION switchboard_at_share(held bigint[], company_max int) RETURNS bigint[]
LANGUAGE sql IMMUTABLE AS $$
    SELECT coalesce(array_agg(c), '{}') FROM (SELECT c FROM unnest(held) c GROUP BY c HAVING count(*) >= company_max) a
$$;

-- held: the company of each piece that the process is at. An empty round from the first company on ends it.
CREATE FUNCTION claim_turns(after_company bigint, lim int, lease_s double precision, held bigint[], company_max int)
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
        SELECT c.company_id, c.id, c.epoch INTO company_id, id, epoch FROM claim_turn(place, border, lease_s) c;
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

CREATE FUNCTION claim_parts(after_company bigint, lim int, lease_s double precision, unblock_s double precision,
                            held bigint[], company_max int)
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

GRANT EXECUTE ON FUNCTION claim_turns(bigint, int, double precision, bigint[], int),
    claim_parts(bigint, int, double precision, double precision, bigint[], int) TO switchboard_app;
