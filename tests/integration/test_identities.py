"""One person under several ids is one contact with one conversation, whichever id comes first."""

from __future__ import annotations

import itertools
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from shared.store.inbox import company_totals, conversation_list, message_pages
from shared.store.lifecycle import archive, archive_runs, data_subjects
from tasks.answers.reply import Result
from tests.factories import Bot
from tests.integration import accounts
from tests.integration.station import Station
from tests.unit import fixtures_whatsapp as whatsapp

NUMBER, OTHER, USER = "5215500000012", "525500000012", "MX.70011223344"
_ids = itertools.count(1)


@pytest.fixture
def number(station: Station) -> Bot:
    bot = accounts.connect(station.inbox, "whatsapp", whatsapp.NUMBER_ID, whatsapp.NUMBER)
    station.learn(bot)
    return bot


def _says(text: str, wa_id: str | None, user: str | None = None, **more: Any) -> dict[str, Any]:
    person = {"profile": {"name": "Noor"}, **({"wa_id": wa_id} if wa_id else {}), **({"user_id": user} if user else {})}
    said = whatsapp.message("text", {"body": text}, wa_id, id=f"wamid.I{next(_ids)}", **more)
    return whatsapp.messages({**said, **({"from_user_id": user} if user else {})}, contacts=[person])


def _receive(station: Station, bot: Bot, *bodies: dict[str, Any]) -> None:
    accounts.receive(station.inbox, bot, "whatsapp", *bodies)


def _people(station: Station) -> list[tuple[Any, ...]]:
    return station.rows("SELECT external_id, name FROM contacts ORDER BY id")


def _page(station: Station, bot: Bot) -> list[str | None]:
    with station.r.db.transaction(bot.company_id) as conn:
        [one] = conversation_list.recent(conn, bot.company_id)
        assert one.unread == company_totals.unread_total(conn, bot.company_id)
        return [message.text for message in message_pages.page(conn, bot.company_id, one.id)]


def _check(station: Station, texts: list[str]) -> None:
    """One contact, one conversation with gapless seqs, and every message of that contact."""
    assert station.rows("SELECT count(*) FROM contacts") == [(1,)]
    assert station.rows("SELECT count(*) FROM conversations") == [(1,)]
    assert station.rows("SELECT text FROM messages ORDER BY seq") == [(text,) for text in texts]
    assert station.rows("SELECT seq FROM messages ORDER BY seq") == [(n,) for n in range(1, len(texts) + 1)]
    assert station.rows("SELECT count(*) FROM messages m WHERE m.contact_id <> (SELECT id FROM contacts)") == [(0,)]
    assert station.rows("SELECT message_count, customer_seq FROM conversations") == [(len(texts),) * 2]
    assert station.rows("SELECT count(DISTINCT contact_id) FROM contact_identities") == [(1,)]


BOTH, ALONE, PLAIN = ("both", NUMBER, USER), ("alone", None, USER), ("plain", OTHER, None)


@pytest.mark.parametrize("order", list(itertools.permutations([BOTH, ALONE, PLAIN])))
def test_ids_are_joined_in_whichever_order_they_come(
    station: Station, number: Bot, order: tuple[tuple[str, str | None, str | None], ...]
) -> None:
    _receive(station, number, *(_says(*one) for one in order))

    _check(station, [text for text, _, _ in order])
    assert station.rows("SELECT identity FROM contact_identities ORDER BY 1") == [("525500000012",), (USER,)]
    _receive(station, number, *(_says(f"{text} again", wa_id, user) for text, wa_id, user in order))
    assert station.rows("SELECT count(*) FROM contacts") == [(1,)]


@pytest.mark.parametrize("order", list(itertools.permutations([BOTH, ALONE, PLAIN])))
def test_ids_are_joined_inside_one_request(
    station: Station, number: Bot, order: tuple[tuple[str, str | None, str | None], ...]
) -> None:
    changes = [_says(*one)["entry"][0]["changes"][0] for one in order]
    _receive(station, number, whatsapp.body(*changes))
    _check(station, [text for text, _, _ in order])


