"""Assistants: no company is without one; commands and the agents' API change the same row and refuse alike."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import psycopg
import pytest

from shared.embedded import Database
from shared.store.assistants import assistants, policies
from shared.triage import texts
from tasks.tenants import onboarding
from tests.factories import Bot, Inbox, make_bot, update
from tests.integration.command_line import Run, misused, nothing_done, one_line
from tests.integration.gateway_client import RunningGateway, running_gateway


@pytest.fixture
def bot(inbox: Inbox) -> Bot:
    return make_bot(inbox.server.admin_url, "Shoe shop")


@pytest.fixture
def place(inbox: Inbox, bot: Bot) -> str:
    """The company's default assistant, as commands name it."""
    [(found,)] = inbox.rows("SELECT id FROM assistants WHERE company_id = %s", bot.company_id)
    return f"shoe-shop/{found}"


@pytest.fixture
def gateway(inbox: Inbox) -> Iterator[RunningGateway]:
    with running_gateway(inbox.settings) as running:
        yield running


class Agent:
    """Somebody with a key of a company."""

    def __init__(self, gateway: RunningGateway, admin_url: str, company_id: int) -> None:
        self.gateway = gateway
        with psycopg.connect(admin_url, autocommit=True) as conn:
            self.key = onboarding.new_agent(conn, company_id, "Ada")

    def ask(self, method: str, path: str, body: Any = None) -> httpx.Response:
        content = b"" if body is None else json.dumps(body).encode()
        return self.gateway.request(method, path, headers={"authorization": f"Bearer {self.key}"}, content=content)


def _id(place: str) -> int:
    return int(place.rpartition("/")[2])


def test_every_company_and_channel_has_an_assistant_however_it_is_made(inbox: Inbox, bot: Bot) -> None:
    inbox.rows("INSERT INTO companies (name) VALUES ('Boots') RETURNING 1")

    assert inbox.rows(
        "SELECT c.name, a.kind, a.is_default, a.name FROM companies c LEFT JOIN assistants a ON a.company_id = c.id"
        " ORDER BY c.id"
    ) == [("Shoe shop", "support", True, "Assistant"), ("Boots", "support", True, "Assistant")]
    assert inbox.rows("SELECT count(*) FROM channels WHERE assistant_id IS NULL") == [(0,)]


def test_a_company_s_second_default_is_refused(inbox: Inbox, bot: Bot) -> None:
    with pytest.raises(psycopg.errors.UniqueViolation):
        inbox.rows("INSERT INTO assistants (company_id, is_default, name) VALUES (%s, true, 'x')", bot.company_id)


# ------------------------------------------------------------------ by commands


def test_texts_are_set_by_language_listed_and_reset(run: Run, place: str) -> None:
    assert run("assistant", "set-text", place, "welcome", "Hi!").lines == ["welcome *  Hi!"]
    assert run("assistant", "set-text", place, "welcome", "Hallo {company}!", "--language", "de").code == 0
    assert run("assistant", "show", place, "--json").json["texts"] == {
        "welcome": {"*": "Hi!", "de": "Hallo {company}!"}
    }
    rows = run("assistant", "texts", place, "--json").json
    assert [row["name"] for row in rows] == list(texts.NAMES)
    assert rows[0]["own"] == {"*": "Hi!", "de": "Hallo {company}!"}

    assert run("assistant", "reset-text", place, "welcome", "--language", "de").lines == ["welcome *  Hi!"]
    assert run("assistant", "reset-text", place, "welcome").lines == ["welcome  (built in)"]
    nothing_done(run("assistant", "reset-text", place, "welcome"), "already so")


@pytest.mark.parametrize("name", texts.NAMES)
def test_every_text_can_be_replaced(run: Run, place: str, name: str) -> None:
    assert run("assistant", "set-text", place, name.replace("_", "-"), "Own.").lines == [f"{name} *  Own."]


@pytest.mark.parametrize("name", [name for name in texts.NAMES if name != "replies_at"])
def test_when_the_team_begins_is_said_only_where_it_is_filled_in(run: Run, place: str, name: str) -> None:
    one_line(run("assistant", "set-text", place, name, "We begin {opens}."), "{opens}, which stands for nothing here")


