-- How far replies are behind: what each worker could answer a second, and for each company that is too far behind the
-- step of the ladder that its answers are made on. Ids and numbers; the fleet's, so no company's policy stands on them.

CREATE TABLE reply_paces (
    process text PRIMARY KEY,
    per_s   double precision NOT NULL,            -- turns a second with all its slots busy
    told_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);

-- One row, which is also the lock of whoever looks.
CREATE TABLE overload (
    only_one  boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    next_at   timestamptz NOT NULL DEFAULT now(),
    per_s     double precision NOT NULL DEFAULT 0,
    clear_s   double precision NOT NULL DEFAULT 0, -- of the company that waits longest
    companies jsonb NOT NULL DEFAULT '{}'          -- company → [level, calm since, calm_s, left at], times in s since 1970
) WITH (fillfactor = 50);
INSERT INTO overload DEFAULT VALUES;
REVOKE INSERT, DELETE ON overload FROM switchboard_app;

-- By company what is due and not under a lease, and since when the oldest of it is.
CREATE FUNCTION overdue_by_company(grace_s double precision)
RETURNS TABLE (company_id bigint, due bigint, oldest_s double precision)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT t.company_id, count(*), extract(epoch FROM clock_timestamp() - min(t.due_at))::double precision
    FROM turns t WHERE t.state IN ('waiting', 'answering')
      AND t.due_at <= clock_timestamp() - make_interval(secs => grace_s) GROUP BY t.company_id
$$;
GRANT EXECUTE ON FUNCTION overdue_by_company TO switchboard_app;

ALTER TABLE companies ADD COLUMN overload_text text NOT NULL DEFAULT
    'Sorry, so many people are writing to us just now that I cannot answer in time. A colleague will reply here.';
