-- The ledger and its dead letters, answers of the webhooks by minute, and what was dropped.
--
-- What operators may see and do through the gateway's /ops stands here too, without the owner's password in a process
-- that strangers talk to: each function does one thing, and only those that show a request's body tell content.

-- Which journal entries the ledger already holds (days bounds the partitions looked at).
CREATE OR REPLACE FUNCTION ledger_known(on_days date[], on_stream text, entry_ids text[])
RETURNS TABLE (entry_id text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT DISTINCT e.entry_id FROM webhook_events e
    WHERE e.day = ANY (on_days) AND e.stream = on_stream AND e.entry_id = ANY (entry_ids)
$$;

-- Gives a redriven dead letter its new outcome; false if it was not a dead letter any more.
CREATE OR REPLACE FUNCTION ledger_resolve(on_day date, on_stream text, at_entry text, at_ordinal int,
                                          new_outcome text, new_reason text, new_company bigint, new_channel bigint)
RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    UPDATE webhook_events SET outcome = new_outcome, reason = new_reason, stored_at = now(),
           company_id = new_company, channel_id = new_channel
    WHERE day = on_day AND stream = on_stream AND entry_id = at_entry AND ordinal = at_ordinal
      AND outcome = 'dead_letter';
    RETURN FOUND;
END $$;

-- The ledger by channel and hour. The day bounds the partitions; entries may be stored on the day after they came.
CREATE OR REPLACE FUNCTION ops_hours(since timestamptz, until timestamptz)
RETURNS TABLE (hour timestamptz, platform text, company_id bigint, channel_id bigint, outcome text, reason text,
               n bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT date_trunc('hour', e.received_at), e.platform, e.company_id, e.channel_id, e.outcome, coalesce(e.reason, ''),
           count(*)
    FROM webhook_events e
    WHERE e.day BETWEEN (since AT TIME ZONE 'UTC')::date - 1 AND (until AT TIME ZONE 'UTC')::date + 1
      AND e.received_at >= since AND e.received_at < until AND e.ordinal >= 0
    GROUP BY 1, 2, 3, 4, 5, 6
$$;

-- Dead letters, oldest first.
CREATE OR REPLACE FUNCTION ops_dead_letters(only_platform text, only_reason text, only_app bigint, lim int)
RETURNS TABLE (place text, received_at timestamptz, platform text, app_id bigint, reason text, size int)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT e.day || '/' || e.stream || '/' || e.entry_id || '/' || e.ordinal, e.received_at, e.platform, e.app_id,
           coalesce(e.reason, ''), r.size
    FROM webhook_events e
    LEFT JOIN webhook_raw r ON r.day = e.day AND r.stream = e.stream AND r.entry_id = e.entry_id
    WHERE e.outcome = 'dead_letter' AND (only_platform IS NULL OR e.platform = only_platform)
      AND (only_reason IS NULL OR e.reason = only_reason) AND (only_app IS NULL OR e.app_id = only_app)
    ORDER BY e.day, e.received_at, e.entry_id LIMIT lim
$$;

-- One dead letter with the body that redriving it needs; body is empty once it was purged. delivery_id: the sender's
-- name for the request, where it gives one.
CREATE OR REPLACE FUNCTION ops_dead_letter(on_day date, on_stream text, at_entry text, at_ordinal int)
RETURNS TABLE (platform text, app_id bigint, request_id text, is_dead_letter boolean, body bytea, delivery_id text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT e.platform, e.app_id, e.request_id, e.outcome = 'dead_letter', r.body, r.delivery_id
    FROM webhook_events e
    LEFT JOIN webhook_raw r ON r.day = e.day AND r.stream = e.stream AND r.entry_id = e.entry_id
    WHERE e.day = on_day AND e.stream = on_stream AND e.entry_id = at_entry AND e.ordinal = at_ordinal
$$;

-- False if it was not a dead letter any more.
CREATE OR REPLACE FUNCTION ops_discard(on_day date, on_stream text, at_entry text, at_ordinal int, why text)
RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    UPDATE webhook_events SET outcome = 'dropped', reason = why
    WHERE day = on_day AND stream = on_stream AND entry_id = at_entry AND ordinal = at_ordinal
      AND outcome = 'dead_letter';
    RETURN FOUND;
END $$;

-- Add to the counts of these apps' minutes.
CREATE OR REPLACE FUNCTION count_answers(apps bigint[], minutes timestamptz[], accepts bigint[], refusals bigint[],
                                         failures bigint[]) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    INSERT INTO app_answers AS a (app_id, minute, accepted, refused, failed)
    SELECT * FROM unnest(apps, minutes, accepts, refusals, failures) n ORDER BY 1, 2
    ON CONFLICT (app_id, minute) DO UPDATE SET accepted = a.accepted + excluded.accepted,
        refused = a.refused + excluded.refused, failed = a.failed + excluded.failed
$$;

-- Add to what was dropped. A row is an episode, which begins anew after a day without.
CREATE OR REPLACE FUNCTION note_dropped(apps bigint[], accounts text[], reasons text[], counts bigint[]) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    INSERT INTO dropped_events AS d (app_id, account, reason, events)
    SELECT n.app_id,
           -- an application that is heard for thousands of pages that nobody connected fills no table
           CASE WHEN (SELECT count(*) FROM (SELECT 1 FROM dropped_events o WHERE o.app_id = n.app_id LIMIT 1000) f)
                     >= 1000 THEN '' ELSE n.account END,
           n.reason, sum(n.events)
    FROM unnest(apps, accounts, reasons, counts) n (app_id, account, reason, events)
    GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
    ON CONFLICT (app_id, account, reason) DO UPDATE SET
        events = excluded.events + CASE WHEN d.last_at > now() - interval '1 day' THEN d.events ELSE 0 END,
        since = CASE WHEN d.last_at > now() - interval '1 day' THEN d.since ELSE now() END,
        last_at = now()
$$;

-- ------------------------------------------------------------------ who may call what
REVOKE ALL ON FUNCTION ledger_known, ledger_resolve, ops_hours, ops_dead_letters, ops_dead_letter, ops_discard,
    count_answers, note_dropped FROM PUBLIC, switchboard_app;
GRANT EXECUTE ON FUNCTION ledger_known, ledger_resolve, ops_hours, ops_dead_letters, ops_dead_letter, ops_discard,
    count_answers, note_dropped TO switchboard_app;
