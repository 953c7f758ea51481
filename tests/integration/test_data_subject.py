"""A data subject's data: all of it is read out, and all of it goes, wherever it is."""

from __future__ import annotations

import errno
import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from shared import faults
from shared.clock import FixedClock
from shared.embedded import Database
from shared.errors import Transient
from shared.store.db import objects
from shared.store.db.pool import Conn
from shared.store.inbox import company_totals
from shared.store.lifecycle import data_subjects, deletion
from tasks.lifecycle import archive, data_subject
from tasks.operations import jobs
from tasks.operations.jobs import Work
from tests.factories import Bot, Inbox, make_bot, settings_for, update
from tests.integration import history
from tests.integration.command_line import Run, nothing_done, one_line

ANN, BEN = "planted-ann-4711", "planted-ben-4712"
PICTURE = b"a picture of ann"


@pytest.fixture
def work(database: Database, tmp_path: Path) -> Iterator[Work]:
    with psycopg.connect(database.admin_url, autocommit=True) as conn:
        config = settings_for(database, "redis://127.0.0.1:1/0", DATA_DIR=tmp_path)
        yield Work(conn, config, FixedClock(datetime.now(UTC)))
    faults.configure("", None)


@pytest.fixture
def bot(database: Database) -> Bot:
    return make_bot(database.admin_url, "Acme")


def _contact(conn: Conn, external_id: str) -> data_subjects.Contact:
    [(company, id_)] = conn.execute(
        "SELECT company_id, id FROM contacts WHERE external_id = %s", (external_id,)
    ).fetchall()
    found = data_subjects.one(conn, int(str(company)), int(str(id_)))
    assert found is not None
    return found


def _everything(conn: Conn) -> str:
    """Every row of every table, as text."""
    tables = conn.execute(
        "SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')"
        " AND NOT relispartition"
    ).fetchall()
    return "".join(
        str(row) for (table,) in tables for row in conn.execute(f"SELECT t::text FROM {table} t".encode()).fetchall()
    )


def _with_a_picture(work: Work, bot: Bot, message_id: int) -> None:
    sha = hashlib.sha256(PICTURE)
    objects.from_settings(work.settings).put(bot.company_id, sha.hexdigest(), PICTURE)
    work.conn.execute(
        "INSERT INTO media (company_id, message_id, ordinal, channel_id, state, sha256, size_bytes)"
        " VALUES (%s, %s, 0, %s, 'stored', %s, 1)",
        (bot.company_id, message_id, bot.channel_id, sha.digest()),
    )


def _in_a_group(conn: Conn, bot: Bot, conversation: int) -> None:
    """Ben writes in Ann's conversation, too: every other customer message is his."""
    conn.execute(
        "INSERT INTO contacts (company_id, channel_id, external_id, name) VALUES (%s, %s, %s, 'Ben')",
        (bot.company_id, bot.channel_id, BEN),
    )
    conn.execute(
        "UPDATE messages SET contact_id = (SELECT id FROM contacts WHERE external_id = %s), text = 'ben said',"
        " dedupe_key = 'ben:' || id, external_id = NULL WHERE conversation_id = %s AND seq %% 4 = 1",
        (BEN, conversation),
    )


def _react(conn: Conn, bot: Bot, chat: str, sender: str) -> None:
    conn.execute(
        "INSERT INTO message_reactions (company_id, channel_id, chat, target, sender, emoji, at)"
        " VALUES (%s, %s, %s, 'm1', %s, '👍', '2031-01-01')",
        (bot.company_id, bot.channel_id, chat, sender),
    )


def test_a_person_s_own_conversation_goes_with_all_that_belongs_to_it(work: Work, bot: Bot) -> None:
    conversation = history.write(work.conn, bot, ANN, 300)
    history.write(work.conn, bot, BEN, 40)
    [(first,)] = work.conn.execute(
        "SELECT min(id) FROM messages WHERE conversation_id = %s", (conversation,)
    ).fetchall()
    _with_a_picture(work, bot, int(str(first)))
    work.conn.execute("UPDATE conversations SET customer_seq = 20, read_seq = 5")
    company_totals.reconcile_totals(work.conn, bot.company_id)
    jobs.run(archive.MOVE_MESSAGES, work, slot=None, by="hand")
    assert ANN in _everything(work.conn)

    counts = data_subject.erase(work, _contact(work.conn, ANN), by="hand")

    assert ANN not in _everything(work.conn)
    assert (counts["messages"], counts["archive_segments"] > 0, counts["contacts"], counts["media"]) == (
        100,
        True,
        1,
        1,
    )
    assert objects.from_settings(work.settings).get(bot.company_id, hashlib.sha256(PICTURE).hexdigest()) is None
    assert work.conn.execute("SELECT count(*) FROM messages").fetchone() == (40,)
    assert work.conn.execute("SELECT customer_messages, unread FROM company_totals").fetchone() == (20, 15)
    assert not company_totals.reconcile_totals(work.conn, bot.company_id)
    [receipt] = deletion.receipts(work.conn, bot.company_id)
    assert {k: v for k, v in receipt.counts.items() if v} == {k: v for k, v in counts.items() if v}


