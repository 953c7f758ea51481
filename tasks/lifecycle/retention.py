"""Log retention: drops whole days when their time is over; companies may have shorter or longer terms.

What customers and companies wrote is no log: only the tables of `retention_policies` are ever touched here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from shared.store.db.pool import Conn
from shared.store.lifecycle import retention as store
from shared.store.lifecycle.retention import Day, Override
from shared.store.operations.jobs import Cursor
from shared.store.operations.partitions import PARTITIONED
from tasks.operations.jobs import Batch, Job, Preview, Work

ROWS_A_BATCH = 20_000
UNITS_A_BATCH = 50
"""That were looked at and had nothing to do: days of which a company or a person still keeps something."""
EXCHANGE_S = 300.0
"""A day of which much stays is copied in one statement."""

Key = tuple[int, int, int, str]
"""Subject, phase, company, day: the order of a run, and its cursor."""


@dataclass(frozen=True, slots=True)
class Unit:
    """A bounded piece of work. do: returns (rows, bytes freed, whether there is more of it). count: (rows, bytes) that
    it would free."""

    key: Key
    what: str
    do: Callable[[Work], tuple[int, int, bool]]
    count: Callable[[Conn], tuple[int, int]]


def _units(conn: Conn, subjects: tuple[str, ...], today: date) -> Iterator[Unit]:
    """Return the pieces of work, in order."""
    days, own = store.policies(conn), store.overrides(conn)
    for number, subject in enumerate(subjects):
        keep_from = today - timedelta(days=days[subject])
        if subject in store.DATED_ROWS:
            yield _dated(number, subject, keep_from)
            continue
        terms = {o.company_id: today - timedelta(days=o.days) for o in own if o.subject == subject}
        for day in store.days_before(conn, subject, keep_from):
            longer = tuple(company for company, first in terms.items() if first <= day.day)
            yield _day(number, day, longer)
        yield _stray(number, subject, keep_from, terms)
        for override in own:
            if override.subject == subject and terms[override.company_id] > keep_from:
                yield from _shorter(conn, number, override, keep_from, terms[override.company_id])


def _day(number: int, day: Day, longer: tuple[int, ...]) -> Unit:
    """Return the work of deleting a day whose time is over: its partition is dropped unless some of its rows have to
    stay."""

    def do(work: Work) -> tuple[int, int, bool]:
        with work.transaction(statement_s=EXCHANGE_S) as conn:
            rows, size = store.weigh(conn, day.name)
            if not store.has_kept(conn, day, longer):
                store.drop(conn, day)
                return rows, size, False
            if day.kept:
                gone = store.delete_expired(
                    conn, day.parent, day.name, day.day + timedelta(days=1), longer, limit=ROWS_A_BATCH
                )
                return gone, 0, gone == ROWS_A_BATCH
            return max(0, rows - store.reduce(conn, day, longer)), size, False

    def count(conn: Conn) -> tuple[int, int]:
        gone = store.count_expired(conn, day.parent, day.name, day.day + timedelta(days=1), longer)
        return gone, store.weigh(conn, day.name)[1] if gone else 0

    return Unit((number, 0, 0, f"{day.day:%Y%m%d}"), day.name, do, count)


def _stray(number: int, subject: str, keep_from: date, terms: dict[int, date]) -> Unit:
    """Return the work of deleting rows that are in no day's partition, as after a clock that jumped."""
    name = f"{subject}_default"

    def do(work: Work) -> tuple[int, int, bool]:
        with work.transaction() as conn:
            gone = [store.delete_expired(conn, subject, name, keep_from, tuple(terms), limit=ROWS_A_BATCH)]
            gone += [store.delete_own(conn, subject, name, first, c, limit=ROWS_A_BATCH) for c, first in terms.items()]
        return sum(gone), 0, ROWS_A_BATCH in gone

    def count(conn: Conn) -> tuple[int, int]:
        own = sum(store.count_own(conn, subject, name, first, company) for company, first in terms.items())
        return store.count_expired(conn, subject, name, keep_from, tuple(terms)) + own, 0

    return Unit((number, 1, 0, ""), name, do, count)


def _shorter(conn: Conn, number: int, override: Override, keep_from: date, own_from: date) -> Iterator[Unit]:
    """Yield the work of deleting rows whose time is over for one company only, day by day, and last that of recording
    that it is done."""
    company = override.company_id
    for day in store.days_before(conn, override.subject, own_from):
        # what is over for everybody is done above; what was over yesterday was done then
        if day.day < keep_from or (override.purged_before and day.day < override.purged_before):
            continue
        yield _own(number, day, company, own_from)

    def done(work: Work) -> tuple[int, int, bool]:
        with work.transaction() as conn:
            store.mark_purged(conn, override, own_from)
        return 0, 0, False

    yield Unit((number, 2, company, "99999999"), override.subject, done, lambda _: (0, 0))


def _own(number: int, day: Day, company: int, own_from: date) -> Unit:
    def do(work: Work) -> tuple[int, int, bool]:
        with work.transaction() as conn:
            gone = store.delete_own(conn, day.parent, day.name, own_from, company, limit=ROWS_A_BATCH)
        return gone, 0, gone == ROWS_A_BATCH

    def count(conn: Conn) -> tuple[int, int]:
        return store.count_own(conn, day.parent, day.name, own_from, company), 0

    return Unit((number, 2, company, f"{day.day:%Y%m%d}"), f"{day.name} of company {company}", do, count)


def _dated(number: int, subject: str, keep_from: date) -> Unit:
    def do(work: Work) -> tuple[int, int, bool]:
        with work.transaction() as conn:
            gone = store.delete_dated(conn, subject, keep_from, limit=ROWS_A_BATCH)
        return gone, 0, gone == ROWS_A_BATCH

    return Unit((number, 3, 0, ""), subject, do, lambda conn: (store.count_dated(conn, subject, keep_from), 0))


def _job(name: str, subjects: tuple[str, ...]) -> Job:
    def batch(work: Work, cursor: Cursor | None) -> Batch:
        at, looked = tuple(cursor["at"]) if cursor else (), 0
        for unit in _units(work.conn, subjects, work.clock.now().date()):
            if unit.key < at:
                continue
            rows, size, more = unit.do(work)
            looked += 1
            if rows or size or more or looked == UNITS_A_BATCH:
                # one longer than the key: behind it and before the next
                return Batch(rows, size, {"at": unit.key if more else (*unit.key, 1)})
            work.keep()
        return Batch()

    def preview(work: Work) -> Preview:
        lines, rows, size = [], 0, 0
        for unit in _units(work.conn, subjects, work.clock.now().date()):
            of_unit, bytes_of_unit = unit.count(work.conn)
            rows, size = rows + of_unit, size + bytes_of_unit
            if of_unit:
                lines.append(f"{unit.what}  {of_unit} rows")
        return Preview(rows, size, tuple(lines))

    return Job(name, batch, preview)


DROP_RAW = _job("lifecycle.drop_raw_requests", ("webhook_raw",))
DROP_LOGS = _job("lifecycle.drop_logs", (*(p for p in PARTITIONED if p != "webhook_raw"), *store.DATED_ROWS))
