"""Archival: what is old and quiet moves with all that belongs to it, and is read, met and restored as if it had not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import psycopg
import pytest

from shared.clock import FixedClock
from shared.embedded import Database
from shared.store.answers import receipts
from shared.store.db.pool import set_companies
from shared.store.inbox import conversations, message_pages, messages
from shared.store.lifecycle import archive_runs as store
from shared.store.lifecycle import deletion
from shared.store.operations import requests
from tasks.lifecycle import archive
from tasks.operations import jobs
from tasks.operations.jobs import Work
from tests.factories import Bot, Inbox, make_bot, settings_for, update
from tests.integration import history
from tests.integration.command_line import Run, misused, nothing_done, one_line

KEEP = 100


@pytest.fixture
def work(database: Database) -> Iterator[Work]:
    with psycopg.connect(database.admin_url, autocommit=True) as conn:
        yield Work(conn, settings_for(database, "redis://127.0.0.1:1/0"), FixedClock(datetime.now(UTC)))


@pytest.fixture
def bot(database: Database) -> Bot:
    return make_bot(database.admin_url)


def _seqs(work: Work, conversation: int) -> list[int]:
    rows = work.conn.execute("SELECT seq FROM messages WHERE conversation_id = %s ORDER BY 1", (conversation,))
    return [int(str(seq)) for (seq,) in rows.fetchall()]


def _unread(work: Work) -> list[tuple[object, ...]]:
    return work.conn.execute(
        "SELECT id, message_count, customer_seq, read_seq FROM conversations ORDER BY 1"
    ).fetchall()


def test_old_messages_of_a_quiet_conversation_move_with_all_that_belongs_to_them(work: Work, bot: Bot) -> None:
    conversation = history.write(work.conn, bot, "5", 450)
    before, unread = history.rows(work.conn), _unread(work)

    ran = history.archive(work)

    assert _seqs(work, conversation) == list(range(351, 451))
    hot = history.rows(work.conn)
    assert {table: len(rows) for table, rows in hot.items()} == {
        "messages": 100, "turns": 50, "receipts": 50, "outbound": 100,
    }  # fmt: skip
    assert history.everywhere(work.conn) == {table: sorted(rows) for table, rows in before.items()}
    assert ran.rows == 350 + 175 + 175 + 350
    assert _unread(work) == unread
    assert history.archive(work).rows == 0


@pytest.mark.parametrize(("count", "days"), [(100, 400), (450, 182)])
def test_the_last_hundred_and_the_last_half_year_stay(work: Work, bot: Bot, count: int, days: int) -> None:
    conversation = history.write(work.conn, bot, "5", count, days=days)

    history.archive(work)

    assert _seqs(work, conversation) == list(range(1, count + 1))


@pytest.mark.parametrize(
    "busy",
    [
        "UPDATE turns SET state = 'waiting' WHERE id = (SELECT max(id) FROM turns)",
        "UPDATE outbound SET state = 'unknown_outcome', unknown_since = now()"
        " WHERE id = (SELECT min(id) FROM outbound)",
    ],
)
def test_a_conversation_in_which_something_is_under_way_stays(work: Work, bot: Bot, busy: str) -> None:
    conversation = history.write(work.conn, bot, "5", 200)
    work.conn.execute(busy.encode())

    history.archive(work)

    assert len(_seqs(work, conversation)) == 200


def test_a_turn_whose_answer_stays_stays_with_it_and_goes_the_next_time(work: Work, bot: Bot) -> None:
    """101 customer messages in a row, then 100 answers: what answers the moved ones stands among the last hundred."""
    history.write(work.conn, bot, "5", 200)
    work.conn.execute(
        "UPDATE receipts SET message_id = (SELECT max(id) FROM messages)"
        " WHERE turn_id = (SELECT min(turn_id) FROM receipts)"
    )
    before = history.everywhere(work.conn)

    history.archive(work)
    assert len(history.rows(work.conn)["turns"]) == 51
    work.conn.execute("UPDATE conversations SET message_count = message_count + 100")
    history.archive(work)

    assert len(history.rows(work.conn)["turns"]) == 0
    assert history.everywhere(work.conn) == before


def test_a_long_conversation_goes_in_bounded_batches(work: Work, bot: Bot, monkeypatch: pytest.MonkeyPatch) -> None:
    conversation = history.write(work.conn, bot, "5", 1000)
    history.write(work.conn, bot, "6", 130, days=300)
    before = history.everywhere(work.conn)
    monkeypatch.setattr(archive, "MESSAGES_A_BATCH", 250)

    ran = history.archive(work)

    assert ran.batches >= 4
    assert _seqs(work, conversation) == list(range(901, 1001))
    assert history.everywhere(work.conn) == before
    [run] = store.runs(work.conn)
    assert run.messages == 930
    assert run.bytes_after < run.bytes_before / 2
    assert run.finished_at is not None


def test_a_pace_is_kept_by_pauses_behind_the_batches(work: Work, bot: Bot, monkeypatch: pytest.MonkeyPatch) -> None:
    history.write(work.conn, bot, "5", 500)
    before = history.everywhere(work.conn)
    pauses: list[float] = []
    monkeypatch.setattr("tasks.lifecycle.archive.time.sleep", pauses.append)
    paced = replace(work, settings=work.settings.changed(ARCHIVE_MESSAGES_PER_S=40))

    ran = history.archive(paced)

    # a hundred a time, and no longer than their two seconds and a half behind each; then looks that find nothing
    assert ran.batches >= 5
    assert all(0 <= pause <= 2.5 for pause in pauses)
    assert max(pauses) > 1
    assert [run.messages for run in store.runs(work.conn)] == [400]
    assert history.everywhere(work.conn) == before


def test_companies_have_terms_of_their_own_and_one_can_be_moved_alone(work: Work, database: Database, bot: Bot) -> None:
    other, third = make_bot(database.admin_url), make_bot(database.admin_url)
    quick, slow, left = (history.write(work.conn, b, "5", 120, days=100) for b in (bot, other, third))
    store.set_terms(work.conn, bot.company_id, after_days=90, delete_after_days=None)
    store.set_terms(work.conn, third.company_id, after_days=90, delete_after_days=None)

    history.archive(work, only=bot.company_id)

    assert [len(_seqs(work, c)) for c in (quick, slow, left)] == [100, 120, 120]
    history.archive(work)
    assert [len(_seqs(work, c)) for c in (quick, slow, left)] == [100, 120, 100]


def test_who_reads_notices_nothing(work: Work, database: Database, bot: Bot) -> None:
    conversation = history.write(work.conn, bot, "5", 650)
    history.write(work.conn, make_bot(database.admin_url), "5", 650)

    def read() -> list[object]:
        """As the application role: pages from everywhere, a visitor's view, receipts."""
        found: list[object] = []
        with psycopg.connect(database.url, autocommit=True) as conn, conn.transaction():
            set_companies(conn, [bot.company_id])
            for seq in (0, 1, 199, 200, 201, 349, 540, 549, 550, 551, 600, 649, 650):
                found += [
                    message_pages.page(conn, bot.company_id, conversation, after_seq=seq, limit=limit)
                    for limit in (1, 7, 100, 1000)
                ]
                found.append(message_pages.of_chat(conn, bot.company_id, bot.channel_id, "5", after_seq=seq))
            found.append(messages.id_of_key(conn, bot.company_id, bot.channel_id, "5:1"))
            found.append(messages.id_of_key(conn, bot.company_id, bot.channel_id, "5:2"))
            found.append(receipts.of_conversation(conn, bot.company_id, conversation))
        return found

    before = read()
    assert isinstance(before[-1], list)
    assert len(before[-1]) == 325

    history.archive(work)

    assert len(_seqs(work, conversation)) == KEEP
    assert read() == before


