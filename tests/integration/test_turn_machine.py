"""Turns as a state machine: messages, claims, renewals, crashes and take-overs in any order."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from hypothesis import strategies
from hypothesis.stateful import invariant, precondition, rule

from shared.embedded import Database
from shared.store.answers import quiet_window, turns
from shared.store.delivery import outbound
from shared.store.inbox import conversations
from tasks.inbox import takeover
from tests.integration.claims import claim_turn
from tests.integration.machine import CHATS, SELDOM, WORKERS, Ground, Machine, run

QUIET_S = 8
"""Longer than the steps that let no time pass take together, so that a window ends only when one says so."""
WAKEUPS_AT_THE_END = 100
"""More than a run has steps, so more than it can leave turns."""


@pytest.fixture(scope="module")
def ground(module_database: Database) -> Iterator[Ground]:
    ground = Ground(module_database)
    yield ground
    ground.close()


class Turns(Machine):
    """Customers write, two workers answer, leases end, persons take over and give back."""

    def __init__(self) -> None:
        super().__init__()
        self.claims: dict[str, list[turns.Claim]] = {"a": [], "b": []}
        self.with_person: set[str] = set()
        self.left_to_person: set[tuple[int, int]] = set()  # (conversation, seq)
        self.known: dict[turns.Claim, int] = {}  # the last message that the answer in the making is for
        self.drafts: set[turns.Claim] = set()  # claimed while the quiet window ran

    @rule(chat=CHATS, after_s=strategies.sampled_from((0, 0, 60, 160)), early=strategies.booleans())
    def customer_writes(self, chat: str, after_s: int, early: bool = True) -> None:
        self._pass(after_s)
        with self.ground.transaction("intake") as conn:
            locked = conversations.ensure_locked(conn, {self.key(chat): None})[self.key(chat)]
            _, seq = self.say(conn, locked, "customer")
            if locked.bot_enabled:
                drafted = self._drafted(locked.id)
                wanted = quiet_window.Wanted(
                    self.company, locked.id, locked.channel_id, seq, seq, datetime.now(UTC), early=early
                )
                quiet_window.open_or_extend(
                    conn, [wanted], quiet_s=QUIET_S, quiet_max_s=50, cancels_max=2, cancel_window_s=150,
                    complete_quiet_s=QUIET_S,
                )  # fmt: skip
                for turn, cancels in drafted:
                    now = conn.execute("SELECT state, cancels, early FROM turns WHERE id = %s", (turn,)).fetchall()
                    assert now == [("waiting", cancels, False)], "a draft that is overtaken counts for nothing"
            else:
                self.left_to_person.add((locked.id, seq))

    def _drafted(self, conversation: int) -> list[tuple[int, int]]:
        """(turn, its cancels) of one whose quiet window runs while somebody has claimed it."""
        return self.rows(
            "SELECT id, cancels FROM turns WHERE conversation_id = %(id)s AND state = 'answering'"
            " AND quiet_until > clock_timestamp() + interval '2 s'",  # far enough from its end for this to hold
            id=conversation,
        )

    def _pass(self, seconds: int) -> None:
        """Time passes for all that is open; leases that nobody renews end so."""
        self.ground.owner.execute(
            "UPDATE turns SET due_at = due_at - make_interval(secs => %(s)s),"
            " quiet_until = quiet_until - make_interval(secs => %(s)s),"
            " first_at = first_at - make_interval(secs => %(s)s) WHERE state IN ('waiting', 'answering')",
            {"s": seconds},
        )

    @rule(worker=WORKERS, after_s=strategies.sampled_from((0, 1, 9, 11)), early=strategies.booleans())
    def claims_a_turn(self, worker: str, after_s: int, early: bool = True) -> None:
        self._pass(after_s)
        with self.ground.transaction(worker, company=False) as conn:
            claim = claim_turn(conn, early=early)
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
        if turn.quiet_left_s > 0:
            assert early, "claimed before it was due"
            self.drafts.add(claim)
        self.claims[worker].append(claim)
        self.known[claim] = turn.last_seq

    @precondition(lambda self: self.claims["a"] or self.claims["b"])
    @rule(chat=CHATS, worker=WORKERS, after_s=strategies.sampled_from((0, 0, 160)), old_is_stored=strategies.booleans())
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
        if claim in self.drafts:  # as the reply flow waits
            self._pass(QUIET_S)
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
                turns.return_unused(conn, [claim])
            else:
                turns.retry(conn, claim, delay_s=5, error="ModelUnavailable")

    @precondition(lambda self: self.claims["a"] or self.claims["b"])
    @rule(worker=WORKERS, noticed=strategies.booleans())
    def crashes(self, worker: str, noticed: bool = False) -> None:
        """noticed: a lease reclaimer gives back what it held, and whatever was lost or ended long ago."""
        other = self.claims["ab".replace(worker, "")]
        if noticed:
            with self.ground.transaction("intake") as conn:
                turns.reclaim(conn, [claim for claim in self.known if claim not in other])
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

    def teardown(self) -> None:
        """However it went: once everybody has crashed, wake-ups that come often enough bring every turn to its end."""
        for worker in self.claims:
            self.crashes(worker)
        for wakeup in range(WAKEUPS_AT_THE_END):
            worker = "ab"[wakeup % 2]
            self.claims_a_turn(worker, 61)
            if not self.claims[worker]:
                break
            self._store(worker, self.claims[worker][-1], handover=False)
        assert self.rows("SELECT id FROM turns WHERE state IN ('waiting', 'answering')") == []
        self.a_turn_has_one_reply_and_replies_keep_the_turns_order()
        self.an_answered_turn_has_its_reply()
        self.no_customer_s_message_is_forgotten()

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


@pytest.mark.timeout(300)  # only a failure takes long: hypothesis looks for the shortest way to it
def test_no_order_of_events_breaks_a_promise_about_turns(ground: Ground) -> None:
    run(Turns, ground)
