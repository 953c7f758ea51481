"""Which echoes are a machine's: of another application on the account that answers by itself. Nobody takes the
conversation with them, so the bot goes on.

One that comes at once is a machine's: sooner after the customer began to write than a person reads and writes. A
machine says the same each time, so that a second one in other words is a person's, however fast they are. What an
application writes that the channel ignores is never a person's.

The platform's times count, and not the order in which requests come: an echo that came before the customer's message is
judged once more with it, and if no person but that echo took the conversation, the bot has it back. What was marked as
read by it stays read.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from shared import channels
from shared.store.answers import turns
from shared.store.db.pool import Conn
from shared.store.inbox import latest
from shared.store.inbox.latest import Line, Place
from shared.store.inbox.messages import Key
from shared.store.tenants import automatic_replies
from shared.store.tenants.automatic_replies import AutomaticReplies
from tasks.inbound.batch import Batch, Placed

IGNORED_APP, AT_ONCE = "ignored_app", "at_once"
_REMEMBERED = timedelta(hours=1)
"""What was said longer ago is another story: a greeting and next week's note that the shop is closed are both a
machine's, and so is what follows a question that comes a day after a thank-you."""


@dataclass(frozen=True, slots=True)
class Overtaken:
    """A conversation that echoes took because they came before the customer's message that they replied to. echoes:
    their messages' ids. took_at: when each was stored. asked: seq of the first and the last customer's message that
    nobody answers because of it, if there are any."""

    echoes: tuple[int, ...]
    took_at: tuple[datetime, ...]
    asked: tuple[int, int] | None


@dataclass(slots=True)
class Judged:
    """machines: why, of those of the batch's echoes that no person wrote, by their ids in Python. overtaken: those of
    its conversations that are the bot's again."""

    machines: dict[int, str] = field(default_factory=dict)
    overtaken: dict[Place, Overtaken] = field(default_factory=dict)


def judge(conn: Conn, batch: Batch, seen: Collection[Key]) -> Judged:
    """Tell people from machines. The conversations are locked. seen: what was stored before."""
    judged = Judged()
    told = [p for p in batch.talk if _may_be(p) and (p.event.kind == "echo" or _is_late(batch, p))]
    if not told:
        return judged
    ways = automatic_replies.of_channels(conn, {(p.home.company_id, p.home.channel_id) for p in told})
    before = latest.lines(conn, {batch.place(p) for p in told})
    taken = latest.taken(conn, {batch.place(p) for p in told if batch.locked[p.chat].status == "handed_over"})
    for chat in {p.chat: None for p in told}:
        new = [p for p in batch.talk if p.chat == chat and p.event.kind in ("message", "echo")
               and (chat.company_id, chat.channel_id, p.event.dedupe_key) not in seen]  # fmt: skip
        way = ways.get((chat.company_id, chat.channel_id))
        if not new or way is None:
            continue
        place = batch.place(new[0])
        said = _Said(before.get(place, []), new, way)
        judged.machines |= said.machines
        handed_over = any(p.chat == chat and p.event.kind == "handover" for p in batch.talk)
        if place in taken and not handed_over and (one := said.overtaken(taken[place])) is not None:
            judged.overtaken[place] = one
    cut_off = turns.cancelled_at(conn, {place: one.took_at for place, one in judged.overtaken.items()})
    for place, (first_seq, last_seq) in cut_off.items():
        one = judged.overtaken[place]
        first, last = one.asked or (first_seq, last_seq)
        judged.overtaken[place] = replace(one, asked=(min(first, first_seq), max(last, last_seq)))
    return judged


def _may_be(p: Placed) -> bool:
    return channels.platform(p.home.platform).has_automatic_replies


def _is_late(batch: Batch, p: Placed) -> bool:
    """Whether it may be the message that an earlier echo replied to."""
    return p.event.kind == "message" and batch.locked[p.chat].status == "handed_over"


