"""What another application writes by itself is stored, and takes no conversation from the bot."""

from __future__ import annotations

from typing import Any

import pytest

from shared.store.tenants import automatic_replies
from shared.store.tenants.automatic_replies import AutomaticReplies
from tasks.answers.reply import Result
from tests.factories import Bot
from tests.integration import accounts
from tests.integration.command_line import Run
from tests.integration.station import Station

PAGE, CUSTOMER, AT = "700900", "88002", 1_780_000_000_000
APP = "263902037430900"


@pytest.fixture
def page(station: Station) -> Bot:
    bot = accounts.connect(station.inbox, "messenger", PAGE)
    station.learn(bot)
    return bot


def _item(at_ms: int, *, echo: bool, **message: Any) -> dict[str, Any]:
    parties = {"sender": {"id": CUSTOMER}, "recipient": {"id": PAGE}}
    if echo:
        parties = {"sender": parties["recipient"], "recipient": parties["sender"]}
        message = {"is_echo": True, "app_id": int(APP), **message}
    return {**parties, "timestamp": AT + at_ms, "message": {"mid": f"m{at_ms}", **message}}


def _body(*items: dict[str, Any], kind: str = "page") -> dict[str, Any]:
    return {"object": kind, "entry": [{"id": PAGE, "time": AT, "messaging": list(items)}]}


ASKS = _item(0, echo=False, text="When does the shop open?")


def _state(station: Station) -> tuple[Any, ...]:
    [found] = station.rows(
        "SELECT bot_enabled, status, customer_seq - read_seq, (SELECT count(*) FROM messages) FROM conversations"
    )
    return found


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize(("after_ms", "machine"), [(10, True), (2000, True), (2001, False), (60_000, False)])
def test_an_echo_at_once_is_a_machine_s(
    station: Station, page: Bot, after_ms: int, machine: bool, together: bool
) -> None:
    echo = _item(after_ms, echo=True, text="Thanks for writing! We answer soon.")
    bodies = [_body(ASKS, echo)] if together else [_body(ASKS), _body(echo)]
    accounts.receive(station.inbox, page, "messenger", *bodies)

    if machine:
        assert _state(station) == (True, "open", 1, 2)
        assert station.answer() is Result.ANSWERED
        assert station.model.questions()[-1].endswith("When does the shop open?")
    else:
        assert _state(station) == (False, "handed_over", 0, 2)
        assert station.answer() is Result.NOTHING_DUE


def test_an_echo_before_its_message_in_one_request_is_a_machine_s_too(station: Station, page: Bot) -> None:
    echo = _item(10, echo=True, text="Thanks for writing!")
    accounts.receive(station.inbox, page, "messenger", _body(echo, ASKS))
    assert _state(station)[:2] == (True, "open")


def test_an_ignored_application_is_never_a_person(station: Station, page: Bot) -> None:
    with station.r.db.transaction(page.company_id) as conn:
        automatic_replies.set_for(conn, page.company_id, page.channel_id, AutomaticReplies((APP,), 0))
    accounts.receive(station.inbox, page, "messenger", _body(ASKS), _body(_item(60_000, echo=True, text="Soon!")))
    assert _state(station) == (True, "open", 1, 2)


def _talk(station: Station, page: Bot, *said: tuple[int, str | None, str], together: bool) -> None:
    """said: (milliseconds, the other application's id, None for the customer, words)"""
    items = [_item(at_ms, echo=by is not None, text=text) for at_ms, by, text in said]
    bodies = [_body(*items)] if together else [_body(item) for item in items]
    accounts.receive(station.inbox, page, "messenger", *bodies)


@pytest.mark.parametrize("together", [True, False])
def test_a_customer_who_goes_on_writing_keeps_no_person_out(station: Station, page: Bot, together: bool) -> None:
    writes: list[tuple[int, str | None, str]] = [(2_000 * n, None, f"And what about {n}?") for n in range(4)]
    _talk(station, page, *writes, (6_500, APP, "Hi, this is Ann."), together=together)
    assert _state(station)[:2] == (False, "handed_over")


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize(
    ("second", "machine"), [("Thanks for writing! We answer soon.", True), ("Hi, this is Ann.", False)]
)
@pytest.mark.parametrize("asks_again", [True, False])
def test_a_second_echo_in_other_words_is_a_person_s(
    station: Station, page: Bot, second: str, machine: bool, together: bool, asks_again: bool
) -> None:
    more: list[tuple[int, str | None, str]] = [(1_200, None, "Hello?")] if asks_again else []
    automatic = (500, APP, "Thanks for writing! We answer soon.")
    _talk(station, page, (0, None, "Are you open?"), automatic, *more, (1_900, APP, second), together=together)
    assert _state(station)[:2] == ((True, "open") if machine else (False, "handed_over"))


def test_the_same_echo_again_is_no_second_one(station: Station, page: Bot) -> None:
    echo = _item(500, echo=True, text="Thanks for writing!")
    bodies = (_body(ASKS), _body(echo), _body(echo), _body(echo, echo))
    accounts.receive(station.inbox, page, "messenger", *bodies)
    assert _state(station) == (True, "open", 1, 2)


