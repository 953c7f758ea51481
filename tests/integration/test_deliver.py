"""Delivering parts: in order, at the platform's pace, and never twice where nobody knows."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import NoReturn

import psycopg
import pytest

from shared.channels.base import Patience
from shared.embedded import Database, Postgres
from shared.errors import DatabaseUnavailable
from shared.store.db import migrate, pool
from shared.store.db.pool import Conn
from shared.store.delivery import outbound, send_results
from tasks.delivery import deliver, recording
from tasks.delivery.deliver import REAUTH_RETRY_S, Result, Taken
from tasks.dispatch import ClaimCapacity
from tests.factories import Bot, make_bot
from tests.integration.claims import claim_part
from tests.integration.station import DROPS, LEAVES_OPEN, Station


@pytest.fixture
def station(database: Database, redis_url: str) -> Iterator[Station]:
    station = Station(database, redis_url, SEND_DEADLINE_S=0.3, RECORD_DEADLINE_S=30.0)
    yield station
    station.close()


def _parts(station: Station) -> list[tuple[str, str | None]]:
    """(state, meaning) of every part, in order."""
    return [(state, meaning) for state, meaning in station.rows("SELECT state, meaning FROM outbound ORDER BY id")]


def _states(station: Station) -> list[str]:
    return [state for state, _ in _parts(station)]


def _refused(code: int, description: str, **parameters: object) -> tuple[int, dict[str, object]]:
    return code, {"ok": False, "error_code": code, "description": description, "parameters": parameters}


# ------------------------------------------------------------------ order and pace


def test_parts_arrive_in_order_and_each_once(station: Station, bot: Bot) -> None:
    station.queue(bot, "one", "two", "three")
    station.queue(bot, "four")

    station.deliver_all()

    assert station.telegram.sent == [(bot.token, "5", text) for text in ("one", "two", "three", "four")]
    assert _states(station) == ["sent"] * 4
    assert station.rows("SELECT platform_message_id IS NOT NULL, attempts FROM outbound") == [(True, 1)] * 4


def test_a_delivery_says_when_its_conversation_has_more(station: Station, bot: Bot) -> None:
    station.queue(bot, "one", "two")

    first = station.deliver()
    station.time_passes()
    second = station.deliver()

    assert (first.result, second.result) == (Result.SENT, Result.SENT)
    assert first.again_in_s is not None
    assert second.again_in_s is None


def test_a_full_rate_postpones_without_an_attempt(station: Station, bot: Bot) -> None:
    station.queue(bot, "one", "two")
    station.deliver()

    delivered = station.deliver()

    assert delivered.result is Result.POSTPONED
    assert delivered.again_in_s is not None
    assert 0 < delivered.again_in_s <= 1
    assert station.telegram.texts == ["one"]
    assert station.rows("SELECT state, attempts, meaning FROM outbound WHERE part = 2") == [
        ("queued", 0, "rate_limited")
    ]
    assert station.deliver().result is Result.NOTHING_DUE


def test_another_chat_does_not_wait_for_a_full_rate(station: Station, bot: Bot) -> None:
    station.queue(bot, "one", "two", chat=5)
    station.queue(bot, "other", chat=6)
    station.deliver()
    station.deliver()

    assert station.deliver().result is Result.SENT
    assert sorted(station.telegram.texts) == ["one", "other"]


def test_threads_deliver_each_part_once_and_each_conversation_in_order(station: Station, bot: Bot) -> None:
    for chat in range(12):
        station.queue(bot, f"{chat}/1", f"{chat}/2", chat=chat)
    open_rate = station.r.limiter.take
    station.r.limiter.take = lambda rates: 0.0  # type: ignore[method-assign]

    def work() -> None:
        while station.deliver().result is not Result.NOTHING_DUE or "queued" in _states(station):
            pass

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    station.r.limiter.take = open_rate  # type: ignore[method-assign]

    assert sorted(station.telegram.texts) == sorted(f"{chat}/{part}" for chat in range(12) for part in (1, 2))
    for chat in range(12):
        assert station.telegram.texts.index(f"{chat}/1") < station.telegram.texts.index(f"{chat}/2")


# ------------------------------------------------------------------ refusals


def test_a_429_waits_as_long_as_the_platform_says(station: Station, bot: Bot) -> None:
    station.telegram.script.append(_refused(429, "Too Many Requests: retry after 17", retry_after=17))
    station.queue(bot, "one", "two")

    delivered = station.deliver()

    assert (delivered.result, delivered.again_in_s) == (Result.POSTPONED, 17.0)
    assert station.rows(
        "SELECT state, attempts, due_at BETWEEN now() + interval '10 s' AND now() + interval '17 s' FROM outbound"
        " WHERE part = 1"
    ) == [("queued", 1, True)]
    assert station.deliver().result is Result.NOTHING_DUE  # the second part waits behind it
    station.deliver_all()
    assert station.telegram.texts == ["one", "two"]


def test_a_customer_who_blocked_us_ends_the_message_with_its_later_parts(station: Station, bot: Bot) -> None:
    station.telegram.script.append(_refused(403, "Forbidden: bot was blocked by the user"))
    station.queue(bot, "one", "two", "three")
    station.queue(bot, "another message")

    station.deliver_all()

    assert _parts(station) == [
        ("failed", "blocked"),
        ("cancelled", "blocked"),
        ("cancelled", "blocked"),
        ("sent", "sent"),
    ]
    assert station.telegram.texts == ["another message"]


def test_a_chat_that_moved_gets_its_parts_at_its_new_id(station: Station, bot: Bot) -> None:
    station.telegram.script.append(
        _refused(400, "Bad Request: group chat was upgraded to a supergroup chat", migrate_to_chat_id=-100777)
    )
    station.queue(bot, "one", "two", chat=-5)

    station.deliver_all()

    assert [chat for _, chat, _ in station.telegram.sent] == ["-100777", "-100777"]
    assert station.rows("SELECT chat FROM conversations") == [("-100777",)]


def test_a_chat_that_moved_where_we_know_it_already_is_one_conversation_with_it(station: Station, bot: Bot) -> None:
    station.queue(bot, "there already", chat=-100777)
    station.deliver_all()
    station.telegram.script.append(
        _refused(400, "Bad Request: group chat was upgraded to a supergroup chat", migrate_to_chat_id=-100777)
    )
    station.queue(bot, "moved", chat=-5)

    station.deliver_all()

    assert [chat for _, chat, _ in station.telegram.sent] == ["-100777", "-100777"]
    assert station.rows("SELECT chat, migrated_to, message_count FROM conversations") == [("-100777", "-100777", 2)]


def test_a_refused_token_asks_a_person_and_heals_with_the_first_success(station: Station, bot: Bot) -> None:
    station.telegram.script.append(_refused(401, "Unauthorized"))
    station.queue(bot, "one")

    delivered = station.deliver()

    assert (delivered.result, delivered.again_in_s) == (Result.POSTPONED, REAUTH_RETRY_S)
    assert station.rows("SELECT state FROM channels") == [("needs_reauth",)]
    assert _parts(station) == [("queued", "bad_token")]
    station.deliver_all()
    assert station.telegram.texts == ["one"]
    assert station.rows("SELECT state FROM channels") == [("active",)]


def test_credentials_that_no_key_opens_ask_a_person_and_nothing_gets_an_unknown_outcome(
    station: Station, bot: Bot
) -> None:
    [(sealed,)] = station.rows("SELECT credentials FROM channels")
    station.execute("UPDATE channels SET credentials = 'sealed with a key that is gone'")
    station.queue(bot, "one")

    delivered = station.deliver()

    assert (delivered.result, delivered.again_in_s) == (Result.POSTPONED, REAUTH_RETRY_S)
    assert _parts(station) == [("queued", "credentials_sealed")]
    assert station.rows("SELECT state FROM channels") == [("needs_reauth",)]
    station.execute("UPDATE channels SET credentials = %s", sealed)
    station.deliver_all()
    assert (_states(station), station.telegram.texts) == (["sent"], ["one"])


def test_a_disabled_channel_gets_nothing_any_more(station: Station, bot: Bot) -> None:
    station.queue(bot, "one", "two")
    station.execute("UPDATE channels SET state = 'disabled'")

    station.deliver_all()

    assert _parts(station) == [("failed", "channel_disabled"), ("cancelled", "channel_disabled")]
    assert station.telegram.asked == 0


def test_a_part_older_than_a_day_is_given_up(station: Station, bot: Bot) -> None:
    station.queue(bot, "one", "two")
    station.execute("UPDATE outbound SET created_at = now() - interval '25 hours'")

    station.deliver_all()

    assert _parts(station) == [("failed", "expired"), ("cancelled", "expired")]
    assert station.telegram.asked == 0


def test_a_part_that_was_refused_too_often_is_given_up(station: Station, bot: Bot) -> None:
    station.telegram.script.extend([_refused(500, "Internal Server Error")] * 20)
    station.queue(bot, "one")

    station.deliver_all()

    assert _parts(station) == [("failed", "expired")]
    assert station.telegram.asked == Patience().attempts_max
    assert station.rows("SELECT count(*), count(status) FROM delivery_attempts") == [
        (Patience().attempts_max, Patience().attempts_max)
    ]


# ------------------------------------------------------------------ nobody knows


@pytest.mark.parametrize("fault", [LEAVES_OPEN, DROPS])
def test_a_send_without_an_answer_has_an_unknown_outcome_and_is_not_repeated(
    station: Station, bot: Bot, fault: str
) -> None:
    station.telegram.script.append(fault)
    station.queue(bot, "one", "two")

    assert station.deliver().result is Result.UNSENT

    assert _states(station) == ["unknown_outcome", "queued"]
    station.time_passes()
    assert station.deliver().result is Result.NOTHING_DUE  # it holds up its conversation
    assert station.telegram.texts == ["one"]


def test_a_part_of_unknown_outcome_lets_the_others_pass_after_a_while(station: Station, bot: Bot) -> None:
    station.telegram.script.append(DROPS)
    station.queue(bot, "one", "two")
    station.deliver()
    station.execute("UPDATE outbound SET unknown_since = now() - interval '61 seconds' WHERE state = 'unknown_outcome'")

    station.time_passes()
    assert station.deliver().result is Result.SENT

    assert _states(station) == ["unknown_outcome", "sent"]
    assert station.telegram.texts == ["one", "two"]


@pytest.mark.parametrize(("sent", "state", "texts"), [(True, "sent", ["one"]), (False, "sent", ["one", "one"])])
def test_a_person_settles_a_part_of_unknown_outcome(
    station: Station, bot: Bot, sent: bool, state: str, texts: list[str]
) -> None:
    station.telegram.script.append(DROPS)
    station.queue(bot, "one")
    station.deliver()
    with psycopg.connect(station.inbox.server.admin_url) as owner:
        [unknown] = send_results.list_unknown_outcomes(owner)
        assert unknown.meaning == "connection_lost"
        assert send_results.settle(owner, unknown.company_id, unknown.id, sent=sent)
        assert not send_results.settle(owner, unknown.company_id, unknown.id, sent=sent)

    station.deliver_all()

    assert _states(station) == [state]
    assert station.telegram.texts == texts


def test_a_send_whose_result_nobody_recorded_gets_an_unknown_outcome_and_a_late_record_settles_it(
    station: Station, bot: Bot
) -> None:
    station.queue(bot, "one")
    seen: list[object] = []

    def meanwhile() -> None:
        seen.append(recording.expire_unrecorded(station.r))  # not yet
        station.execute("UPDATE outbound SET due_at = now() - interval '1 second' WHERE state = 'sending'")
        seen.append(recording.expire_unrecorded(station.r))
        seen.extend(_parts(station))

    station.telegram.meanwhile = meanwhile

    assert station.deliver().result is Result.SENT

    assert seen == [0, 1, ("unknown_outcome", "not_recorded")]
    assert _parts(station) == [("sent", "sent")]
    assert station.rows("SELECT unknown_since, platform_message_id FROM outbound") == [(None, "1001")]


def test_a_record_that_comes_after_a_person_has_settled_changes_nothing(station: Station, bot: Bot) -> None:
    station.queue(bot, "one")

    def meanwhile() -> None:
        station.execute("UPDATE outbound SET due_at = now() - interval '1 second' WHERE state = 'sending'")
        recording.expire_unrecorded(station.r)
        with psycopg.connect(station.inbox.server.admin_url) as owner:
            [unknown] = send_results.list_unknown_outcomes(owner)
            send_results.settle(owner, unknown.company_id, unknown.id, sent=True)

    station.telegram.meanwhile = meanwhile
    station.telegram.script.append(_refused(500, "Internal Server Error"))

    assert station.deliver().result is Result.UNSENT

    assert _parts(station) == [("sent", "settled_by_person")]


def test_a_worker_that_dies_before_sending_holds_the_part_only_for_its_lease(station: Station, bot: Bot) -> None:
    station.queue(bot, "one")
    with station.r.db.transaction() as conn:
        claim_part(conn)
    assert station.deliver().result is Result.NOTHING_DUE

    station.deliver_all()

    assert station.telegram.texts == ["one"]


def test_a_result_that_the_database_could_not_take_is_recorded_when_it_is_back(
    make_postgres: Callable[..., Postgres], redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long it was away: after the deadline others may take the outcome for unknown, and only this process knows
    better."""
    server = make_postgres(fsync=True)  # without it the last commits would go with the server
    database = server.database("switchboard")
    migrate.migrate(database.admin_url)
    station = Station(database, redis_url, SEND_DEADLINE_S=0.3, RECORD_DEADLINE_S=0.4, DATABASE_POOL_TIMEOUT_S=0.2)
    station.queue(make_bot(database.admin_url), "one")
    refused = 0

    def outage() -> None:
        """Its sessions first: killed alone, the server leaves them for a moment, and one of them would still record."""
        with psycopg.connect(server.superuser_url, autocommit=True) as superuser:
            superuser.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = 'switchboard'"
            )
        server.kill()

    def sleep(seconds: float) -> None:
        """The process waits before it tries again: the server comes back when that was long after the deadline."""
        nonlocal refused
        refused += 1
        if refused == 4:
            server.start()
            with psycopg.connect(database.admin_url) as owner:  # as another process' sweeper would
                owner.execute("UPDATE outbound SET due_at = now() - interval '1 second' WHERE state = 'sending'")
                assert len(send_results.expire_sending(owner)) == 1
        time.sleep(seconds)

    monkeypatch.setattr(recording, "RETRY_S", 0.2)
    monkeypatch.setattr(recording, "time", SimpleNamespace(monotonic=time.monotonic, sleep=sleep))
    station.telegram.meanwhile = outage
    try:
        assert station.deliver().result is Result.SENT

        assert _parts(station) == [("sent", "sent")]
        assert station.telegram.asked == 1
        assert refused >= 4
    finally:
        station.close()