def test_a_payload_twice_is_nothing(station: Station, number: Bot) -> None:
    both, alone = _says("one", NUMBER, USER), _says("two", None, USER)
    _receive(station, number, alone, both, both, alone)
    assert sorted(_page(station, number), key=str) == ["one", "two"]
    assert station.rows("SELECT count(*) FROM contacts") == [(1,)]


def test_two_conversations_that_turn_out_to_be_one_keep_what_was_read_and_asked(station: Station, number: Bot) -> None:
    _receive(station, number, _says("When does the shop open?", NUMBER), _says("Is it open on Sunday?", None, USER))
    assert station.rows("SELECT count(*) FROM turns WHERE state = 'waiting'") == [(2,)]
    station.execute("UPDATE conversations SET read_seq = customer_seq WHERE chat = %s", USER)
    station.execute("UPDATE company_totals SET unread = 1")
    station.execute("UPDATE conversations SET attention = 'unknown', attention_since = now() WHERE chat = %s", USER)

    _receive(station, number, _says("Hello again", NUMBER, USER))

    _check(station, ["When does the shop open?", "Is it open on Sunday?", "Hello again"])
    assert station.rows("SELECT chat, attention FROM conversations") == [(NUMBER, "unknown")]
    assert _page(station, number) == ["When does the shop open?", "Is it open on Sunday?", "Hello again"]
    with station.r.db.transaction(number.company_id) as conn:
        [one] = conversation_list.recent(conn, number.company_id)
    assert one.unread == 2
    assert station.rows("SELECT count(*) FROM turns WHERE state = 'waiting'") == [(1,)]
    assert station.answer() is Result.ANSWERED
    assert station.answer() is Result.NOTHING_DUE


def test_what_two_contacts_spent_and_have_reserved_counts_together_once_they_are_one(
    station: Station, number: Bot
) -> None:
    """The nearer limit of the one that stays holds, and the newer reset."""
    _receive(station, number, _says("alone", None, USER), _says("plain", NUMBER))
    first, second = (id_ for (id_,) in station.rows("SELECT id FROM contacts ORDER BY id"))
    company = number.company_id
    for contact, ago, micros in ((first, 0, 5), (first, 3, 7), (second, 0, 10), (second, 1, 20)):
        station.execute("INSERT INTO contact_days VALUES (%s, %s, current_date - %s::int, %s)", company, contact, ago,
                        micros)  # fmt: skip
        station.execute("INSERT INTO budget_reservations (company_id, contact_id, micros, purpose, day, expires_at)"
                        " VALUES (%s, %s, 1, 'answer', current_date, now())", company, contact)  # fmt: skip
    for contact, bound, ago in ((first, 100, 2), (second, 200, 1)):
        station.execute("INSERT INTO budgets VALUES (%s, 'contact', %s, %s)", company, contact, bound)
        station.execute("INSERT INTO budget_resets VALUES (%s, %s, current_date - %s::int, 3)", company, contact, ago)
    station.execute("INSERT INTO budgets VALUES (%s, 'contacts', 0, 1)", company)

    _receive(station, number, _says("both", NUMBER, USER))

    [(left,)] = station.rows("SELECT id FROM contacts")
    assert station.rows("SELECT contact_id, current_date - day, cost_micros FROM contact_days ORDER BY 2") == [
        (left, 0, 15), (left, 1, 20), (left, 3, 7),
    ]  # fmt: skip
    assert station.rows("SELECT contact_id, sum(micros) FROM budget_reservations GROUP BY 1") == [(left, 4)]
    bound = {first: 100, second: 200}[left]
    assert station.rows("SELECT scope, contact_id, limit_micros FROM budgets ORDER BY 1") == [
        ("contact", left, bound), ("contacts", 0, 1),
    ]  # fmt: skip
    assert station.rows("SELECT contact_id, current_date - day, micros FROM budget_resets") == [(left, 1, 3)]


def test_an_echo_in_the_other_format_is_the_same_customer(station: Station, number: Bot) -> None:
    _receive(station, number, _says("hello?", NUMBER))
    _receive(
        station, number, whatsapp.echoes(whatsapp.echo("text", {"body": "Ann here"}, to=OTHER, timestamp="1760000060"))
    )
    assert _page(station, number) == ["hello?", "Ann here"]
    assert station.rows("SELECT bot_enabled FROM conversations") == [(False,)]