def test_a_message_that_comes_again_late_does_not_begin_the_talk_anew(station: Station, page: Bot) -> None:
    old = _item(-600_000, echo=False, text="Do you deliver?")
    accounts.receive(station.inbox, page, "messenger", _body(old))
    station.answer()
    accounts.receive(station.inbox, page, "messenger", _body(ASKS, old, _item(500, echo=True, text="Thanks!")))
    assert _state(station)[:2] == (True, "open")


def test_a_note_next_day_is_a_machine_s_too(station: Station, page: Bot) -> None:
    day = 86_400_000
    _talk(
        station, page, (0, None, "Are you open?"), (500, APP, "Thanks for writing!"),
        (day, None, "And today?"), (day + 500, APP, "We are closed today."), together=False,
    )  # fmt: skip
    assert _state(station)[:2] == (True, "open")


def test_an_ignored_application_may_say_anything(station: Station, page: Bot) -> None:
    with station.r.db.transaction(page.company_id) as conn:
        automatic_replies.set_for(conn, page.company_id, page.channel_id, AutomaticReplies((APP,), 2))
    _talk(
        station, page, (0, None, "Are you open?"), (100, APP, "Welcome!"), (200, APP, "Choose one."),
        (9_000, APP, "Are you still there?"), together=False,
    )  # fmt: skip
    assert _state(station) == (True, "open", 1, 4)
    assert set(station.rows("SELECT automatic FROM messages WHERE role = 'agent'")) == {("ignored_app",)}


def test_without_the_rule_an_echo_at_once_is_a_person_s(station: Station, page: Bot) -> None:
    with station.r.db.transaction(page.company_id) as conn:
        automatic_replies.set_for(conn, page.company_id, page.channel_id, AutomaticReplies((), 0))
    accounts.receive(station.inbox, page, "messenger", _body(ASKS, _item(10, echo=True, text="Soon!")))
    assert _state(station)[:2] == (False, "handed_over")


def test_the_command_shows_and_changes_it(station: Station, page: Bot, run: Run) -> None:
    [(slug,)] = station.rows("SELECT slug FROM companies WHERE id = %s", page.company_id)
    place = f"{slug}/{page.channel_id}"
    assert "ignores no application, and echoes within 2 s" in run("channel", "automatic-replies", place).out
    run("channel", "automatic-replies", place, "--ignore-app", APP, "--within", "5")
    with station.r.db.transaction(page.company_id) as conn:
        assert automatic_replies.of_channel(conn, page.company_id, page.channel_id) == AutomaticReplies((APP,), 5)
    run("channel", "automatic-replies", place, "--heed-app", APP)
    assert station.rows("SELECT ignored_apps FROM channels WHERE id = %s", page.channel_id) == [([],)]


@pytest.mark.parametrize("kind", ["story_mention", "like_heart"])
def test_what_asks_nothing_gets_no_text(station: Station, page: Bot, kind: str) -> None:
    attached = [{"type": kind, "payload": {"url": "https://lookaside.example/s.jpg"}}]
    accounts.receive(station.inbox, page, "messenger", _body(_item(0, echo=False, attachments=attached)))

    assert station.answer() is Result.NO_REPLY
    assert _state(station) == (True, "open", 1, 1)
    assert station.rows("SELECT attachments->0->>'type' FROM messages") == [(kind,)]
    assert station.rows("SELECT attention FROM conversations") == [(None,)]


def test_a_template_s_elements_are_kept_and_told(station: Station, page: Bot) -> None:
    elements = [
        {"title": "Boots", "subtitle": "Waterproof", "price": "49 €", "image_url": "https://h.example/b.png",
         "buttons": [{"type": "web_url", "title": "Buy", "url": "https://h.example/b"}]},
        {"title": "Shoes"},
    ]  # fmt: skip
    template = [{"type": "template", "payload": {"template_type": "generic", "elements": elements}}]
    accounts.receive(
        station.inbox, page, "messenger", _body(ASKS, _item(60_000, echo=True, attachments=template))
    )  # fmt: skip

    [(attachments,)] = station.rows("SELECT attachments FROM messages WHERE role = 'agent'")
    assert [(one["type"], one["name"], one.get("fields")) for one in attachments] == [
        ("template", "Boots", [["subtitle", "Waterproof"], ["price", "49 €"], ["button", "Buy (https://h.example/b)"]]),
        ("image", None, None),
        ("template", "Shoes", None),
    ]
    assert station.rows("SELECT last_message_preview FROM conversations") == [
        ("template: Boots; subtitle: Waterproof; price: 49 €; button: Buy (https://h.example/b)",)
    ]


def test_cases_of_machines_and_stories(station: Station) -> None:
    page = accounts.connect(station.inbox, "messenger", PAGE)
    station.learn(page)
    accounts.receive(station.inbox, page, "messenger", *accounts.case("32-fb-auto-reply-echo"))
    assert _state(station)[:2] == (True, "open")
    assert station.answer() is Result.ANSWERED


def test_case_of_a_story_mention(station: Station) -> None:
    account = accounts.connect(station.inbox, "instagram", "17841400000000001")
    accounts.receive(station.inbox, account, "instagram", accounts.case("33-ig-story-mention"))
    assert station.answer() is Result.NO_REPLY
    assert station.rows("SELECT count(*) FROM outbound") == [(0,)]
