"""Commands that find nothing, are misused, or miss a service: one line that names what is wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from shared.embedded import Database, Valkey
from tests.factories import Bot, Inbox, make_bot
from tests.integration.command_line import Run, make_dead_letter, misused, nothing_done, one_line
from tests.integration.gateway_client import cut_off
from tests.services import Services


@pytest.fixture
def bot(inbox: Inbox) -> Bot:
    return make_bot(inbox.server.admin_url, "Shoe shop")


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
    "no failed import can be read again": ("documents", "retry", "--company", "1"),
    "no job is named": ("job", "run", "nothing"),
    "has no days of its own": ("retention", "unset", "llm_calls", "--company", "1"),
    "has no limit of its own": ("limit", "reset", "images", "--company", "1"),
    "nothing is limited as": ("limit", "set", "coffees", "--per-company", "1"),
    "has no contact of that id": ("contact", "find", "nobody", "--company", "1"),
    "there is no contact": ("contact", "export", "1/9", "somewhere-new"),
    "nor was there": ("contact", "erase", "1/9", "--yes"),
    "nothing archived is older": ("archive", "delete", "--older-than", "60", "--yes"),
    "nothing in the archive matches": ("archive", "restore", "--all"),
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
    assert (told.code, told.json["added"], told.json["skipped"]) == (0, 2, 5)
    for name, reason in {
        "empty.txt": "empty", "photo.png": "unknown type", ".hidden.md": "hidden", ".git": "hidden",
        "link.md": "out of the folder",
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
    make_dead_letter(inbox, bot)
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
    assert "set FLOWER_PASSWORD" in ended.err
