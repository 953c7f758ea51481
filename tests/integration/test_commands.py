"""The command line on real services: what an operator types, and what stands there afterwards."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from shared.embedded import Database, Valkey
from shared.live.hints import HintListener
from shared.live.topics import Moved
from shared.model import SendOutcome
from shared.store.db.migrate import files
from shared.store.db.redis import connect
from shared.store.delivery import outbound, send_results
from shared.store.lifecycle import retention
from shared.store.tenants import limits
from standin.process import StandinProcess
from tests.factories import Bot, Inbox, make_bot, update
from tests.integration.claims import begin_send, claim_part
from tests.integration.command_line import Run, misused, nothing_done, one_line
from tests.integration.gateway_client import cut_off
from tests.services import Services

SENT = "words of a customer"


@pytest.fixture
def bot(inbox: Inbox) -> Bot:
    return make_bot(inbox.server.admin_url, "Shoe shop")


def _dead_letter(inbox: Inbox, bot: Bot) -> str:
    """Make a dead letter; returns its place."""
    with psycopg.connect(inbox.server.admin_url, autocommit=True) as conn:
        conn.execute("ALTER TABLE messages ADD CONSTRAINT no_poison CHECK (text <> 'words of a customer')")
        inbox.journal(bot, update(SENT, chat=5))
        inbox.drain_all()
        conn.execute("ALTER TABLE messages DROP CONSTRAINT no_poison")
    [(place,)] = inbox.rows("SELECT day || '/' || stream || '/' || entry_id || '/' || ordinal FROM webhook_events")
    return str(place)


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
    [(stored,)] = inbox.rows("SELECT key_hash FROM agents")
    assert made["api_key"].encode() not in bytes(stored)


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

    assert added.lines[-1] == "2 added, 0 changed, 0 unchanged, 1 skipped, 0 failed"
    assert "logo.png  skipped: unknown type" in added.out
    assert (again.code, again.lines[-1]) == (1, "0 added, 0 changed, 2 unchanged, 1 skipped, 0 failed")
    assert "the same text is there already" in again.out
    assert (changed.code, changed.lines[-1]) == (0, "0 added, 1 changed, 1 unchanged, 1 skipped, 0 failed")
    listed = run("documents", "list", "--company", "shoe-shop", "--json").json
    assert sorted((d["source"], d["title"]) for d in listed) == [("hours.txt", "hours"), ("returns.md", "Returns")]
    assert [(d["chunk_count"], d["vectors"]) for d in listed] == [(1, 0), (1, 0)]
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
    (tmp_path / "a.txt").write_bytes(b"caf\xe9")
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
    assert inbox.rows("SELECT state FROM turns") == [("cancelled",)]
    assert run("conversations", "mark-read", *place).lines == [f"conversation {place[0]}: unread 0"]
    assert run("conversations", "hand-back", *place).lines == [f"conversation {place[0]}: the bot answers"]
    assert listed() == (True, 0)
    assert "hello" in run("conversations", "list", "--company", "shoe-shop").out


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
    place = _dead_letter(inbox, bot)

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
    nothing_done(run("dead-letters", "redrive", "--reason", "NoSuch"), "no dead letter fits")


def test_a_dead_letter_is_given_up_with_a_reason(run: Run, inbox: Inbox, bot: Bot) -> None:
    place = _dead_letter(inbox, bot)

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


@pytest.fixture(scope="module")
def standin() -> Iterator[StandinProcess]:
    with StandinProcess() as process:
        yield process


TOKEN = "4711:AAplantedplantedplantedplantedplant"


@pytest.fixture
def telegram(standin: StandinProcess, monkeypatch: pytest.MonkeyPatch) -> StandinProcess:
    standin.client.reset()
    standin.client.register_bot(TOKEN, "shoe_bot")
    monkeypatch.setenv("TELEGRAM_API_URL", standin.client.telegram_url)
    return standin


CONNECT = ("channel", "connect", "telegram", "--company", "shoe-shop", "--slug", "shoes")


def with_token(token: str) -> dict[str, bytes]:
    return {"given": json.dumps({"token": token}).encode()}


def test_connecting_a_bot_asks_telegram_and_registers_the_webhook(
    run: Run, telegram: StandinProcess, inbox: Inbox
) -> None:
    run("company", "create", "Shoe shop")

    ended = run(*CONNECT, "--answers", "-", "--public-url", "https://shop.example/", **with_token(TOKEN))

    address = "https://shop.example/webhooks/telegram/shoes"
    assert ended.lines == ["connected @shoe_bot to Shoe shop", f"Telegram now posts to {address}"]
    [webhook] = telegram.client.effects(kind="webhook")
    assert webhook["url"] == address
    assert inbox.rows("SELECT external_id, handle FROM channels") == [("4711", "shoe_bot")]
    [(sealed, credentials)] = inbox.rows("SELECT a.secrets, c.credentials FROM apps a, channels c")
    assert TOKEN.encode() not in bytes(credentials)
    assert str(webhook["secret_token"]).encode() not in bytes(sealed)


def test_connecting_without_an_address_shows_the_secret_once(run: Run, telegram: StandinProcess, bot: Bot) -> None:
    ended = run(*CONNECT, "--answers", "-", **with_token(TOKEN))

    assert ended.lines[1] == "webhook path: /webhooks/telegram/shoes"
    assert "secret_token (shown once)" in ended.lines[3]
    assert telegram.client.effects(kind="webhook") == []


def test_a_token_that_telegram_refuses_is_named_as_such(run: Run, telegram: StandinProcess, bot: Bot) -> None:
    refused = run(*CONNECT, "--answers", "-", **with_token("4712:AAnobodynobodynobodynobodynobodynob"))

    one_line(refused, "getMe", "Unauthorized", "token")
    assert "4712" not in refused.err


def test_a_telegram_that_is_away_is_told_without_the_token(run: Run, bot: Bot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TELEGRAM_API_URL", "http://127.0.0.1:1")

    ended = run(*CONNECT, "--answers", "-", **with_token(TOKEN))

    one_line(ended, "did not answer", "http://127.0.0.1:1")
    assert TOKEN not in ended.err


def test_a_slug_that_is_none_and_a_bot_of_somebody_else_are_refused(
    run: Run, telegram: StandinProcess, bot: Bot
) -> None:
    run("company", "create", "Other shop")
    assert run(*CONNECT, "--answers", "-", **with_token(TOKEN)).code == 0

    misused(run(*CONNECT[:-1], "no good/slug", "--answers", "-", **with_token(TOKEN)), "--slug")
    nothing_done(
        run(*CONNECT[:4], "other-shop", *CONNECT[5:], "--answers", "-", **with_token(TOKEN)), "another company"
    )


NOT_FOUND = {
    "no company has the slug or id 'nobody'": ("documents", "list", "--company", "nobody"),
    "no company has the id '99'": ("documents", "list", "--company", "99"),
    "did you mean shoe-shop?": ("documents", "list", "--company", "shoe-shpo"),
    "the company of this name has the slug shoe-shop": ("documents", "list", "--company", "SHOE SHOP"),
    "there is no conversation 1/99": ("conversations", "take-over", "1/99"),
    "there is no conversation 1/98": ("conversations", "mark-read", "shoe-shop/98"),
    "there is no body": ("dead-letters", "show", "2026-01-01/sb:journal:0/1-0/0"),
    "there is no agent": ("agent", "disable", "shoe-shop/999"),
    "no app has the slug": ("app", "enable", "nobody"),
    "there is no channel": ("channel", "enable", "1/999"),
    "there is no turn": ("receipt", "999"),
    "there is no document": ("documents", "delete", "1/999"),
    "nothing has failed": ("documents", "retry", "--company", "1"),
    "no job is named": ("job", "run", "nothing"),
    "has no days of its own": ("retention", "unset", "llm_calls", "--company", "1"),
    "has no limit of its own": ("limits", "unset", "images", "--company", "1"),
    "nothing is limited as": ("limits", "set", "coffees", "--per-company", "1"),
    "has no contact of that id": ("contact", "find", "nobody", "--company", "1"),
    "there is no contact": ("contact", "export", "1/9", "somewhere-new"),
    "nor was there": ("contact", "erase", "1/9", "--yes"),
    "nothing archived is older": ("archive", "delete", "--older-than", "60", "--yes"),
    "nothing that is archived fits": ("archive", "restore", "--all"),
    "there is no embedding model": ("embedding-models", "switch", "no-such-model"),
    "is not in the ledger": ("request", "19f1fa0b1c0-0000"),
    "has the name 'Shoe shop' already": ("company", "rename", "1", "Shoe shop"),
    "is active already": ("app", "enable", "bot-slug"),
    "is enabled already": ("channel", "enable", "channel-place"),
    "is not what is missing".replace("is not", "are not"): ("balance", "--write-off", "5"),
}


@pytest.mark.parametrize(("told", "words"), NOT_FOUND.items(), ids=NOT_FOUND)
def test_a_command_that_finds_or_does_nothing_says_so_and_exits_1(
    run: Run, bot: Bot, told: str, words: tuple[str, ...]
) -> None:
    names = {"bot-slug": bot.slug, "channel-place": f"{bot.company_id}/{bot.channel_id}"}
    nothing_done(run(*(names.get(word, word) for word in words)), told)


MISUSED = {
    "COMPANY/ID": ("outbound", "unknown-outcomes", "settle", "17", "--sent"),
    "is not an id": ("conversations", "mark-read", f"1/{10**30}"),
    "not an id": ("receipt", "0"),
    "is not an id ": ("agent", "disable", "shoe-shop/x"),
    "company list": ("documents", "list", "--company", " "),
    "is not an amount": ("price", "set", "gpt", "-1", "2"),
    "a model's name": ("price", "set", " ", "1", "2"),
    "is not a web address": ("documents", "add-site", "acme", "--company", "shoe-shop"),
    "is not in the range": ("balance", "--write-off", "-1"),
    "should begin with https://": (
        "channel", "connect", "telegram", "--company", "1", "--slug", "s", "--public-url", "http://bots.example.com"),
    "without user, path or query": (
        "channel", "connect", "telegram", "--company", "1", "--slug", "s", "--public-url", "https://a.example/x"),
    "cannot reach it": (
        "channel", "connect", "telegram", "--company", "1", "--slug", "s", "--public-url", "https://127.0.0.1"),
    "--slug 'a b'": ("channel", "connect", "telegram", "--company", "1", "--slug", "a b"),
}  # fmt: skip


@pytest.mark.parametrize(("told", "words"), MISUSED.items(), ids=MISUSED)
def test_a_malformed_argument_is_named_before_anything_is_asked(
    run: Run, bot: Bot, told: str, words: tuple[str, ...]
) -> None:
    misused(run(*words), told.strip())


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("", "can be seen"),
        ("\u3164\u200b", "can be seen"),
        ("a\nb", "U+000A"),
        ("a\u202eb", "U+202E"),
        ("x" * 101, "101"),
    ],
)
def test_a_name_that_is_none_is_refused_for_companies_and_agents(run: Run, bot: Bot, name: str, told: str) -> None:
    one_line(run("company", "create", name), told)
    one_line(run("company", "rename", "shoe-shop", name), told)
    one_line(run("agent", "create", name, "--company", "shoe-shop"), told)


def test_an_agent_s_name_is_free_again_once_the_agent_is_disabled(run: Run, bot: Bot) -> None:
    first = run("agent", "create", "Ada", "--company", "shoe-shop", "--json").json
    nothing_done(run("agent", "create", "ADA", "--company", "shoe-shop"), "has an agent named")
    assert run("agent", "disable", f"shoe-shop/{first['id']}").code == 0
    nothing_done(run("agent", "disable", f"shoe-shop/{first['id']}"), "disabled already")
    assert run("agent", "create", "ADA", "--company", "shoe-shop").code == 0


def test_each_file_that_is_not_added_is_named_with_the_reason(run: Run, tmp_path: Path, bot: Bot) -> None:
    folder, outside = tmp_path / "handbook", tmp_path / "outside.md"
    (folder / ".git").mkdir(parents=True)
    (folder / "again").mkdir()
    outside.write_text("# Secret")
    for name, text in {
        "a.md": "# Returns\n\nWithin 30 days.", "again/a.md": "other", "empty.txt": "", "photo.png": "x",
        ".hidden.md": "x", ".git/config.md": "x",
    }.items():  # fmt: skip
        (folder / name).write_text(text)
    (folder / "link.md").symlink_to(outside)

    told = run("documents", "add", folder, "--company", "shoe-shop", "--json")

    reasons = {Path(one["path"]).name: one["reason"] for one in told.json["files"] if one["outcome"] == "skipped"}
    assert (told.code, told.json["added"], told.json["skipped"]) == (0, 1, 6)
    for name, reason in {
        "empty.txt": "empty", "photo.png": "unknown type", ".hidden.md": "hidden", ".git": "hidden",
        "a.md": "same name", "link.md": "out of the folder",
    }.items():  # fmt: skip
        assert reason in reasons[name]
    assert run("documents", "add", folder / "empty.txt", folder / "a.md", "--company", "shoe-shop").code == 1


COMMANDS = (
    ("migrate",),
    ("balance",),
    ("company", "create", "Shop"),
    ("dead-letters", "list"),
    ("outbound", "unknown-outcomes", "list"),
    ("conversations", "list", "--company", "1"),
    ("documents", "list", "--company", "shop"),
)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_database_that_is_away_is_one_line_without_a_password(
    run: Run, services: Services, database: Database, words: tuple[str, ...]
) -> None:
    with cut_off(services, database):
        ended = run(*words)

    one_line(ended, "DATABASE_ADMIN_URL")
    assert database.admin_url.split("@")[0].rpartition(":")[2] not in ended.err


@pytest.mark.parametrize("words", [words for words in COMMANDS if words[0] != "migrate"], ids=" ".join)
def test_a_database_without_a_schema_says_migrate(
    run: Run, empty_database: Database, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    monkeypatch.setenv("DATABASE_ADMIN_URL", empty_database.admin_url)

    one_line(run(*words), "./switchboard migrate")


@pytest.mark.parametrize("words", [("balance",), ("dead-letters", "redrive", "--all")], ids=" ".join)
def test_a_journal_that_is_away_is_one_line_without_a_password(
    run: Run, inbox: Inbox, bot: Bot, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...],
    make_valkey: Callable[..., Valkey],
) -> None:  # fmt: skip
    _dead_letter(inbox, bot)
    valkey = make_valkey()
    monkeypatch.setenv("JOURNAL_URL", valkey.redis_url)
    valkey.stop()

    ended = run(*words)

    one_line(ended, "JOURNAL_URL")
    assert valkey.redis_url.split("@")[0].rpartition(":")[2] not in ended.err


def test_a_setting_that_is_missing_is_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE_URL", "DATABASE_ADMIN_URL", "REDIS_URL"):
        monkeypatch.setenv(name, "")

    one_line(run("balance"), "DATABASE_ADMIN_URL is not set", "./switchboard up")
    one_line(run("worker", "gateway"), "DATABASE_URL is not set")


def test_flower_is_never_run_open(run: Run) -> None:
    ended = run("worker", "flower")

    assert ended.code == 2
    assert "FLOWER_PASSWORD is not set" in ended.err


def test_a_widget_is_made_and_its_origins_changed(run: Run, inbox: Inbox) -> None:
    run("company", "create", "Shoe shop")
    words = ("channel", "create-widget", "--company", "shoe-shop", "--slug", "shoes-chat", "--origin")
    rows = "SELECT a.origins, a.secrets, c.state FROM apps a JOIN channels c ON c.app_id = a.id"

    assert run(*words, "https://shop.example", "--origin", "http://localhost:3000").code == 0
    [(origins, secrets, state)] = inbox.rows(rows)
    assert (origins, state) == (["http://localhost:3000", "https://shop.example"], "active")

    assert "/widget/shoes-chat/" in run(*words, "https://new.example").out
    assert inbox.rows(rows) == [(["https://new.example"], secrets, "active")]
    for refused in (run(*words, "shop.example"), run(*words, "https://a/b"), run(*words, "*")):
        assert (refused.code, "origin" in refused.err) == (2, True)
    assert (
        run("channel", "create-widget", "--company", "nobody", "--slug", "x", "--origin", "https://a.example").code == 1
    )


def test_without_a_terminal_nothing_secret_is_asked_for(run: Run, inbox: Inbox, bot: Bot) -> None:
    misused(run(*CONNECT), "no terminal", "--answers")
    for line in (run(*CONNECT).err,):
        assert "Warning" not in line


def test_a_widget_is_well_while_something_comes_from_it(run: Run, inbox: Inbox, bot: Bot) -> None:
    made = run("channel", "create-widget", "--company", "shoe-shop", "--slug", "chat", "--origin", "https://a.example",
               "--json").json  # fmt: skip

    def line() -> str:
        return next(one for one in run("channel", "health").lines if " widget " in one)

    assert "chat  unknown  no event yet" in line()
    assert "accepted" not in line()
    inbox.rows("INSERT INTO channel_health (company_id, channel_id, received_at) VALUES"
               f" ({made['company_id']}, {made['id']}, now()) RETURNING 1")  # fmt: skip
    assert "chat  ok  last event" in line()
    nothing_done(run("channel", "check", f"shoe-shop/{made['id']}"), "a widget")


def test_a_name_that_gives_no_slug_asks_for_one(run: Run, inbox: Inbox) -> None:
    one_line(run("company", "create", "第一"), "第一", "--slug")
    assert inbox.rows("SELECT count(*) FROM companies") == [(0,)]
    assert run("company", "create", "第一", "--slug", "first").code == 0
    assert run("company", "create", "Company").lines[0].endswith("with the slug company")


def test_the_texts_of_a_company_go_back_to_the_built_in_ones(run: Run, bot: Bot) -> None:
    before = run("company", "show", "shoe-shop", "--json").json
    run("company", "texts", "shoe-shop", "--handover", "One.", "--notice", "Two.", "--overload", "Three.",
        "--unknown-again", "Four.")  # fmt: skip
    assert run("company", "show", "shoe-shop", "--json").json["handover_text"] == "One."

    misused(run("company", "texts", "shoe-shop", "--unknown-again", "x", "--reset", "unknown_again"), "one of them")
    ended = run("company", "texts", "shoe-shop", *(word for name in ("handover", "notice", "overload", "unknown-again")
                                                  for word in ("--reset", name)))  # fmt: skip

    assert ended.code == 0
    assert run("company", "show", "shoe-shop", "--json").json == before


def test_days_and_limits_go_back_to_the_built_in_ones(run: Run, inbox: Inbox) -> None:
    with psycopg.connect(inbox.server.admin_url) as conn:
        assert retention.policies(conn) == retention.DEFAULT_DAYS
        assert {b.kind: (b.per_company, b.per_contact) for b in limits.all_bounds(conn)} == limits.DEFAULTS
    run("retention", "set", "llm_calls", 30)
    run("limits", "set", "media_fetches", "--per-contact", "none")

    assert run("retention", "unset", "llm_calls").lines == ["llm_calls  90 days"]
    assert run("limits", "unset", "media_fetches").lines == [
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
