-- What row-level security asks. Policies name these functions, so they are applied before the tables are made.

-- The companies that the current transaction works for. Raising is the point: without it a forgotten
-- SET LOCAL would find nothing and look like an empty inbox. The same goes for an empty list, which a
-- transaction for no company sets: such a one calls only the functions that look after themselves.
CREATE OR REPLACE FUNCTION switchboard_companies() RETURNS bigint[]
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    ids text := current_setting('switchboard.companies', true);
BEGIN
    IF ids IS NULL OR ids IN ('', '{}') THEN
        RAISE EXCEPTION 'no company is set for this transaction'
            USING ERRCODE = 'insufficient_privilege', HINT = 'open it through shared.store.tenancy';
    END IF;
    RETURN ids::bigint[];
END $$;

-- Row-level security for one tenant table. The sub-select makes the planner ask once a query, not once a row.
CREATE OR REPLACE FUNCTION switchboard_isolate(target regclass, key text DEFAULT 'company_id') RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', target);
    EXECUTE format(
        'CREATE POLICY company ON %s USING (%I = ANY ((SELECT switchboard_companies())::bigint[]))'
        ' WITH CHECK (%I = ANY ((SELECT switchboard_companies())::bigint[]))', target, key, key);
END $$;

-- The jobs that run in processes that hold the application role alone, because all of their work is ordinary work
-- within one company after the other. Their rows are that role's to write; every other job's it may only read.
CREATE OR REPLACE FUNCTION switchboard_own_job(name text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT name IN (
        'inbox.reconcile_totals', 'answers.return_to_bot', 'knowledge.find_popular',
        'knowledge.warm_popular', 'knowledge.refresh_documents', 'knowledge.find_identifiers'
    )
$$;

-- ------------------------------------------------------------------ who may call what
REVOKE ALL ON FUNCTION switchboard_companies, switchboard_isolate, switchboard_own_job FROM PUBLIC, switchboard_app;
GRANT EXECUTE ON FUNCTION switchboard_companies, switchboard_own_job TO switchboard_app;
