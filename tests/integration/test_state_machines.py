"""Turns and parts as state machines: the real store functions on two connections, in any order, crashes included.

Time stands still in a run and is moved by changing the rows' times; a worker that crashes just forgets its claim.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, ClassVar

import psycopg
import pytest
from hypothesis import HealthCheck, settings, strategies
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from shared.embedded import Database
from shared.flow import takeover
from shared.model import SendOutcome
from shared.store import conversations, messages, outbound, turns
from shared.store.conversations import ChatKey, Head
from shared.store.pool import Conn, set_companies
from tests.factories import make_bot

RUNS = settings(
    max_examples=150,
    stateful_step_count=30,
    deadline=None,
    derandomize=True,  # the same runs everywhere
    database=None,
    suppress_health_check=list(HealthCheck),
)
WORKERS = strategies.sampled_from(("a", "b"))
SELDOM = strategies.sampled_from((False, False, False, False, True))
CHATS = strategies.sampled_from(("1", "1", "1", "2"))  # most of it in one conversation, or little meets


class Ground:
    """What all runs stand on: one company and its channel, a connection for each worker and one for the owner."""

    def __init__(self, server: Database) -> None:
        self.bot = make_bot(server.admin_url)
        self.owner = psycopg.connect(server.admin_url, autocommit=True)
        self.workers = {
            name: psycopg.connect(server.url, autocommit=True, prepare_threshold=None) for name in ("a", "b", "intake")
        }

    @contextmanager
    def transaction(self, worker: str, *, company: bool = True) -> Iterator[Conn]:
        conn = self.workers[worker]
        with conn.transaction():
            set_companies(conn, [self.bot.company_id] if company else [])
            yield conn

    def clear(self) -> None:
        """Nothing is left of an earlier run."""
        for table in ("delivery_attempts", "outbound", "turns", "messages", "conversations", "company_totals"):
            self.owner.execute(f"DELETE FROM {table}".encode())

    def close(self) -> None:
        for conn in (self.owner, *self.workers.values()):
            conn.close()


@pytest.fixture(scope="module")
def ground(module_database: Database) -> Iterator[Ground]:
    ground = Ground(module_database)
    yield ground
    ground.close()


class Machine(RuleBasedStateMachine):
    """The ground under a run: two conversations of its own."""

    ground: ClassVar[Ground]

    def __init__(self) -> None:
        super().__init__()
        self.ground.clear()
        self.company = self.ground.bot.company_id

    def key(self, chat: str) -> ChatKey:
        return ChatKey(self.company, self.ground.bot.channel_id, chat)

    def rows(self, query: str, **values: Any) -> list[tuple[Any, ...]]:
        return self.ground.owner.execute(query.encode(), values).fetchall()

    def say(self, conn: Conn, locked: conversations.Locked, role: str) -> tuple[int, int]:
        """A message at the conversation's end; returns (id, seq)."""
        seq = locked.message_count + 1
        message = messages.add_own(conn, self.company, locked.id, locked.channel_id, seq, role, "words")
        by_customer = role == "customer"
        conversations.advance(conn, [Head(self.company, locked.id, seq, int(by_customer), message, role, "words")])
        conversations.add_totals(conn, {self.company: (int(by_customer), int(by_customer))})
        return message, seq


