"""Two years of a small installation through every scheduled job, with a clock that moves a day at a time.

Traffic is generated: conversations of a few weeks that then fall silent, each message with what belongs to it, and each
day's logs. Each day the jobs whose hour has come run as the timetable says. At the end everything that must still be
there is looked for by its identity, hot or archived, and nothing else may be there.
"""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import psycopg
from psycopg import sql

from shared.clock import FixedClock
from shared.embedded import DataFolder, Postgres, Valkey
from shared.settings import Settings
from shared.store.db.migrate import migrate
from shared.store.db.pool import Conn
from shared.store.lifecycle import archive_runs, retention
from tasks.operations import jobs as flow
from tasks.operations import timetable
from tasks.operations.jobs import Work
from tasks.registry import JOBS

Name = tuple[int, int, int]
"""Company, conversation, seq."""
HOUR = time(6, 30)
"""When a day's jobs run here: behind all hours of the night."""
LENGTH = 60
"""Messages of a conversation, two a day."""
ELSEWHERE = ("backup",)
"""Jobs that work outside of the database: they have tests of their own."""

_COMPANIES = (
    "INSERT INTO companies (name) VALUES ('as it comes'), ('forgets early'), ('keeps logs')",
    """
        INSERT INTO apps (platform, slug, secrets)
        SELECT 'telegram', 'a' || n, ''
        FROM generate_series(1, 3) n
    """,
    """
        INSERT INTO channels (company_id, app_id, platform, external_id, credentials)
        SELECT n, n, 'telegram', n::text, ''
        FROM generate_series(1, 3) n
    """,
)
_BEGUN = """
    INSERT INTO conversations (company_id, channel_id, chat, last_message_at)
    SELECT 1 + n %% 3, 1 + n %% 3, %(day)s::text || ':' || n, %(at)s
    FROM generate_series(1, %(begun)s) n
"""
# The day's two messages of every conversation that is not over, and all that belongs to them.
_DAY = (
    """
        CREATE TEMP TABLE today ON COMMIT DROP AS
        SELECT company_id, id, channel_id, message_count AS n
        FROM conversations
        WHERE message_count < %(length)s
    """,
    """
        INSERT INTO messages (company_id, conversation_id, channel_id, seq, role, dedupe_key, text, created_at)
        SELECT company_id, id, channel_id, n + s, CASE s WHEN 1 THEN 'customer' ELSE 'bot' END,
            CASE s WHEN 1 THEN id || ':' || n END, company_id || '/' || id || '/' || n + s, %(at)s
        FROM today, generate_series(1, 2) s
    """,
    """
        INSERT INTO turns (company_id, conversation_id, channel_id, state, first_seq, last_seq, received_at,
            due_at, created_at)
        SELECT company_id, id, channel_id, 'answered', n + 1, n + 1, %(at)s, %(at)s, %(at)s
        FROM today
    """,
    """
        INSERT INTO outbound (company_id, conversation_id, channel_id, message_id, part, text, state,
            created_at)
        SELECT t.company_id, t.id, t.channel_id, m.id, 1, m.text, 'sent', %(at)s
        FROM today t
        JOIN messages m ON m.company_id = t.company_id AND m.conversation_id = t.id AND m.seq = t.n + 2
    """,
    """
        UPDATE conversations c
        SET message_count = t.n + 2, customer_seq = (t.n + 2) / 2, last_message_at = %(at)s
        FROM today t
        WHERE c.company_id = t.company_id
          AND c.id = t.id
    """,
    """
        INSERT INTO delivery_attempts (company_id, outbound_id, attempt, day, started_at)
        SELECT company_id, id, 1, %(day)s, %(at)s
        FROM today
    """,
    """
        INSERT INTO llm_calls (company_id, turn_id, epoch, attempt, day, provider, model, step, outcome,
            duration_ms, tokens_in, tokens_out)
        SELECT company_id, id, 1, 1, %(day)s, 'p', 'm', 'full', 'ok', 1, 1, 1
        FROM today
    """,
    # one of a month's first day is a dead letter, and waits for a person for ever
    """
        INSERT INTO webhook_events (day, stream, entry_id, ordinal, received_at, platform, app_id, company_id,
            channel_id, kind, outcome)
        SELECT %(day)s, 's', id::text, 0, %(at)s, 'telegram', channel_id, company_id, channel_id, 'message',
            CASE WHEN %(first)s AND id = (SELECT max(id) FROM today) THEN 'dead_letter' ELSE 'effected' END
        FROM today
    """,
    """
        INSERT INTO webhook_raw (day, stream, entry_id, platform, app_id, received_at, size, body)
        SELECT %(day)s, 's', id::text, 'telegram', channel_id, %(at)s, 1, '\\x00'
        FROM today
    """,
)  # fmt: skip