def test_when_the_team_begins_may_be_said_in_words_of_one_s_own(run: Run, place: str) -> None:
    said = run("assistant", "set-text", place, "replies_at", "We begin {opens}.")
    assert said.lines == ["replies_at *  We begin {opens}."]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("  ", "must be told something"), ("x" * 2_001, "2000 characters"), ("Hi {customer}!", "{customer}"),
        ("a\x07b", "control character"), ("a\u202eb", "control character"),
    ],
)  # fmt: skip
def test_a_text_that_customers_cannot_be_told_is_refused(run: Run, place: str, text: str, says: str) -> None:
    one_line(run("assistant", "set-text", place, "welcome", text), says)
    assert run("assistant", "show", place, "--json").json["texts"] == {}


def test_policies_are_set_and_shown(run: Run, place: str) -> None:
    ended = run("assistant", "set", place, "--on-miss", "after-misses", "--misses", 2, "--return-after", "90m",
                "--hours", "mon-fri 9:00-17:00", "--time-zone", "Europe/Berlin", "--name", "Robin")  # fmt: skip

    assert ended.lines == [
        "on-miss  after_misses (2)", "return-after  90m", "hours  Mon-Fri 09:00-17:00", "time-zone  Europe/Berlin",
        "name  Robin",
    ]  # fmt: skip
    assert run("assistant", "set", place, "--on-miss", "at_once").lines == ["on-miss  at_once"]
    assert run("assistant", "set", place, "--misses", 5).lines == ["misses  5 (used once --on-miss is after_misses)"]
    assert run("assistant", "set", place, "--return-after", "never").lines == ["return-after  never"]
    nothing_done(run("assistant", "set", place, "--name", "Robin"), "already so")


def test_a_time_that_cannot_be_and_a_misspelt_name_are_told_in_the_words_of_the_command(run: Run, place: str) -> None:
    refused = run("assistant", "set", place, "--return-after", "31d")
    assert refused.code == 2
    assert "--return-after" in refused.err
    assert "'31d' should be from 1m to 30d, or never" in refused.err
    misspelt = run("assistant", "set-text", place, "wellcome", "Hi!")
    assert misspelt.code == 2
    assert "did you mean 'welcome'?" in misspelt.err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--hours", "Mon 17:00-09:00"), "two days"), (("--time-zone", "Mars"), "not a time zone"),
        (("--return-after", "5m", "--misses", "0"), "from 1 to 20"),
        (("--language", "tlh"), "no texts in"), (("--name", "\u202e"), "control"), ((), "say what to set"),
    ],
)  # fmt: skip
def test_a_policy_that_cannot_be_is_refused_and_nothing_of_it_kept(
    run: Run, place: str, words: tuple[str, ...], says: str
) -> None:
    before = run("assistant", "show", place, "--json").json
    one_line(run("assistant", "set", place, *words), says)
    assert run("assistant", "show", place, "--json").json == before


def test_a_time_that_is_none_is_told_with_how_to_write_it(run: Run, place: str) -> None:
    misused(run("assistant", "set", place, "--return-after", "soon"), "12h")


def test_a_channel_is_bound_to_another_assistant_of_the_company(run: Run, inbox: Inbox, bot: Bot, place: str) -> None:
    made = run("assistant", "create", "Robin", "--company", "shoe-shop", "--json").json
    other = f"shoe-shop/{made['id']}"

    assert run("assistant", "bind", other, "--channel", f"{bot.company_id}/{bot.channel_id}").code == 0

    assert inbox.rows("SELECT assistant_id FROM channels") == [(made["id"],)]
    listed = run("assistant", "list", "--company", "shoe-shop", "--json").json
    assert [(row["name"], row["channels"]) for row in listed] == [("Assistant", []), ("Robin", [bot.channel_id])]
    nothing_done(run("assistant", "create", "ROBIN", "--company", "shoe-shop"), "another name")


