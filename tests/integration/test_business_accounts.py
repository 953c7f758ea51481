"""News of a WhatsApp Business account reaches the numbers that it holds, and nobody else's."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest

from shared import channels
from shared.embedded import Database
from shared.model import Me
from shared.store.db.vault import Vault
from shared.store.inbound import journal
from shared.store.tenants import companies
from tasks.inbound.batch import Stored
from tasks.inbound.drain import Drain
from tasks.operations import health
from tasks.operations.health import CheckContext
from tasks.tenants import onboarding, watch
from tests.factories import ENCRYPTION_KEY
from tests.integration.command_line import Run
from tests.integration.station import Station

NUMBERS = {"ours": ("100", "+49 40 1", "W1"), "too": ("101", "+49 40 2", "W1"), "theirs": ("200", "+49 40 3", "W2")}

_OURS = (
    "channel_health",
    "channels",
    "webhook_events",
    "webhook_raw",
    "apps",
    "company_totals",
    "assistants",
    "companies",
)


@pytest.fixture
def database(module_database: Database) -> Database:
    """One for all tests here, emptied by `app`."""
    return module_database


@pytest.fixture
def station(database: Database, redis_url: str) -> Iterator[Station]:
    station = Station(database, redis_url)
    station.inbox.drain = Drain(
        station.inbox.db, station.inbox.reader, channels.build(station.inbox.settings.channels), station.inbox.settings
    )
    yield station
    station.close()


@pytest.fixture
def app(station: Station) -> int:
    """One application, three numbers of two accounts, each of a company of its own."""
    with psycopg.connect(station.inbox.server.admin_url, autocommit=True) as conn:
        for table in _OURS:
            conn.execute(f"DELETE FROM {table}".encode())
        for company, (number, handle, account) in NUMBERS.items():
            made = onboarding.connect_account(
                conn, Vault([ENCRYPTION_KEY]), platform="whatsapp", company_id=companies.ensure(conn, company).id,
                slug="wa", webhook_secrets=["s"], me=Me(number, handle, "A1"),
                credentials={"token": "t", "account_id": account},
            )  # fmt: skip
    return made.app_id


def _tell(station: Station, app_id: int, account: str, field: str, **value: Any) -> Stored:
    entry = {"id": account, "time": 1_760_000_000, "changes": [{"field": field, "value": value}]}
    raw = json.dumps({"object": "whatsapp_business_account", "entry": [entry]}).encode()
    reader = station.inbox.reader
    reader.append(reader.streams[0], journal.fields("whatsapp", app_id, 1_780_000_000_000, raw))
    return station.inbox.drain_all()


def _channels(station: Station) -> dict[str, tuple[str, str | None]]:
    return {
        name: (state, notice)
        for name, state, notice in station.rows(
            "SELECT o.name, c.state, h.notice FROM channels c JOIN companies o ON o.id = c.company_id"
            " LEFT JOIN channel_health h ON h.company_id = c.company_id AND h.channel_id = c.id"
        )
    }


def _problems(station: Station) -> list[str]:
    """What /health says of channels, as the gateway's role sees it."""
    with station.inbox.db.transaction() as conn:
        visit = CheckContext(station.inbox.settings, datetime.now(UTC), conn, None, None, None)
        return sorted(health.problems(health.examine(visit, {"channels": health.CHECKS["channels"]})))


def _endings(station: Station) -> list[tuple[str, str | None]]:
    return station.rows("SELECT outcome, reason FROM webhook_events ORDER BY stored_at, ordinal")


def test_a_banned_account_shuts_all_of_its_numbers_and_a_pardon_opens_them(station: Station, app: int) -> None:
    shut = _tell(station, app, "W1", "account_update", event="DISABLED_UPDATE", ban_info={"waba_ban_state": "DISABLE"})

    reauth = ("needs_reauth", "account_disabled")
    assert _channels(station) == {"ours": reauth, "too": reauth, "theirs": ("active", None)}
    assert sorted((a.event, a.meaning) for a in shut.alerts) == [("channel_needs_reauth", "account_disabled")] * 2

    _tell(station, app, "W1", "account_update", event="DISABLED_UPDATE", ban_info={"waba_ban_state": "REINSTATE"})
    assert _channels(station) == dict.fromkeys(NUMBERS, ("active", None))
    assert _endings(station) == [("effected", None)] * 2