def test_an_echo_before_the_customer_writes_is_theirs_too(station: Station, number: Bot) -> None:
    _receive(station, number, whatsapp.echoes(whatsapp.echo("text", {"body": "Your parcel is here"}, to=OTHER)))
    _receive(station, number, _says("Thanks", NUMBER, USER))
    assert _page(station, number) == ["Your parcel is here", "Thanks"]
    assert _people(station) == [(OTHER, "Noor")]


@pytest.mark.parametrize("told", ["sent", "delivered", "read", "failed"])
def test_a_status_in_the_other_format_finds_its_message(station: Station, number: Bot, told: str) -> None:
    _receive(station, number, _says("When does the shop open?", NUMBER))
    station.answer()
    station.execute("UPDATE outbound SET state = 'sent', platform_message_id = 'wamid.P', finished_at = now()")

    _receive(station, number, whatsapp.statuses(whatsapp.status(told, id="wamid.P", recipient_id=OTHER)))

    assert station.rows("SELECT delivered_at IS NOT NULL, read_at IS NOT NULL, state FROM outbound") == [
        (told in ("delivered", "read"), told == "read", "failed" if told == "failed" else "sent")
    ]


def test_people_who_share_nothing_stay_two(station: Station, number: Bot) -> None:
    _receive(
        station, number, _says("a", "4915500000007"), _says("b", "4915500000008", "DE.1"), _says("c", None, "DE.2")
    )
    assert station.rows("SELECT count(*) FROM contacts") == [(3,)]
    assert station.rows("SELECT count(*) FROM conversations") == [(3,)]


def test_another_number_of_ours_knows_its_own_people_alone(station: Station, number: Bot) -> None:
    other = accounts.connect(station.inbox, "whatsapp", "7001001009", "4940700109")
    elsewhere = _says("b", None, USER)
    elsewhere["entry"][0]["changes"][0]["value"]["metadata"] = {"phone_number_id": "7001001009"}
    _receive(station, number, _says("a", NUMBER, USER))
    _receive(station, other, elsewhere)
    assert station.rows("SELECT external_id FROM contacts ORDER BY id") == [(NUMBER,), (USER,)]


def test_a_changed_number_takes_the_contact_along_and_frees_the_old_one(station: Station, number: Bot) -> None:
    _receive(station, number, _says("before", NUMBER, USER))
    changed = whatsapp.message("system", {"type": "user_changed_number", "wa_id": "525599999999"}, NUMBER)
    _receive(station, number, whatsapp.messages(changed, contacts=None))
    _receive(station, number, _says("after", "5215599999999"), _says("by user id", None, USER))
    _check(station, ["before", "after", "by user id"])

    _receive(station, number, _says("somebody else", NUMBER))
    assert station.rows("SELECT count(*) FROM contacts") == [(2,)]


def test_a_contact_from_before_identities_were_kept_is_found_by_its_name(station: Station, number: Bot) -> None:
    _receive(station, number, _says("a", NUMBER))
    station.execute("DELETE FROM contact_identities")
    _receive(station, number, _says("b", OTHER))
    _check(station, ["a", "b"])


def test_two_contacts_from_before_who_differ_by_the_spelling_become_one(station: Station, number: Bot) -> None:
    _receive(station, number, _says("a", NUMBER))
    station.execute("DELETE FROM contact_identities")
    station.execute(
        "INSERT INTO contacts (company_id, channel_id, external_id) SELECT company_id, channel_id, %s FROM contacts",
        OTHER,
    )  # fmt: skip
    station.execute(
        "INSERT INTO conversations (company_id, channel_id, chat, contact_id)"
        " SELECT company_id, channel_id, external_id, id FROM contacts WHERE external_id = %s", OTHER,
    )  # fmt: skip
    _receive(station, number, _says("b", OTHER))
    _check(station, ["a", "b"])


def test_cases_of_several_ids(station: Station) -> None:
    number = accounts.connect(station.inbox, "whatsapp", "PNID", "15550001111")
    station.learn(number)
    _receive(station, number, accounts.case("10-wa-bsuid-1"), accounts.case("10-wa-bsuid-2"))
    assert station.rows("SELECT count(*) FROM contacts") == [(1,)]
    assert _page(station, number) == ["Do you deliver to Norway?", "And how long does it take?"]