class Turns(Machine):
    """Customers write, two workers answer, leases end, persons take over and give back."""

    def __init__(self) -> None:
        super().__init__()
        self.claims: dict[str, list[turns.Claim]] = {"a": [], "b": []}
        self.with_person: set[str] = set()
        self.left_to_person: set[tuple[int, int]] = set()  # (conversation, seq)
        self.known: dict[turns.Claim, int] = {}  # the last message that the answer in the making is for

    @rule(chat=CHATS, after_s=strategies.sampled_from((0, 0, 6, 16)))
    def customer_writes(self, chat: str, after_s: int) -> None:
        self._pass(after_s)
        with self.ground.transaction("intake") as conn:
            locked = conversations.ensure_locked(conn, {self.key(chat): None})[self.key(chat)]
            _, seq = self.say(conn, locked, "customer")
            if locked.bot_enabled:
                wanted = turns.Wanted(self.company, locked.id, locked.channel_id, seq, seq, datetime.now(UTC))
                turns.want(conn, [wanted], quiet_s=0.8, quiet_max_s=5, cancels_max=2, cancel_window_s=15)
            else:
                self.left_to_person.add((locked.id, seq))

    def _pass(self, seconds: int) -> None:
        """Time passes for all that is open; leases that nobody renews end so."""
        self.ground.owner.execute(
            "UPDATE turns SET due_at = due_at - make_interval(secs => %(s)s),"
            " first_at = first_at - make_interval(secs => %(s)s) WHERE state IN ('waiting', 'answering')",
            {"s": seconds},
        )

    @rule(worker=WORKERS, after_s=strategies.sampled_from((1, 1, 11)))
    def claims_a_turn(self, worker: str, after_s: int) -> None:
        self._pass(after_s)
        with self.ground.transaction(worker, company=False) as conn:
            claim = turns.claim(conn, 0, lease_s=10)
        if claim is None:
            return
        earlier = self.rows(
            "SELECT e.id FROM turns e JOIN turns t ON t.conversation_id = e.conversation_id AND e.id < t.id"
            " WHERE t.id = %(id)s AND e.state IN ('waiting', 'answering')",
            id=claim.turn_id,
        )
        assert earlier == [], "claimed before an earlier turn had ended"
        with self.ground.transaction(worker) as conn:
            turn = turns.load(conn, claim)
        assert turn is not None
        self.claims[worker].append(claim)
        self.known[claim] = turn.last_seq

    @precondition(lambda self: self.claims["a"] or self.claims["b"])
    @rule(chat=CHATS, worker=WORKERS, after_s=strategies.sampled_from((0, 0, 16)), old_is_stored=strategies.booleans())
    def customer_interrupts_and_a_worker_claims(
        self, chat: str, worker: str, after_s: int, old_is_stored: bool
    ) -> None:
        """What chance alone brings about too seldom: the old answer is still in the making."""
        holder = "a" if self.claims["a"] else "b"
        old = self.claims[holder][-1]
        self.customer_writes(chat, after_s)
        self.claims_a_turn(worker, 1)
        if old_is_stored:
            self._store(holder, old, handover=False)

    @precondition(lambda self: self.claims["a"] or self.claims["b"])
    @rule(worker=WORKERS)
    def renews(self, worker: str) -> None:
        with self.ground.transaction(worker, company=False) as conn:
            kept = turns.renew(conn, self.claims[worker], lease_s=10)
        self.claims[worker] = [claim for claim in self.claims[worker] if claim in kept]

    @precondition(lambda self: self.claims["a"] or self.claims["b"])
    @rule(worker=WORKERS, handover=SELDOM, data=strategies.data())
    def stores_its_answer(self, worker: str, handover: bool, data: strategies.DataObject) -> None:
        """As the reply flow does it, also under a lease that was lost long ago."""
        worker = worker if self.claims[worker] else "ab".replace(worker, "")
        self._store(worker, data.draw(strategies.sampled_from(self.claims[worker])), handover=handover)

    def _store(self, worker: str, claim: turns.Claim, *, handover: bool) -> None:
        self.claims[worker].remove(claim)
        [(conversation,)] = self.rows("SELECT conversation_id FROM turns WHERE id = %(id)s", id=claim.turn_id)
        with self.ground.transaction(worker) as conn:
            locked = conversations.lock(conn, self.company, conversation)
            assert locked is not None
            if not locked.bot_enabled:
                turns.finish(conn, claim, "cancelled")
                return
            if not turns.finish(conn, claim, "handed_over" if handover else "answered"):
                return
            [(last_seq,)] = conn.execute("SELECT last_seq FROM turns WHERE id = %s", (claim.turn_id,)).fetchall()
            assert last_seq == self.known[claim], "an answer that does not know the newest message was stored"
            message, _ = self.say(conn, locked, "bot")
            outbound.add_parts(conn, self.company, conversation, locked.channel_id, claim.turn_id, message, ["words"])
            if handover:
                conversations.set_bot(conn, self.company, conversation, enabled=False)

    @precondition(lambda self: self.claims["a"] or self.claims["b"])
    @rule(worker=WORKERS, again_at_once=strategies.booleans())
    def puts_back(self, worker: str, again_at_once: bool) -> None:
        worker = worker if self.claims[worker] else "ab".replace(worker, "")
        claim = self.claims[worker].pop()
        with self.ground.transaction(worker) as conn:
            if again_at_once:
                turns.give_back(conn, [claim])
            else:
                turns.retry(conn, claim, delay_s=5, error="ModelUnavailable")

    @precondition(lambda self: self.claims["a"] or self.claims["b"])
    @rule(worker=WORKERS)
    def crashes(self, worker: str) -> None:
        self.claims[worker].clear()

    @rule(chat=CHATS)
    def person_gives_back(self, chat: str) -> None:
        self._set_bot(chat, enabled=True)

    @precondition(lambda self: self.claims["a"] and self.claims["b"])
    @rule(chat=CHATS)
    def person_takes_over(self, chat: str) -> None:
        """Where it is interesting: while somebody answers."""
        self._set_bot(chat, enabled=False)

    def _set_bot(self, chat: str, *, enabled: bool) -> None:
        with self.ground.transaction("intake") as conn:
            locked = conversations.ensure_locked(conn, {self.key(chat): None})[self.key(chat)]
            if not enabled and locked.bot_enabled:
                open_ = self.rows(
                    "SELECT m.seq FROM turns t JOIN messages m ON m.conversation_id = t.conversation_id"
                    " AND m.seq BETWEEN t.first_seq AND t.last_seq AND m.role = 'customer'"
                    " WHERE t.conversation_id = %(id)s AND t.state IN ('waiting', 'answering')",
                    id=locked.id,
                )
                self.left_to_person |= {(locked.id, seq) for (seq,) in open_}
            takeover.set_bot(conn, self.company, locked.id, enabled=enabled)

    @rule(chat=CHATS, up_to=strategies.one_of(strategies.none(), strategies.integers(0, 20)))
    def agent_reads(self, chat: str, up_to: int | None) -> None:
        with self.ground.transaction("intake") as conn:
            locked = conversations.ensure_locked(conn, {self.key(chat): None})[self.key(chat)]
            conversations.mark_read(conn, self.company, locked.id, up_to)

    @invariant()
    def a_turn_has_one_reply_and_replies_keep_the_turns_order(self) -> None:
        replies = self.rows("SELECT conversation_id, turn_id FROM outbound ORDER BY message_id")
        assert len(replies) == len(set(replies))
        for conversation in {conversation for conversation, _ in replies}:
            in_order = [turn for one, turn in replies if one == conversation]
            assert in_order == sorted(in_order)

    @invariant()
    def one_turn_waits_and_one_is_answered_at_most(self) -> None:
        crowded = self.rows(
            "SELECT conversation_id, state FROM turns WHERE state IN ('waiting', 'answering')"
            " GROUP BY 1, 2 HAVING count(*) > 1"
        )
        assert crowded == []

    @invariant()
    def an_answered_turn_has_its_reply(self) -> None:
        silent = self.rows(
            "SELECT t.id FROM turns t WHERE t.state IN ('answered', 'handed_over')"
            " AND NOT EXISTS (SELECT 1 FROM outbound o WHERE o.turn_id = t.id)"
        )
        assert silent == []

    @invariant()
    def no_customer_s_message_is_forgotten(self) -> None:
        """It belongs to a turn that is open or has its reply, or a person has it."""
        forgotten = self.rows(
            "SELECT m.conversation_id, m.seq, c.bot_enabled FROM messages m"
            " JOIN conversations c ON c.id = m.conversation_id"
            " WHERE m.role = 'customer' AND NOT EXISTS (SELECT 1 FROM turns t"
            "   WHERE t.conversation_id = m.conversation_id AND m.seq BETWEEN t.first_seq AND t.last_seq"
            "   AND t.state <> 'cancelled')"
        )
        lost = {(conversation, seq) for conversation, seq, _ in forgotten} - self.left_to_person
        handed_over = {
            (conversation, seq) for conversation, seq, bot_enabled in forgotten if not bot_enabled
        }  # the bot itself called the person, with this turn standing behind
        self.left_to_person |= handed_over
        assert lost - handed_over == set()

    @invariant()
    def unread_is_what_came_less_what_was_read(self) -> None:
        wrong = self.rows(
            "SELECT id FROM conversations c WHERE read_seq > customer_seq OR customer_seq <>"
            " (SELECT count(*) FROM messages m WHERE m.conversation_id = c.id AND m.role = 'customer')"
            " OR message_count <> (SELECT count(*) FROM messages m WHERE m.conversation_id = c.id)"
        )
        assert wrong == []
        [(summed, total)] = self.rows(
            "SELECT coalesce(sum(customer_seq - read_seq), 0), (SELECT unread FROM company_totals) FROM conversations"
        )
        assert summed == (total or 0)


