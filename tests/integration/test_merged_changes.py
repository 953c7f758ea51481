"""A message and a change of it that stood in two conversations: once they are one, the change counts."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from shared.live.topics import Chat
from tests.factories import Bot, make_bot
from tests.integration import accounts
from tests.integration.station import Station
from tests.integration.test_identities import NUMBER, USER
from tests.integration.test_moved_chats import GROUP, NEW, OLD, SUPERGROUP, in_chat, receive, said, went
from tests.unit import fixtures_whatsapp as whatsapp

WAMID = "wamid.ORIGINAL="


@pytest.fixture
def number(station: Station) -> Bot:
    bot = accounts.connect(station.inbox, "whatsapp", whatsapp.NUMBER_ID, whatsapp.NUMBER)
    station.learn(bot)
    return bot


def _body(kind: str, content: dict[str, Any], id_: str, at_s: int, wa_id: str | None, user: str | None = None) -> Any:
    person = {"profile": {"name": "Noor"}, **({"wa_id": wa_id} if wa_id else {}), **({"user_id": user} if user else {})}
    item = whatsapp.message(kind, content, wa_id, id=id_, timestamp=str(1_760_000_000 + at_s))
    return whatsapp.messages({**item, **({"from_user_id": user} if user else {})}, contacts=[person])


SAID = _body("text", {"body": "My card is 4111"}, WAMID, 0, NUMBER)
CHANGES = {
    "revoked": _body("revoke", {"original_message_id": WAMID}, "wamid.R1", 5, None, USER),
    "edited": _body(
        "edit", {"original_message_id": WAMID, "message": {"type": "text", "text": {"body": "When do you open?"}}},
        "wamid.E1", 5, None, USER,
    ),
}  # fmt: skip
SHOWS_BOTH = _body("text", {"body": "When does the shop open?"}, "wamid.B1", 9, NUMBER, USER)


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("order", list(itertools.permutations(("said", "changed", "both"))))
@pytest.mark.parametrize("together", [False, True])
def test_a_change_that_stood_elsewhere_counts_in_any_order(
    station: Station, number: Bot, change: str, order: tuple[str, ...], together: bool
) -> None:
    bodies = {"said": SAID, "changed": CHANGES[change], "both": SHOWS_BOTH}
    if together:
        parts = [bodies[step]["entry"][0]["changes"][0] for step in order]
        accounts.receive(station.inbox, number, "whatsapp", whatsapp.body(*parts))
    else:
        accounts.receive(station.inbox, number, "whatsapp", *(bodies[step] for step in order))

    texts = station.rows("SELECT text, deleted_at IS NULL FROM messages WHERE external_id = %s", WAMID)
    assert texts == [(None, False) if change == "revoked" else ("When do you open?", True)]
    assert station.rows("SELECT count(*) FROM early_changes") == [(0,)]
    unread = 1 if change == "revoked" else 2
    assert station.rows("SELECT unread_of(customer_seq, read_seq, read_beyond) FROM conversations") == [(unread,)]
    assert station.rows("SELECT unread FROM company_totals") == [(unread,)]
    station.answer()
    assert "4111" not in station.model.questions()[-1]


def test_what_was_attached_goes_with_its_message(station: Station, number: Bot) -> None:
    photo = _body("image", {"id": "31337", "mime_type": "image/jpeg", "sha256": "q80="}, WAMID, 0, NUMBER)
    accounts.receive(station.inbox, number, "whatsapp", photo, CHANGES["revoked"])
    assert station.rows("SELECT count(*) FROM media") == [(1,)]

    accounts.receive(station.inbox, number, "whatsapp", SHOWS_BOTH)

    assert station.rows("SELECT count(*) FROM media") == [(0,)]
    assert station.rows("SELECT attachments FROM messages WHERE external_id = %s", WAMID) == [(None,)]


def test_a_later_edit_of_the_message_itself_stays(station: Station, number: Bot) -> None:
    content = {"original_message_id": WAMID, "message": {"type": "text", "text": {"body": "The newest"}}}
    accounts.receive(
        station.inbox, number, "whatsapp", SAID, _body("edit", content, "wamid.E2", 7, NUMBER), CHANGES["edited"],
        SHOWS_BOTH,
    )  # fmt: skip
    assert station.rows("SELECT text FROM messages WHERE external_id = %s", WAMID) == [("The newest",)]


def test_a_group_and_its_supergroup_number_their_messages_apart(station: Station) -> None:
    bot = make_bot(station.inbox.server.admin_url)
    edited = in_chat(GROUP, "/ask edited in the old group", message_id=7)
    edited["edited_message"] = edited.pop("message")
    edited["edited_message"]["edit_date"] = edited["edited_message"]["date"] + 5
    new = said("do you deliver?", SUPERGROUP)
    new["message"]["message_id"] = 7
    receive(station, bot, edited, new, went())
    assert station.rows("SELECT text FROM messages") == [("do you deliver?",)]


# ------------------------------------------------------------------ who watches


def test_who_watches_the_other_chat_is_told_where_it_went(station: Station, number: Bot) -> None:
    alone = _body("text", {"body": "When do you open?"}, "wamid.A1", 3, None, USER)
    accounts.receive(station.inbox, number, "whatsapp", SAID, alone)
    stored = accounts.receive(station.inbox, number, "whatsapp", SHOWS_BOTH)
    chat = {name: Chat(number.company_id, number.channel_id, name) for name in (NUMBER, USER)}
    assert stored.went == {chat[USER]: chat[NUMBER]}
    assert chat[NUMBER] in stored.chats


@pytest.mark.parametrize("both", [True, False])
def test_who_watches_a_group_is_told_that_it_moved(station: Station, both: bool) -> None:
    bot = make_bot(station.inbox.server.admin_url)
    receive(station, bot, said("one?", GROUP), *([said("two?", SUPERGROUP)] if both else []))
    station.inbox.journal(bot, went())
    stored = station.inbox.drain_all()
    there = Chat(bot.company_id, bot.channel_id, str(NEW))
    assert stored.went == {Chat(bot.company_id, bot.channel_id, str(OLD)): there}
    assert there in stored.chats
