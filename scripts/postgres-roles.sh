#!/bin/sh
# What Switchboard needs of a PostgreSQL of your own: the database, its owner, the application role, pgvector.
# Run once as a superuser, with psql's variables (PGHOST, PGUSER …) saying where. compose.yaml hands it to its
# database's first start.
#
# ADMIN_PASSWORD and APP_PASSWORD: for DATABASE_ADMIN_URL (role switchboard_admin) and DATABASE_URL (switchboard_app).
set -eu
: "${ADMIN_PASSWORD:?set it to the password of switchboard_admin}"
: "${APP_PASSWORD:?set it to the password of switchboard_app}"
export ADMIN_PASSWORD APP_PASSWORD

psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --username "${POSTGRES_USER:-${PGUSER:-postgres}}" --dbname postgres <<'SQL'
\getenv admin_password ADMIN_PASSWORD
\getenv app_password APP_PASSWORD
-- Maintenance and the operators' commands see all companies.
CREATE ROLE switchboard_admin LOGIN NOSUPERUSER BYPASSRLS NOCREATEDB NOCREATEROLE PASSWORD :'admin_password';
-- Jobs and commands tell of long statements and replicas, whoever's they are.
GRANT pg_monitor TO switchboard_admin;
-- Owns nothing and cannot get around row-level security; the processes refuse to start with a role that can.
CREATE ROLE switchboard_app LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE PASSWORD :'app_password';
CREATE DATABASE switchboard OWNER switchboard_admin ENCODING 'UTF8' TEMPLATE template0;
-- What the application role made could stand in for a table in a function that runs with the owner's rights.
REVOKE TEMPORARY ON DATABASE switchboard FROM PUBLIC, switchboard_app;
\connect switchboard
CREATE EXTENSION vector;
ALTER SCHEMA public OWNER TO switchboard_admin;
REVOKE CREATE ON SCHEMA public FROM PUBLIC, switchboard_app;
-- Large objects that it made would fill the disk beside every table; Switchboard has none.
REVOKE EXECUTE ON FUNCTION lo_creat(integer), lo_create(oid), lo_from_bytea(oid, bytea), lo_import(text),
    lo_import(text, oid) FROM PUBLIC;
SQL
