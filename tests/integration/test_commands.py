"""The command line on real services: what an operator types, and what stands there afterwards."""

from __future__ import annotations

import json
from pathlib import Path

import psycopg
import pytest

from shared.embedded import Database
from shared.live.hints import HintListener
from shared.live.topics import Moved
from shared.model import SendOutcome
from shared.store.db.migrate import files
from shared.store.db.redis import connect
from shared.store.delivery import outbound, send_results
from shared.store.lifecycle import retention
from shared.store.tenants import limits
from tests.factories import Bot, Inbox, make_bot, update
from tests.integration.claims import begin_send, claim_part
from tests.integration.command_line import SENT, Run, make_dead_letter, misused, nothing_done, one_line


@pytest.fixture
def bot(inbox: Inbox) -> Bot:
    return make_bot(inbox.server.admin_url, "Shoe shop")


def _unknown_outcome(inbox: Inbox, bot: Bot) -> str:
    """A send whose outcome nobody knows; returns its place."""
    inbox.journal(bot, update("hello", chat=5))
    inbox.drain_all()
    [(conversation,)] = inbox.rows("SELECT id FROM conversations")
    with inbox.db.transaction(bot.company_id) as conn:
        outbound.add_parts(conn, bot.company_id, conversation, bot.channel_id, None, 1, ["an answer"])
    with inbox.db.transaction() as conn:
        claim = claim_part(conn)
    assert claim is not None
    with inbox.db.transaction(bot.company_id) as conn:
        attempt = begin_send(conn, claim)
        assert attempt is not None
        assert send_results.record(
            conn, claim, attempt, SendOutcome("unknown_outcome", "timeout"), delay_s=0, duration_ms=1
        )
    return f"{claim.company_id}/{claim.outbound_id}"


def test_migrating_twice_says_that_there_is_nothing_left(
    run: Run, monkeypatch: pytest.MonkeyPatch, empty_database: Database
) -> None:
    monkeypatch.setenv("DATABASE_ADMIN_URL", empty_database.admin_url)

    first, second = run("migrate"), run("migrate")

    assert first.lines == [f"applied {name}" for name, _ in files()]
    assert second.lines == ["the schema is up to date"]
    with psycopg.connect(empty_database.admin_url) as conn:
        partitions = conn.execute("SELECT count(*) FROM pg_inherits").fetchone()
    assert partitions is not None
    assert partitions[0] > 7
    while (undone := run("migrate", "--undo")).code == 0:
        assert undone.lines
    one_line(undone, "has no undo", "restore a backup")


def test_a_company_is_made_once_with_a_slug_and_a_key(run: Run, inbox: Inbox) -> None:
    made = run("company", "create", " Bücher & mehr ", "--json").json
    again = run("company", "create", "BÜCHER & MEHR")

    assert (made["name"], made["slug"]) == ("Bücher & mehr", "bucher-mehr")
    nothing_done(again, "bucher-mehr", "agent create NAME --company bucher-mehr")
    assert inbox.rows("SELECT name, slug FROM companies") == [("Bücher & mehr", "bucher-mehr")]
    [(stored,)] = inbox.rows("SELECT key_hash FROM api_keys")
    assert made["api_key"].encode() not in bytes(stored)


def _folder_of_pictures(within: Path) -> Path:
    folder = within / "pictures"
    folder.mkdir()
    (folder / "logo.png").write_bytes(b"\x89PNG")
    return folder


