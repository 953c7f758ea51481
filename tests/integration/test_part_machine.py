"""Parts as a state machine: sends, lost requests, crashes and persons who settle, in any order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from hypothesis import strategies
from hypothesis.stateful import invariant, precondition, rule

from shared.embedded import Database
from shared.model import SendOutcome
from shared.store.delivery import outbound, send_results
from shared.store.inbox import conversations
from tests.integration.claims import begin_send, claim_part
from tests.integration.machine import CHATS, WORKERS, Ground, Machine, run

WAKEUPS_AT_THE_END = 150
"""More than a run can leave parts."""


@pytest.fixture(scope="module")
def ground(module_database: Database) -> Iterator[Ground]:
    ground = Ground(module_database)
    yield ground
    ground.close()


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
        self.passed: set[int] = set()  # parts of unknown outcome that let others pass
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
            claim = claim_part(conn)
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
            attempt = begin_send(conn, claim)
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
            " WHERE o.id = %(id)s AND e.state IN ('queued', 'sending', 'unknown_outcome')",
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
        outcome = SendOutcome("unknown_outcome", "timeout")
        if knows and sending.arrived:
            outcome = SendOutcome("sent", "sent", platform_message_id="1")
        elif knows:
            refusals = (_retry_in_10_s(), SendOutcome("failed", "blocked"), SendOutcome("reauth", "bad_token"))
            outcome = data.draw(strategies.sampled_from(refusals))
        with self.ground.transaction(worker) as conn:
            recorded = send_results.record(conn, sending.claim, sending.attempt, outcome, delay_s=10, duration_ms=1)
            if recorded and outcome.status == "failed":
                send_results.fail_rest(conn, self.company, sending.claim.outbound_id, outcome.meaning)
        if recorded and outcome.status != "unknown_outcome":
            self.in_doubt.discard(sending.claim.outbound_id)

    @rule(worker=WORKERS)
    def postpones(self, worker: str) -> None:
        hands = self.hands[worker]
        if hands.claimed is None:
            return
        with self.ground.transaction(worker) as conn:
            outbound.postpone(conn, hands.claimed, delay_s=1, meaning="rate_limited")
        hands.claimed = None

    @rule(worker=WORKERS, noticed=strategies.booleans())
    def crashes(self, worker: str, noticed: bool = False) -> None:
        """noticed: a lease reclaimer gives back what it held."""
        hands, self.hands[worker] = self.hands[worker], Hands()
        if noticed:
            held = [sending.claim for sending in hands.out]
            with self.ground.transaction("intake") as conn:
                outbound.reclaim(conn, held if hands.claimed is None else [*held, hands.claimed])
                send_results.expire_sending(conn)

    def _pass(self, seconds: int) -> None:
        self.ground.owner.execute(
            "UPDATE outbound SET due_at = due_at - make_interval(secs => %(s)s),"
            " unknown_since = unknown_since - make_interval(secs => %(s)s)"
            " WHERE state IN ('queued', 'sending', 'unknown_outcome')",
            {"s": seconds},
        )
        self.passed |= {
            row[0]
            for row in self.rows(
                "SELECT id FROM outbound WHERE state = 'unknown_outcome'"
                " AND unknown_since < now() - interval '60 seconds'"
            )
        }

    @rule(after_s=strategies.sampled_from((1, 31)))
    def the_sweeper_expires_sends(self, after_s: int) -> None:
        self._pass(after_s)
        with self.ground.transaction("intake", company=False) as conn:
            send_results.expire_sending(conn)

    @rule(sent=strategies.booleans())
    def a_person_settles_one(self, sent: bool) -> None:
        unknown = send_results.list_unknown_outcomes(self.ground.owner)
        if not unknown:
            return
        with self.ground.owner.transaction():
            assert send_results.settle(self.ground.owner, self.company, unknown[0].id, sent=sent)
        self.in_doubt.discard(unknown[0].id)
        if not sent:
            self.resent_by_person.add(unknown[0].id)
            self.passed.add(unknown[0].id)  # later ones may have gone while its outcome was unknown

    def teardown(self) -> None:
        """However it went: once everybody has crashed, wake-ups that come often enough leave nothing to send."""
        for worker in self.hands:
            self.crashes(worker)
        self.the_sweeper_expires_sends(31)
        for wakeup in range(WAKEUPS_AT_THE_END):
            worker = "ab"[wakeup % 2]
            self.claims_a_part(worker, 61, "s")
            if not self.hands[worker].out:
                break
            sending = self.hands[worker].out.pop()
            with self.ground.transaction(worker) as conn:
                sent = SendOutcome("sent", "sent", platform_message_id="1")
                assert send_results.record(conn, sending.claim, sending.attempt, sent, delay_s=0, duration_ms=1)
            self.in_doubt.discard(sending.claim.outbound_id)
        assert self.rows("SELECT id FROM outbound WHERE state IN ('queued', 'sending')") == []
        self.nothing_arrives_twice_unless_a_person_said_so()
        self.what_is_sent_arrived_or_a_person_said_so()

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
    def a_finished_part_says_when_and_one_of_unknown_outcome_since_when(self) -> None:
        wrong = self.rows(
            "SELECT id, state FROM outbound"
            " WHERE (state IN ('sent', 'failed', 'cancelled')) <> (finished_at IS NOT NULL)"
            " OR (state = 'unknown_outcome') <> (unknown_since IS NOT NULL)"
        )
        assert wrong == []


@pytest.mark.timeout(300)  # only a failure takes long: hypothesis looks for the shortest way to it
def test_no_order_of_events_breaks_a_promise_about_parts(ground: Ground) -> None:
    run(Parts, ground)
