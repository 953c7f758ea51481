"""Metrics of statements and connections."""

from __future__ import annotations

from shared.telemetry.metrics import SQL_S, Counter, Gauge, Histogram

SQL = Histogram("sql_seconds", "Time of a statement by the name in its comment.", ("statement",), buckets=SQL_S)
SQL_FAILED = Counter("sql_failed_total", "Statements that ended in an error.", ("statement", "sqlstate"))
POOL_CONNECTIONS = Gauge("database_pool_connections", "Connections of database pools.", ("process", "state"))
POOL_WAITING = Gauge("database_pool_waiting_requests", "Callers waiting for a connection now.", ("process",))
POOL_ERRORS = Gauge("database_pool_failed_requests", "Callers that got no connection, since start.", ("process",))


def pool_stats(process: str, stats: dict[str, int]) -> None:
    """Export the state of a connection pool, as psycopg_pool reports it."""
    for state, key in (("open", "pool_size"), ("idle", "pool_available")):
        POOL_CONNECTIONS.set(stats.get(key, 0), process, state)
    POOL_WAITING.set(stats.get("requests_waiting", 0), process)
    POOL_ERRORS.set(stats.get("requests_errors", 0), process)
