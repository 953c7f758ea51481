"""One fault under traffic: customers write, the harm is done, all comes to rest, and each customer is counted."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from workers.sandbox import checks
from workers.sandbox.bots import Bot
from workers.sandbox.checks import Totals
from workers.sandbox.system import Drilled
from workers.sandbox.traffic import Traffic
from workers.sandbox.waiting import NotReached, wait_until

REACHED_WITHIN_S = 30.0
RECOVERS_WITHIN_S = 15.0
"""After any single kill, on a machine that has a core to spare."""
TOLD_WITHIN_S = 10.0
AFTERWARDS_S = 2.0
"""How long customers go on writing after the harm."""


@dataclass(frozen=True, slots=True)
class Fault:
    """play does the harm, calls `struck()` when it is done, and returns when the surroundings are well again.

    short: part of the short form. unknown_outcomes: a send may be cut off from its answer or record, on a platform
    that cannot tell us. stated: what no setting of ours prevents; its loss is measured. kill: it should be over
    within RECOVERS_WITHIN_S.
    """

    name: str
    what: str
    play: Callable[[Stage], None]
    short: bool = False
    unknown_outcomes: bool = False
    stated: bool = False
    kill: bool = False
    rest_within_s: float = 120.0


@dataclass(slots=True)
class Score:
    """One line of the scorecard. posts: requests, with those that had to be sent again. wrong: why it is no pass.

    first_s, recovered_s, rest_s: from the fault to the first answer after it; until everybody who wrote before it and
    somebody who wrote after it had theirs; until nothing was under way.
    """

    fault: str
    posts: int = 0
    tally: Totals = field(default_factory=Totals)
    first_s: float | None = None
    recovered_s: float | None = None
    rest_s: float | None = None
    stated: int = 0
    kill: bool = False
    note: str = ""
    wrong: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        return not self.wrong

    @property
    def slow(self) -> bool:
        """Reported, but not a failure: on a busy machine a process takes longer to start."""
        return self.kill and (self.recovered_s is None or self.recovered_s > RECOVERS_WITHIN_S)


@dataclass(slots=True)
class Stage:
    """What a fault may change. say: tells whoever waits what is done now."""

    system: Drilled
    traffic: Traffic
    quick: bool
    say: Callable[[str], None]
    struck_at: float | None = None
    note: str = ""

    def struck(self, at: float | None = None) -> None:
        """Note that the fault begins now, or began at a time (seconds since the epoch)."""
        self.struck_at = time.time() if at is None else at

    def wait(self, condition: Callable[[], bool], what: str, within_s: float = REACHED_WITHIN_S) -> None:
        wait_until(condition, what, within_s)

    def hold(self, quick_s: float, full_s: float) -> None:
        """Wait while the fault lasts; customers go on writing."""
        time.sleep(quick_s if self.quick else full_s)

    def more_accepted(self, count: int) -> None:
        """Wait until this many more messages were accepted."""
        wanted = self.traffic.accepted + count
        self.wait(lambda: self.traffic.accepted >= wanted, f"{count} more messages are accepted")


def play(
    system: Drilled, bots: list[Bot], numbers: itertools.count[int], fault: Fault, *, quick: bool,
    say: Callable[[str], None] = lambda words: None,
) -> Score:  # fmt: skip
    """Run one fault to its end. What does not recover is in the score. say: is told what is done now."""
    score = Score(fault.name, kill=fault.kill)
    traffic = Traffic(system.http, bots, numbers, a_second=8.0 if quick else 10.0)
    stage = Stage(system, traffic, quick, say)
    say(fault.what)
    try:
        with traffic:
            stage.more_accepted(5)
            fault.play(stage)
            time.sleep(AFTERWARDS_S / (2 if quick else 1))
    except NotReached as e:
        score.wrong.append(f"not reached: {str(e)[:300]}")
        stage.struck_at = stage.struck_at or time.time()
    say(f"{stage.note or 'done'}; waiting until no work is left, for {fault.rest_within_s:g} s at most")
    _settle(system, fault, stage, score)
    score.posts = sum(customer.posts for customer in traffic.customers)
    score.tally = _tally(system, traffic, fault)
    score.note = stage.note
    score.wrong += traffic.failed
    _judge(fault, stage, traffic, score)
    return score


def _settle(system: Drilled, fault: Fault, stage: Stage, score: Score) -> None:
    assert stage.struck_at is not None, f"{fault.name} does not say when it struck"
    try:
        stage.wait(_all_alive(system), "every process lives")
        system.wait_at_rest(fault.rest_within_s)
        score.rest_s = time.time() - stage.struck_at
        score.wrong += checks.replies(system) + checks.counters(system)
    except NotReached as e:
        score.wrong.append(str(e).splitlines()[0][:600])


def _tally(system: Drilled, traffic: Traffic, fault: Fault) -> Totals:
    """Once the platforms have told what they took, and those who hold results have written them down, or both have had
    the time for it."""
    ends_at = time.monotonic() + TOLD_WITHIN_S
    while True:
        found = checks.tally(system, traffic.customers)
        if not (found.unheard or (found.unknown_outcomes and not fault.unknown_outcomes)) or time.monotonic() > ends_at:
            return found
        time.sleep(0.2)


def _all_alive(system: Drilled) -> Callable[[], bool]:
    return lambda: all(child.process.alive and child.ready() for child in system.supervisor.children)


def _judge(fault: Fault, stage: Stage, traffic: Traffic, score: Score) -> None:
    assert stage.struck_at is not None
    _time(stage, traffic, score, stage.struck_at)
    tally = score.tally
    if fault.stated:
        score.stated, tally.lost = tally.lost, 0
    if tally.lost:
        score.wrong.append(f"{tally.lost} accepted messages are lost")
    if tally.doubled:
        score.wrong.append(f"{tally.doubled} replies are doubled")
    if tally.unheard:
        score.wrong.append(f"of {tally.unheard} sends of unknown outcome the platform has said that they arrived")
    if tally.unknown_outcomes and not fault.unknown_outcomes:
        score.wrong.append(f"{tally.unknown_outcomes} sends have an unknown outcome")


def _time(stage: Stage, traffic: Traffic, score: Score, struck_at: float) -> None:
    """Measure how long recovery took, by what reached the platform."""
    arrived = checks.arrivals(stage.system)
    before: list[float] = []
    after: list[float] = []
    for customer in traffic.customers:
        answered = [at - struck_at for at in arrived.get(customer.chat, ()) if at > struck_at]
        if answered and customer.accepted_at is not None:
            (before if customer.accepted_at <= struck_at else after).append(answered[0])
    if before or after:
        score.first_s = min(before + after)
    if after:
        score.recovered_s = max([*before, min(after)])
