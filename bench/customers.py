"""The whole system, as `up` starts it, under customers of all platforms: 1,000, 5,000, 10,000, and beyond, in
proportion to this machine's cores."""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import psycopg

from bench.crowd import Crowd, Posted
from shared.store.db.redis import connect
from workers.sandbox import checks
from workers.sandbox.bots import Bot
from workers.sandbox.system import Drilled, drilled_system

THINK_S = 200.0
"""A customer writes a message so often. Ten messages in half an hour, reading and thinking in between."""
LLM_S = 1.0
"""The model's answer, all of it."""
REPLY_THREADS = 100
"""Answers under way: messages a second, times the seconds that a model takes. The default is 32."""
STAGES = (1_000, 5_000, 10_000, 20_000, 40_000)
PAIR_CORES = 8
"""Of the pair of machines that the stages are meant for: docs/capacity.md. This machine takes its cores' share of them,
though it carries the load and the outside world as well."""
SHARE = min(1.0, (psutil.cpu_count() or 1) / PAIR_CORES)
STAGE_S = 20.0
WARM_S, WARM_CUSTOMERS = 5.0, 1_000
CLEAR_WITHIN_S = 60.0
LOOK_EVERY_S = 0.2
OPEN = """
    /* bench.open */
    SELECT
        (SELECT count(*) FROM turns WHERE state IN ('waiting', 'answering'))
        + (SELECT count(*) FROM outbound WHERE state IN ('queued', 'sending'))
"""
COUNTED_S, COUNTED_CUSTOMERS = 5.0, 10_000
"""A stage of its own, in which PostgreSQL writes down every statement."""
COMPANIES = 10
SHARES = {"telegram": 8, "messenger": 4, "whatsapp": 4, "instagram": 2, "slack": 1, "standard": 1}
"""Of twenty customers. Slack: its own limit of 300 a minute and workspace is ours, too."""
_STATEMENT = re.compile(r"(?:execute [^:]*|statement):\s+(?:/\* (\S+) \*/\s*)?(\w+)")


@dataclass(frozen=True, slots=True)
class Use:
    """What is used up: bytes in the database, by table (with its indexes), and in Redis."""

    database_bytes: int
    tables: dict[str, int]
    redis_bytes: int


@dataclass(slots=True)
class Stage:
    """One number of customers; its crowd is this machine's share of them. answered_s: from the 200 to the answer at the
    platform, the model's time included."""

    customers: int
    crowd: Crowd
    seconds: float
    cleared_s: float
    answered_s: list[float]
    unanswered: int
    cpu_ms: dict[str, float] = field(default_factory=dict)

    @property
    def errors(self) -> float:
        return (len(self.crowd.posted) - self.crowd.accepted) / max(1, len(self.crowd.posted))


def report() -> list[str]:
    """Lines of a table; raises AssertionError when a message that was accepted is lost or doubled."""
    folder = Path(tempfile.mkdtemp(prefix="bench-customers-"))
    try:
        with drilled_system(folder, quick=False, armed=False, REPLY_THREADS=REPLY_THREADS) as system:
            return _measure(system)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _measure(system: Drilled) -> list[str]:
    system.control("POST", "limits", enforced=False)
    system.control("POST", "latency", target="openai", first_byte_s=LLM_S, chunk_s=0.0)
    bots = _bots(system)
    crowds = [_crowd(bots, WARM_CUSTOMERS, 1)]
    crowds[0].run(system.config.gateway.port, WARM_S)
    _clear(system)
    stages, before = [], _use(system)
    for place, customers in enumerate(STAGES):
        crowds.append(_crowd(bots, customers, place + 2))
        stages.append(_stage(system, customers, crowds[-1]))
        sys.stderr.write(f"{customers} customers: {crowds[-1].accepted} messages, clear {stages[-1].cleared_s:.1f} s\n")
    after, messages = _use(system), sum(len(stage.crowd.posted) for stage in stages)
    crowds.append(_crowd(bots, COUNTED_CUSTOMERS, len(STAGES) + 2))
    statements = _statements(system, crowds[-1])
    lost = [*_unlike(system, crowds), *_tokens(system)]
    return [*_shown(system, stages), *_costs(stages, before, after, messages), *_counted(statements, crowds[-1]), *lost]


def _tokens(system: Drilled) -> list[str]:
    [(tokens_in, tokens_out, connections)] = system.rows(
        """
            SELECT avg(tokens_in)::float8, avg(tokens_out)::float8,
                (SELECT count(*) FROM pg_stat_activity WHERE usename = 'switchboard_app')
            FROM receipts
            WHERE tokens_out > 0
        """
    )
    return [f"receipts: {tokens_in:,.0f} tokens in and {tokens_out:,.0f} out an answer; {connections} connections open"]


