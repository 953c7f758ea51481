-- A function that runs with the owner's rights must find our tables and types, never those that its caller made. Where
-- a search_path does not name pg_temp, PostgreSQL looks for tables and types in the caller's temporary objects before
-- anything else, pg_catalog included. So it stands last in every function that sets a search_path: also in those
-- without SECURITY DEFINER, because the others and triggers call them with the owner's rights.
DO $$
DECLARE
    found record;
BEGIN
    FOR found IN
        SELECT p.oid::regprocedure AS signature, setting.path
        FROM pg_catalog.pg_proc p
        CROSS JOIN LATERAL (SELECT substr(c, length('search_path=') + 1) AS path
                            FROM unnest(p.proconfig) AS c WHERE c LIKE 'search_path=%') setting
        WHERE p.pronamespace = 'public'::regnamespace
          AND setting.path !~ '(^|, *)pg_temp$'
          AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_proc'::regclass
                          AND d.objid = p.oid AND d.deptype = 'e')
    LOOP
        EXECUTE format('ALTER FUNCTION %s SET search_path = %s, pg_temp', found.signature, found.path);
    END LOOP;
END $$;
