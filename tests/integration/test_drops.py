"""What is accepted and has no effect: who is told, for how long, and that the documentation says so of every reason."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import get_args

import psycopg
import pytest

from shared.model import Me, Reason
from shared.settings import PROJECT_ROOT
from shared.store.db.vault import Vault
from shared.store.inbound import drops, journal
from tasks.operations import drop_reasons as classes
from tasks.operations import health
from tasks.operations.health import CheckContext
from tasks.operations.health.work import dropped
from tasks.tenants import onboarding
from tests.factories import ENCRYPTION_KEY, Bot, Inbox, make_bot, update
from tests.integration.command_line import Run, misused


@pytest.fixture
def bot(inbox: Inbox) -> Bot:
    return make_bot(inbox.server.admin_url)


def _problems(inbox: Inbox) -> dict[str, str]:
    """As the gateway sees them, with the application role."""
    with inbox.db.transaction() as conn:
        visit = CheckContext(inbox.settings, datetime.now(UTC), conn, None, None, None)
        return health.problems(health.examine(visit, {"dropped": dropped}))


def _lose_the_channel(inbox: Inbox) -> None:
    inbox.rows("DELETE FROM channels RETURNING 1")


def _say(inbox: Inbox, bot: Bot, count: int, first: int = 1) -> None:
    for number in range(first, first + count):
        inbox.journal(bot, update(f"anybody there? {number}"))
    inbox.drain_all()


def test_messages_of_an_app_without_a_channel_are_one_alert_that_counts_them(inbox: Inbox, bot: Bot) -> None:
    _lose_the_channel(inbox)
    _say(inbox, bot, 2)
    _say(inbox, bot, 1, first=9)

    [(key, words)] = _problems(inbox).items()
    assert key.endswith(".no_channel")
    assert "3 events dropped" in words
    assert "since" in words
    assert inbox.rows("SELECT DISTINCT outcome, reason FROM webhook_events") == [("dropped", "no_channel")]


def test_the_alert_is_over_when_a_channel_is_connected(inbox: Inbox, bot: Bot) -> None:
    slug, company = inbox.rows("SELECT a.slug, c.company_id FROM apps a JOIN channels c ON c.app_id = a.id")[0]
    _lose_the_channel(inbox)
    _say(inbox, bot, 1)
    assert _problems(inbox)

    with psycopg.connect(inbox.server.admin_url, autocommit=True) as conn:
        onboarding.connect_bot(
            conn, Vault([ENCRYPTION_KEY]), platform="telegram", company_id=company, slug=slug, webhook_secrets=["s"],
            token="7:t", me=Me("7", "seven"),
        )  # fmt: skip
    assert _problems(inbox) == {}


def test_the_alert_is_over_a_day_after_the_last_one_and_then_begins_anew(inbox: Inbox, bot: Bot) -> None:
    _lose_the_channel(inbox)
    _say(inbox, bot, 3)
    inbox.rows("UPDATE dropped_events SET last_at = now() - interval '25 hours' RETURNING 1")
    assert _problems(inbox) == {}

    _say(inbox, bot, 1, first=9)
    [words] = _problems(inbox).values()
    assert "1 events dropped" in words


def test_a_disabled_channel_is_listed_and_no_alert(inbox: Inbox, bot: Bot) -> None:
    inbox.rows("UPDATE channels SET state = 'disabled' RETURNING 1")
    _say(inbox, bot, 1)

    assert _problems(inbox) == {}
    with inbox.db.transaction() as conn:
        assert [(one.reason, one.events) for one in drops.lately(conn)] == [("channel_disabled", 1)]


def test_an_app_that_somebody_has_disabled_is_no_alert(inbox: Inbox, bot: Bot) -> None:
    _lose_the_channel(inbox)
    _say(inbox, bot, 1)
    inbox.rows("UPDATE apps SET state = 'disabled' RETURNING 1")
    assert _problems(inbox) == {}


def test_what_is_as_it_should_be_is_only_counted(inbox: Inbox, bot: Bot) -> None:
    same = update("twice")
    inbox.journal(bot, same)
    inbox.journal(bot, same)
    inbox.drain_all()
    assert ("dropped", "duplicate") in inbox.rows("SELECT outcome, reason FROM webhook_events")
    assert inbox.rows("SELECT 1 FROM dropped_events") == []


def test_an_app_that_is_heard_for_thousands_of_accounts_fills_no_table(inbox: Inbox, bot: Bot) -> None:
    with inbox.db.transaction() as conn:
        for start in (0, 1000):
            drops.note(conn, {(bot.app_id, str(start + n), "no_channel"): 1 for n in range(1000)})
    assert inbox.rows("SELECT count(*), sum(events)::int FROM dropped_events") == [(1001, 2000)]


def test_doctor_and_channel_health_name_it_until_somebody_has_seen_to_it(run: Run, inbox: Inbox, bot: Bot) -> None:
    [(slug,)] = inbox.rows("SELECT slug FROM apps")
    _lose_the_channel(inbox)
    _say(inbox, bot, 1)

    assert f"telegram {slug}: 1 events dropped (no_channel)" in run("channel", "health").out
    assert run("app", "seen", slug).code == 0
    assert "dropped" not in run("channel", "health").out
    assert run("app", "seen", slug).code == 1


def test_what_is_not_understood_is_found_by_the_request_that_it_came_in(run: Run, inbox: Inbox, bot: Bot) -> None:
    [(slug,)] = inbox.rows("SELECT slug FROM apps")
    for number in range(3):
        inbox.journal(bot, {"update_id": 77 + number, "of_next_year": {}})
    inbox.drain_all()
    inbox.rows("UPDATE webhook_events SET request_id = '1a2158572d6-fed7fa5bc8' RETURNING 1")

    [words] = [line for line in run("channel", "health").lines if "unknown_update" in line]
    command = words.partition("./switchboard ")[2].partition(" names")[0].split()
    found = run(*command)

    assert command == ["request", "--dropped", "unknown_update"]
    assert [line.split()[0] for line in found.lines] == ["1a2158572d6-fed7fa5bc8"] * 3
    assert f"telegram {slug}" in found.lines[0]
    assert run("request", found.lines[0].split()[0]).code in (0, 1)
    cut = run(*command, "--limit", 2)
    assert (len(cut.lines), "there are more than these 2" in cut.err) == (2, True)
    assert run("request", "--dropped", "no_chat").lines == ["nothing was dropped as no_chat"]
    misused(run("request"), "REQUEST_ID")
    misused(run("request", "1-a", "--dropped", "no_chat"), "REQUEST_ID")


def test_the_documentation_has_every_reason_and_says_who_is_told_of_it() -> None:
    """A reason that somebody adds is typed (mypy holds that), so it is in this list, and so it must be in the table."""
    page = (PROJECT_ROOT / "docs" / "reliability.md").read_text()
    rows = re.findall(r"^\| ([`a-z_, ]+) \| (counted|listed|alert) \|", page, re.MULTILINE)
    documented = {reason: told for reasons, told in rows for reason in re.findall(r"`([a-z_]+)`", reasons)}
    assert documented == dict(classes.TOLD)
    assert set(classes.TOLD) == set(get_args(Reason))


def test_a_reason_that_is_in_no_table_is_an_alert() -> None:
    assert classes.told("never_heard_of") == "alert"


def test_requests_in_streams_that_fewer_shards_no_longer_cover_are_an_alert_until_they_are_read(
    inbox: Inbox, bot: Bot
) -> None:
    def problems(shards: int) -> dict[str, str]:
        settings = inbox.settings.changed(JOURNAL_SHARDS=shards)
        client = inbox.reader._client
        with inbox.db.transaction() as conn:
            visit = CheckContext(settings, datetime.now(UTC), conn, client, None, None)
            return health.problems(health.examine(visit, {"journal": health.CHECKS["journal"]}))

    high = inbox.reader.streams[-1]
    shards = len(inbox.reader.streams)
    inbox.reader.append(high, journal.fields("telegram", bot.app_id, 1_780_000_000_000, b"{}"))

    [words] = [words for key, words in problems(1).items() if key == "journal.unread"]
    assert f"1 accepted requests wait in unread shards: set JOURNAL_SHARDS to {shards}" in words
    assert "journal.unread" not in problems(shards)
    inbox.drain_all()
    assert "journal.unread" not in problems(1)