def test_a_process_that_is_to_stop_tries_no_longer_than_the_deadline(
    station: Station, bot: Bot, monkeypatch: pytest.MonkeyPatch
) -> None:
    station.queue(bot, "one")
    [taken] = deliver.take_due(station.r, 0, ClaimCapacity(1)).pieces
    now_s = iter([0.0, 0.0, 0.0, 29.0, 31.0])
    waited: list[float] = []
    monkeypatch.setattr(recording, "time", SimpleNamespace(monotonic=lambda: next(now_s), sleep=waited.append))
    monkeypatch.setattr(deliver, "time", SimpleNamespace(monotonic=time.monotonic))
    station.r.stopping.set()
    monkeypatch.setattr(station.r, "db", Away())

    assert deliver.deliver(station.r, taken).result is Result.UNSENT

    assert len(waited) == 3
    assert _states(station) == ["sending"]
    assert station.telegram.asked == 1


# ------------------------------------------------------------------ a commit whose answer is lost


class Away:
    def transaction(self, *_: int) -> NoReturn:
        raise DatabaseUnavailable("away", retry_after_s=1.0)


class LosesAnAnswer:
    """The database, whose connection breaks during the next commit: before or after it is done."""

    def __init__(self, db: pool.Database, *, committed: bool) -> None:
        self._db, self._committed, self._broken = db, committed, False

    @contextmanager
    def transaction(self, *companies: int) -> Iterator[Conn]:
        breaks, self._broken = not self._broken, True
        with self._db.transaction(*companies) as conn:
            yield conn
            if breaks and not self._committed:
                raise psycopg.OperationalError("the connection was lost before the commit")
        if breaks:
            raise DatabaseUnavailable("the connection was lost after the commit", retry_after_s=1.0)