@dataclass(slots=True)
class Outcome:
    """messages: all that were written. seconds: of each job, run by run. hot: messages in their tables at each look."""

    messages: int = 0
    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    hot: list[int] = field(default_factory=list)
    bytes: list[int] = field(default_factory=list)
    archived: int = 0
    deleted: int = 0
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Plan:
    """days up to `end`. begun: conversations a day. every: days between two looks at the timetable, as of a fleet
    that is off in between."""

    end: date
    days: int
    begun: int
    every: int = 1
    length: int = LENGTH
    delete_after_days: int = 240


def simulate(conn: Conn, settings: Settings, plan: Plan) -> Outcome:
    """conn: the owner's, in autocommit, on a database without companies. settings: with short terms of the archive."""
    outcome = Outcome()
    for statement in _COMPANIES:
        conn.execute(sql.SQL(statement))
    archive_runs.set_terms(conn, 2, after_days=None, delete_after_days=plan.delete_after_days)
    retention.set_override(conn, 2, "llm_calls", 20)
    retention.set_override(conn, 3, "delivery_attempts", 200)
    for passed in range(plan.days):
        today = plan.end - timedelta(days=plan.days - 1 - passed)
        if passed == 0:
            _run_due(conn, settings, datetime.combine(today - timedelta(days=1), HOUR, UTC), outcome)
            # never done before: owed from the day on which everything begins
            conn.execute("UPDATE jobs SET slot = %s", (datetime.combine(today - timedelta(days=1), time(0), UTC),))
            _run_due(conn, settings, datetime.combine(today, time(0, 30), UTC) - timedelta(hours=1), outcome)
        _write(conn, today, plan)
        if passed % plan.every == 0 or today == plan.end:
            _run_due(conn, settings, datetime.combine(today, HOUR, UTC), outcome)
            _look(conn, outcome)
    outcome.problems = check(conn, settings, plan, outcome)
    return outcome


def _write(conn: Conn, today: date, plan: Plan) -> None:
    values = {
        "day": today, "at": datetime.combine(today, time(5), UTC), "begun": plan.begun, "length": plan.length,
        "first": today.day == 1,
    }  # fmt: skip
    with conn.transaction():
        for statement in (_BEGUN, *_DAY):
            conn.execute(sql.SQL(statement), values)


def _run_due(conn: Conn, settings: Settings, now: datetime, outcome: Outcome) -> None:
    clock = FixedClock(now)
    for due in timetable.due(conn, now):
        if any(word in due.name for word in ELSEWHERE):
            continue
        ran = flow.run(JOBS[due.name], Work(conn, settings, clock), slot=due.slot, budget_s=float("inf"))
        if ran is not None:
            outcome.seconds[due.name].append(ran.seconds)


def _look(conn: Conn, outcome: Outcome) -> None:
    [(hot, size)] = conn.execute(
        "SELECT (SELECT count(*) FROM messages), (SELECT sum(bytes) FROM switchboard_table_sizes())"
    ).fetchall()
    outcome.hot.append(int(str(hot)))
    outcome.bytes.append(int(str(size)))