@dataclass(slots=True)
class _Story:
    """What was said so far. asked: when the customer began to write since anybody else spoke; replied: the same, as it
    was before the newest automatic reply. said: words of automatic replies, with their times."""

    asked: datetime | None = None
    replied: datetime | None = None
    said: list[tuple[datetime, str]] = field(default_factory=list)

    def add(self, line: Line) -> None:
        if line.role == "customer":
            began = self.asked is not None and abs(line.at - self.asked) <= _REMEMBERED
            self.asked = min(self.asked, line.at) if began and self.asked is not None else line.at
            return
        self.replied, self.asked = (self.asked or self.replied) if line.automatic == AT_ONCE else None, None
        if line.automatic == AT_ONCE:
            self.said.append((line.at, line.words))

    def is_at_once(self, at: datetime, words: str, within_s: float) -> bool:
        known = [one for when, one in self.said if abs(at - when) <= _REMEMBERED]
        began = self.asked if self.asked is not None else self.replied if words in known else None
        if began is None or (known and words not in known):
            return False
        return 0 <= (at - began).total_seconds() <= within_s


class _Said:
    """What was said in one chat: in the order in which it was stored up to the last words of ours, from there on as the
    platform timed it. new: in any order."""

    def __init__(self, before: Sequence[Line], new: Sequence[Placed], way: AutomaticReplies) -> None:
        self.machines: dict[int, str] = {}
        self._verdicts: dict[str, str | None] = {}  # a second copy of an echo is that echo
        self._way = way
        ours = [place for place, line in enumerate(before) if line.role != "customer" and not line.echo]
        since = ours[-1] + 1 if ours else 0
        self._open = before[since:]
        self._again: set[int] = set()
        story = _Story()
        for line in before[:since]:
            story.add(line)
        timed: list[tuple[Line, Placed | None]] = [(line, None) for line in self._open]
        timed += [(_line(p, p.event.sent_at), p) for p in new if p.event.sent_at is not None]
        for line, p in sorted(timed, key=lambda one: (one[0].at, one[0].role == "agent")):
            self._tell(story, line, p)
        for p in new:
            if p.event.kind == "echo" and p.event.sent_at is None:
                self._note(p, IGNORED_APP if p.event.app in way.ignored_apps else None)

    def _tell(self, story: _Story, line: Line, p: Placed | None) -> None:
        within_s = self._way.within_s
        at_once = within_s and story.is_at_once(line.at, line.words, within_s) and not self._said_else(line)
        if line.role == "customer" or (p is None and line.automatic is not None):
            story.add(line)
        elif p is None:
            if at_once:
                self._again.add(line.id)
            story.add(replace(line, automatic=AT_ONCE if at_once else None))
        elif _name(p) in self._verdicts:
            self._note(p, self._verdicts[_name(p)])
        else:
            why = IGNORED_APP if p.event.app in self._way.ignored_apps else AT_ONCE if at_once else None
            self._note(p, why)
            story.add(replace(line, automatic=why))

    def _said_else(self, line: Line) -> bool:
        """Whether a later one that passed for a machine's has other words: one of the two is a person's."""
        return any(
            one.automatic == AT_ONCE and one.words != line.words and abs(one.at - line.at) <= _REMEMBERED
            for one in self._open
        )

    def _note(self, p: Placed, why: str | None) -> None:
        self._verdicts[_name(p)] = why
        if why is not None:
            self.machines[id(p)] = why

    def overtaken(self, since: datetime) -> Overtaken | None:
        """Whether none but machines took the conversation. since: when that was last done, by words or without."""
        took = [line for line in self._open if line.role == "agent" and line.automatic is None]
        people = any(why is None for why in self._verdicts.values())
        took_at = tuple(line.stored_at for line in took if line.stored_at is not None)
        if people or not all(line.id in self._again for line in took) or since not in took_at:
            return None
        first = min(line.seq for line in took)
        meanwhile = [line.seq for line in self._open if line.role == "customer" and line.seq > first]
        return Overtaken(
            tuple(line.id for line in took), took_at, (min(meanwhile), max(meanwhile)) if meanwhile else None
        )


def _line(p: Placed, at: datetime) -> Line:
    role = "customer" if p.event.kind == "message" else "agent"
    return Line(role, at, latest.words_of(p.event.text, p.event.attachments), None)


def _name(p: Placed) -> str:
    return p.event.external_id or p.event.dedupe_key