def _take_in_doubt(station: Station, monkeypatch: pytest.MonkeyPatch, *, committed: bool) -> Taken:
    real = station.r.db
    monkeypatch.setattr(station.r.limiter, "take", lambda rates: 0.0)
    with monkeypatch.context() as patched:
        patched.setattr(station.r, "db", LosesAnAnswer(real, committed=committed))
        [taken] = deliver.take_due(station.r, 0, ClaimCapacity(5)).pieces
    return taken


def test_a_part_whose_begin_was_committed_unheard_never_left_and_goes_out_once(
    station: Station, bot: Bot, monkeypatch: pytest.MonkeyPatch
) -> None:
    station.queue(bot, "one")
    taken = _take_in_doubt(station, monkeypatch, committed=True)
    assert _states(station) == ["sending"]

    delivered = deliver.deliver(station.r, taken)

    assert (delivered.result, delivered.again_in_s) == (Result.POSTPONED, 0.0)
    assert (_parts(station), station.telegram.asked) == ([("queued", "never_left")], 0)
    assert station.deliver().result is Result.SENT
    assert station.telegram.texts == ["one"]
    assert station.rows("SELECT attempt, status, meaning FROM delivery_attempts ORDER BY 1") == [
        (1, "retry", "never_left"), (2, "sent", "sent"),
    ]  # fmt: skip