# ------------------------------------------------------------------ what must be there, and nothing else
def check(conn: Conn, settings: Settings, plan: Plan, outcome: Outcome) -> list[str]:
    """What is wrong, in words; empty if all is as it must be."""
    written = {
        (int(str(company)), int(str(id_)), seq)
        for company, id_, count in conn.execute("SELECT company_id, id, message_count FROM conversations").fetchall()
        for seq in range(1, int(str(count)) + 1)
    }
    hot = _named(conn, "SELECT company_id, conversation_id, seq, text FROM messages")
    archived = _named(
        conn,
        """
            SELECT s.company_id, s.conversation_id, (m->>'seq')::bigint, m->>'text'
            FROM archive_segments s, json_array_elements(s.body) m
            WHERE s.kind = 'messages'
        """,
    )
    outcome.messages, outcome.archived = len(written), len(archived)
    gone = written - hot - archived
    outcome.deleted = len(gone)
    found = []
    if hot & archived:
        found.append(f"{len(hot & archived)} messages are in two places")
    if wrong := (hot | archived) - written:
        found.append(f"{len(wrong)} messages that nobody wrote")
    if others := {name for name in gone if name[0] != 2}:
        found.append(f"{len(others)} messages of companies that delete nothing are gone")
    return [*found, *_too_early_or_late(conn, settings, plan, gone), *_logs(conn, plan), *_beside(conn)]


def _named(conn: Conn, query: str) -> set[Name]:
    """Every message by its identity; raises ValueError where its text is another's or it comes twice."""
    found: set[Name] = set()
    for company, conversation, seq, text in conn.execute(query.encode()).fetchall():
        name = (int(str(company)), int(str(conversation)), int(str(seq)))
        if text != "/".join(map(str, name)) or name in found:
            raise ValueError(f"message {name} says {text!r}, or stands there twice")
        found.add(name)
    return found


