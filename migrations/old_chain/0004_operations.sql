-- The operator's view: one id for a request from the edge to the reply, and counts across companies.

-- Given by the gateway to each accepted webhook: <ms in hex>-<random>. The ms lead to the day and the journal's
-- entries of that time, so that looking one up needs no index, which every event would pay for.
ALTER TABLE webhook_events ADD COLUMN request_id text;

-- Of the newest message that the turn answers.
ALTER TABLE turns ADD COLUMN request_id text;

-- Both hold few rows however much traffic there is.
CREATE INDEX outbound_uncertain ON outbound (uncertain_at) WHERE state = 'uncertain';
CREATE INDEX channels_needing_reauth ON channels (company_id, id) WHERE state = 'needs_reauth';

-- What operators watch, across companies: counts up to a bound and ages, never content. For metrics and `doctor`.
CREATE FUNCTION operations_state(lim int)
RETURNS TABLE (overdue_turns bigint, overdue_turn_s double precision, overdue_parts bigint,
               overdue_part_s double precision, uncertain_parts bigint, parked_requests bigint, needing_reauth bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT t.n, t.age_s, o.n, o.age_s, u.n, p.n, c.n
    FROM (SELECT count(*) AS n, coalesce(extract(epoch FROM clock_timestamp() - min(due_at)), 0)::float8 AS age_s
          FROM (SELECT due_at FROM turns WHERE state IN ('waiting', 'answering') AND due_at <= clock_timestamp()
                LIMIT lim) a) t,
         (SELECT count(*) AS n, coalesce(extract(epoch FROM clock_timestamp() - min(due_at)), 0)::float8 AS age_s
          FROM (SELECT due_at FROM outbound WHERE state IN ('queued', 'sending') AND due_at <= clock_timestamp()
                LIMIT lim) a) o,
         (SELECT count(*) AS n FROM (SELECT 1 FROM outbound WHERE state = 'uncertain' LIMIT lim) a) u,
         (SELECT count(*) AS n FROM (SELECT 1 FROM webhook_events WHERE outcome = 'parked' LIMIT lim) a) p,
         (SELECT count(*) AS n FROM (SELECT 1 FROM channels WHERE state = 'needs_reauth' LIMIT lim) a) c
$$;
GRANT EXECUTE ON FUNCTION operations_state TO switchboard_app;
