"""What people send in Telegram, from the webhook to the answer: each of the cases where they are at hand, and an equal
of ours."""

from __future__ import annotations

from typing import Any

import pytest

from shared.model import Attachment
from shared.store.inbox import message_pages, messages, reactions
from tests.factories import ENCRYPTION_KEY, Bot
from tests.integration import accounts
from tests.integration.station import Station
from workers.sandbox.bots import connect_bot

OURS: dict[str, Any] = {}
"""By the name of the case whose equal it is."""
_HANDLES = {"23-tg-group-album": "demo_shop_bot", "29-tg-migrate-late": "demo_shop_bot"}


@pytest.fixture(params=["ours", "case"])
def source(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def bodies_of(source: str, *names: str) -> list[dict[str, Any]]:
    found = [OURS[name] if source == "ours" else accounts.case(name) for name in names]
    return [body for one in found for body in (one if isinstance(one, list) else [one])]


def play(station: Station, source: str, *names: str) -> Bot:
    """Receive the bodies, each by itself, then answer and deliver whatever there is."""
    bodies = bodies_of(source, *names)
    handle = _HANDLES.get(names[0], "acme_bot")
    bot = connect_bot(
        station.inbox.server.admin_url, [ENCRYPTION_KEY], company="acme", slug="acme",
        token="7099:AAtesttokentesttokentesttokentestt", username=handle,
    )  # fmt: skip
    station.learn(bot, "Shoes can be returned for thirty days. We deliver to Norway. We open at nine.")
    accounts.receive(station.inbox, bot, "telegram", *bodies)
    for _ in range(4):
        station.time_passes()
        station.answer()
    station.deliver_all()
    return bot


def shown(station: Station, bot: Bot) -> list[message_pages.Shown]:
    """Every message of the company, as the inbox shows it."""
    found: list[message_pages.Shown] = []
    with station.r.db.transaction(bot.company_id) as conn:
        for (conversation,) in station.rows("SELECT id FROM conversations ORDER BY id"):
            found += message_pages.page(conn, bot.company_id, conversation)
    return found


def chats(station: Station) -> list[str]:
    return [chat for (chat,) in station.rows("SELECT chat FROM conversations ORDER BY id")]


# ------------------------------------------------------------------ equals of the cases


def message(chat: dict[str, Any], person: dict[str, Any], number: int, **content: Any) -> dict[str, Any]:
    return {
        "update_id": 40_000 + number,
        "message": {"message_id": number, "date": 1_780_000_000 + number, "chat": chat, "from": person, **content},
    }


def person(number: int, name: str = "Mia") -> dict[str, Any]:
    return {"id": number, "is_bot": False, "first_name": name}


def private(number: int, at: int, **content: Any) -> dict[str, Any]:
    return message({"id": number, "type": "private", "first_name": "Mia"}, person(number), at, **content)


def group(number: int, **more: Any) -> dict[str, Any]:
    return {"id": number, "type": "supergroup", "title": "Rowers", **more}


def naming(text: str, name: str) -> dict[str, Any]:
    offset = len(text[: text.index(name)].encode("utf-16-le")) // 2
    return {"text": text, "entities": [{"type": "mention", "offset": offset, "length": len(name)}]}


def photo(number: int) -> dict[str, Any]:
    return {"photo": [{"file_id": f"f{number}", "width": 8, "height": 8, "file_size": 100}], "media_group_id": "m"}


ASKS = "@acme_bot do you deliver to Norway?"
FORUM, CLUB, CREW = group(-1003301, is_forum=True), group(-1003302), group(-1003303)
ANONYMOUS = {"id": 1087968824, "is_bot": True, "first_name": "Group", "username": "GroupAnonymousBot"}
SHOP = "@demo_shop_bot do you deliver to Norway?"
OURS.update({
    "01-tg-forum-topic": message(
        FORUM, person(31), 1, message_thread_id=9, is_topic_message=True, **naming(ASKS, "@acme_bot")),
    "02-tg-location": private(32, 2, location={"latitude": -33.8568, "longitude": 151.2153}),
    "02-tg-document": private(32, 3, document={"file_id": "d", "file_name": "receipt.pdf", "file_size": 900,
                                               "mime_type": "application/pdf"}),
    "02-tg-poll": private(32, 4, poll={"id": "5", "question": "Which day?", "options": [{"text": "Monday"},
                                                                                       {"text": "Friday"}]}),
    "04-tg-group-command": message(
        CLUB, person(33), 5, text="/ask do you deliver to Norway?",
        entities=[{"type": "bot_command", "offset": 0, "length": 4}]),
    "05-tg-story": private(34, 6, story={"chat": CLUB, "id": 4}),
    "06-tg-migrate-from": message(
        group(-1003304), ANONYMOUS, 7, sender_chat=group(-1003304), migrate_from_chat_id=-3304),
    "07-tg-anon-admin": message(CREW, ANONYMOUS, 8, sender_chat=CREW, **naming(ASKS, "@acme_bot")),
    "08-tg-emoji-mention": message(
        CREW, person(35), 9, **naming("👨‍👩‍👦 שלום 👋🏿 @acme_bot when do you open?", "@acme_bot")),
    "19-tg-edit-1": private(36, 10, text="Do you deliver to Narvik???"),
    "19-tg-edit-2": {"update_id": 40_111, "edited_message": {
        **private(36, 10, text="How long can I return shoes?")["message"], "edit_date": 1_780_000_050}},
    "21-tg-edit-first": [
        {"update_id": 40_113, "edited_message": {**private(37, 11, text="Do you deliver to Norway?")["message"],
                                                 "edit_date": 1_780_000_051}},
        private(37, 11, text="Do you deliver to Narvik?"),
    ],
    "22-tg-album": [private(38, 12, caption="Do you deliver to Norway?", **photo(1)), private(38, 13, **photo(2))],
    "23-tg-group-album": [
        message(CLUB, person(39), 14, **photo(3)),
        message(CLUB, person(39), 15, caption=SHOP, caption_entities=naming(SHOP, "@demo_shop_bot")["entities"],
                **photo(4)),
    ],
    "29-tg-migrate-late": [
        message({"id": -3305, "type": "group", "title": "R"}, person(40), 16, **naming(SHOP, "@demo_shop_bot")),
        message(group(-1003305), person(40), 1, **naming("@demo_shop_bot when do you open?", "@demo_shop_bot")),
        message({"id": -3305, "type": "group", "title": "R"}, person(40), 17, migrate_to_chat_id=-1003305),
    ],
    "36-tg-429": private(41, 18, text="Do you deliver to Norway?"),
})  # fmt: skip


# ------------------------------------------------------------------ what comes of them


def test_a_topic_is_answered_there_and_is_a_conversation(station: Station, source: str) -> None:
    [body] = bodies_of(source, "01-tg-forum-topic")
    play(station, source, "01-tg-forum-topic")
    group_id, topic = body["message"]["chat"]["id"], body["message"]["message_thread_id"]
    assert chats(station) == [f"{group_id}:{topic}"]
    assert ([chat for _, chat, _ in station.telegram.sent], station.telegram.topics) == ([str(group_id)], [topic])


@pytest.mark.parametrize(
    ("name", "reads"),
    [
        ("02-tg-location", {"ours": "location: -33.8568, 151.215", "case": "location: 48.1371, 11.5754"}),
        ("02-tg-document", {"ours": "[document] receipt.pdf", "case": "[document] invoice-77.pdf"}),
        ("02-tg-poll", {"ours": "poll: Which day?; option: Monday; option: Friday",
                        "case": "poll: Which colour?; option: red; option: blue"}),
    ],
)  # fmt: skip
def test_what_is_no_text_is_stored_and_shown(station: Station, source: str, name: str, reads: dict[str, str]) -> None:
    play(station, source, name)
    assert station.rows("SELECT left(last_message_preview, 200) FROM conversations") != []
    [(stored,)] = station.rows("SELECT attachments FROM messages WHERE role = 'customer'")
    assert messages.preview(None, [Attachment.from_json(one) for one in stored]) == reads[source]


def test_a_document_has_its_name_and_size(station: Station, source: str) -> None:
    bot = play(station, source, "02-tg-document")
    [file] = shown(station, bot)[0].attachments or []
    expected = {"ours": ("receipt.pdf", 900), "case": ("invoice-77.pdf", 48211)}
    assert (file["name"], file["size_bytes"]) == expected[source]


def test_a_story_is_unsupported_and_the_customer_is_told_once(station: Station, source: str) -> None:
    bot = play(station, source, "05-tg-story")
    again = bodies_of(source, "05-tg-story")[0]
    again = {"update_id": 41_000, "message": {**again["message"], "message_id": 4_000}}
    accounts.receive(station.inbox, bot, "telegram", again)
    station.time_passes()
    station.answer()
    station.deliver_all()

    first = shown(station, bot)[0]
    assert [(one["type"], one["name"]) for one in first.attachments or []] == [("unsupported", "story")]
    assert len(station.telegram.sent) == 1
    assert station.rows("SELECT bot_enabled FROM conversations") == [(True,)]


@pytest.mark.parametrize(
    "name", ["04-tg-group-command", "07-tg-anon-admin", "08-tg-emoji-mention", "21-tg-edit-first", "22-tg-album",
             "23-tg-group-album"],
)  # fmt: skip
def test_it_is_answered_once(station: Station, source: str, name: str) -> None:
    play(station, source, name)
    assert len(station.telegram.sent) == 1
    assert station.rows("SELECT count(*) FROM receipts WHERE step = 'full'") == [(1,)]
    assert len(chats(station)) == 1


def test_a_group_that_only_says_what_it_was_has_no_conversation_yet(station: Station, source: str) -> None:
    play(station, source, "06-tg-migrate-from")
    assert chats(station) == []
    assert station.telegram.sent == []


def test_after_it_the_new_group_goes_on_where_the_old_one_was(station: Station, source: str) -> None:
    [news] = bodies_of(source, "06-tg-migrate-from")
    new, old = news["message"]["chat"]["id"], news["message"]["migrate_from_chat_id"]
    asks = naming("@acme_bot when do you open?", "@acme_bot")
    OURS["before"] = message({"id": old, "type": "group", "title": "R"}, person(42), 50, **asks)
    bot = play(station, "ours", "before")
    accounts.receive(station.inbox, bot, "telegram", news, message(group(new), person(42), 51, **asks))

    assert chats(station) == [str(new)]
    assert [line.role for line in shown(station, bot)] == ["customer", "bot", "customer"]


def test_the_edited_wording_is_what_is_answered(station: Station, source: str) -> None:
    bot = play(station, source, "19-tg-edit-1", "19-tg-edit-2")
    [edit] = bodies_of(source, "19-tg-edit-2")
    assert shown(station, bot)[0].text == edit["edited_message"]["text"]
    assert len(station.telegram.sent) == 1
    assert edit["edited_message"]["text"] in station.model.questions()[-1]


def test_a_migration_that_is_told_late_makes_one_conversation(station: Station, source: str) -> None:
    play(station, source, "29-tg-migrate-late")
    new = bodies_of(source, "29-tg-migrate-late")[-1]["message"]["migrate_to_chat_id"]
    assert station.rows("SELECT chat, customer_seq FROM conversations") == [(str(new), 2)]
    assert {chat for _, chat, _ in station.telegram.sent} == {str(new)}


def test_a_send_that_comes_too_fast_is_tried_again(station: Station, source: str) -> None:
    too_fast = {"ok": False, "error_code": 429, "description": "Too Many Requests: retry after 3",
                "parameters": {"retry_after": 3}}  # fmt: skip
    station.telegram.script.append((429, too_fast))
    play(station, source, "36-tg-429")
    assert len(station.telegram.sent) == 1
    assert station.rows("SELECT state, attempts FROM outbound") == [("sent", 2)]


def test_each_change_of_a_reaction_counts(station: Station) -> None:
    OURS["asked"] = private(43, 60, text="Do you deliver to Norway?")
    bot = play(station, "ours", "asked")
    steps: list[tuple[list[str], list[str], dict[str, str]]] = [
        ([], ["👍"], {"43": "👍"}),
        (["👍"], ["👍", "❤"], {"43": "👍 ❤"}),
        (["👍", "❤"], ["😢"], {"43": "😢"}),
        (["😢"], [], {}),
    ]
    for number, (before, now, expected) in enumerate(steps):
        reaction = {
            "chat": {"id": 43, "type": "private"}, "message_id": 60, "user": person(43), "date": 1_780_000_100,
            "old_reaction": [{"type": "emoji", "emoji": one} for one in before],
            "new_reaction": [{"type": "emoji", "emoji": one} for one in now],
        }  # fmt: skip
        accounts.receive(station.inbox, bot, "telegram", {"update_id": 42_000 + number, "message_reaction": reaction})
        asked = shown(station, bot)[0]
        with station.r.db.transaction(bot.company_id) as conn:
            assert reactions.of_messages(conn, bot.company_id, [asked.id]).get(asked.id, {}) == expected
    counted = "SELECT count(*) FROM webhook_events WHERE kind = 'reaction' AND outcome = 'effected'"
    assert station.rows(counted) == [(4,)]