def test_the_way_of_an_archived_answer_is_told_as_before(work: Work, bot: Bot) -> None:
    conversation = history.write(work.conn, bot, "5", 650)
    request_id = f"{int(work.clock.now().timestamp() * 1000):x}-1"
    # as Telegram stores it, of a term so short that the ledger knows the archived message still
    work.conn.execute(
        "INSERT INTO webhook_events (day, stream, entry_id, ordinal, received_at, platform, app_id, company_id, kind,"
        " outcome, message_id, request_id) SELECT current_date, 'sb:journal:0', %s, 0, m.created_at, 'telegram', 1,"
        " m.company_id, 'message', 'effected', m.id, %s FROM messages m WHERE m.conversation_id = %s AND m.seq = 11",
        (f"{int(work.clock.now().timestamp() * 1000)}-0", request_id, conversation),
    )
    [(turn,)] = work.conn.execute(
        "SELECT id FROM turns WHERE conversation_id = %s AND first_seq = 11", (conversation,)
    ).fetchall()

    def told() -> list[object]:
        of_turn = [receipts.story(work.conn, int(str(turn)), company) for company in (None, bot.company_id)]
        return [*of_turn, requests.trace(work.conn, request_id, ["sb:journal:0"])]

    before = told()
    assert isinstance(before[0], receipts.Story)
    assert (before[0].state, len(before[0].parts)) == ("answered", 2)

    history.archive(work)

    assert told() == before
    assert receipts.story(work.conn, int(str(turn)), bot.company_id + 1) is None