def _too_early_or_late(conn: Conn, settings: Settings, plan: Plan, gone: set[Name]) -> Iterator[str]:
    """A quiet conversation keeps its last ones; the archive job comes on the 1st, so it may be a month late."""
    keep, today = settings.archive.keep_messages, plan.end
    quiet = today - timedelta(days=settings.archive.after_days + 31 + plan.every)
    rows = conn.execute(
        """
            SELECT c.company_id, c.id, c.message_count, c.last_message_at,
                (SELECT count(*) FROM messages m WHERE m.company_id = c.company_id AND m.conversation_id = c.id)
            FROM conversations c
        """
    ).fetchall()
    for company, id_, count, at, hot in rows:
        total, here, last = int(str(count)), int(str(hot)), datetime.fromisoformat(str(at)).date()
        if last < quiet and here > keep:
            yield f"{here} messages of the quiet conversation {company}/{id_} are hot"
        if here < min(keep, total) or (last > today - timedelta(days=settings.archive.after_days) and here < total):
            yield f"only {here} messages of conversation {company}/{id_} are hot"
    # a message is deleted at the earliest when it is older than the bound
    early = today - timedelta(days=plan.delete_after_days)
    begun = {int(str(id_)): datetime.fromisoformat(str(at)).date() for _, id_, _, at, _ in rows}
    for _, conversation, seq in gone:
        if begun[conversation] - timedelta(days=(plan.length - seq) // 2) > early:
            yield f"message {conversation}/{seq} was deleted before its time"


_NO_DEAD_LETTER = {
    "webhook_events": "t.outcome <> 'dead_letter'",
    "webhook_raw": """
        NOT EXISTS (
            SELECT 1
            FROM webhook_events e
            WHERE e.day = t.day
              AND e.entry_id = t.entry_id
              AND e.outcome = 'dead_letter'
        )
    """,
}
"""What is left out of each log's count: dead letters outlive their term."""


def _logs(conn: Conn, plan: Plan) -> Iterator[str]:
    """Each log holds each company's days of its term, every row of them, and no others but dead letters."""
    terms = {"webhook_raw": 7, "webhook_events": 90, "delivery_attempts": 90, "llm_calls": 90}
    own = {("llm_calls", 2): 20, ("delivery_attempts", 3): 200}
    column = {"webhook_raw": "app_id"}
    for table, days in terms.items():
        company = column.get(table, "company_id")
        counted = dict[tuple[int, date], int]()
        for owner, day, n in conn.execute(
            f"""
                SELECT {company}, day, count(*)
                FROM {table} t
                WHERE {_NO_DEAD_LETTER.get(table, "true")}
                GROUP BY 1, 2
            """.encode()
        ).fetchall():
            counted[int(str(owner)), date.fromisoformat(str(day))] = int(str(n))
        for owner in (1, 2, 3):
            first = plan.end - timedelta(days=own.get((table, owner), days))
            there = {day for who, day in counted if who == owner}
            wanted = {first + timedelta(days=n) for n in range((plan.end - first).days + 1)}
            begun = plan.end - timedelta(days=plan.days - 1)
            if missing := {day for day in wanted if day >= begun + timedelta(days=3)} - there:
                yield f"{table} of company {owner} lacks {len(missing)} days, from {min(missing)}"
            if late := {day for day in there if day < first}:
                yield f"{table} of company {owner} still has {len(late)} days, from {min(late)}"


def _beside(conn: Conn) -> Iterator[str]:
    """Dead letters are there with their bodies; turns and parts of archived messages went with them; totals hold."""
    [(dead_letters, bodies)] = conn.execute(
        """
            SELECT count(*), count(r.body)
            FROM webhook_events e
            LEFT JOIN webhook_raw r USING (day, stream, entry_id)
            WHERE e.outcome = 'dead_letter'
        """
    ).fetchall()
    [(months,)] = conn.execute(
        "SELECT count(DISTINCT day) FROM webhook_events WHERE outcome = 'dead_letter' AND extract(day FROM day) = 1"
    ).fetchall()
    if not dead_letters == bodies == months:
        yield f"{dead_letters} dead letters, {bodies} with their bodies, on {months} days"
    for table, seq in (("turns", "last_seq"), ("outbound", "(SELECT seq FROM messages m WHERE m.id = t.message_id)")):
        [(strays,)] = conn.execute(
            f"""
                SELECT count(*)
                FROM {table} t
                JOIN conversations c ON c.company_id = t.company_id AND c.id = t.conversation_id
                WHERE {seq} IS NULL
                  OR {seq} <= c.archived_seq
            """.encode()
        ).fetchall()
        if strays:
            yield f"{strays} rows of {table} stayed behind their messages"


# ------------------------------------------------------------------ the report
def report(scale: float = 1.0) -> Iterator[str]:
    plan = Plan(date(2026, 11, 25), days=max(200, int(730 * scale)), begun=12)
    with tempfile.TemporaryDirectory() as data, DataFolder(Path(data)) as folder, Postgres(folder) as server, \
            Valkey(folder) as valkey:  # fmt: skip
        database = server.create_database("years")
        migrate(database.admin_url)
        settings = Settings.of(
            DATABASE_URL=database.url, DATABASE_ADMIN_URL=database.admin_url,
            REDIS_URL=valkey.redis_url, DATA_DIR=Path(data), ARCHIVE_KEEP_MESSAGES=10,
        )  # fmt: skip
        with psycopg.connect(database.admin_url, autocommit=True, prepare_threshold=None) as conn:
            outcome = simulate(conn, settings, plan)
    yield (f"{plan.days} days, {plan.begun} conversations of {plan.length} messages begun a day:"
           f" {outcome.messages:,} messages; {outcome.archived:,} archived, {outcome.deleted:,} deleted,"
           f" {outcome.hot[-1]:,} hot")  # fmt: skip
    for quarter in range(1, 5):
        day = len(outcome.hot) * quarter // 4 - 1
        yield f"  day {day + 1}: {outcome.hot[day]:,} hot messages, {outcome.bytes[day]:,} bytes in all tables"
    for name, seconds in sorted(outcome.seconds.items()):
        ordered = sorted(seconds)
        yield (f"  {name}: {len(ordered)} runs, median {ordered[len(ordered) // 2] * 1000:.0f} ms,"
               f" longest {ordered[-1] * 1000:.0f} ms")  # fmt: skip
    yield f"  what is wrong: {'; '.join(outcome.problems) or 'nothing'}"
