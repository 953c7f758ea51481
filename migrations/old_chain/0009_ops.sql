-- What operators may see and do through the gateway's /ops, without the owner's password in a process that strangers
-- talk to: each function does one thing, and only those that show a request's body tell content.

-- When the balance was last taken; one row a take, newest wins. Kept for a while by the log retention.
CREATE TABLE balance_checks (
    taken_at  timestamptz PRIMARY KEY DEFAULT now(),
    received  bigint NOT NULL,
    stored    bigint NOT NULL,
    redrives  bigint NOT NULL,
    in_flight bigint NOT NULL,
    oldest_s  double precision NOT NULL      -- since when the oldest entry in flight waits
);
REVOKE UPDATE, DELETE ON balance_checks FROM switchboard_app;

-- How many events, turns and parts there are in each state, all companies together.
CREATE FUNCTION ops_counts() RETURNS TABLE (what text, name text, n bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT 'events', outcome, count(*) FROM webhook_events WHERE ordinal >= 0 GROUP BY 2
    UNION ALL
    SELECT 'dropped', coalesce(reason, ''), count(*) FROM webhook_events
    WHERE ordinal >= 0 AND outcome = 'dropped' GROUP BY 2
    UNION ALL
    SELECT 'turns', state, count(*) FROM turns GROUP BY 2
    UNION ALL
    SELECT 'outbound', state, count(*) FROM outbound GROUP BY 2
$$;

-- The ledger by channel and hour. The day bounds the partitions; entries may be stored on the day after they came.
CREATE FUNCTION ops_hours(since timestamptz, until timestamptz)
RETURNS TABLE (hour timestamptz, platform text, company_id bigint, channel_id bigint, outcome text, reason text, n bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT date_trunc('hour', e.received_at), e.platform, e.company_id, e.channel_id, e.outcome, coalesce(e.reason, ''),
           count(*)
    FROM webhook_events e
    WHERE e.day BETWEEN (since AT TIME ZONE 'UTC')::date - 1 AND (until AT TIME ZONE 'UTC')::date + 1
      AND e.received_at >= since AND e.received_at < until AND e.ordinal >= 0
    GROUP BY 1, 2, 3, 4, 5, 6
$$;

CREATE FUNCTION ops_parked(only_platform text, only_reason text, only_app bigint, lim int)
RETURNS TABLE (place text, received_at timestamptz, platform text, app_id bigint, reason text, size int)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT e.day || '/' || e.stream || '/' || e.entry_id || '/' || e.ordinal, e.received_at, e.platform, e.app_id,
           coalesce(e.reason, ''), r.size
    FROM webhook_events e
    LEFT JOIN webhook_raw r ON r.day = e.day AND r.stream = e.stream AND r.entry_id = e.entry_id
    WHERE e.outcome = 'parked' AND (only_platform IS NULL OR e.platform = only_platform)
      AND (only_reason IS NULL OR e.reason = only_reason) AND (only_app IS NULL OR e.app_id = only_app)
    ORDER BY e.day, e.received_at, e.entry_id LIMIT lim
$$;

-- One parked event with the body that redriving it needs; body is empty once it was purged.
CREATE FUNCTION ops_parked_one(on_day date, on_stream text, at_entry text, at_ordinal int)
RETURNS TABLE (platform text, app_id bigint, request_id text, still_parked boolean, body bytea)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT e.platform, e.app_id, e.request_id, e.outcome = 'parked', r.body
    FROM webhook_events e
    LEFT JOIN webhook_raw r ON r.day = e.day AND r.stream = e.stream AND r.entry_id = e.entry_id
    WHERE e.day = on_day AND e.stream = on_stream AND e.entry_id = at_entry AND e.ordinal = at_ordinal
$$;

CREATE FUNCTION ops_discard(on_day date, on_stream text, at_entry text, at_ordinal int, why text) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    UPDATE webhook_events SET outcome = 'dropped', reason = why
    WHERE day = on_day AND stream = on_stream AND entry_id = at_entry AND ordinal = at_ordinal AND outcome = 'parked';
    RETURN FOUND;
END $$;

CREATE FUNCTION ops_uncertain(lim int)
RETURNS TABLE (company_id bigint, id bigint, conversation_id bigint, part int, meaning text, uncertain_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT o.company_id, o.id, o.conversation_id, o.part, o.meaning, o.uncertain_at
    FROM outbound o WHERE o.state = 'uncertain' ORDER BY o.uncertain_at LIMIT lim
$$;

GRANT EXECUTE ON FUNCTION ops_counts, ops_hours, ops_parked, ops_parked_one, ops_discard, ops_uncertain
    TO switchboard_app;
