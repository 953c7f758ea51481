"""The web-chat widget on real services: who may speak, what is stored, and what a visitor sees of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from gateway.http.streams import PER_VISITOR_MAX
from gateway.widget import visitors
from shared.embedded import Database, Valkey
from shared.live.topics import Chat, Stored, Went
from shared.store.db.vault import Vault
from shared.store.inbox import moving
from shared.store.inbox.conversations import ChatKey
from tasks.tenants import onboarding
from tests.factories import ENCRYPTION_KEY, Bot, settings_for
from tests.integration.gateway_client import RunningGateway, running_gateway
from tests.integration.station import Station
from tests.integration.visitor import ORIGIN, Visitor, make_widget


@pytest.fixture
def widget(database: Database) -> Bot:
    return make_widget(database.admin_url)


@pytest.fixture
def gateway(database: Database, redis_url: str) -> Iterator[RunningGateway]:
    settings = settings_for(database, redis_url, APP_CACHE_TTL_S=0, WIDGET_STREAMS_MAX=PER_VISITOR_MAX + 1)
    with running_gateway(settings) as running:
        yield running


def take_in(station: Station) -> None:
    """What intake does: drain, and tell who watches."""
    stored = station.inbox.drain_all()
    station.r.live.hint(stored.moved)
    station.r.live.tell(stored.chats, Stored())


def renew_secrets(database: Database, widget: Bot, change: Callable[[list[str]], list[str]]) -> None:
    vault = Vault([ENCRYPTION_KEY])
    with psycopg.connect(database.admin_url, autocommit=True) as conn:
        row = conn.execute("SELECT secrets FROM apps WHERE id = %s", (widget.app_id,)).fetchone()
        assert row is not None
        conn.execute(
            "UPDATE apps SET secrets = %s WHERE id = %s", (vault.seal(change(vault.open(row[0]))), widget.app_id)
        )


# Who may speak


def test_a_page_that_is_allowed_may_ask_and_read_the_answer(gateway: RunningGateway, widget: Bot) -> None:
    path = f"/widget/{widget.slug}/messages"
    asked = gateway.request("OPTIONS", path, headers={"origin": ORIGIN, "access-control-request-method": "POST"})

    assert asked.status_code == 204
    assert asked.headers["access-control-allow-origin"] == ORIGIN
    assert "POST" in asked.headers["access-control-allow-methods"]
    assert "authorization" in asked.headers["access-control-allow-headers"]
    refused = gateway.get(path, headers={"origin": ORIGIN})
    assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (401, ORIGIN)


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "null", "http://shop.example", ORIGIN + ".evil.example", "https://shop.example:1"],
)
def test_every_other_page_is_turned_away_everywhere(gateway: RunningGateway, widget: Bot, origin: str) -> None:
    token = Visitor(gateway, widget).token
    headers = {"origin": origin, "authorization": f"Bearer {token}"}
    for method, path in (("POST", "sessions"), ("POST", "messages"), ("GET", "messages"), ("GET", "events")):
        for asked in (method, "OPTIONS"):
            answer = gateway.request(asked, f"/widget/{widget.slug}/{path}", headers=headers)
            assert answer.status_code == 403
            assert "access-control-allow-origin" not in answer.headers


def test_a_session_that_is_renewed_is_the_same_visitor(gateway: RunningGateway, widget: Bot) -> None:
    visitor = Visitor(gateway, widget)
    first = visitor.open_session(authorization=f"Bearer {visitor.token}").json()
    other = visitor.open_session().json()

    assert visitors.read(first["token"], widget.slug, [], 0) is None  # no secret opens nothing
    assert first["visitor"] != other["visitor"]
    assert visitor.open_session(authorization=f"Bearer {first['token']}").json()["visitor"] == first["visitor"]


def test_only_a_token_of_this_widget_counts(gateway: RunningGateway, widget: Bot, database: Database) -> None:
    good = Visitor(gateway, widget)
    another = Visitor(gateway, make_widget(database.admin_url))
    version, body, mac = good.token.split(".")
    forged = visitors.sign(visitors.Visitor("x", widget.slug, 0, 2**40), ["a guess"])
    for token in (
        another.token,
        forged,
        f"{version}.{body}.",
        f"{version}.{body}x.{mac}",
        body,
        "",
        "v1..",
        "x" * 9000,
    ):
        visitor = Visitor(gateway, widget, token=token or "none")
        assert visitor.say("hello").status_code == 401
        assert visitor.gateway.get(f"/widget/{widget.slug}/messages", headers=visitor.headers).status_code == 401
        assert visitor.watch().status == 401
    assert good.say("hello").status_code == 202


def test_a_token_ends_with_its_time_and_with_its_secret(
    gateway: RunningGateway, widget: Bot, database: Database
) -> None:
    early = Visitor(gateway, widget)
    renew_secrets(database, widget, lambda known: ["newer", *known])
    late = Visitor(gateway, widget)
    assert (early.say("hello").status_code, late.say("hello").status_code) == (202, 202)

    renew_secrets(database, widget, lambda known: known[:1])
    assert (early.say("hello").status_code, late.say("hello").status_code) == (401, 202)

    expired = visitors.sign(visitors.Visitor("x", widget.slug, 0, 1000), ["newer"])
    assert Visitor(gateway, widget, token=expired).say("hello").status_code == 401


def test_changing_the_origins_keeps_the_visitors(gateway: RunningGateway, widget: Bot, database: Database) -> None:
    visitor = Visitor(gateway, widget)
    with psycopg.connect(database.admin_url, autocommit=True) as conn:
        onboarding.connect_widget(
            conn, Vault([ENCRYPTION_KEY]), company_id=widget.company_id, slug=widget.slug,
            origins=["https://New.example/"],
        )  # fmt: skip
        with pytest.raises(ValueError, match="no origin"):
            onboarding.connect_widget(
                conn, Vault([ENCRYPTION_KEY]), company_id=widget.company_id, slug=widget.slug,
                origins=["https://shop.example/path"],
            )  # fmt: skip

    assert visitor.say("hello").status_code == 403
    assert visitor.say("hello", origin="https://new.example").status_code == 202


# The way in


def test_a_message_is_stored_once_however_often_it_is_posted(
    gateway: RunningGateway, widget: Bot, station: Station
) -> None:
    visitor, neighbour = Visitor(gateway, widget), Visitor(gateway, widget)
    assert visitor.read() == []

    for _ in range(3):
        answer = visitor.say("When do you open?", "first")
        assert (answer.status_code, answer.json()) == (202, {"ok": True, "client_id": "first"})
    neighbour.say("I am somebody else", "first")
    take_in(station)

    assert station.rows(
        "SELECT count(*) FROM webhook_events WHERE request_id = %s", answer.headers["x-request-id"]
    ) == [(1,)]
    [seen] = visitor.read()
    assert (seen["seq"], seen["role"], seen["text"], seen["client_id"]) == (1, "customer", "When do you open?", "first")
    assert neighbour.texts() == ["I am somebody else"]
    assert visitor.read(after_seq=1) == []
    assert station.rows("SELECT reason, count(*) FROM webhook_events GROUP BY 1 ORDER BY 1") == [
        ("duplicate", 2), (None, 2),
    ]  # fmt: skip


NOT_AS_DESCRIBED: list[Any] = [
    b"", b"[]", b"{", {"text": "a"}, {"client_id": "a"}, {"text": " ", "client_id": "a"},
    {"text": 1, "client_id": "a"}, {"text": "a", "client_id": ""}, {"text": "a", "client_id": "a b"},
    {"text": "a", "client_id": "x" * 65}, {"text": "a", "client_id": 7}, {"text": "x" * 4001, "client_id": "a"},
]  # fmt: skip


@pytest.mark.parametrize("body", NOT_AS_DESCRIBED)
def test_what_is_not_as_described_is_refused_with_words(gateway: RunningGateway, widget: Bot, body: Any) -> None:
    visitor = Visitor(gateway, widget)
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()

    answer = gateway.request("POST", f"/widget/{widget.slug}/messages", content=raw, headers=visitor.headers)

    assert answer.status_code == 422
    assert len(answer.json()["error"]) > 10


def test_each_refusal_has_its_status(gateway: RunningGateway, widget: Bot, database: Database) -> None:
    visitor = Visitor(gateway, widget)
    ask, base = gateway.request, f"/widget/{widget.slug}"

    assert ask("POST", "/widget/nobody/sessions").status_code == 404
    assert ask("POST", "/widget/a%20b/sessions").status_code == 404
    assert ask("GET", f"{base}/sessions", headers=visitor.headers).status_code == 405
    assert ask("POST", f"{base}/messages", content=b"x" * 40_000, headers=visitor.headers).status_code == 413
    for query in ("after_seq=-1", "after_seq=x", "limit=201", "after_seq=" + "9" * 30):
        assert ask("GET", f"{base}/messages?{query}", headers=visitor.headers).status_code == 422
    with psycopg.connect(database.admin_url, autocommit=True) as conn:
        conn.execute("UPDATE channels SET state = 'disabled' WHERE id = %s", (widget.channel_id,))
    assert visitor.say("hello").status_code == 404


def test_nobody_speaks_for_a_visitor_at_the_webhooks_address(gateway: RunningGateway, widget: Bot) -> None:
    token = Visitor(gateway, widget).token
    for headers in ({}, {"authorization": f"Bearer {token}"}, {"x-switchboard-signature": "sha256=00"}):
        answer = gateway.request(
            "POST",
            f"/webhooks/widget/{widget.slug}",
            json={"visitor": "a", "client_id": "b", "text": "c"},
            headers=headers,
        )
        assert answer.status_code == 401


def until_refused(visitor: Visitor) -> int:
    """Post until it is too often; how many were accepted."""
    for count in range(60):
        answer = visitor.say("again")
        if answer.status_code != 202:
            assert (answer.status_code, int(answer.headers["retry-after"]) >= 1) == (429, True)
            return count
    raise AssertionError("sixty messages in a row were accepted")


def test_a_visitor_who_posts_without_pause_is_slowed_and_nobody_else(gateway: RunningGateway, widget: Bot) -> None:
    assert until_refused(Visitor(gateway, widget)) >= 5
    assert Visitor(gateway, widget).say("hello").status_code == 202


def test_an_address_that_opens_sessions_without_end_is_slowed(gateway: RunningGateway, widget: Bot) -> None:
    visitor = Visitor(gateway, widget)
    assert 429 in {visitor.open_session().status_code for _ in range(100)}
    # who is known goes on
    assert visitor.say("hello").status_code == 202


def test_without_redis_nothing_is_accepted_and_limits_and_reading_go_on(
    database: Database, widget: Bot, make_valkey: Callable[..., Valkey]
) -> None:
    journal, cache = make_valkey(), make_valkey()
    settings = settings_for(database, journal.redis_url, CACHE_URL=cache.redis_url, JOURNAL_WRITE_TIMEOUT_S=0.5)
    with running_gateway(settings) as gateway:
        visitor = Visitor(gateway, widget)
        cache.stop()
        assert until_refused(visitor) >= 5
        journal.stop()
        other = Visitor(gateway, widget)
        answer = other.say("hello")
        assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (503, ORIGIN)
        assert other.read() == []


# The way out


def test_an_answer_is_delivered_by_being_stored(gateway: RunningGateway, widget: Bot, station: Station) -> None:
    station.learn(widget)
    visitor = Visitor(gateway, widget)
    visitor.say("When does the shop open?")
    take_in(station)
    station.answer()
    station.deliver_all()

    assert [(m["role"], "nine" in m["text"]) for m in visitor.read()] == [("customer", False), ("bot", True)]
    assert station.rows("SELECT state, attempts, meaning FROM outbound") == [("sent", 1, "stored_here")]
    assert station.rows("SELECT attempt, status FROM delivery_attempts") == [(1, "sent")]
    assert station.telegram.asked == 0


def test_parts_are_settled_in_their_order_and_never_for_a_disabled_widget(station: Station, widget: Bot) -> None:
    station.queue(widget, "one", "two", chat=1)
    order = "SELECT part, state FROM outbound ORDER BY finished_at NULLS LAST, part"
    assert station.deliver().again_in_s == 0.0
    assert station.rows(order) == [(1, "sent"), (2, "queued")]
    station.execute("UPDATE channels SET state = 'disabled'")
    station.deliver_all()
    assert station.rows(order) == [(1, "sent"), (2, "failed")]


# Watching


def test_who_watches_sees_each_message_once_and_continues_where_the_page_was(
    gateway: RunningGateway, widget: Bot, station: Station
) -> None:
    station.learn(widget)
    visitor = Visitor(gateway, widget)
    stream = visitor.watch()  # before there is a conversation
    visitor.say("When does the shop open?")
    take_in(station)
    assert (event := stream.next()).name == "message"
    assert (event.id, event.data["text"]) == ("1", "When does the shop open?")
    stream.leave()

    station.answer()
    station.deliver_all()
    again = visitor.watch(**{"last-event-id": "1"})
    assert ((event := again.next()).id, event.data["role"]) == ("2", "bot")
    visitor.say("Thank you")
    take_in(station)
    assert again.next().data["text"] == "Thank you"  # and the answer is not told a second time
    assert visitor.watch("after_seq=2").next().id == "3"


def test_a_browser_may_bring_its_token_in_the_address(gateway: RunningGateway, widget: Bot, station: Station) -> None:
    visitor = Visitor(gateway, widget)
    visitor.say("hello")
    take_in(station)
    token, visitor.token = visitor.token, "none"
    assert visitor.watch(f"token={token}").status == 401  # a header that is there counts
    bare = visitor.watch(f"token={token}", authorization="")
    assert bare.next().data["text"] == "hello"


def test_streams_are_bounded_and_a_closed_page_makes_room(gateway: RunningGateway, widget: Bot) -> None:
    visitor, others = Visitor(gateway, widget), [Visitor(gateway, widget) for _ in range(2)]
    open_streams = [visitor.watch() for _ in range(PER_VISITOR_MAX)]
    assert {stream.status for stream in open_streams} == {200}
    assert visitor.watch().status == 429
    assert [other.watch().status for other in others] == [200, 503]

    for stream in open_streams:
        stream.leave()
    assert visitor.watch().status == 200


def test_open_streams_end_when_the_gateway_stops(database: Database, redis_url: str, widget: Bot) -> None:
    with running_gateway(settings_for(database, redis_url)) as gateway:
        stream = Visitor(gateway, widget).watch()
        gateway.run(gateway_stops(gateway))
        with pytest.raises(EOFError):
            stream.next()


async def gateway_stops(gateway: RunningGateway) -> None:
    """What SIGTERM does first; test_gateway_process sends the signal itself."""
    gateway.app._pages.state.edge.hub.stop_watching()


def test_what_a_stream_shows_is_gone_with_its_widget(
    gateway: RunningGateway, widget: Bot, station: Station, database: Database
) -> None:
    visitor = Visitor(gateway, widget)
    stream = visitor.watch()
    visitor.say("hello")
    take_in(station)
    assert stream.next().name == "message"
    with psycopg.connect(database.admin_url, autocommit=True) as conn:
        conn.execute("UPDATE apps SET state = 'disabled' WHERE id = %s", (widget.app_id,))

    async def fall_behind() -> None:  # as after an outage, instead of waiting for the next heartbeat
        for watchers in gateway.app._pages.state.edge.hub._watchers.values():
            for watcher in watchers:
                watcher.fall_behind()

    gateway.run(fall_behind())
    with pytest.raises(EOFError):
        stream.next()


def test_who_watches_a_conversation_that_became_part_of_another_goes_along(
    gateway: RunningGateway, widget: Bot, station: Station
) -> None:
    here, there = Visitor(gateway, widget), Visitor(gateway, widget)
    stream = here.watch()
    here.say("before")
    take_in(station)
    assert stream.next().data["text"] == "before"
    there.say("after")
    take_in(station)
    [(left, chat)] = station.rows(
        "SELECT a.chat, b.chat FROM conversations a, conversations b"
        " WHERE a.last_message_preview = 'before' AND b.last_message_preview = 'after'"
    )
    with station.r.db.transaction(widget.company_id) as conn:
        moving.move_chat(conn, ChatKey(widget.company_id, widget.channel_id, left), chat)

    station.r.live.tell([Chat(widget.company_id, widget.channel_id, left)], Went(chat))

    assert ((event := stream.next()).name, event.data) == ("moved", {"chat": chat})
    assert [(event.id, event.data["text"]) for event in (stream.next(), stream.next())] == [
        ("1", "before"), ("2", "after")
    ]  # fmt: skip
    there.say("new")
    take_in(station)
    assert stream.next().data["text"] == "new"
    stream.leave()