def test_what_somebody_s_questions_cost_leads_to_nobody_afterwards(work: Work, bot: Bot) -> None:
    """The company has spent it all the same."""
    history.write(work.conn, bot, ANN, 20)
    ann = _contact(work.conn, ANN)
    at = (bot.company_id, ann.id)
    work.conn.execute("INSERT INTO contact_days VALUES (%s, %s, '2031-01-01', 7)", at)
    work.conn.execute("INSERT INTO budgets VALUES (%s, 'contact', %s, 100)", at)
    work.conn.execute("INSERT INTO budget_resets VALUES (%s, %s, '2031-01-01', 0)", at)
    work.conn.execute("INSERT INTO usage_daily (company_id, day, cost_micros) VALUES (%s, '2031-01-01', 7)", at[:1])
    work.conn.execute(
        "INSERT INTO budget_reservations (company_id, contact_id, micros, purpose, day, expires_at)"
        " VALUES (%s, %s, 5, 'answer', '2031-01-01', now())", at,
    )  # fmt: skip
    work.conn.execute(
        "INSERT INTO contact_answers (company_id, contact_id, answered_at)"
        " VALUES (%s, %s, ARRAY['2031-01-01'::timestamptz])",
        (ann.company_id, ann.id),
    )
    assert "2031-01-01" in str(data_subject.export(work, ann)["answers_of_an_hour"])
    assert data_subject.export(work, ann)["costs"] == [{"day": "2031-01-01", "cost_micros": 7}]

    counts = data_subject.erase(work, ann, by="hand")

    assert (counts["contact_days"], counts["budgets"], counts["budget_resets"]) == (1, 1, 1)
    assert work.conn.execute("SELECT count(*) FROM contact_days").fetchone() == (0,)
    assert work.conn.execute("SELECT contact_id, micros FROM budget_reservations").fetchall() == [(0, 5)]
    assert work.conn.execute("SELECT cost_micros FROM usage_daily").fetchall() == [(7,)]


def test_among_others_words_and_person_go_and_places_stay(work: Work, bot: Bot) -> None:
    conversation = history.write(work.conn, bot, ANN, 300)
    _in_a_group(work.conn, bot, conversation)
    work.conn.execute("UPDATE messages SET edits = ARRAY[%s] WHERE seq IN (3, 299)", (f"edit:{ANN}",))
    work.conn.execute("UPDATE conversations SET referral = %s, last_customer_message = %s", (f"ad-{ANN}", f"m-{ANN}"))
    _react(work.conn, bot, "a chat in which she never wrote", ANN)
    jobs.run(archive.MOVE_MESSAGES, work, slot=None, by="hand")
    ben_said = _everything(work.conn).count("ben said")

    data_subject.erase(work, _contact(work.conn, ANN), by="hand")
    everything = _everything(work.conn)

    # the chat of the group is the group's
    assert everything.count(ANN) == everything.count(f",{ANN},") == 1
    assert everything.count("ben said") == ben_said
    archive.restore(work)
    rows = work.conn.execute(
        "SELECT count(*), count(DISTINCT seq), count(*) FILTER (WHERE role = 'customer' AND text IS NULL AND contact_id"
        " IS NULL AND dedupe_key LIKE 'erased:%') FROM messages"
    ).fetchone()
    assert rows == (300, 300, 75)


def test_the_ledger_keeps_that_it_was_and_the_body_goes(
    work: Work, database: Database, redis_url: str, bot: Bot
) -> None:
    inbox = Inbox(database, redis_url)
    try:
        inbox.journal(bot, update("hello", chat=47_110_815))
        inbox.journal(bot, update("hello", chat=47_110_816))
        inbox.drain_all()
    finally:
        inbox.close()

    data_subject.erase(work, _contact(work.conn, "47110815"), by="hand")

    assert "47110815" not in _everything(work.conn)
    assert work.conn.execute("SELECT count(*) FROM webhook_raw").fetchone() == (1,)
    assert work.conn.execute("SELECT count(*), count(message_id) FROM webhook_events").fetchone() == (2, 1)


def test_killed_between_two_conversations_the_next_one_ends_it(work: Work, bot: Bot, tmp_path: Path) -> None:
    history.write(work.conn, bot, ANN, 40)
    other = history.write(work.conn, bot, "second-chat", 20)
    ann = _contact(work.conn, ANN)
    work.conn.execute("UPDATE conversations SET contact_id = %s WHERE id = %s", (ann.id, other))
    work.conn.execute("UPDATE messages SET contact_id = %s WHERE contact_id IS NOT NULL", (ann.id,))
    before = deletion.receipts(work.conn)
    faults.configure("data_subject.erased_part=raise", tmp_path)
    with pytest.raises(faults.InjectedFault):
        data_subject.erase(work, ann, by="hand")
    assert deletion.receipts(work.conn) == before
    assert work.conn.execute("SELECT count(*) FROM messages").fetchone() == (60,)

    data_subject.erase(work, ann, by="hand")

    assert work.conn.execute("SELECT count(*) FROM messages").fetchone() == (0,)
    [receipt] = deletion.receipts(work.conn)
    assert (receipt.counts["messages"], receipt.counts["conversations"]) == (60, 2)