def test_a_channel_of_another_company_is_not_bound(run: Run, inbox: Inbox, place: str) -> None:
    other = make_bot(inbox.server.admin_url, "Boots")

    assert run("assistant", "bind", place, "--channel", other.channel_id).code == 1
    assert inbox.rows("SELECT count(*) FROM channels h JOIN assistants a ON a.id = h.assistant_id"
                      " WHERE a.company_id <> h.company_id") == [(0,)]  # fmt: skip


# ------------------------------------------------------------------ over HTTP


@pytest.fixture
def agent(gateway: RunningGateway, inbox: Inbox, bot: Bot) -> Agent:
    return Agent(gateway, inbox.server.admin_url, bot.company_id)


def test_agents_read_and_change_their_company_s_assistant(agent: Agent, place: str, bot: Bot) -> None:
    [listed] = agent.ask("GET", "/api/v1/assistants").json()["assistants"]
    assert (listed["kind"], listed["channels"], listed["on_miss"]) == ("support", [bot.channel_id], "offer")

    changed = agent.ask("PATCH", f"/api/v1/assistants/{_id(place)}", {
        "on_miss": "at_once", "return_after_s": None, "hours": "Sat 10:00-14:00", "time_zone": "Asia/Tokyo",
        "texts": {"welcome": {"*": "Hi!", "ja": "ようこそ"}},
    })  # fmt: skip

    assert changed.status_code == 200
    now = agent.ask("GET", f"/api/v1/assistants/{_id(place)}").json()
    assert [now[name] for name in ("on_miss", "return_after_s", "hours", "time_zone", "texts")] == [
        "at_once", None, "Sat 10:00-14:00", "Asia/Tokyo", {"welcome": {"*": "Hi!", "ja": "ようこそ"}},
    ]  # fmt: skip
    assert now["built_in"]["person"] == texts.default("person", "en")
    assert changed.json() == now
    agent.ask("PATCH", f"/api/v1/assistants/{_id(place)}", {"texts": {"welcome": {"*": None, "ja": None}}})
    assert agent.ask("GET", f"/api/v1/assistants/{_id(place)}").json()["texts"] == {}


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"on_miss": "shout"}, "offer, at_once"), ({"misses_max": 0}, "from 1 to 20"), ({"misses_max": True}, "number"),
        ({"return_after_s": 5}, "from 60 to"), ({"hours": "always"}, "days and times"), ({"hours": 9}, "a text"),
        ({"time_zone": "../etc"}, "not a time zone"), ({"language": "xx"}, "no texts in"), ({"name": ""}, "be seen"),
        ({"texts": {"nonsense": {"*": "x"}}}, "no text"), ({"texts": {"welcome": {"xx": "x"}}}, "no texts in"),
        ({"texts": {"welcome": "x"}}, "should be an object"), ({"texts": {"welcome": {"*": 7}}}, "be a text"),
        ({"texts": {"welcome": {"*": "x" * 3_000}}}, "2000 characters"), ({"kind": "sales"}, "kind"),
        ({"texts": {"welcome": {"*": "{0.__class__}"}}}, "stands for nothing"), ({"on_wish": None}, "a text"),
    ],
)  # fmt: skip
def test_a_change_that_cannot_be_is_refused_whole(agent: Agent, place: str, body: dict[str, Any], says: str) -> None:
    path = f"/api/v1/assistants/{_id(place)}"
    before = agent.ask("GET", path).json()

    refused = agent.ask("PATCH", path, {"texts": {"thanks": {"*": "Sure!"}}, "misses_max": 7, **body})

    assert (refused.status_code, says in refused.json()["error"]) == (422, True), refused.text
    assert agent.ask("GET", path).json() == before


def test_all_that_is_wrong_is_named_at_once(agent: Agent, place: str) -> None:
    refused = agent.ask("PATCH", f"/api/v1/assistants/{_id(place)}", {
        "on_miss": "never", "misses_max": 0, "language": "tlh", "hours": "Mon 25:00-26:00", "time_zone": "UTC",
        "texts": {"welcom": {"en": "Hi"}, "thanks": {"xx": "Hi"}},
    })  # fmt: skip

    said = refused.json()["error"]
    assert refused.status_code == 422
    for name in ("on_miss", "misses_max", "language", "25:00", "welcom", "thanks"):
        assert name in said


