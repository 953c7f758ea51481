-- Claims and leases of turns.

-- The next due turn between two companies, and a lease on it. Companies take turns because the caller hands back the
-- company it got; within one, the longest overdue first. A conversation's turns are answered in order. wanted_at and
-- claimed_at say when the turn was due, and when it was taken.
--
-- One plan for all claims, by the indexes whose order they want. Planned anew each time, a claim cost 0.4 ms of
-- planning, and 58 ms wherever the planner did not know yet that thousands of turns had come in since it last looked.
-- Whether something earlier of the conversation is open is looked up for the one row that is claimed. As a join, which
-- the planner makes of NOT EXISTS, a plan that was made while few turns were open reads every open turn for each claim:
-- with a hundred thousand of them 60 ms, until the tables are analysed and the plan is made anew. OFFSET 0 keeps it a
-- look-up.
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

-- The same of a turn whose quiet window still runs: its answer is begun now and stored when the window has passed.
CREATE OR REPLACE FUNCTION claim_early_turn(after_company bigint, before_company bigint, lease_s double precision)
RETURNS TABLE (company_id bigint, id bigint, epoch int)
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off
SET enable_hashjoin = off SET enable_mergejoin = off AS $$
    WITH early AS (
        SELECT t.company_id, t.id FROM turns t
        WHERE t.company_id > after_company AND t.company_id < before_company
          AND t.state = 'waiting' AND t.early
          AND NOT EXISTS (SELECT 1 FROM turns earlier
                          WHERE earlier.company_id = t.company_id AND earlier.conversation_id = t.conversation_id
                            AND earlier.id < t.id AND earlier.state IN ('waiting', 'answering') OFFSET 0)
        ORDER BY t.company_id, t.due_at LIMIT 1 FOR UPDATE SKIP LOCKED)
    UPDATE turns t SET state = 'answering', epoch = t.epoch + 1, attempts = t.attempts + 1, early = false,
           due_at = clock_timestamp() + make_interval(secs => lease_s), claimed_at = clock_timestamp(),
           wanted_at = t.due_at, quiet_until = t.due_at
    FROM early WHERE t.company_id = early.company_id AND t.id = early.id
    RETURNING t.company_id, t.id, t.epoch
$$;

-- One wake-up stands for many turns, so a worker claims as many as it has room for, in one statement. Company by
-- company: each step takes the next company's oldest, so that a noisy company gets no more of a batch than a quiet one
-- while that one wants anything. An empty round from the first company on ends it.
-- A company may hold no more than its share of a process. held: the company of each piece that the process is at;
-- company_max: the share. Companies that have as many as they may are stepped over, however much of theirs is due.
-- early: how many may be claimed whose quiet window still runs, once nothing is due.
CREATE OR REPLACE FUNCTION claim_turns(after_company bigint, lim int, lease_s double precision, held bigint[],
                                       company_max int, early int DEFAULT 0)
RETURNS TABLE (company_id bigint, id bigint, epoch int)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    place bigint := after_company;
    at_share bigint[] := switchboard_at_share(held, company_max);
    border bigint;
    whole boolean := after_company = 0;
    found_any boolean := false;
    begins_early boolean := false;
BEGIN
    WHILE lim > 0 LOOP
        border := 9223372036854775807;
        IF at_share <> '{}' THEN
            SELECT coalesce(min(f), border) INTO border FROM unnest(at_share) f WHERE f > place;
        END IF;
        IF begins_early THEN
            SELECT c.company_id, c.id, c.epoch INTO company_id, id, epoch
            FROM claim_early_turn(place, border, lease_s) c;
        ELSE
            SELECT c.company_id, c.id, c.epoch INTO company_id, id, epoch FROM claim_turn(place, border, lease_s) c;
        END IF;
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
            EXIT WHEN begins_early OR early <= 0;
            begins_early := true;
            lim := least(lim, early);
            place := after_company;
            whole := after_company = 0;
        ELSE
            place := 0;
            whole := true;
            found_any := false;
        END IF;
    END LOOP;
END $$;

-- Whether a contact usually writes in bursts: three of ten turns had more than one message. history: a leading one, then
-- a bit for each turn.
CREATE OR REPLACE FUNCTION writes_in_bursts(history int) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT history > 1
       AND 10 * (bit_count(history::bit(32)) - 1) >= 3 * (length(ltrim(history::bit(32)::text, '0')) - 1)
$$;

-- Renew the leases of one process in one statement; what is not returned is lost. A row that is locked just
-- now counts as held: whoever holds the lock decides, and the next renewal sees it.
CREATE OR REPLACE FUNCTION renew_turns(companies bigint[], ids bigint[], epochs int[], lease_s double precision)
RETURNS TABLE (company_id bigint, id bigint, epoch int)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    RETURN QUERY
    WITH mine AS (
        SELECT t.company_id, t.id, t.epoch
        FROM unnest(companies, ids, epochs) AS held (company_id, id, epoch)
        JOIN turns t ON t.company_id = held.company_id AND t.id = held.id
        WHERE t.epoch = held.epoch AND t.state = 'answering'),
    free AS (
        SELECT t.company_id, t.id FROM turns t JOIN mine ON t.company_id = mine.company_id AND t.id = mine.id
        FOR UPDATE OF t SKIP LOCKED),
    renewed AS (
        UPDATE turns t SET due_at = clock_timestamp() + make_interval(secs => lease_s)
        FROM free, unnest(companies, ids, epochs) AS held (company_id, id, epoch)
        WHERE t.company_id = free.company_id AND t.id = free.id
          AND held.company_id = t.company_id AND held.id = t.id
          AND t.epoch = held.epoch AND t.state = 'answering')
    SELECT mine.company_id, mine.id, mine.epoch FROM mine;
END $$;

-- By company what is due and not under a lease, and since when the oldest of it is.
CREATE OR REPLACE FUNCTION overdue_by_company(grace_s double precision)
RETURNS TABLE (company_id bigint, due bigint, oldest_s double precision)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT t.company_id, count(*), extract(epoch FROM clock_timestamp() - min(t.due_at))::double precision
    FROM turns t WHERE t.state IN ('waiting', 'answering')
      AND t.due_at <= clock_timestamp() - make_interval(secs => grace_s) GROUP BY t.company_id
$$;

-- ------------------------------------------------------------------ who may call what
REVOKE ALL ON FUNCTION writes_in_bursts, claim_turn, claim_early_turn, claim_turns, renew_turns, overdue_by_company FROM PUBLIC, switchboard_app;
GRANT EXECUTE ON FUNCTION writes_in_bursts, claim_turns, renew_turns, overdue_by_company TO switchboard_app;
