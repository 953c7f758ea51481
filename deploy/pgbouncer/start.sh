#!/bin/sh
# Writes PgBouncer's configuration from the environment and becomes PgBouncer. compose.yaml runs it in the image beside
# it, the project's tests with the program of their machine.
#
# APP_PASSWORD: of switchboard_app, as in DATABASE_URL. Only this role goes through here; the owner's connections hold
# locks and settings over transactions, so DATABASE_ADMIN_URL names PostgreSQL itself.
# DATABASE_HOST, DATABASE_PORT, DATABASE_NAME: PostgreSQL. SERVER_TLS, CLIENT_TLS: PgBouncer's sslmodes.
# CERTIFICATES: the folder with server.key and server.crt. TRUST: with ca.crt.
set -eu
umask 077
: "${APP_PASSWORD:?set it to the password of switchboard_app}"
folder=${PGBOUNCER_FOLDER:-/tmp/pgbouncer}
mkdir -p "$folder"

printf '"switchboard_app" "%s"\n' "$APP_PASSWORD" > "$folder/users.txt"
cat > "$folder/pgbouncer.ini" <<INI
[databases]
switchboard = host=${DATABASE_HOST:-postgres} port=${DATABASE_PORT:-5432} dbname=${DATABASE_NAME:-switchboard}

[pgbouncer]
listen_addr = ${LISTEN_HOST:-0.0.0.0}
listen_port = ${LISTEN_PORT:-6432}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = $folder/users.txt
pidfile = $folder/pgbouncer.pid

; Each transaction gets any connection. Switchboard needs nothing of a session (docs/operations.md).
pool_mode = transaction
default_pool_size = ${POOL_SIZE:-100}
max_db_connections = ${POOL_SIZE:-100}
max_client_conn = ${CLIENTS_MAX:-1000}
; As long as a process itself waits for a connection (DATABASE_POOL_TIMEOUT_S).
query_wait_timeout = 20
server_connect_timeout = 10
; After a failed login or connection PostgreSQL is tried again so soon; waiting clients fail no later than above.
server_login_retry = 1
server_lifetime = 600
tcp_keepalive = 1
tcp_keepidle = 10
tcp_keepintvl = 5
tcp_keepcnt = 3

client_tls_sslmode = ${CLIENT_TLS:-require}
client_tls_key_file = ${CERTIFICATES:-/certificates}/server.key
client_tls_cert_file = ${CERTIFICATES:-/certificates}/server.crt
client_tls_protocols = secure
server_tls_sslmode = ${SERVER_TLS:-verify-full}
server_tls_ca_file = ${TRUST:-/trust}/ca.crt

; Connections come and go; refused ones and errors are told.
log_connections = 0
log_disconnections = 0
stats_period = 300
INI
exec pgbouncer "$folder/pgbouncer.ini"
