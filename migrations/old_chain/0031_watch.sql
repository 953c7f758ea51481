-- What operators watch beyond turns and parts. Counts, ages and names of ours.

-- Work that no customer waits for to the second: due and not done. Counts up to lim.
CREATE FUNCTION operations_background(lim int) RETURNS TABLE (station text, overdue bigint, oldest_s double precision)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT s.station, count(s.due_at), coalesce(extract(epoch FROM clock_timestamp() - min(s.due_at)), 0)::float8
    FROM ((SELECT 'index' AS station, i.due_at FROM indexing i JOIN embedding_spaces e ON e.id = i.space_id
           WHERE e.state = 'active' AND NOT i.done AND i.due_at <= clock_timestamp() LIMIT lim)
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

-- As before (0019), by one pass over the catalogs: pg_total_relation_size opens each table and asks the file system for
-- four forks of each of its relations, which of 400 partitions took 56 ms of a look at everything. This asks for the
-- main fork of each: free space and visibility maps are a thousandth.
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
