"""How many answers a contact gets in an hour, what they are told beyond that, and what agents see of it."""

from __future__ import annotations

import pytest

from shared.model import Answer
from shared.store.answers import replies
from shared.store.inbox import identities
from shared.store.inbox.identities import Known
from shared.store.tenants import rate_limits
from shared.store.tenants.rate_limits import Bounds
from shared.triage import texts
from tasks.answers.reply import Result
from tests.factories import Bot, make_bot
from tests.integration.said_and_answered import bot_and_attention, bot_said, say, steps
from tests.integration.station import Station

LIMIT = 3
ASKED = [f"When does the shop open in week {week}?" for week in range(10)]
NOTICE = texts.default("limit", "en")


@pytest.fixture
def bot(station: Station) -> Bot:
    bot = make_bot(station.inbox.server.admin_url)
    station.learn(bot)
    with station.r.db.transaction(bot.company_id) as conn:
        rate_limits.set_bounds(conn, "answers", bot.company_id, Bounds(per_hour=LIMIT))
    return bot


def _hours_pass(station: Station, minutes: int) -> None:
    station.execute(
        "UPDATE contact_answers SET told_at = told_at - make_interval(mins => %s),"
        " answered_at = ARRAY(SELECT a - make_interval(mins => %s) FROM unnest(answered_at) a)",
        minutes, minutes,
    )  # fmt: skip


def _contact(station: Station, chat: int) -> Known:
    [(contact, name)] = station.rows("SELECT id, external_id FROM contacts WHERE external_id = %s", str(chat))
    return Known(int(contact), str(name))


def test_beyond_the_limit_messages_are_kept_and_one_notice_goes_out(station: Station, bot: Bot) -> None:
    assert say(station, bot, *ASKED[:6]) == [Result.ANSWERED] * (LIMIT + 1) + [Result.NO_REPLY] * 2

    assert len(station.model.asked) == LIMIT
    assert bot_said(station)[LIMIT:] == [NOTICE]
    assert steps(station)[LIMIT:] == [("notice", "answers_limit"), *[("silence", "answers_limit")] * 2]
    assert bot_and_attention(station) == (True, "answers_limit")
    [(customer, unread)] = station.rows(
        "SELECT customer_seq, unread_of(customer_seq, read_seq, read_beyond) FROM conversations"
    )
    assert (customer, unread) == (6, 6)
    station.deliver_all()
    assert station.telegram.texts[-1] == NOTICE


def test_answers_come_again_as_the_hour_slides_and_each_window_has_one_notice(station: Station, bot: Bot) -> None:
    say(station, bot, *ASKED[:2])
    _hours_pass(station, 40)
    assert say(station, bot, *ASKED[2:4]) == [Result.ANSWERED] * 2  # the third, and the notice
    _hours_pass(station, 30)  # the first two are over, the third is not

    assert say(station, bot, *ASKED[4:7]) == [Result.ANSWERED] * 2 + [Result.NO_REPLY]
    assert steps(station)[-1] == ("silence", "answers_limit")
    _hours_pass(station, 31)
    assert say(station, bot, *ASKED[7:10]) == [Result.ANSWERED] * 2 + [Result.NO_REPLY]
    assert bot_said(station).count(NOTICE) == 2


def test_the_notice_is_no_answer_and_a_person_is_still_to_be_had(station: Station, bot: Bot) -> None:
    say(station, bot, *ASKED[: LIMIT + 1])
    assert station.rows("SELECT cardinality(answered_at), told_at IS NOT NULL FROM contact_answers") == [(LIMIT, True)]

    say(station, bot, "I want to talk to a human")

    assert steps(station)[-1] == ("handover", "wants_person")
    assert bot_and_attention(station) == (False, "wants_person")


def test_the_notice_is_in_the_customer_s_language(station: Station, bot: Bot) -> None:
    say(station, bot, *ASKED[:LIMIT], "Wann macht der Laden morgen auf, und wie lange haben Sie am Samstag offen?")
    assert bot_said(station)[-1] == texts.default("limit", "de")


def test_contacts_have_limits_of_their_own_and_a_merge_adds_them_up(station: Station, bot: Bot) -> None:
    for chat in (5, 6):
        for text in ASKED[:2]:
            station.receive(bot, text, chat=chat)
            assert station.answer() is Result.ANSWERED
    first, second = _contact(station, 5), _contact(station, 6)

    with station.r.db.transaction(bot.company_id) as conn:
        identities.join(conn, bot.company_id, bot.channel_id, first, second)

    assert station.rows("SELECT contact_id, cardinality(answered_at) FROM contact_answers") == [(first.contact_id, 4)]
    assert say(station, bot, ASKED[3]) == [Result.ANSWERED]
    assert steps(station)[-1] == ("notice", "answers_limit")


def test_the_chats_of_a_contact_count_together(station: Station, bot: Bot) -> None:
    say(station, bot, *ASKED[:LIMIT])
    contact = _contact(station, 5)
    station.receive(bot, ASKED[4], chat=6)
    station.execute("UPDATE messages SET contact_id = %s WHERE role = 'customer'", contact.contact_id)  # as in a group

    assert station.answer() is Result.ANSWERED

    assert steps(station)[-1] == ("notice", "answers_limit")


def test_a_changed_limit_holds_from_the_next_answer_on(station: Station, bot: Bot) -> None:
    say(station, bot, *ASKED[: LIMIT + 1])
    with station.r.db.transaction(bot.company_id) as conn:
        rate_limits.set_bounds(conn, "answers", bot.company_id, Bounds())
    station.r.invalidations.tell(rate_limits.topic(bot.company_id))

    assert say(station, bot, *ASKED[4:8]) == [Result.ANSWERED] * 4
    assert len(station.model.asked) == LIMIT + 4


def test_who_was_refused_is_told_to_operators(station: Station, bot: Bot) -> None:
    say(station, bot, *ASKED[: LIMIT + 3])
    station.r.refusals.write()

    [row] = station.r.refusals.most(limit=10)

    contact = str(_contact(station, 5).contact_id)
    assert (row.purpose, row.asker, row.company_id, row.who, row.refused) == (
        "answers", "contact", bot.company_id, contact, 3,
    )  # fmt: skip
    assert station.r.refusals.most(limit=10, company_id=bot.company_id + 1) == []


def test_of_an_answer_that_is_not_stored_nothing_counts(station: Station, bot: Bot) -> None:
    station.receive(bot, ASKED[0])
    station.model.meanwhile.append(lambda: station.execute("UPDATE turns SET epoch = epoch + 1, attempts = 0"))
    station.answer()
    assert station.rows("SELECT count(*) FROM contact_answers") == [(0,)]


def test_what_marks_a_conversation_for_people_says_the_limit() -> None:
    assert replies.attention_of(Answer("", "silence", replies.ANSWERS_LIMIT)) == "answers_limit"
