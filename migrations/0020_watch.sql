-- What operators watch beyond turns and parts. Counts, ages and names of ours.

-- Work that no customer waits for to the second: due and not done. Counts up to lim.
CREATE FUNCTION operations_background(lim int) RETURNS TABLE (station text, overdue bigint, oldest_s double precision)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT s.station, count(s.due_at), coalesce(extract(epoch FROM clock_timestamp() - min(s.due_at)), 0)::float8
    FROM ((SELECT 'index' AS station, due_at FROM indexing WHERE model IS NULL AND due_at <= clock_timestamp() LIMIT lim)
          UNION ALL
          (SELECT 'media', due_at FROM media WHERE state = 'waiting' AND due_at <= clock_timestamp() LIMIT lim)
          UNION ALL
          (SELECT 'imports', due_at FROM imports WHERE state = 'queued' AND due_at <= clock_timestamp() LIMIT lim)
          UNION ALL
          VALUES ('index', NULL::timestamptz), ('media', NULL), ('imports', NULL)) s
    GROUP BY 1
$$;
GRANT EXECUTE ON FUNCTION operations_background TO switchboard_app;

-- The view shows others than superusers and members of pg_monitor that there is a replica and nothing else; with its
-- owner's eyes the application role sees how far behind it is. lag_s is 0 for one that has everything.
CREATE FUNCTION switchboard_replicas() RETURNS TABLE (name text, state text, lag_s double precision, lag_bytes bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT coalesce(nullif(application_name, ''), pid::text), r.state,
           CASE WHEN r.state IS NOT NULL THEN coalesce(extract(epoch FROM replay_lag), 0) END::float8,
           CASE WHEN NOT pg_is_in_recovery() THEN pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn) END::bigint
    FROM pg_stat_replication r
$$;
GRANT EXECUTE ON FUNCTION switchboard_replicas TO switchboard_app;