def test_whoever_writes_meanwhile_is_not_half_forgotten(work: Work, bot: Bot, monkeypatch: pytest.MonkeyPatch) -> None:
    history.write(work.conn, bot, ANN, 40)
    ann = _contact(work.conn, ANN)
    found = data_subjects.parts(work.conn, ann)
    history.write(work.conn, bot, "another", 2)
    work.conn.execute("UPDATE conversations SET contact_id = %s", (ann.id,))
    monkeypatch.setattr(data_subjects, "parts", lambda conn, contact: found)

    with pytest.raises(Transient, match="once more"):
        data_subject.erase(work, ann, by="hand")

    assert data_subjects.one(work.conn, ann.company_id, ann.id) is not None


def test_an_export_holds_every_word_of_theirs_and_nobody_else_s(work: Work, bot: Bot) -> None:
    conversation = history.write(work.conn, bot, ANN, 300)
    _in_a_group(work.conn, bot, conversation)
    alone = history.write(work.conn, bot, "alone", 250)
    ann = _contact(work.conn, ANN)
    work.conn.execute("UPDATE messages SET contact_id = %s WHERE conversation_id = %s AND contact_id IS NOT NULL",
                      (ann.id, alone))  # fmt: skip
    _react(work.conn, bot, ANN, ANN)
    _react(work.conn, bot, ANN, BEN)
    before = data_subject.export(work, ann)
    jobs.run(archive.MOVE_MESSAGES, work, slot=None, by="hand")

    found = data_subject.export(work, ann)

    assert found == before
    assert [(c["conversation"], c["alone"], len(c["messages"])) for c in found["conversations"]] == [
        (conversation, False, 75), (alone, True, 250),
    ]  # fmt: skip
    assert "ben said" not in json.dumps(found)
    assert [(r["chat"], r["message"], r["emoji"]) for r in found["reactions"]] == [(ANN, "m1", "👍")]


def _disk_full(*_: object, **__: object) -> str:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_person_by_hand(
    run: Run, database: Database, redis_url: str, tmp_path: Path, bot: Bot, monkeypatch: pytest.MonkeyPatch
) -> None:
    inbox = Inbox(database, redis_url)
    try:
        inbox.journal(bot, update("secret words", chat=47_110_815))
        inbox.drain_all()
        [found] = run("contact", "find", "47110815", "--company", "Acme", "--json").json
        place = f"{found['company_id']}/{found['id']}"

        assert run("contact", "export", place, tmp_path / "out").code == 0
        assert (tmp_path / "out").stat().st_mode & 0o777 == 0o700
        assert (tmp_path / "out/data.json").stat().st_mode & 0o777 == 0o600
        one_line(run("contact", "export", place, tmp_path / "out"), "is not empty")
        (tmp_path / "empty").mkdir()
        with monkeypatch.context() as broken:
            broken.setattr("workers.commands.contacts.json.dumps", _disk_full)
            one_line(run("contact", "export", place, tmp_path / "empty"), "No space left", "nothing was left there")
        assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []  # nothing half is left
        assert list((tmp_path / "empty").iterdir()) == []
        assert "secret words" in (tmp_path / "out" / "data.json").read_text()
        one_line(run("contact", "erase", place), "--yes")
        inbox.journal(bot, update("more", chat=47_110_815))
        one_line(run("contact", "erase", place, "--yes"), "journal")
        inbox.drain_all()
    finally:
        inbox.close()

    erased = run("contact", "erase", place, "--yes", "--json").json
    again = run("contact", "erase", place, "--yes", "--json").json

    assert erased == again
    assert (erased["messages"], erased["contacts"]) == (2, 1)
    nothing_done(run("contact", "find", "47110815", "--company", "acme"), "no contact of that id")
    nothing_done(run("contact", "export", place, tmp_path / "new"), "there is no contact")
    nothing_done(run("contact", "erase", f"{bot.company_id}/999", "--yes"), "nor was there")


def test_the_same_id_of_another_company_stays(work: Work, database: Database, bot: Bot) -> None:
    other = make_bot(database.admin_url)
    history.write(work.conn, bot, ANN, 20)
    history.write(work.conn, other, ANN, 20)
    mine = replace(data_subjects.find(work.conn, bot.company_id, ANN)[0])

    data_subject.erase(work, mine, by="hand")

    assert work.conn.execute("SELECT DISTINCT company_id FROM messages").fetchall() == [(other.company_id,)]
    assert len(data_subjects.find(work.conn, other.company_id, ANN)) == 1
