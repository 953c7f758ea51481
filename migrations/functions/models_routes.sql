-- The companies that have model routes of their own: ids alone, so that a process knows for whom it need not look.
CREATE OR REPLACE FUNCTION models_routed_companies() RETURNS SETOF bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT DISTINCT company_id FROM model_routes WHERE company_id IS NOT NULL
$$;

-- ------------------------------------------------------------------ who may call what
REVOKE ALL ON FUNCTION models_routed_companies FROM PUBLIC, switchboard_app;
GRANT EXECUTE ON FUNCTION models_routed_companies TO switchboard_app;
