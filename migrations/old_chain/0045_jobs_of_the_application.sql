-- Four jobs run in processes that hold the application role alone, because all of their work is ordinary work within
-- one company after the other. Their rows are that role's to write; every other job's it may only read.
GRANT INSERT (name, slot), UPDATE (cursor, run_id, leased_until, slot, failures, retry_at) ON jobs TO switchboard_app;
GRANT INSERT (name, started_by, resumed), UPDATE (outcome, error, finished_at, batches, rows, bytes, cursor)
    ON job_runs TO switchboard_app;

ALTER TABLE jobs ENABLE ROW LEVEL SECURITY;
ALTER TABLE job_runs ENABLE ROW LEVEL SECURITY;

CREATE FUNCTION switchboard_own_job(name text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT name IN ('unread.reconcile_totals', 'index.find_popular', 'index.warm_popular', 'index.refresh_knowledge')
$$;
GRANT EXECUTE ON FUNCTION switchboard_own_job TO switchboard_app;

CREATE POLICY readable ON jobs FOR SELECT USING (true);
CREATE POLICY begun ON jobs FOR INSERT TO switchboard_app WITH CHECK (switchboard_own_job(name));
CREATE POLICY kept ON jobs FOR UPDATE TO switchboard_app
    USING (switchboard_own_job(name)) WITH CHECK (switchboard_own_job(name));
CREATE POLICY readable ON job_runs FOR SELECT USING (true);
CREATE POLICY begun ON job_runs FOR INSERT TO switchboard_app WITH CHECK (switchboard_own_job(name));
CREATE POLICY kept ON job_runs FOR UPDATE TO switchboard_app
    USING (switchboard_own_job(name)) WITH CHECK (switchboard_own_job(name));

-- Which messages ask what is asked most often, of all companies. Ids and counts only: the words are read within the
-- company that they belong to.
CREATE FUNCTION popular_commonest(lim int) RETURNS TABLE (company_id bigint, message_id bigint, asked int)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT q.company_id, q.message_id, q.asked
    FROM (
        SELECT p.company_id, p.message_id, p.asked
        FROM popular_questions p
        JOIN messages m ON m.company_id = p.company_id AND m.id = p.message_id
        WHERE m.text <> ''
        ORDER BY p.asked DESC, p.company_id, p.message_id
        LIMIT lim) q
    ORDER BY q.company_id, q.asked
$$;
GRANT EXECUTE ON FUNCTION popular_commonest TO switchboard_app;