def test_cases_of_the_other_format(station: Station) -> None:
    number = accounts.connect(station.inbox, "whatsapp", "PNID", "15550001111")
    station.learn(number)
    _receive(station, number, accounts.case("24-wa-status-0"))
    station.answer()
    station.execute(
        "UPDATE outbound SET state = 'sent', platform_message_id = 'wamid.NTIxNTUwMDAwMDAxMjpQTklEOjM=',"
        " finished_at = now()"
    )
    for told in ("sent", "delivered", "read"):
        _receive(station, number, accounts.case(f"24-wa-status-otherformat-noref-{told}"))
    _receive(station, number, accounts.case("24-wa-status-failed-after-read"))
    assert station.rows("SELECT state, read_at IS NOT NULL FROM outbound") == [("sent", True)]

    _receive(station, number, accounts.case("25-wa-echo-other-format"))
    assert station.rows("SELECT count(*) FROM conversations") == [(1,)]
    assert _page(station, number)[-1] == "hello from the app"


def test_two_intakes_at_once_end_with_one_contact(station: Station, number: Bot) -> None:
    """Requests that name the person differently lie in different streams, each drained by its own process."""
    bodies = [_says(f"{name} {n}", wa_id, user) for n in range(8) for name, wa_id, user in (ALONE, PLAIN, BOTH)]
    for body in bodies:
        accounts.journal_one(station.inbox, number, "whatsapp", body)
    failed: list[BaseException] = []

    def drain() -> None:
        one = station.inbox.new_drain()
        try:
            for _ in range(50):
                if not any(station.inbox.client.xlen(stream) for stream in station.inbox.reader.streams):
                    return
                for stream in station.inbox.reader.streams:
                    one.drain(stream)
        except BaseException as e:
            failed.append(e)
            raise

    threads = [threading.Thread(target=drain) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    station.inbox.drain_all()
    _receive(station, number, _says("last", NUMBER, USER))

    assert not failed
    assert station.rows("SELECT count(*) FROM contacts") == [(1,)]
    assert station.rows("SELECT count(*), count(DISTINCT seq), max(seq) FROM messages") == [(25, 25, 25)]
    assert station.rows("SELECT unread_of(customer_seq, read_seq, read_beyond) FROM conversations") == [(25,)]
    assert station.rows("SELECT unread FROM company_totals") == [(25,)]


@pytest.mark.parametrize("archived", ["first", "second", "both"])
def test_archived_messages_of_a_joined_contact_are_the_one_contact_s(
    station: Station, number: Bot, archived: str
) -> None:
    _receive(station, number, *(_says(f"number {n}", OTHER) for n in range(3)))
    _receive(station, number, *(_says(f"user {n}", None, USER) for n in range(3)))
    station.execute("UPDATE turns SET state = 'no_reply', finished_at = now(), epoch = epoch + 1")
    if archived != "both":
        station.execute(
            "UPDATE conversations SET last_message_at = now() + interval '9 days' WHERE chat = %s",
            USER if archived == "first" else OTHER,
        )
    with psycopg.connect(station.inbox.server.admin_url, autocommit=True) as owner:
        run, later = archive_runs.begin_run(owner), datetime.now(UTC) + timedelta(days=1)
        with owner.transaction():
            found = archive.pick(owner, number.company_id, before=later, keep=1, limit=99, after=None)
            archive.move(owner, number.company_id, found, run)

        _receive(station, number, _says("both", OTHER, USER))

        assert station.rows("SELECT count(*) FROM contacts") == [(1,)]
        assert sorted(_page(station, number), key=str) == sorted(
            ["both", *(f"{who} {n}" for who in ("number", "user") for n in range(3))]
        )
        [contact] = data_subjects.find(owner, number.company_id, USER)
        [part] = data_subjects.parts(owner, contact)
        assert part.alone
        said = data_subjects.said(owner, contact, part)
        assert {row["contact_id"] for row in said} == {contact.id}
        assert [row["seq"] for row in said] == list(range(1, 8))