def test_a_flagged_number_warns_of_that_one_until_it_is_well_again_or_seen_to(
    station: Station, app: int, run: Run
) -> None:
    number = {"display_phone_number": "49402", "current_limit": "TIER_1K"}
    warned = _tell(station, app, "W1", "phone_number_quality_update", event="FLAGGED", **number)

    assert [(a.event, a.platform, a.meaning) for a in warned.alerts] == [("channel_warned", "whatsapp", "quality_low")]
    assert _channels(station)["too"] == ("active", "quality_low")
    assert _channels(station)["ours"] == ("active", None)
    assert _problems(station) == ["channels.told.whatsapp.quality_low"]

    assert "told quality_low on" in run("channel", "health").out
    [(place,)] = station.rows("SELECT company_id || '/' || id FROM channels WHERE external_id = '101'")
    assert run("channel", "seen", place).lines == [f"{place}  seen: quality_low"]
    assert _problems(station) == []

    well = _tell(station, app, "W1", "phone_number_quality_update", event="UNFLAGGED", **number)
    assert (well.alerts, _channels(station)["too"]) == ([], ("active", None))
    assert _problems(station) == []
    station.execute("UPDATE channel_health SET state = 'failing', problem = 'webhooks_failing'")
    assert _problems(station) == ["channels.failing.whatsapp.webhooks_failing"]


@pytest.mark.parametrize(
    ("field", "value", "notice"),
    [
        ("account_update", {"event": "DISABLED_UPDATE", "ban_info": {"waba_ban_state": "SCHEDULE_FOR_DISABLE"}},
         "account_disable_scheduled"),
        ("message_template_status_update", {"event": "REJECTED", "message_template_id": 1}, "template_rejected"),
        ("account_alerts", {"alert_severity": "CRITICAL"}, "account_alert"),
        ("phone_number_name_update", {"decision": "REJECTED", "display_phone_number": "49403"}, "name_rejected"),
    ],
)  # fmt: skip
def test_warnings_leave_the_channel_at_work(
    station: Station, app: int, field: str, value: dict[str, Any], notice: str
) -> None:
    warned = _tell(station, app, "W2", field, **value)

    assert [a.event for a in warned.alerts] == ["channel_warned"]
    assert _channels(station)["theirs"] == ("active", notice)


def test_news_of_an_account_that_nobody_here_has_are_nobody_s(station: Station, app: int) -> None:
    banned = {"event": "DISABLED_UPDATE", "ban_info": {"waba_ban_state": "DISABLE"}}
    _tell(station, app, "W9", "account_update", **banned)
    _tell(station, app, "W1", "account_update", event="PHONE_NUMBER_ADDED", phone_number="49409")

    assert _endings(station) == [("dropped", "no_channel")] * 2
    assert {state for state, _ in _channels(station).values()} == {"active"}


def test_what_harms_nobody_is_kept_in_the_ledger_alone(station: Station, app: int) -> None:
    _tell(station, app, "W1", "account_update", event="VERIFIED_ACCOUNT")

    assert _endings(station) == [("dropped", "account")]


def test_channels_that_were_connected_before_learn_their_account_from_their_credentials(
    station: Station, app: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    station.execute("UPDATE channels SET business_account = NULL")
    _tell(station, app, "W1", "account_update", event="PARTNER_REMOVED")
    assert {state for state, _ in _channels(station).values()} == {"active"}

    async def silent(*_: object) -> Any:
        return watch.UNKNOWN

    monkeypatch.setattr(type(station.r.platforms["whatsapp"]), "health", silent)
    watch.watch_channels(station.r)

    _tell(station, app, "W2", "account_update", event="PARTNER_REMOVED")
    assert _channels(station)["theirs"] == ("needs_reauth", "access_removed")
    assert _channels(station)["ours"][0] == "active"


def test_a_restored_quality_does_not_open_a_channel_that_needs_new_credentials(station: Station, app: int) -> None:
    _tell(station, app, "W1", "account_update", event="DISABLED_UPDATE", ban_info={"waba_ban_state": "DISABLE"})
    number = {"display_phone_number": "49402", "current_limit": "TIER_1K"}

    _tell(station, app, "W1", "phone_number_quality_update", event="UNFLAGGED", **number)

    assert _channels(station)["too"][0] == "needs_reauth"
