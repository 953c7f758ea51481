-- Who may do what. Two roles: the owner runs these files; switchboard_app (or a member of it) is what the processes log
-- in as.
--
-- Every tenant table has company_id in front of its primary key, row-level security, and one policy
-- (switchboard_isolate, functions/before_tables/policies.sql). Where the application role may do less than read and
-- write, a REVOKE stands behind the table.
--
-- A function that runs with the owner's rights must find our tables and types, never those that its caller made. Where
-- a search_path does not name pg_temp, PostgreSQL looks for tables and types in the caller's temporary objects before
-- anything else, pg_catalog included. So pg_temp stands last in every function that sets a search_path: also in those
-- without SECURITY DEFINER, because the others and triggers call them with the owner's rights.
--
-- Storage parameters: PostgreSQL's defaults for autovacuum wait until a fifth of a table is dead: of ten million turns
-- that is two million, through whose entries in the partial indexes every claim walks meanwhile. What a table has
-- instead, and why, stands with it.

ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
ALTER DEFAULT PRIVILEGES GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO switchboard_app;
ALTER DEFAULT PRIVILEGES GRANT USAGE ON SEQUENCES TO switchboard_app;
GRANT USAGE ON SCHEMA public TO switchboard_app;
