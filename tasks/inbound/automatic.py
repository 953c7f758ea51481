"""Which echoes are a machine's: of another application on the account that answers by itself. Nobody takes the
conversation with them, so the bot goes on.

One that comes at once is a machine's: sooner after the customer began to write than a person reads and writes. A
machine says the same each time, so that a second one in other words is a person's, however fast they are. What an
application writes that the channel ignores is never a person's.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from shared import channels
from shared.store.db.pool import Conn
from shared.store.inbox import latest
from shared.store.inbox.latest import Line
from shared.store.inbox.messages import Key
from shared.store.tenants import automatic_replies
from shared.store.tenants.automatic_replies import AutomaticReplies
from tasks.inbound.batch import Batch, Placed

IGNORED_APP, AT_ONCE = "ignored_app", "at_once"
_REMEMBERED = timedelta(hours=1)
"""What was said longer ago is another story: a greeting and next week's note that the shop is closed are both a
machine's, and so is what follows a question that comes a day after a thank-you."""


def echoes(conn: Conn, batch: Batch, seen: Collection[Key]) -> dict[int, str]:
    """Why, of those of the batch's echoes that no person wrote, by their ids in Python. The conversations are locked.
    seen: what was stored before."""
    told = [p for p in batch.talk if p.event.kind == "echo" and _may_be(p)]
    if not told:
        return {}
    ways = automatic_replies.of_channels(conn, {(p.home.company_id, p.home.channel_id) for p in told})
    before = latest.lines(conn, {batch.place(p) for p in told})
    found: dict[int, str] = {}
    for chat in {p.chat: None for p in told}:
        here = [p for p in batch.talk if p.chat == chat and p.event.kind in ("message", "echo")]
        new = [p for p in here if (chat.company_id, chat.channel_id, p.event.dedupe_key) not in seen]
        way = ways.get((chat.company_id, chat.channel_id))
        if way is not None:
            found |= _judged(new, before.get(batch.place(here[0]), []), way)
    return found


def _may_be(p: Placed) -> bool:
    return channels.platform(p.home.platform).has_automatic_replies


@dataclass(slots=True)
class _Story:
    """What was said in a chat so far. asked: when the customer began to write after anybody else last spoke. replied:
    the same, before the newest automatic reply. said: the words of automatic replies, with their times."""

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


def _judged(new: Sequence[Placed], before: Iterable[Line], way: AutomaticReplies) -> dict[int, str]:
    """Return for each echo in one chat why it is automatic. new: what was said in the chat, in any order."""
    story = _Story()
    for line in before:
        story.add(line)
    found: dict[int, str] = {}
    verdicts: dict[str, str | None] = {}  # a second copy of an echo is that echo
    for p in sorted((p for p in new if p.event.sent_at is not None), key=_told_at):
        at, words = p.event.sent_at, latest.words_of(p.event.text, p.event.attachments)
        assert at is not None
        if p.event.kind == "message":
            story.add(Line("customer", at, words, None))
            continue
        name = p.event.external_id or p.event.dedupe_key
        if name not in verdicts:
            why = _why(p, story, at, words, way)
            story.add(Line("agent", at, words, why))
            verdicts[name] = why
        if (verdict := verdicts[name]) is not None:
            found[id(p)] = verdict
    untimed = [p for p in new if p.event.kind == "echo" and p.event.sent_at is None]
    return found | {id(p): IGNORED_APP for p in untimed if p.event.app in way.ignored_apps}


def _told_at(p: Placed) -> tuple[datetime, bool]:
    assert p.event.sent_at is not None
    return p.event.sent_at, p.event.kind == "echo"


def _why(p: Placed, story: _Story, at: datetime, words: str, way: AutomaticReplies) -> str | None:
    if p.event.app in way.ignored_apps:
        return IGNORED_APP
    return AT_ONCE if way.within_s and story.is_at_once(at, words, way.within_s) else None