def test_a_part_in_doubt_that_was_taken_for_one_of_unknown_outcome_meanwhile_is_not(
    station: Station, bot: Bot, monkeypatch: pytest.MonkeyPatch
) -> None:
    station.queue(bot, "one")
    taken = _take_in_doubt(station, monkeypatch, committed=True)
    station.execute("UPDATE outbound SET due_at = now() - interval '1 second' WHERE state = 'sending'")
    assert recording.expire_unrecorded(station.r) == 1

    assert deliver.deliver(station.r, taken).result is Result.POSTPONED

    assert _parts(station) == [("queued", "never_left")]
    assert station.rows("SELECT unknown_since FROM outbound") == [(None,)]


def test_a_part_whose_begin_was_not_committed_is_another_processs(
    station: Station, bot: Bot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its claim has our epoch, and its attempt our number."""
    station.queue(bot, "one")
    in_doubt = _take_in_doubt(station, monkeypatch, committed=False)
    assert _states(station) == ["queued"]
    [other] = deliver.take_due(station.r, 0, ClaimCapacity(5)).pieces
    assert _states(station) == ["sending"]

    assert deliver.deliver(station.r, in_doubt).result is Result.UNSENT

    assert _states(station) == ["sending"]
    assert deliver.deliver(station.r, other).result is Result.SENT
    assert station.telegram.texts == ["one"]


def test_a_part_begun_by_itself_may_be_in_doubt_too(
    station: Station, bot: Bot, monkeypatch: pytest.MonkeyPatch
) -> None:
    station.queue(bot, "one")
    with station.r.db.transaction() as conn:
        [claim] = outbound.claim_several(conn, 0, limit=1, lease_s=10, unblock_s=60)
    monkeypatch.setattr(station.r, "db", LosesAnAnswer(station.r.db, committed=True))

    assert deliver.deliver(station.r, deliver.Taken(claim, None)).result is Result.POSTPONED

    assert (_parts(station), station.telegram.asked) == ([("queued", "never_left")], 0)