def _bots(system: Drilled) -> list[Bot]:
    """Twenty channels, in the platforms' shares, of ten companies."""
    telegram = [system.new_bot() for _ in range(COMPANIES)]
    chosen = telegram[: SHARES["telegram"]]
    number = 0
    for platform, share in SHARES.items():
        for _ in range(share if platform != "telegram" else 0):
            number += 1
            chosen.append(system.new_place(platform, telegram[number % COMPANIES].company_id, number))
    return chosen


def _crowd(bots: list[Bot], customers: int, place: int) -> Crowd:
    return Crowd(bots, round(customers * SHARE), THINK_S, first_number=place * 100_000)


def _stage(system: Drilled, customers: int, crowd: Crowd) -> Stage:
    began_s, cpu_s = time.perf_counter(), _cpu_s(system)
    posting_s = time.process_time()
    crowd.run(system.config.gateway.port, STAGE_S)
    seconds, posting_s = time.perf_counter() - began_s, time.process_time() - posting_s
    cleared_s = _clear(system)
    spent = {name: (now_s - cpu_s[name]) * 1000 / max(1, crowd.accepted) for name, now_s in _cpu_s(system).items()}
    spent["load"] = posting_s * 1000 / max(1, crowd.accepted)
    answered, unanswered = _answers(system, crowd.posted)
    return Stage(customers, crowd, seconds, cleared_s, answered, unanswered, spent)


def _clear(system: Drilled) -> float:
    """Until nothing is open, seen over one connection so that looking costs next to nothing; seconds."""
    began_s, clear = time.perf_counter(), 0
    with psycopg.connect(str(system.config.database.admin_url), autocommit=True) as conn:
        while clear < 3:
            if time.perf_counter() - began_s > CLEAR_WITHIN_S:
                raise AssertionError(f"not clear after {CLEAR_WITHIN_S:.0f} s")
            time.sleep(LOOK_EVERY_S)
            row = conn.execute(OPEN).fetchone()
            clear = clear + 1 if row == (0,) else 0
    return time.perf_counter() - began_s - 2 * LOOK_EVERY_S


def _answers(system: Drilled, posted: Iterable[Posted]) -> tuple[list[float], int]:
    """How long each accepted message waited for the next answer in its chat, and how many waited in vain."""
    arrived = checks.arrivals(system)
    waited, unanswered = [], 0
    for one in posted:
        if one.accepted_at is None:
            continue
        later = [at for at in arrived.get(one.customer.chat, ()) if at >= one.accepted_at]
        if later:
            waited.append(min(later) - one.accepted_at)
        else:
            unanswered += 1
    return sorted(waited), unanswered


def _unlike(system: Drilled, crowds: list[Crowd]) -> list[str]:
    """Customer by customer: what was accepted, what is stored, what the platform got. Raises AssertionError."""
    system.wait_at_rest(CLEAR_WITHIN_S)
    found = checks.tally(system, [customer for crowd in crowds for customer in crowd.people])
    wrong = [*checks.replies(system), *checks.counters(system)]
    if found.lost or found.doubled or found.unknown_outcomes or wrong:
        raise AssertionError(f"{found} {wrong}")
    return [f"customer by customer: {found.accepted} messages accepted, stored and answered once; 0 lost, 0 doubled"]


# ------------------------------------------------------------ what it costs


def _cpu_s(system: Drilled) -> dict[str, float]:
    """CPU seconds so far, by process with its children."""
    roots = {child.name: child.process.pid for child in system.supervisor.children}
    roots |= {"postgresql": system.postgres.pid, "valkey": system.valkey.pid}
    spent = {}
    for name, pid in roots.items():
        root = psutil.Process(pid)
        spent[name] = sum(sum(process.cpu_times()[:4]) for process in [root, *root.children(recursive=True)])
    return spent


def _use(system: Drilled) -> Use:
    [(size,)] = system.rows("/* bench.size */ SELECT pg_database_size(current_database())")
    tables = system.rows(
        """
            /* bench.size */
            SELECT coalesce(p.relname, c.relname), sum(pg_total_relation_size(c.oid))::bigint
            FROM pg_class c
            LEFT JOIN pg_inherits i ON i.inhrelid = c.oid
            LEFT JOIN pg_class p ON p.oid = i.inhparent
            WHERE c.relkind = 'r'
              AND c.relnamespace = 'public'::regnamespace
            GROUP BY 1
        """
    )
    client = connect(str(system.config.redis.url), socket_timeout_s=5.0)
    memory = int(client.info("memory")["used_memory"])
    client.close()
    return Use(int(size), {str(name): int(size) for name, size in tables}, memory)