def test_another_company_s_assistant_is_not_there(
    agent: Agent, gateway: RunningGateway, inbox: Inbox, bot: Bot, place: str
) -> None:
    other = make_bot(inbox.server.admin_url, "Boots")
    stranger = Agent(gateway, inbox.server.admin_url, other.company_id)

    for method, path, body in (
        ("GET", f"/api/v1/assistants/{_id(place)}", None),
        ("PATCH", f"/api/v1/assistants/{_id(place)}", {"on_miss": "at_once"}),
        ("POST", f"/api/v1/assistants/{_id(place)}/bind", {"channel": other.channel_id}),
    ):  # fmt: skip
        assert stranger.ask(method, path, body).status_code == 404
    assert agent.ask("POST", f"/api/v1/assistants/{_id(place)}/bind", {"channel": other.channel_id}).status_code == 404
    assert [one["channels"] for one in stranger.ask("GET", "/api/v1/assistants").json()["assistants"]] == [
        [other.channel_id]
    ]


def test_an_agent_closes_a_conversation_and_the_customer_opens_it(agent: Agent, inbox: Inbox, bot: Bot) -> None:
    inbox.journal(bot, update("hello", chat=5))
    inbox.drain_all()
    [(conversation,)] = inbox.rows("SELECT id FROM conversations")
    agent.ask("POST", f"/api/v1/conversations/{conversation}/take-over")

    def listed() -> tuple[Any, ...]:
        [one] = agent.ask("GET", "/api/v1/conversations").json()["conversations"]
        return one["status"], one["bot_enabled"], one["bot_off_reason"], one["returns_at"] is not None

    assert listed() == ("handed_over", False, "agent", True)
    assert agent.ask("POST", f"/api/v1/conversations/{conversation}/close").json() == {"bot_enabled": True}
    assert listed() == ("closed", True, None, False)
    inbox.journal(bot, update("and now?", chat=5))
    inbox.drain_all()
    assert listed() == ("open", True, None, False)
    assert agent.ask("POST", "/api/v1/conversations/999/close").status_code == 404


# ------------------------------------------------------------------ moved from companies


def test_the_texts_of_a_company_move_to_its_assistant_and_back(database: Database) -> None:
    from shared.store.db import migrate

    names = [name for name, _ in migrate.files() if not migrate.is_repeatable(name)]
    place = next(i for i, name in enumerate(names) if name.endswith("_assistants.sql"))
    for _ in names[place:]:
        migrate.undo(database.admin_url)
    with psycopg.connect(database.admin_url, autocommit=True) as conn:
        conn.execute(
            "INSERT INTO companies (name, overload_text, texts, language)"
            " VALUES ('Shoe shop', 'Too many.', '{\"welcome\": \"Hi!\", \"stop\": \"Quiet.\"}', 'de'), ('Boots',"
            " DEFAULT, DEFAULT, NULL)"
        )
        before = conn.execute("SELECT * FROM companies ORDER BY id").fetchall()
    migrate.migrate(database.admin_url)
    with psycopg.connect(database.admin_url, autocommit=True) as conn:
        found = [
            assistants.of_company(conn, company)[0]
            for (company,) in conn.execute("SELECT id FROM companies ORDER BY id")
        ]
    assert [(one.texts, one.language) for one in found] == [
        ({"overload": {"*": "Too many."}, "paused": {"*": "Quiet."}, "welcome": {"*": "Hi!"}}, "de"), ({}, None),
    ]  # fmt: skip
    assert policies.checked(found[0], {}) == {}

    for _ in names[place:]:
        migrate.undo(database.admin_url)
    with psycopg.connect(database.admin_url, autocommit=True) as conn:
        assert conn.execute("SELECT * FROM companies ORDER BY id").fetchall() == before
