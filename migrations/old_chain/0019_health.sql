-- Health: what tables weighed each day, and which alerts stand.

CREATE TABLE table_sizes (
    day   date NOT NULL,
    name  text NOT NULL,                         -- a table; a partitioned one with all its partitions
    bytes bigint NOT NULL,                       -- with its indexes and TOAST
    rows  bigint NOT NULL,                       -- as the last ANALYZE saw them
    PRIMARY KEY (day, name)
);
REVOKE INSERT, UPDATE, DELETE ON table_sizes FROM switchboard_app;
INSERT INTO retention_policies (subject, days) VALUES ('table_sizes', 800);  -- two years and a bit, to compare months

-- An alert stands from the look that saw it first until one that does not see it any more. told_at: when somebody was
-- told last, null: nobody yet. cleared_at: it is over, and that is to be told; then the row goes.
CREATE TABLE alerts (
    key        text PRIMARY KEY,
    id         bigint GENERATED ALWAYS AS IDENTITY,
    words      text NOT NULL,
    since      timestamptz NOT NULL DEFAULT clock_timestamp(),
    told_at    timestamptz,
    cleared_at timestamptz
);
REVOKE INSERT, UPDATE, DELETE ON alerts FROM switchboard_app;

-- Weights of all tables, partitions with their parents. As any role: sizes are no secret of a company's.
CREATE FUNCTION switchboard_table_sizes() RETURNS TABLE (name text, bytes bigint, rows bigint, dead bigint)
LANGUAGE sql STABLE AS $$
    SELECT coalesce(p.relname, c.relname)::text, sum(pg_total_relation_size(c.oid))::bigint,
           sum(greatest(c.reltuples, 0))::bigint, sum(pg_stat_get_dead_tuples(c.oid))::bigint
    FROM pg_class c LEFT JOIN pg_inherits i ON i.inhrelid = c.oid LEFT JOIN pg_class p ON p.oid = i.inhparent
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' GROUP BY 1
$$;
GRANT EXECUTE ON FUNCTION switchboard_table_sizes TO switchboard_app;
