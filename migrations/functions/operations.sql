-- Partitions by day, and what operators watch across companies: counts up to a bound, ages and names of ours, never
-- content.

-- ------------------------------------------------------------------ partitions
-- A day of a log is only added to, and is dropped whole before freezing would be due: vacuuming what is merely new
-- would read it again for nobody. The ledger is the exception, whose newest days are counted from its indexes (balance,
-- dead letters). Retention weighs a day by the rows that the last ANALYZE saw, so that stays on. Partitions take no
-- settings from their parent: whoever makes one calls this.
CREATE OR REPLACE FUNCTION switchboard_tune_partition(child regclass, parent regclass) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    IF parent::text <> 'webhook_events' THEN
        EXECUTE format('ALTER TABLE %s SET (autovacuum_vacuum_insert_threshold = -1)', child);
    ELSE
        EXECUTE format('ALTER TABLE %s SET (autovacuum_vacuum_insert_scale_factor = 0.1)', child);
    END IF;
END $$;

-- The partition of one day, if it is not there. The default partition takes what has no day of its own (a clock that
-- jumped): nothing is refused. A partition reached directly would not ask the parent's policy, so the application role
-- may not.
CREATE OR REPLACE FUNCTION switchboard_make_partition(parent regclass, on_day date) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
    child text := format('%s_%s', parent, to_char(on_day, 'YYYYMMDD'));
    stray text := format('%s_default', parent);
BEGIN
    IF to_regclass(child) IS NOT NULL THEN
        RETURN false;
    END IF;
    -- from here on nobody adds a row of this day to the default partition, nor makes this partition as well
    EXECUTE format('LOCK TABLE ONLY %s IN SHARE UPDATE EXCLUSIVE MODE', parent);
    EXECUTE format('LOCK TABLE %I IN ACCESS EXCLUSIVE MODE', stray);
    IF to_regclass(child) IS NOT NULL THEN
        RETURN false;
    END IF;
    EXECUTE format('CREATE TABLE %I (LIKE %s INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', child, parent);
    PERFORM switchboard_tune_partition(child::regclass, parent);
    -- rows that came before their partition move into it, or attaching would be refused
    EXECUTE format('WITH moved AS (DELETE FROM %I WHERE day = $1 RETURNING *) INSERT INTO %I SELECT * FROM moved',
                   stray, child) USING on_day;
    EXECUTE format('ALTER TABLE %s ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
                   parent, child, on_day, on_day + 1);
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', child);
    EXECUTE format('REVOKE ALL ON %I FROM switchboard_app', child);
    RETURN true;
END $$;

-- ------------------------------------------------------------------ work
-- Of these pieces' companies those that have as many as they may.
CREATE OR REPLACE FUNCTION switchboard_at_share(held bigint[], company_max int) RETURNS bigint[]
LANGUAGE sql IMMUTABLE AS $$
    SELECT coalesce(array_agg(c), '{}') FROM (SELECT c FROM unnest(held) c GROUP BY c HAVING count(*) >= company_max) a
$$;