def _retry_in_10_s() -> SendOutcome:
    return SendOutcome("retry", "platform_error", retry_after_s=10)


@dataclass
class Sending:
    """A request of ours that is out, and what the platform did with it."""

    claim: outbound.Claim
    attempt: int
    arrived: bool


@dataclass
class Hands:
    """What a worker holds: a claim that it has not begun to send, or requests that are out."""

    claimed: outbound.Claim | None = None
    out: list[Sending] = field(default_factory=list)


class Parts(Machine):
    """Replies are queued, two workers send them, requests vanish, workers crash, persons settle."""

    def __init__(self) -> None:
        super().__init__()
        self.hands = {"a": Hands(), "b": Hands()}
        self.arrivals: dict[int, int] = {}  # part → how often the platform took it
        self.passed: set[int] = set()  # uncertain parts that let others pass
        self.resent_by_person: set[int] = set()
        self.in_doubt: set[int] = set()  # a request is out whose result the system does not know

    @rule(chat=CHATS, parts=strategies.integers(1, 3))
    def reply_is_queued(self, chat: str, parts: int) -> None:
        with self.ground.transaction("intake") as conn:
            locked = conversations.ensure_locked(conn, {self.key(chat): None})[self.key(chat)]
            message, _ = self.say(conn, locked, "bot")
            outbound.add_parts(
                conn, self.company, locked.id, locked.channel_id, None, message, [f"part {n}" for n in range(parts)]
            )

    @rule(worker=WORKERS, after_s=strategies.sampled_from((0, 1, 11, 61)), then=strategies.sampled_from("snw"))
    def claims_a_part(self, worker: str, after_s: int, then: str) -> None:
        """then: s, it sends and the part arrives; n, it does not arrive; w, the worker waits."""
        self._pass(after_s)
        with self.ground.transaction(worker, company=False) as conn:
            claim = outbound.claim(conn, 0, lease_s=10, unblock_s=60)
        if claim is not None:
            self.hands[worker].claimed = claim
            if then != "w":
                self._begin(worker, arrives=then == "s")

    @precondition(lambda self: any(hands.claimed for hands in self.hands.values()))
    @rule(worker=WORKERS, arrives=strategies.booleans())
    def begins_to_send_late(self, worker: str, arrives: bool) -> None:
        self._begin(worker, arrives=arrives)

    def _begin(self, worker: str, *, arrives: bool) -> None:
        hands = self.hands[worker]
        if hands.claimed is None:
            return
        claim, hands.claimed = hands.claimed, None
        part = claim.outbound_id
        with self.ground.transaction(worker) as conn:
            attempt = outbound.begin_send(conn, claim, record_deadline_s=30)
        if attempt is None:
            return
        assert part not in self.in_doubt, "sent again while nobody knows what became of it"
        assert self._open_before(part) <= self.passed, "sent before an earlier part had ended"
        self.in_doubt.add(part)
        hands.out.append(Sending(claim, attempt, arrives))
        if arrives:
            self.arrivals[part] = self.arrivals.get(part, 0) + 1

    def _open_before(self, part: int) -> set[int]:
        found = self.rows(
            "SELECT e.id FROM outbound e JOIN outbound o ON o.conversation_id = e.conversation_id AND e.id < o.id"
            " WHERE o.id = %(id)s AND e.state IN ('queued', 'sending', 'uncertain')",
            id=part,
        )
        return {row[0] for row in found}

    @precondition(lambda self: any(hands.out for hands in self.hands.values()))
    @rule(worker=WORKERS, knows=strategies.booleans(), data=strategies.data())
    def records_the_result(self, worker: str, knows: bool, data: strategies.DataObject) -> None:
        """Late or not; what arrived is known as sent or not at all, what did not may be any refusal."""
        hands = self.hands[worker]
        if not hands.out:
            return
        sending = data.draw(strategies.sampled_from(hands.out))
        hands.out.remove(sending)
        outcome = SendOutcome("uncertain", "timeout")
        if knows and sending.arrived:
            outcome = SendOutcome("sent", "sent", platform_message_id="1")
        elif knows:
            refusals = (_retry_in_10_s(), SendOutcome("failed", "blocked"), SendOutcome("reauth", "bad_token"))
            outcome = data.draw(strategies.sampled_from(refusals))
        with self.ground.transaction(worker) as conn:
            recorded = outbound.record(conn, sending.claim, sending.attempt, outcome, delay_s=10, duration_ms=1)
            if recorded and outcome.status == "failed":
                outbound.fail_rest(conn, self.company, sending.claim.outbound_id, outcome.meaning)
        if recorded and outcome.status != "uncertain":
            self.in_doubt.discard(sending.claim.outbound_id)

    @rule(worker=WORKERS)
    def postpones(self, worker: str) -> None:
        hands = self.hands[worker]
        if hands.claimed is None:
            return
        with self.ground.transaction(worker) as conn:
            outbound.postpone(conn, hands.claimed, delay_s=1, meaning="rate_limited")
        hands.claimed = None

    @rule(worker=WORKERS)
    def crashes(self, worker: str) -> None:
        self.hands[worker] = Hands()

    def _pass(self, seconds: int) -> None:
        self.ground.owner.execute(
            "UPDATE outbound SET due_at = due_at - make_interval(secs => %(s)s),"
            " uncertain_at = uncertain_at - make_interval(secs => %(s)s)"
            " WHERE state IN ('queued', 'sending', 'uncertain')",
            {"s": seconds},
        )
        self.passed |= {
            row[0]
            for row in self.rows(
                "SELECT id FROM outbound WHERE state = 'uncertain' AND uncertain_at < now() - interval '60 seconds'"
            )
        }

    @rule(after_s=strategies.sampled_from((1, 31)))
    def the_sweeper_expires_sends(self, after_s: int) -> None:
        self._pass(after_s)
        with self.ground.transaction("intake", company=False) as conn:
            outbound.expire_sending(conn)

    @rule(sent=strategies.booleans())
    def a_person_settles_one(self, sent: bool) -> None:
        uncertain = outbound.list_uncertain(self.ground.owner)
        if not uncertain:
            return
        with self.ground.owner.transaction():
            assert outbound.settle(self.ground.owner, self.company, uncertain[0].id, sent=sent)
        self.in_doubt.discard(uncertain[0].id)
        if not sent:
            self.resent_by_person.add(uncertain[0].id)
            self.passed.add(uncertain[0].id)  # later ones may have gone while it was uncertain

    @invariant()
    def nothing_arrives_twice_unless_a_person_said_so(self) -> None:
        twice = {part for part, arrived in self.arrivals.items() if arrived > 1}
        assert twice <= self.resent_by_person

    @invariant()
    def what_is_sent_arrived_or_a_person_said_so(self) -> None:
        rows = self.rows(
            "SELECT id FROM outbound WHERE state = 'sent' AND meaning = 'sent'",
        )
        assert {row[0] for row in rows} <= set(self.arrivals)

    @invariant()
    def every_attempt_is_on_record(self) -> None:
        wrong = self.rows(
            "SELECT o.id FROM outbound o WHERE o.attempts <>"
            " (SELECT count(*) FROM delivery_attempts d WHERE d.outbound_id = o.id)"
        )
        assert wrong == []

    @invariant()
    def a_finished_part_says_when_and_an_uncertain_one_since_when(self) -> None:
        wrong = self.rows(
            "SELECT id, state FROM outbound"
            " WHERE (state IN ('sent', 'failed', 'cancelled')) <> (finished_at IS NOT NULL)"
            " OR (state = 'uncertain') <> (uncertain_at IS NOT NULL)"
        )
        assert wrong == []


@pytest.mark.timeout(300)  # only a failure takes long: hypothesis looks for the shortest way to it
@pytest.mark.parametrize("machine", [Turns, Parts], ids=["turns", "parts"])
def test_no_order_of_events_breaks_a_promise(ground: Ground, machine: type[Machine]) -> None:
    Machine.ground = ground

    run_state_machine_as_test(machine, settings=RUNS)