def test_documents_are_added_once_listed_and_found(run: Run, tmp_path: Path, bot: Bot) -> None:
    folder = tmp_path / "knowledge"
    folder.mkdir()
    (folder / "returns.md").write_text("# Returns\n\nYou can return shoes within 30 days.")
    (folder / "hours.txt").write_text("We open at nine.")
    (folder / "logo.png").write_bytes(b"\x89PNG")

    added = run("documents", "add", folder, "--company", "shoe-shop")
    again = run("documents", "add", folder, "--company", "shoe-shop")
    (folder / "hours.txt").write_text("We open at ten.")
    changed = run("documents", "add", folder, "--company", "shoe-shop")

    assert added.lines[-2] == "2 added, 0 changed, 0 unchanged, 1 skipped, 0 failed"
    assert added.lines[-1].startswith("files that are read end in .")
    assert added.out.count(".pdf") == 1
    assert "logo.png  skipped: unknown type" in added.out
    assert (again.code, again.lines[-2]) == (0, "0 added, 0 changed, 2 unchanged, 1 skipped, 0 failed")
    assert "the same text is there already" in again.out
    assert (changed.code, changed.lines[-2]) == (0, "0 added, 1 changed, 1 unchanged, 1 skipped, 0 failed")
    listed = run("documents", "list", "--company", "shoe-shop", "--json").json
    assert sorted((d["source"], d["title"]) for d in listed) == [("hours.txt", "hours"), ("returns.md", "Returns")]
    assert [(d["chunk_count"], d["vectors"]) for d in listed] == [(1, 0), (1, 0)]
    pictures = run("documents", "add", _folder_of_pictures(tmp_path), "--company", "shoe-shop")
    assert (pictures.code, "no file that can be read" in pictures.err) == (1, True)
    found = run("documents", "search", "How long can I return shoes?", "--company", "shoe-shop").lines
    assert found[0].startswith("[1] Returns")
    assert "30 days" in found[1]
    nothing = run("documents", "search", "xylophone", "--company", "shoe-shop")
    assert (nothing.code, nothing.out, "nothing found" in nothing.err) == (1, "", True)
    place = f"shoe-shop/{listed[0]['id']}"
    assert run("documents", "delete", place, "--json").json["deleted"] is True
    nothing_done(run("documents", "delete", place), "documents list")
    assert len(run("documents", "list", "--company", "shoe-shop", "--json").json) == 1


def test_a_file_that_cannot_be_read_is_named_with_the_reason_and_the_others_go_on(
    run: Run, tmp_path: Path, bot: Bot
) -> None:
    (tmp_path / "a.txt").write_bytes("кафе".encode("cp1251"))
    (tmp_path / "b.pdf").write_bytes(b"%PDF-1.7 and then nothing")
    (tmp_path / "c.md").write_text("# Returns\n\nWithin thirty days.")

    ended = run("documents", "add", tmp_path, "--company", "shoe-shop")

    assert ended.code == 1
    assert [("FAILED" in line, line.partition("]")[0]) for line in ended.lines[:3]] == [
        (True, "[1/3"), (True, "[2/3"), (False, "[3/3"),
    ]  # fmt: skip
    assert "save it as UTF-8" in ended.lines[0]
    shown = run("documents", "progress", "--company", "shoe-shop").lines
    assert shown[0] == "files and pages: 0 queued, 1 done, 2 failed; documents that wait for vectors: 1"
    assert [line.split()[1] for line in shown[1:]] == ["a.txt", "b.pdf"]

    (tmp_path / "a.txt").write_text("café")
    run("documents", "add", tmp_path / "a.txt", "--company", "shoe-shop")
    assert run("documents", "progress", "--company", "shoe-shop", "--json").json["counts"] == {"done": 2, "failed": 1}

    assert run("documents", "clear-failed", "--company", "shoe-shop", "--dry-run").lines[-1].startswith("1 would be")
    nothing_done(run("documents", "clear-failed", "--company", "shoe-shop", "--reason", "unicorn"), "no failed import")
    assert run("documents", "clear-failed", "--company", "shoe-shop", "--json").json["cleared"] == 1
    nothing_done(run("documents", "clear-failed", "--company", "shoe-shop"), "no failed import")
    assert len(run("documents", "list", "--company", "shoe-shop", "--json").json) == 2


def test_a_conversation_is_taken_over_read_and_handed_back(run: Run, inbox: Inbox, bot: Bot) -> None:
    inbox.journal(bot, update("hello", chat=5))
    inbox.drain_all()
    [(conversation,)] = inbox.rows("SELECT id FROM conversations")
    place = (f"{bot.company_id}/{conversation}",)

    def listed() -> tuple[bool, int]:
        [row] = run("conversations", "list", "--company", bot.company_id, "--json").json
        return row["bot_enabled"], row["unread"]

    assert listed() == (True, 1)
    nothing_done(run("conversations", "hand-back", *place), "the bot answers already")
    assert run("conversations", "take-over", *place).lines == [f"conversation {place[0]}: a person answers"]
    assert listed() == (False, 1)
    assert "  unread 1  handed_over  person  " in run("conversations", "list", "--company", "shoe-shop").out
    assert inbox.rows("SELECT state FROM turns") == [("cancelled",)]
    assert run("conversations", "mark-read", *place).lines == [f"conversation {place[0]}: unread 0"]
    assert run("conversations", "hand-back", *place).lines == [f"conversation {place[0]}: the bot answers"]
    assert listed() == (True, 0)
    assert "  unread 0  open  bot  hello" in run("conversations", "list", "--company", "shoe-shop").out