-- What is overdue, counted up to a bound: how many wake-ups the sweeper should send.
CREATE OR REPLACE FUNCTION overdue(grace_s double precision, lim int) RETURNS TABLE (turns bigint, outbound bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT (SELECT count(*) FROM (SELECT 1 FROM turns t WHERE t.state IN ('waiting', 'answering')
                AND t.due_at <= clock_timestamp() - make_interval(secs => grace_s) LIMIT lim) a),
           (SELECT count(*) FROM (SELECT 1 FROM outbound o WHERE o.state IN ('queued', 'sending')
                AND o.due_at <= clock_timestamp() - make_interval(secs => grace_s) LIMIT lim) b)
$$;

-- For metrics and `doctor`.
CREATE OR REPLACE FUNCTION operations_state(lim int)
RETURNS TABLE (overdue_turns bigint, overdue_turn_s double precision, overdue_parts bigint,
               overdue_part_s double precision, unknown_outcomes bigint, dead_letters bigint, needing_reauth bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT t.n, t.age_s, o.n, o.age_s, u.n, p.n, c.n
    FROM (SELECT count(*) AS n, coalesce(extract(epoch FROM clock_timestamp() - min(due_at)), 0)::float8 AS age_s
          FROM (SELECT due_at FROM turns WHERE state IN ('waiting', 'answering') AND due_at <= clock_timestamp()
                LIMIT lim) a) t,
         (SELECT count(*) AS n, coalesce(extract(epoch FROM clock_timestamp() - min(due_at)), 0)::float8 AS age_s
          FROM (SELECT due_at FROM outbound WHERE state IN ('queued', 'sending') AND due_at <= clock_timestamp()
                LIMIT lim) a) o,
         (SELECT count(*) AS n FROM (SELECT 1 FROM outbound WHERE state = 'unknown_outcome' LIMIT lim) a) u,
         (SELECT count(*) AS n FROM (SELECT 1 FROM webhook_events WHERE outcome = 'dead_letter' LIMIT lim) a) p,
         (SELECT count(*) AS n FROM (SELECT 1 FROM channels WHERE state = 'needs_reauth' LIMIT lim) a) c
$$;

-- Work that no customer waits for to the second: due and not done. Counts up to lim.
CREATE OR REPLACE FUNCTION operations_background(lim int)
RETURNS TABLE (station text, overdue bigint, oldest_s double precision)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT s.station, count(s.due_at), coalesce(extract(epoch FROM clock_timestamp() - min(s.due_at)), 0)::float8
    FROM ((SELECT 'index' AS station, i.due_at FROM indexing i JOIN embedding_models m ON m.id = i.model_id
           WHERE m.state = 'active' AND NOT i.done AND i.due_at <= clock_timestamp() LIMIT lim)
          UNION ALL
          (SELECT 'media', due_at FROM media WHERE state = 'waiting' AND due_at <= clock_timestamp() LIMIT lim)
          UNION ALL
          (SELECT 'imports', due_at FROM imports WHERE state = 'queued' AND due_at <= clock_timestamp() LIMIT lim)
          UNION ALL
          VALUES ('index', NULL::timestamptz), ('media', NULL), ('imports', NULL)) s
    GROUP BY 1
$$;

-- How many events, turns and parts there are in each state, all companies together.
CREATE OR REPLACE FUNCTION ops_counts() RETURNS TABLE (what text, name text, n bigint)
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

-- How many conversations wait for a person, and since when the longest; up to lim, as either role.
CREATE OR REPLACE FUNCTION operations_attention(lim int)
RETURNS TABLE (reason text, conversations bigint, oldest_s double precision)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT attention, count(*), extract(epoch FROM now() - min(attention_since))::double precision
    FROM (SELECT attention, attention_since FROM conversations WHERE attention IS NOT NULL LIMIT lim) waiting
    GROUP BY attention
$$;

-- ------------------------------------------------------------------ channels
-- What was dropped within a day under apps that are connected. An app that somebody has disabled is no alert.
CREATE OR REPLACE FUNCTION operations_dropped()
RETURNS TABLE (platform text, slug text, reason text, accounts bigint, account text, events bigint, since timestamptz,
               last_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT a.platform, a.slug, d.reason, count(*), min(d.account), sum(d.events)::bigint, min(d.since), max(d.last_at)
    FROM dropped_events d JOIN apps a ON a.id = d.app_id
    WHERE a.state = 'active' AND d.last_at > now() - interval '1 day'
    GROUP BY 1, 2, 3
$$;

-- Channels that a person should look after, for operators: how many, by platform, and the static word for why. failing:
-- the platform or our own answers say that messages do not come. Not failing: what the platform told of it (a notice).
CREATE OR REPLACE FUNCTION operations_channels()
RETURNS TABLE (platform text, word text, failing boolean, channels bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT c.platform, w.word, w.failing, count(*)
    FROM channel_health h JOIN channels c ON c.company_id = h.company_id AND c.id = h.channel_id
    CROSS JOIN LATERAL (SELECT coalesce(h.problem, 'failing') AS word, true AS failing WHERE h.state = 'failing'
                        UNION ALL SELECT h.notice, false WHERE h.notice IS NOT NULL) w
    WHERE c.state <> 'disabled' GROUP BY 1, 2, 3
$$;

-- How many companies' tokens of the day go or are gone, for operators. Numbers alone.
CREATE OR REPLACE FUNCTION operations_budgets(near_share double precision)
RETURNS TABLE (bound bigint, near bigint, beyond bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT count(*), count(*) FILTER (WHERE used >= budget * near_share AND used < budget),
           count(*) FILTER (WHERE used >= budget)
    FROM (SELECT c.daily_token_budget AS budget, coalesce(u.tokens_in + u.tokens_out, 0) AS used
          FROM companies c LEFT JOIN usage_daily u
              ON u.company_id = c.id AND u.day = (now() AT TIME ZONE 'UTC')::date
          WHERE c.daily_token_budget IS NOT NULL) b
$$;

-- ------------------------------------------------------------------ knowledge
-- Lists the embedding models that are not being dropped, each with how many documents still lack vectors of it, counted
-- up to lim.
CREATE OR REPLACE FUNCTION operations_embedding_models(lim int)
RETURNS TABLE (name text, state text, full_once boolean, waiting bigint, failing bigint, oldest_s double precision,
               age_s double precision)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT m.name, m.state, m.filled_at IS NOT NULL, w.waiting, w.failing, w.oldest_s,
           extract(epoch FROM clock_timestamp() - m.changed_at)::float8
    FROM embedding_models m CROSS JOIN LATERAL (
        SELECT count(*) AS waiting, count(i.error) AS failing,
               greatest(extract(epoch FROM clock_timestamp() - min(i.due_at)), 0)::float8 AS oldest_s
        FROM (SELECT error, due_at FROM indexing WHERE model_id = m.id AND NOT done LIMIT lim) i) w
    WHERE m.state <> 'dropping'
$$;

-- Summarises the last recall audits of the vector indexes: how many there were, how many were too low, and the worst.
-- Leaves out companies whose last audit is more than a week old.
CREATE OR REPLACE FUNCTION operations_recall(least_recall double precision)
RETURNS TABLE (audited bigint, low bigint, lowest double precision, company_id bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT count(*), count(*) FILTER (WHERE a.recall < least_recall), min(a.recall),
           (array_agg(a.company_id ORDER BY a.recall, a.company_id))[1]
    FROM recall_audits a WHERE a.measured_at > clock_timestamp() - interval '7 days'
$$;

-- ------------------------------------------------------------------ the server
-- Weights of all tables, partitions with their parents. As any role: sizes are no secret of a company's.
-- By one pass over the catalogs: pg_total_relation_size opens each table and asks the file system for four forks of
-- each of its relations, which of 400 partitions took 56 ms of a look at everything. This asks for the main fork of
-- each: free space and visibility maps are a thousandth.
CREATE OR REPLACE FUNCTION switchboard_table_sizes() RETURNS TABLE (name text, bytes bigint, rows bigint, dead bigint)
LANGUAGE sql STABLE AS $$
    WITH tables AS MATERIALIZED (
        SELECT c.oid, coalesce(p.relname, c.relname)::text AS name, c.reltoastrelid, c.reltuples
        FROM pg_class c LEFT JOIN pg_inherits i ON i.inhrelid = c.oid LEFT JOIN pg_class p ON p.oid = i.inhparent
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'),
    heaps AS MATERIALIZED (
        SELECT name, oid FROM tables UNION ALL SELECT name, reltoastrelid FROM tables WHERE reltoastrelid <> 0),
    files AS (
        SELECT name, oid FROM heaps
        UNION ALL SELECT h.name, i.indexrelid FROM heaps h JOIN pg_index i ON i.indrelid = h.oid),
    weights AS (SELECT name, sum(pg_relation_size(oid))::bigint AS bytes FROM files GROUP BY 1)
    SELECT t.name, w.bytes, sum(greatest(t.reltuples, 0))::bigint, sum(pg_stat_get_dead_tuples(t.oid))::bigint
    FROM tables t JOIN weights w USING (name) GROUP BY 1, 2
$$;

-- Replicas and how far behind they are; lag_s is 0 for one that has everything. The view shows others than superusers
-- and members of pg_monitor that there is a replica and nothing else; with its owner's eyes the application role sees
-- the lag.
CREATE OR REPLACE FUNCTION switchboard_replicas()
RETURNS TABLE (name text, state text, lag_s double precision, lag_bytes bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT coalesce(nullif(application_name, ''), pid::text), r.state,
           CASE WHEN r.state IS NOT NULL THEN coalesce(extract(epoch FROM replay_lag), 0) END::float8,
           CASE WHEN NOT pg_is_in_recovery() THEN pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn) END::bigint
    FROM pg_stat_replication r
$$;

-- ------------------------------------------------------------------ who may call what
REVOKE ALL ON FUNCTION switchboard_tune_partition, switchboard_make_partition, switchboard_at_share, overdue,
    operations_state, operations_background, ops_counts, operations_attention, operations_dropped,
    operations_channels, operations_budgets, operations_embedding_models, operations_recall, switchboard_table_sizes,
    switchboard_replicas FROM PUBLIC, switchboard_app;
GRANT EXECUTE ON FUNCTION overdue, operations_state, operations_background, ops_counts, operations_attention,
    operations_dropped, operations_channels, operations_budgets, operations_embedding_models, operations_recall,
    switchboard_table_sizes, switchboard_replicas TO switchboard_app;
