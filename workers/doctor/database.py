"""Checks of PostgreSQL: versions, roles, schema, connections, clock."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import psycopg

from shared.errors import SettingsError
from shared.store.db import migrate
from shared.store.db.pool import check_connections, check_role, describe, role_resets, through_a_pooler
from shared.store.db.vault import Vault
from shared.store.operations import partitions as maintenance
from tasks.tenants import rotation
from workers import fleet
from workers.doctor.context import Away, DatabaseRole, DoctorContext, Finding, fail, ok, warn

POSTGRES_MIN = 16
CLOCK_WARN_S = 1.0
CLOCK_FAIL_S = 30.0
PARTITIONS_MIN = 3
MAKE_PARTITIONS = "./switchboard migrate makes them; is beat running?"


def clock_finding(check: str, difference_s: float) -> Finding:
    found = f"its clock and ours differ by {abs(difference_s):.2f} s"
    if abs(difference_s) >= CLOCK_FAIL_S:
        return fail(check, found, "run NTP on both: due times and the day's partitions depend on the clocks")
    if abs(difference_s) >= CLOCK_WARN_S:
        return warn(check, found, "run NTP on both")
    return ok(check, found)


def connections(visit: DoctorContext) -> Iterator[Finding]:
    """Both roles can log in."""
    role: DatabaseRole
    for role, variable in (("application", "DATABASE_URL"), ("owner", "DATABASE_ADMIN_URL")):
        try:
            conn = visit.database(role)
        except Away as e:
            yield fail("postgres", f"{variable}: {e}", f"start PostgreSQL (./switchboard up), or correct {variable}")
            continue
        yield ok("postgres", f"{variable} answers as {conn.info.user} at {conn.info.host}:{conn.info.port}")


def versions(visit: DoctorContext) -> Iterator[Finding]:
    conn = visit.database("owner")
    major = conn.info.server_version // 10_000
    if major < POSTGRES_MIN:
        yield fail("postgres version", f"PostgreSQL {major}", f"use {POSTGRES_MIN} or newer")
    else:
        yield ok("postgres version", f"PostgreSQL {major}")
    row = conn.execute("""
        /* doctor */
        SELECT extversion
        FROM pg_extension
        WHERE extname = 'vector'
    """).fetchone()
    if row is None:
        yield fail("pgvector", "the extension is not in this database", "as a superuser: CREATE EXTENSION vector")
    else:
        yield ok("pgvector", f"pgvector {row[0]}")


def role(visit: DoctorContext) -> Iterator[Finding]:
    """Check that row-level security applies to the application role, and that it cannot create objects."""
    try:
        check_role(visit.database("application"))
    except SettingsError as e:
        yield fail("role", str(e), "./switchboard migrate; scripts/postgres-roles.sh shows how the roles should be")
        return
    if resets := role_resets(visit.database("application")):
        found = "the application role has its own defaults for server settings, which every role may change"
        commands = " ".join(f"-c '{statement}'" for statement in resets)
        yield warn("role", found, f'unless you set them: psql "$DATABASE_URL" {commands}')
    yield ok("role", "the application role owns nothing, cannot create objects and is subject to row-level security")


def migrations(visit: DoctorContext) -> Iterator[Finding]:
    visit.database("owner")  # Away before the next line tries again
    pending = migrate.pending(visit.config.need("DATABASE_ADMIN_URL"))
    if pending:
        yield fail("migrations", f"not applied: {', '.join(pending)}", "./switchboard migrate")
    else:
        yield ok("migrations", "all applied")


def room(visit: DoctorContext) -> Iterator[Finding]:
    """Check that the pools of a whole fleet fit into max_connections."""
    if through_a_pooler(visit.database("application")):
        yield ok(
            "connections", "the fleet's connections go through a pooler; max_connections bounds those that it makes"
        )
        return
    needed = fleet.connections_needed(visit.config)
    try:
        check_connections(visit.database("owner"), needed)
    except SettingsError as e:
        yield fail("connections", str(e), "lower DATABASE_POOL_MAX or raise max_connections")
        return
    yield ok("connections", f"the fleet's pools need {needed} connections, which fit into max_connections")


def clock(visit: DoctorContext) -> Iterator[Finding]:
    conn = visit.database("owner")
    before = time.time()
    row = conn.execute("/* doctor */ SELECT extract(epoch FROM clock_timestamp())::float8").fetchone()
    assert row is not None
    yield clock_finding("postgres clock", float(row[0]) - (before + time.time()) / 2)


def partitions(visit: DoctorContext) -> Iterator[Finding]:
    """Check that the partitions of the coming days exist."""
    conn = visit.database("owner")
    today = datetime.now(UTC).date()
    for parent in maintenance.PARTITIONED:
        ahead = 0
        while ahead < maintenance.DAYS_AHEAD and _exists(conn, f"{parent}_{today + timedelta(days=ahead + 1):%Y%m%d}"):
            ahead += 1
        if not _exists(conn, f"{parent}_{today:%Y%m%d}"):
            yield fail("partitions", f"{parent} has none for today", MAKE_PARTITIONS)
        elif ahead < PARTITIONS_MIN:
            yield warn("partitions", f"{parent} has {ahead} days ahead", MAKE_PARTITIONS)
        else:
            yield ok("partitions", f"{parent} has {ahead} days ahead")


def _exists(conn: psycopg.Connection, table: str) -> bool:
    row = conn.execute("/* doctor */ SELECT to_regclass(%s) IS NOT NULL", (table,)).fetchone()
    return bool(row and row[0])


def sealed(visit: DoctorContext) -> Iterator[Finding]:
    """Check that ENCRYPTION_KEYS decrypt every stored credential."""
    conn = visit.database("owner")
    try:
        seen = rotation.reseal_all(conn, Vault(visit.config.system.fernet_keys), batch=1_000, dry_run=True)
    except SettingsError:
        return  # no keys: told with the configuration
    except psycopg.Error as e:
        yield warn("credentials", f"could not be read: {describe(e)}", "./switchboard migrate")
        return
    if seen.sealed_shut:
        yield fail("credentials", f"no key decrypts {', '.join(seen.sealed_shut[:5])}",
                   "put their key back into ENCRYPTION_KEYS, or give these credentials again")  # fmt: skip
    if seen.changed:
        yield warn("credentials", f"{seen.changed} are encrypted with an older key", "./switchboard keys rotate")
    if not seen.sealed_shut and not seen.changed:
        yield ok("credentials", f"all {seen.already} are encrypted with the newest key")