def test_another_company_reads_nothing_of_it(work: Work, database: Database, bot: Bot) -> None:
    foreign = make_bot(database.admin_url)
    conversation = history.write(work.conn, bot, "5", 300)
    history.archive(work)

    with psycopg.connect(database.url, autocommit=True) as conn, conn.transaction():
        set_companies(conn, [foreign.company_id])
        assert message_pages.page(conn, bot.company_id, conversation, limit=10) == []
        assert messages.id_of_key(conn, bot.company_id, bot.channel_id, "5:1") is None


def test_a_late_repetition_of_an_archived_message_is_a_duplicate(
    work: Work, database: Database, redis_url: str, bot: Bot
) -> None:
    inbox = Inbox(database, redis_url)
    try:
        first = update("the first one")
        for n in range(130):
            inbox.journal(bot, first if n == 0 else update(f"message {n}"))
        inbox.drain_all()
        work.conn.execute("UPDATE conversations SET last_message_at = now() - make_interval(days => 200)")
        work.conn.execute("UPDATE turns SET state = 'cancelled'")
        history.archive(work)
        assert work.conn.execute("SELECT count(*), min(seq) FROM messages").fetchone() == (100, 31)

        inbox.journal(bot, first)
        inbox.journal(bot, update("a new one"))
        stored = inbox.drain_all()

        assert (stored.effected, stored.dropped) == (1, 1)
        assert inbox.rows("SELECT outcome, reason FROM webhook_events WHERE outcome = 'dropped'") == [
            ("dropped", "duplicate")
        ]
        assert work.conn.execute("SELECT count(*), max(seq) FROM messages").fetchone() == (101, 131)
    finally:
        inbox.close()


def test_whoever_writes_just_now_is_spared_and_waits_for_nobody(work: Work, database: Database, bot: Bot) -> None:
    conversation = history.write(work.conn, bot, "5", 300)
    other = history.write(work.conn, bot, "6", 300)
    with psycopg.connect(database.admin_url) as writer:
        assert conversations.lock(writer, bot.company_id, conversation) is not None

        history.archive(work)

        assert [len(_seqs(work, c)) for c in (conversation, other)] == [300, 100]


def test_a_restored_conversation_is_as_it_was(work: Work, bot: Bot) -> None:
    conversation = history.write(work.conn, bot, "5", 650)
    other = history.write(work.conn, bot, "6", 300)
    before, unread = history.rows(work.conn), _unread(work)
    history.archive(work)

    back = archive.restore(work, company_id=bot.company_id, conversation_id=conversation)

    assert back == 550
    assert len(_seqs(work, other)) == 100
    assert archive.restore(work) == 200
    assert history.rows(work.conn) == before
    assert _unread(work) == unread
    for table in ("archive_segments", "archived_keys"):
        assert work.conn.execute(f"SELECT count(*) FROM {table}".encode()).fetchone() == (0,)
    assert work.conn.execute("SELECT max(archived_seq) FROM conversations").fetchone() == (0,)
    assert [run.restored for run in store.runs(work.conn)] == [750]


def test_restoring_a_run_brings_back_what_was_archived_behind_it(work: Work, bot: Bot) -> None:
    """What is archived stays a conversation's beginning."""
    conversation = history.write(work.conn, bot, "5", 300)
    history.archive(work)
    work.conn.execute("UPDATE conversations SET message_count = message_count + 50")
    history.archive(work)
    other = history.write(work.conn, bot, "6", 300)
    history.archive(work)
    first, second, third = (run.id for run in reversed(store.runs(work.conn)))

    assert archive.restore(work, run_id=second) == 50
    assert archive.restore(work, run_id=second) == 0
    assert archive.restore(work, run_id=first) == 200

    assert _seqs(work, conversation) == list(range(1, 301))
    assert len(_seqs(work, other)) == 100
    assert archive.restore(work, run_id=third) == 200


def test_a_column_that_came_after_archival_takes_its_default_at_restoring(work: Work, bot: Bot) -> None:
    conversation = history.write(work.conn, bot, "5", 300)
    work.conn.execute("ALTER TABLE messages ADD COLUMN gone int")
    history.archive(work)
    work.conn.execute("ALTER TABLE messages ADD COLUMN stars int NOT NULL DEFAULT 5, DROP COLUMN gone")

    archive.restore(work)

    assert len(_seqs(work, conversation)) == 300
    assert work.conn.execute("SELECT DISTINCT stars FROM messages").fetchall() == [(5,)]


