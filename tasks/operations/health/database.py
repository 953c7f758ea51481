"""Health checks of PostgreSQL: size, tables, indexes, replicas, sessions. They change nothing."""

from __future__ import annotations

from dataclasses import asdict

from shared.store.operations import vitals
from tasks.operations.health.check import CheckContext, CheckResult, Problem, need

LONG_S = 1.0
LONG_ALERT_S = 300.0
DEAD_SHARE = 0.3
DEAD_MIN = 100_000
LAG_ALERT_S = 60.0
CONNECTIONS_SHARE = 0.85


def size(visit: CheckContext) -> CheckResult:
    """Compare the database's size with DATABASE_QUOTA_BYTES, if that is set."""
    size_bytes = vitals.database_bytes(need(visit.conn))
    quota = visit.settings.database.quota_bytes
    share = size_bytes / quota if quota else None
    data = {"bytes": size_bytes, "quota_bytes": quota, "share": round(share, 3) if share is not None else None}
    if share is None or share < visit.settings.database.quota_alert_share:
        return CheckResult(data)
    return CheckResult(data, (Problem("quota", f"the database has {size_bytes} of {quota} bytes ({share:.0%})"),))


def tables(visit: CheckContext) -> CheckResult:
    """Report the largest tables, their growth in a day, and their dead rows."""
    conn = need(visit.conn)
    before = vitals.sizes_on_newest_day(conn)
    shown, found = {}, []
    for table in vitals.table_sizes(conn):
        grew = table.bytes - before.bytes[table.name] if table.name in before.bytes else None
        shown[table.name] = {
            "bytes": table.bytes, "rows": table.rows, "dead": table.dead,
            "grew_bytes": grew, "since": before.day.isoformat() if before.day and grew is not None else None,
        }  # fmt: skip
        if table.dead >= DEAD_MIN and table.dead > DEAD_SHARE * max(1, table.rows):
            found.append(Problem(f"dead.{table.name}", f"{table.name} has {table.dead} dead rows of {table.rows}:"
                                                       " is autovacuum held up by a long transaction?"))  # fmt: skip
    return CheckResult(shown, tuple(found))


def indexes(visit: CheckContext) -> CheckResult:
    """Report indexes that were never used since statistics began, and those that another index covers. Drops none."""
    conn = need(visit.conn)
    return CheckResult({"unused": vitals.unused_indexes(conn), "redundant": vitals.redundant_indexes(conn)})


def replication(visit: CheckContext) -> CheckResult:
    replicas = vitals.replicas(need(visit.conn))
    found = []
    for replica in replicas:
        if replica.lag_s is None:
            found.append(Problem(f"unseen.{replica.name}", f"the lag of replica {replica.name} is not visible:"
                                                           " GRANT pg_monitor TO the owner role"))  # fmt: skip
        elif replica.lag_s > LAG_ALERT_S:
            found.append(Problem(f"lag.{replica.name}", f"replica {replica.name} is {replica.lag_s:.0f} s behind"))
    return CheckResult({"replicas": [asdict(replica) for replica in replicas]}, tuple(found))


def long_queries(visit: CheckContext) -> CheckResult:
    """Report statements that have run for more than a second, by name, as far as this role may see them."""
    running = vitals.long_queries(need(visit.conn), LONG_S)
    return CheckResult({"running": running},
                 tuple(Problem(f"query.{q['name']}", f"{q['name']} has been running for {q['seconds']:.0f} s")
                       for q in running if q["seconds"] > LONG_ALERT_S))  # fmt: skip


def connections(visit: CheckContext) -> CheckResult:
    used, allowed = vitals.connections(need(visit.conn))
    share = used / allowed
    words = f"{used} of {allowed} connections are in use"
    return CheckResult({"used": used, "allowed": allowed},
                 (Problem("full", words),) if share >= CONNECTIONS_SHARE else ())  # fmt: skip
