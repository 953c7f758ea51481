"""Budgets by a state machine: in whatever order requests are reserved for, settled, lost and charged, days pass, clocks
jump, and budgets are reset, the tables are what a plain model says, and the sums are the ledger's."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from shared.embedded import Database as Server
from shared.model import ModelAttempt
from shared.money import Price
from shared.store.db.pool import Database
from shared.store.models import budget_check, budgets, prices, usage
from shared.store.models.budgets import Limit, Reservation
from tests.factories import make_bot

CONTACT_LIMIT, COMPANY_LIMIT = 1_000, 1_500
CONTACTS = (1, 2)
AMOUNTS = st.integers(1, 600)
TABLES = ("llm_calls", "contact_days", "usage_daily", "usage_models", "budget_reservations", "budget_resets")


@pytest.fixture(scope="module")
def server(module_database: Server) -> Server:
    with psycopg.connect(module_database.admin_url, autocommit=True) as owner:
        prices.set_prices(owner, [prices.Named("m", "", Price(1_000_000, 0))])  # a token in is a millionth
    return module_database


class Money(RuleBasedStateMachine):
    """days: (contact, age of the day) → what it cost and counts. open: what is reserved; late: what was charged, by
    reservation."""

    server: Server

    @initialize()
    def begin(self) -> None:
        self.owner = psycopg.connect(self.server.admin_url, autocommit=True)
        self.db = Database(self.server.url, max_size=1, timeout_s=10)
        self.db.open()
        bot = make_bot(self.server.admin_url)
        self.company = bot.company_id
        self.contacts = []
        for name in CONTACTS:
            row: Any = self.owner.execute(
                "INSERT INTO contacts (company_id, channel_id, external_id) VALUES (%s, %s, %s) RETURNING id",
                (self.company, bot.channel_id, str(name)),
            ).fetchone()
            self.contacts.append(int(row[0]))
        with self.db.transaction(self.company) as conn:
            budgets.set_limit(conn, Limit(self.company, "company", 0, COMPANY_LIMIT))
        self.days: dict[tuple[int, int], int] = {}
        self.forgiven: dict[tuple[int, int], int] = {}
        self.open: dict[int, tuple[Reservation, int]] = {}
        self.late: dict[int, tuple[Reservation, int]] = {}

    def teardown(self) -> None:
        if hasattr(self, "db"):
            self.db.close()
            self.owner.close()

    # -------------------------------------------------------------- the plain model

    def spent(self, contact: int | None) -> int:
        """A contact's, or the company's."""
        scope = 0 if contact is None else contact
        days = {key: micros for key, micros in self.days.items() if key[1] < 30 and contact in (None, key[0])}
        reset = [age for (whose, age) in self.forgiven if whose == scope]
        if reset:
            days = {key: micros for key, micros in days.items() if key[1] <= reset[0]}
        return sum(days.values()) - (self.forgiven[scope, reset[0]] if reset and reset[0] < 30 else 0)

    def reserved(self, contact: int | None) -> int:
        return sum(one.micros for one, _ in self.open.values() if contact in (None, one.contact_id))

    def _add(self, contact: int, age: int, micros: int) -> None:
        self.days[contact, age] = self.days.get((contact, age), 0) + micros

    # -------------------------------------------------------------- what happens

    @rule(which=st.integers(0, 1), micros=AMOUNTS)
    def reserve(self, which: int, micros: int) -> None:
        contact = self.contacts[which]
        fits_contact = self.spent(contact) + self.reserved(contact) + micros <= CONTACT_LIMIT
        fits_company = self.spent(None) + self.reserved(None) + micros <= COMPANY_LIMIT

        with self.db.connection() as conn:
            found = budgets.reserve(conn, self.company, contact, micros, 600, contact_limit_micros=CONTACT_LIMIT)

        if fits_contact and fits_company:
            assert isinstance(found, Reservation)
            self.open[found.id] = (found, 0)
        else:
            assert not isinstance(found, Reservation)
            assert found.scope == ("contact" if not fits_contact else "company")
            assert found.used_micros == (
                self.spent(contact) + self.reserved(contact) if not fits_contact
                else self.spent(None) + self.reserved(None)
            )  # fmt: skip

    @precondition(lambda self: bool(getattr(self, "open", None)))
    @rule(data=st.data(), micros=st.integers(0, 700))
    def settle(self, data: st.DataObject, micros: int) -> None:
        id_ = data.draw(st.sampled_from(sorted(self.open)))
        reservation, _ = self.open.pop(id_)
        self._settle(reservation, micros)

    @precondition(lambda self: bool(getattr(self, "late", None)))
    @rule(data=st.data(), micros=st.integers(0, 700))
    def settle_late(self, data: st.DataObject, micros: int) -> None:
        id_ = data.draw(st.sampled_from(sorted(self.late)))
        reservation, age = self.late.pop(id_)
        self._add(reservation.contact_id, age, -reservation.micros)
        self._settle(reservation, micros)

    def _settle(self, reservation: Reservation, micros: int) -> None:
        calls = [ModelAttempt("a", "m", "ok", 1, tokens_in=micros)] if micros else []
        with self.db.transaction(self.company) as conn:
            usage.add(
                conn, self.company, calls, contact_id=reservation.contact_id, reservation_id=reservation.id
            )  # fmt: skip
        self._add(reservation.contact_id, 0, micros)

    @precondition(lambda self: bool(getattr(self, "open", None)))
    @rule(data=st.data(), asked=st.booleans())
    def die(self, data: st.DataObject, asked: bool) -> None:
        id_ = data.draw(st.sampled_from(sorted(self.open)))
        with self.db.transaction(self.company) as conn:
            assert budgets.end(conn, [(self.company, id_, asked)]) == 1
        if not asked:
            del self.open[id_]

    @rule()
    def charge(self) -> None:
        """What has expired is charged on the day on which it was reserved for."""
        due = [
            int(str(id_))
            for (id_,) in self.owner.execute(
                "SELECT id FROM budget_reservations WHERE company_id = %s AND charged_at IS NULL"
                " AND expires_at <= clock_timestamp()", (self.company,),
            ).fetchall()
        ]  # fmt: skip
        while budget_check.charge_expired(self.owner, self.company):
            pass
        for id_ in due:
            reservation, age = self.open.pop(id_)
            self.late[id_] = (reservation, age)
            self._add(reservation.contact_id, age, reservation.micros)

    @rule(days=st.sampled_from([1, 1, 1, 5, 29, 40]))
    def days_pass(self, days: int) -> None:
        """Every row is so much older."""
        for table in TABLES:
            for by in (-days - 10_000, 10_000):  # aside first: a row's new day may still be another's old one
                change = f"UPDATE {table} SET day = day + %s WHERE company_id = %s".encode()
                self.owner.execute(change, (by, self.company))
        self.days = {(contact, age + days): micros for (contact, age), micros in self.days.items()}
        self.forgiven = {(whose, age + days): micros for (whose, age), micros in self.forgiven.items()}
        self.open = {id_: (one, age + days) for id_, (one, age) in self.open.items()}
        self.late = {id_: (one, age + days) for id_, (one, age) in self.late.items()}

    @rule(which=st.sampled_from([None, 0, 1]))
    def reset(self, which: int | None) -> None:
        contact = None if which is None else self.contacts[which]
        scope = 0 if contact is None else contact
        with self.db.transaction(self.company) as conn:
            budgets.reset(conn, self.company, scope)
        today = sum(micros for (whose, age), micros in self.days.items() if age == 0 and contact in (None, whose))
        self.forgiven = {key: micros for key, micros in self.forgiven.items() if key[0] != scope}
        self.forgiven[scope, 0] = today

    # -------------------------------------------------------------- what always holds

    @invariant()
    def the_tables_say_what_the_model_says(self) -> None:
        if not hasattr(self, "db"):
            return
        with self.db.transaction(self.company) as conn:
            for contact in (None, *self.contacts):
                found = budgets.state(conn, self.company, contact or 0, contact_limit_micros=CONTACT_LIMIT)
                assert (found.spent_micros, found.reserved_micros) == (self.spent(contact), self.reserved(contact))

    @invariant()
    def the_sums_are_the_ledger_s(self) -> None:
        if hasattr(self, "db"):
            assert budget_check.drifted(self.owner, self.company) == []


def test_budgets_are_what_a_plain_model_says_in_whatever_order(server: Server) -> None:
    machine = type("Machine", (Money,), {"server": server})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=25, stateful_step_count=25, deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
        ),
    )  # fmt: skip