def _statements(system: Drilled, crowd: Crowd) -> Counter[str]:
    """Statements by name, as PostgreSQL's own log tells them, while this crowd writes."""
    log = system.logs / "postgres.log"
    before = log.stat().st_size
    with _logged(system):
        crowd.run(system.config.gateway.port, COUNTED_S)
        _clear(system)
    with log.open("rb") as file:
        file.seek(before)
        found = _STATEMENT.findall(file.read().decode(errors="replace"))
    return Counter(name or word.upper() for name, word in found if not name.startswith("bench."))


@contextmanager
def _logged(system: Drilled) -> Iterator[None]:
    with psycopg.connect(system.postgres.superuser_url, autocommit=True) as conn:
        conn.execute("ALTER SYSTEM SET log_statement = 'all'")
        _reload(conn)
        yield
        conn.execute("ALTER SYSTEM RESET log_statement")
        _reload(conn)


def _reload(conn: psycopg.Connection) -> None:
    conn.execute("SELECT pg_reload_conf()")
    time.sleep(0.5)  # each backend looks before its next statement


# ------------------------------------------------------------ lines


def _percentile(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else float("nan")


def _shown(system: Drilled, stages: list[Stage]) -> list[str]:
    quiet = system.config.answers.quiet_window_s
    lines = [
        f"customers of {len(SHARES)} platforms for {PAIR_CORES} cores, of whom {SHARE:.0%} are here"
        f" ({psutil.cpu_count()} cores), each writing every {THINK_S:.0f} s; a model that takes {LLM_S:g} s,"
        f" quiet window {quiet:g} s, {STAGE_S:.0f} s a stage, REPLY_THREADS {REPLY_THREADS}:",
        "  customers    here  messages/s  errors  accepted p50/p95/p99 ms  answered p50/p95/p99 s  clear after s  CPU",
    ]
    for stage in stages:
        posted = stage.crowd.posted
        accepted = sorted((one.answered_s - one.due_s) * 1000 for one in posted if one.accepted_at is not None)
        a, b = ([_percentile(of, share) for share in (0.5, 0.95, 0.99)] for of in (accepted, stage.answered_s))
        busy = sum(stage.cpu_ms.values()) / 1000 * stage.crowd.accepted / (stage.seconds + stage.cleared_s)
        lines.append(
            f"  {stage.customers:9,}  {stage.crowd.customers:6,}  {len(posted) / stage.seconds:10.1f}"
            f"  {stage.errors:6.2%}"
            f"  {a[0]:8.1f} /{a[1]:6.1f} /{a[2]:6.1f}  {b[0]:9.2f} /{b[1]:5.2f} /{b[2]:6.2f}"
            f"  {stage.cleared_s:13.1f}  {busy:4.2f}" + (f"  {stage.unanswered} UNANSWERED" if stage.unanswered else "")
        )
    return lines


def _costs(stages: list[Stage], before: Use, after: Use, messages: int) -> list[str]:
    lines = ["CPU a message, ms, at each of these:"]
    names = sorted(stages[-1].cpu_ms, key=lambda name: -stages[-1].cpu_ms[name])
    lines += [f"  {name:12}" + "".join(f"{stage.cpu_ms[name]:9.2f}" for stage in stages) for name in names]
    lines.append(f"  {'all':12}" + "".join(f"{sum(stage.cpu_ms.values()):9.2f}" for stage in stages))
    database = (after.database_bytes - before.database_bytes) / messages
    redis = (after.redis_bytes - before.redis_bytes) / messages
    lines.append(f"stored a message: {database:,.0f} bytes in PostgreSQL, {redis:,.0f} in Redis, when all is at rest")
    grown = {name: (size - before.tables.get(name, 0)) / messages for name, size in after.tables.items()}
    largest = sorted(grown, key=lambda name: -grown[name])[:10]
    return [*lines, "  largest: " + ", ".join(f"{name} {grown[name]:,.0f}" for name in largest)]


def _counted(statements: Counter[str], crowd: Crowd) -> list[str]:
    total = sum(statements.values()) / max(1, crowd.accepted)
    rate = crowd.customers / crowd.think_s
    lines = [f"statements a message at {rate:.0f} messages/s: {total:.1f}; of these"]
    lines += [f"  {name:30}{count / max(1, crowd.accepted):6.2f}" for name, count in statements.most_common(16)]
    return lines