# ------------------------------------------------------------------ for good
def test_archives_older_than_a_bound_are_deleted_with_a_receipt_and_only_they(
    work: Work, database: Database, bot: Bot
) -> None:
    other = make_bot(database.admin_url)
    history.write(work.conn, bot, "5", 300, days=500)
    history.write(work.conn, bot, "6", 300, days=300)
    history.write(work.conn, other, "5", 300, days=500)
    history.archive(work)
    hot = history.rows(work.conn)
    store.set_terms(work.conn, bot.company_id, after_days=None, delete_after_days=400)

    for _ in range(2):
        assert jobs.run(archive.DELETE_OLD, work, slot=None, by="hand") is not None

    left = work.conn.execute("SELECT company_id, sum(rows) FROM archive_segments GROUP BY 1 ORDER BY 1").fetchall()
    assert left == [(bot.company_id, 600), (other.company_id, 600)]
    assert work.conn.execute("SELECT count(*) FROM archived_keys").fetchone() == (200,)
    assert history.rows(work.conn) == hot
    [receipt] = deletion.receipts(work.conn)
    assert (receipt.company_id, receipt.kind, receipt.requested_by) == (bot.company_id, "archive", "timetable")
    assert receipt.counts == {"messages": 200, "turns": 100, "receipts": 100, "outbound": 200, "keys": 100}


def test_a_conversation_whose_beginning_was_deleted_is_read_from_what_is_left(work: Work, bot: Bot) -> None:
    conversation = history.write(work.conn, bot, "5", 300, days=500)
    history.archive(work)
    assert jobs.run(archive.deleting(older_than_days=60), work, slot=None, by="hand") is not None

    with work.conn.transaction():
        assert [m.seq for m in message_pages.page(work.conn, bot.company_id, conversation, limit=3)] == [201, 202, 203]
        assert len(message_pages.page(work.conn, bot.company_id, conversation, limit=500)) == 100


def test_the_archive_by_hand(run: Run, database: Database) -> None:
    bot = make_bot(database.admin_url, "Acme")
    with psycopg.connect(database.admin_url, autocommit=True) as conn:
        conversation = history.write(conn, bot, "5", 300, days=100)
    assert run("archive", "stats").out == "nothing is archived yet\n"
    misused(run("archive", "terms", "--company", "acme"), "--after-days", "--delete-after-days", "--as-everybody")
    misused(run("archive", "terms", "--company", "acme", "--after-days", 90, "--as-everybody"), "alone")
    nothing_done(run("archive", "terms", "--company", "acme", "--as-everybody"), "already")
    nothing_done(run("archive", "run"), "nothing to archive")
    assert run("archive", "terms", "--company", "acme", "--after-days", 90).code == 0
    nothing_done(run("archive", "terms", "--company", "acme", "--after-days", 90), "already")

    told = run("archive", "preview", "--company", "Acme", "--json").json
    moved = run("archive", "run", "--company", "Acme")

    assert told["rows"] == 600
    assert f"moved 600 rows, {told['size']} bytes" in moved.out
    stats = run("archive", "stats", "--json").json
    assert [(c["messages"], c["conversations"]) for c in stats["companies"]] == [(200, 1)]
    shown = run("conversations", "show", f"{bot.company_id}/{conversation}", "--json").json
    assert len(shown["messages"]) == 200
    one_line(run("archive", "restore"), "--conversation")
    one_line(run("archive", "delete", "--older-than", 60), "--dry-run")
    assert run("archive", "delete", "--older-than", 60, "--dry-run", "--json").json["rows"] == 600

    assert (
        run("archive", "restore", "--conversation", f"{bot.company_id}/{conversation}").out == "200 messages are back\n"
    )
    run("archive", "run")
    assert "deleted 700 rows" in run("archive", "delete", "--older-than", 60, "--yes").out
    assert len(run("archive", "receipts", "--json").json) == 1


def test_deleting_old_archives_goes_on_until_nothing_old_is_left(
    work: Work, database: Database, bot: Bot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "SEGMENTS_A_BATCH", 1)
    for chat in range(9):
        history.write(work.conn, bot, str(chat), 110, days=500)
    history.archive(work)
    assert work.conn.execute("SELECT count(*) FROM archive_segments WHERE kind = 'messages'").fetchone() == (9,)
    store.set_terms(work.conn, bot.company_id, after_days=None, delete_after_days=400)

    assert jobs.run(archive.DELETE_OLD, work, slot=None, by="hand") is not None

    assert work.conn.execute("SELECT count(*) FROM archive_segments").fetchone() == (0,)
