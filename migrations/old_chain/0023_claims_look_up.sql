-- Whether something earlier of the conversation is open is looked up for the one row that is claimed. As a join, which the
-- planner makes of NOT EXISTS, a plan that was made while few turns were open reads every open turn for each claim: with a
-- hundred thousand of them 60 ms, until the tables are analysed and the plan is made anew. OFFSET 0 keeps it a look-up.

CREATE OR REPLACE FUNCTION claim_turn(after_company bigint, before_company bigint, lease_s double precision)
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
                            AND earlier.id < t.id AND earlier.state IN ('waiting', 'answering') OFFSET 0)
        ORDER BY t.company_id, t.due_at LIMIT 1 FOR UPDATE SKIP LOCKED)
    UPDATE turns t SET state = 'answering', epoch = t.epoch + 1, attempts = t.attempts + 1,
           due_at = clock_timestamp() + make_interval(secs => lease_s), claimed_at = clock_timestamp(),
           wanted_at = CASE WHEN t.state = 'waiting' THEN t.due_at ELSE t.wanted_at END
    FROM due WHERE t.company_id = due.company_id AND t.id = due.id
    RETURNING t.company_id, t.id, t.epoch
$$;

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
                            AND earlier.id < o.id AND earlier.state IN ('queued', 'sending', 'uncertain')
                            AND earlier.blocks
                            AND (earlier.state <> 'uncertain' OR earlier.uncertain_at
                                 > clock_timestamp() - make_interval(secs => unblock_s)) OFFSET 0)
        ORDER BY o.company_id, o.due_at LIMIT 1 FOR UPDATE SKIP LOCKED)
    UPDATE outbound o SET epoch = o.epoch + 1, due_at = clock_timestamp() + make_interval(secs => lease_s)
    FROM due WHERE o.company_id = due.company_id AND o.id = due.id
    RETURNING o.company_id, o.id, o.epoch
$$;