def test_taking_over_ends_what_the_bot_is_just_answering_and_needs_no_redis_for_it(
    run: Run, inbox: Inbox, bot: Bot, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    inbox.journal(bot, update("hello", chat=5))
    inbox.drain_all()
    [(conversation,)] = inbox.rows("SELECT id FROM conversations")
    place = (f"{bot.company_id}/{conversation}",)
    with connect(redis_url) as client:
        listener = HintListener(client)
        listener.listen()  # subscribed
        assert run("conversations", "take-over", *place).code == 0
        assert listener.listen() == [Moved(bot.company_id)]
        listener.close()

    monkeypatch.setenv("CACHE_URL", "redis://127.0.0.1:1")
    assert run("conversations", "hand-back", *place).code == 0
    ended = run("conversations", "take-over", *place)
    assert (ended.code, ended.lines[-1]) == (0, f"conversation {place[0]}: a person answers")


def test_a_dead_letter_is_listed_shown_without_words_and_redriven(run: Run, inbox: Inbox, bot: Bot) -> None:
    place = make_dead_letter(inbox, bot)

    assert run("dead-letters", "list").out.startswith(place)
    [row] = run("dead-letters", "list", "--json").json
    assert (row["place"], row["reason"], row["platform"]) == (place, "CheckViolation(23514)", "telegram")
    assert SENT not in run("dead-letters", "list").out + run("dead-letters", "show", place).out
    assert '"chat"' in run("dead-letters", "show", place).out
    assert json.loads(run("dead-letters", "show", place, "--content").out)["message"]["text"] == SENT

    assert run("dead-letters", "redrive", "--all").lines == [f"{place}  redriven"]
    inbox.drain_all()
    assert inbox.rows("SELECT text FROM messages") == [(SENT,)]
    assert run("dead-letters", "list").lines == ["there are no dead letters"]
    again = run("dead-letters", "redrive", place)
    assert (again.code, again.lines) == (1, [f"{place}  is not a dead letter"])
    nothing_done(run("dead-letters", "redrive", "--reason", "NoSuch"), "no dead letter matches")


def test_a_dead_letter_is_given_up_with_a_reason(run: Run, inbox: Inbox, bot: Bot) -> None:
    place = make_dead_letter(inbox, bot)

    assert run("dead-letters", "discard", place, "--reason", "spam").lines == [f"{place}  discarded"]
    again = run("dead-letters", "discard", place, "--reason", "spam", "--json")
    assert (again.code, again.json) == (1, {"discarded": [], "not_dead_letters": [place]})
    misused(run("dead-letters", "discard", place, "--reason", " "), "--reason")
    assert run("balance", "--json").json["dropped"] == {"discarded: spam": 1}


@pytest.mark.parametrize(("said", "state"), [("--sent", "sent"), ("--not-sent", "queued")])
def test_a_send_of_unknown_outcome_is_settled_once(run: Run, inbox: Inbox, bot: Bot, said: str, state: str) -> None:
    place = _unknown_outcome(inbox, bot)

    assert run("outbound", "unknown-outcomes", "list").out.startswith(f"{place}  ")
    assert run("outbound", "unknown-outcomes", "list", "--json").json[0]["meaning"] == "timeout"
    assert run("outbound", "unknown-outcomes", "settle", place, said).lines == [f"{place}  settled"]
    nothing_done(
        run("outbound", "unknown-outcomes", "settle", place, said), f"{place} is {state}, not a send of unknown outcome"
    )
    nothing_done(run("outbound", "unknown-outcomes", "settle", f"{place}9", said), f"there is no send {place}9")
    assert inbox.rows("SELECT state FROM outbound") == [(state,)]
    assert run("outbound", "unknown-outcomes", "list").lines == ["no send has an unknown outcome"]


def test_the_balance_exits_1_when_something_is_missing(run: Run, inbox: Inbox, bot: Bot) -> None:
    for chat in range(3):
        inbox.journal(bot, update("hello", chat=chat))
    inbox.drain_all()
    inbox.journal(bot, update("in flight", chat=9))
    closing = run("balance", "--json")
    inbox.rows("UPDATE journal_progress SET requests = requests - 1 WHERE requests > 0 RETURNING 1")

    missing = run("balance", "--json")

    assert (closing.code, closing.json["closes"], closing.json["at_rest"]) == (0, True, False)
    assert (closing.json["requests_received"], closing.json["requests_in_flight"]) == (4, 1)
    assert (missing.code, missing.json["closes"]) == (1, False)
    assert "DOES NOT CLOSE" in run("balance").out


def test_a_webhook_body_is_parsed_without_any_service(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE_URL", "DATABASE_ADMIN_URL", "REDIS_URL"):
        monkeypatch.setenv(name, "")

    ended = run("parse", "telegram", given=json.dumps(update("hello")).encode())

    assert (ended.code, ended.json["kind"], ended.json["text"]) == (0, "message", "hello")
    assert run("parse", "telegram", given=b"nonsense").code == 2


def test_a_name_that_gives_no_slug_asks_for_one(run: Run, inbox: Inbox) -> None:
    one_line(run("company", "create", "第一"), "第一", "--slug")
    assert inbox.rows("SELECT count(*) FROM companies") == [(0,)]
    assert run("company", "create", "第一", "--slug", "first").code == 0
    assert run("company", "create", "Company").lines[0].endswith("with the slug company")


def test_days_and_limits_go_back_to_the_built_in_ones(run: Run, inbox: Inbox) -> None:
    with psycopg.connect(inbox.server.admin_url) as conn:
        assert retention.policies(conn) == retention.DEFAULT_DAYS
        assert {b.kind: (b.per_company, b.per_contact) for b in limits.all_bounds(conn)} == limits.DEFAULTS
    run("retention", "set", "llm_calls", 30)
    run("limit", "set", "media_fetches", "--per-contact", "none")

    assert run("retention", "unset", "llm_calls").lines == ["llm_calls  90 days"]
    assert run("limit", "reset", "media_fetches").lines == [
        "media_fetches  everybody: now a company 20000, a contact 300 a day"
    ]
    with psycopg.connect(inbox.server.admin_url) as conn:
        assert retention.policies(conn) == retention.DEFAULT_DAYS


def test_lists_say_when_there_is_more(run: Run, inbox: Inbox, bot: Bot) -> None:
    for chat in range(3):
        inbox.journal(bot, update("hello", chat=chat + 1))
    inbox.drain_all()

    ours = ("--company", "shoe-shop")
    for words in (("contact", "find", "", *ours), ("conversations", "list", *ours), ("turns", "list")):
        cut, whole = run(*words, "--limit", 2), run(*words)
        assert (len(cut.lines), "there are more than these 2" in cut.err) == (2, True), words
        assert (len(whole.lines), whole.err) == (3, ""), words
        assert len(run(*words, "--limit", 2, "--json").json) == 2


def test_what_is_unknown_is_no_empty_list(run: Run, inbox: Inbox, bot: Bot) -> None:
    nothing_done(run("dead-letters", "list", "--platform", "fax"), "no platform is named 'fax'")
    nothing_done(run("dead-letters", "redrive", "--app", 99), "no app has the number 99")
    assert run("dead-letters", "list", "--platform", "slack").lines == ["there are no dead letters"]


def test_a_search_says_what_no_answer_would_use(run: Run, tmp_path: Path, bot: Bot) -> None:
    misused(run("documents", "search", " ", "--company", "shoe-shop"), "should be a text of 1 to 1000 characters")
    (tmp_path / "hours.md").write_text("# Hours\n\nWe open at nine, and quantum physics is not sold here.")
    run("documents", "add", tmp_path / "hours.md", "--company", "shoe-shop")

    listed = run("documents", "list", "--company", "shoe-shop").out
    found = run("documents", "search", "quantum gravity and the string theory of black holes", "--company", "shoe-shop")

    assert "1 chunk, 0 with vectors" in listed
    assert found.lines[0].endswith("too low for an answer")
    assert "no answer would use any of these" in found.err
