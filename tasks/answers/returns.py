"""The bot comes back to conversations that were handed over and in which nobody has written for a while."""

from __future__ import annotations

from datetime import timedelta

from shared import channels as platforms
from shared import faults
from shared.channels.base import Platform
from shared.model import ChatLine
from shared.store.assistants import assistants
from shared.store.db.pool import Conn
from shared.store.delivery import outbound
from shared.store.inbox import conversations, message_pages, messages
from shared.store.inbox import returns as quiet
from shared.store.operations.jobs import Cursor
from shared.store.tenants import channels, companies
from shared.triage import spoken, texts
from tasks.answers import wording
from tasks.delivery.tasks import send_due
from tasks.inbox.metrics import BOT_RETURNED
from tasks.operations.jobs import Batch, Job, Preview, Work
from tasks.wakeups import wake_up

CONVERSATIONS_A_BATCH = 50
PREVIEW_MAX = 1_000
LINES = 20
"""The last of a conversation, which tell its language."""
TELLS_WITHIN = timedelta(hours=23)
"""Since the customer last wrote. Later most platforms take nothing; the next reply says it then."""


def _return(work: Work, cursor: Cursor | None) -> Batch:
    """Return each conversation in a short transaction of its own, under the conversation's lock. Whoever writes
    meanwhile either comes first, and the conversation is no longer quiet, or comes after it, and the bot answers. rows:
    conversations that the bot came back to."""
    after = (int(cursor["company"]), int(cursor["conversation"])) if cursor else (0, 0)
    with work.transaction() as conn:
        places = quiet.quiet_handovers(conn, after, limit=CONVERSATIONS_A_BATCH)
    told = [_return_one(work, *place) for place in places]
    if any(told):
        wake_up(send_due)
    more = len(places) == CONVERSATIONS_A_BATCH
    next_ = {"company": places[-1][0], "conversation": places[-1][1]} if more else None
    return Batch(sum(one is not None for one in told), next=next_)


def _return_one(work: Work, company_id: int, conversation_id: int) -> bool | None:
    """Give one conversation back to the bot. Returns whether the customer is told now; None if it is not due any more,
    or if the customer has silenced the bot."""
    with work.transaction(company_id) as conn:
        locked = conversations.lock(conn, company_id, conversation_id)
        if locked is None or not locked.due_back:
            return None
        if locked.paused:  # silently: the customer wants no word from the bot
            quiet.return_to_bot(conn, company_id, conversation_id, untold=False)
            return None
        tells = _tell(work, conn, locked)
        quiet.return_to_bot(conn, company_id, conversation_id, untold=not tells)
        faults.reach("return.before_commit")
    BOT_RETURNED.inc("quiet")
    return tells


def _tell(work: Work, conn: Conn, locked: conversations.Locked) -> bool:
    """Tell the customer that the bot is back, if the platform allows it. False: the next reply will say it."""
    company_id, conversation_id = locked.company_id, locked.id
    wrote_at, code = quiet.last_customer(conn, company_id, conversation_id)
    if wrote_at is None or work.clock.now() - wrote_at > TELLS_WITHIN:
        return False
    assistant = assistants.of_channel(conn, company_id, locked.channel_id)
    company = companies.by_id(conn, company_id)
    assert company is not None
    after = max(0, locked.message_count - LINES)
    page = message_pages.page(conn, company_id, conversation_id, after_seq=after, limit=LINES)
    lines = tuple(ChatLine("customer" if m.role == "customer" else "bot", m.text) for m in page if m.text)
    said = wording.language_of((), lines, spoken.Known(code, assistant.language))
    language = said if said in texts.LANGUAGES else assistant.language
    own = assistant.own_text("returned", language)
    text = texts.filled(own or texts.default("returned", language), company=company.name, name=assistant.name)
    seq = locked.message_count + 1
    message = messages.add_own(conn, company_id, conversation_id, locked.channel_id, seq, "bot", text)
    platform = _platforms(work)[channels.platform_of(conn, company_id, locked.channel_id)]
    outbound.add_parts(conn, company_id, conversation_id, locked.channel_id, None, message, platform.split(text))
    conversations.advance(conn, [conversations.Head(company_id, conversation_id, seq, 0, message, "bot", text)])
    return True


def _platforms(work: Work) -> dict[str, Platform]:
    return work.resources.platforms if work.resources is not None else platforms.build(work.settings.channels)


def _quiet(work: Work) -> Preview:
    """Without those that the customer has silenced: a run notes that no person has them any more, and the bot goes on
    being silent there."""
    places = quiet.quiet_handovers(work.conn, (0, 0), limit=PREVIEW_MAX)
    silenced = quiet.silenced(work.conn, places)
    back = [place for place in places if place not in silenced]
    lines = tuple(f"conversation {company}/{id_}: the bot would answer again" for company, id_ in back)
    return Preview(len(back), 0, lines)


RETURN = Job("answers.return_to_bot", _return, _quiet, as_owner=False)
