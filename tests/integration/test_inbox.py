"""The agents' inbox over HTTP: whoever has a company's key sees that company, and nothing of any other."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import psycopg
import pytest

from shared.embedded import Database
from tasks.tenants import onboarding
from tests.factories import Bot, Inbox, make_bot, update
from tests.integration.gateway_client import RunningGateway, cut_off, running_gateway
from tests.services import Services


@dataclass
class Agent:
    """Somebody with an API key at a running gateway."""

    gateway: RunningGateway
    key: str

    def get(self, path: str) -> httpx.Response:
        return self.gateway.get(path, headers={"authorization": f"Bearer {self.key}"})

    def post(self, path: str, *, content: bytes = b"", **headers: str) -> httpx.Response:
        headers = {"authorization": f"Bearer {self.key}", **headers}
        return self.gateway.request("POST", path, headers=headers, content=content)

    def write(self, conversation: int, text: str, **headers: str) -> httpx.Response:
        body = json.dumps({"text": text}).encode()
        return self.post(f"/api/v1/conversations/{conversation}/messages", content=body, **headers)

    def listed(self, query: str = "") -> dict[str, Any]:
        found: dict[str, Any] = self.get(f"/api/v1/conversations{query}").json()
        return found

    def conversation_of(self, chat: int) -> int:
        return next(int(c["id"]) for c in self.listed()["conversations"] if c["chat"] == str(chat))


@pytest.fixture
def inbox(database: Database, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Inbox]:
    monkeypatch.setenv("REDIS_URL", redis_url)  # an agent's message wakes up delivery
    inbox = Inbox(database, redis_url, DATABASE_POOL_TIMEOUT_S=0.5)
    yield inbox
    inbox.close()


@pytest.fixture
def gateway(inbox: Inbox) -> Iterator[RunningGateway]:
    with running_gateway(inbox.settings) as running:
        yield running


@pytest.fixture
def bot(inbox: Inbox) -> Bot:
    return make_bot(inbox.server.admin_url)


@pytest.fixture
def agent(inbox: Inbox, gateway: RunningGateway, bot: Bot) -> Agent:
    return agent_of(inbox, gateway, bot)


def agent_of(inbox: Inbox, gateway: RunningGateway, bot: Bot) -> Agent:
    with psycopg.connect(inbox.server.admin_url, autocommit=True) as conn:
        return Agent(gateway, onboarding.new_agent(conn, bot.company_id, "agent"))


def _customers_write(inbox: Inbox, bot: Bot, *words: tuple[int, str]) -> None:
    for chat, text in words:
        inbox.journal(bot, update(text, chat=chat))
    inbox.drain_all()


def test_the_list_shows_the_newest_first_with_what_is_unread(inbox: Inbox, bot: Bot, agent: Agent) -> None:
    _customers_write(inbox, bot, (1, "first"), (1, "second"))
    _customers_write(inbox, bot, (2, "hello"))

    listed = agent.listed()

    assert listed["unread"] == 3
    shown = [(c["chat"], c["contact"], c["unread"], c["last_message_preview"]) for c in listed["conversations"]]
    assert shown == [("2", "Customer 2", 1, "hello"), ("1", "Customer 1", 2, "second")]


def test_the_list_goes_on_where_a_page_ended(inbox: Inbox, bot: Bot, agent: Agent) -> None:
    for chat in range(1, 6):
        _customers_write(inbox, bot, (chat, "hello"))

    seen: list[list[str]] = []
    cursor: str | None = ""
    while cursor is not None:
        page = agent.listed("?limit=2" + (f"&cursor={cursor}" if cursor else ""))
        seen.append([c["chat"] for c in page["conversations"]])
        cursor = page["next_cursor"]

    assert seen == [["5", "4"], ["3", "2"], ["1"]]


def test_messages_come_in_pages_in_order(inbox: Inbox, bot: Bot, agent: Agent) -> None:
    _customers_write(inbox, bot, *((7, f"word {n}") for n in range(5)))
    path = f"/api/v1/conversations/{agent.conversation_of(7)}/messages"

    first = agent.get(f"{path}?limit=3").json()["messages"]
    rest = agent.get(f"{path}?after_seq={first[-1]['seq']}").json()["messages"]

    assert [m["text"] for m in first + rest] == [f"word {n}" for n in range(5)]
    assert {m["role"] for m in first} == {"customer"}


def test_reading_makes_read_and_a_later_message_is_unread_again(inbox: Inbox, bot: Bot, agent: Agent) -> None:
    _customers_write(inbox, bot, (7, "one"), (7, "two"), (8, "other"))
    conversation = agent.conversation_of(7)

    assert agent.post(f"/api/v1/conversations/{conversation}/read").json() == {"unread": 0}
    assert agent.listed()["unread"] == 1

    _customers_write(inbox, bot, (7, "three"))
    assert agent.listed()["unread"] == 2


def test_what_waits_for_a_person_says_so_until_one_writes(inbox: Inbox, bot: Bot, agent: Agent) -> None:
    _customers_write(inbox, bot, (7, "What is it?"))
    conversation = agent.conversation_of(7)
    inbox.owner.run("UPDATE conversations SET attention = 'nothing_relevant', attention_since = now()", ())
    path = f"/api/v1/conversations/{conversation}"

    assert agent.listed()["conversations"][0]["attention"] == "nothing_relevant"
    assert agent.get(f"{path}/messages").json()["attention"] == "nothing_relevant"
    agent.post(f"{path}/read")
    assert agent.listed()["conversations"][0]["attention_since"] is not None  # seen is not answered

    agent.write(conversation, "I shall look it up.")

    assert agent.get(f"{path}/messages").json()["attention"] is None
    assert agent.listed()["conversations"][0]["attention"] is None


def test_taking_over_silences_the_bot_until_it_is_handed_back(inbox: Inbox, bot: Bot, agent: Agent) -> None:
    _customers_write(inbox, bot, (7, "hello"))
    path = f"/api/v1/conversations/{agent.conversation_of(7)}"

    assert agent.post(f"{path}/take-over").json() == {"bot_enabled": False}
    _customers_write(inbox, bot, (7, "still there?"))
    assert inbox.rows("SELECT state, count(*) FROM turns GROUP BY 1") == [("cancelled", 1)]
    assert agent.listed()["conversations"][0]["status"] == "handed_over"

    assert agent.post(f"{path}/hand-back").json() == {"bot_enabled": True}
    _customers_write(inbox, bot, (7, "and now?"))
    assert ("waiting", 1) in inbox.rows("SELECT state, count(*) FROM turns GROUP BY 1")


def test_reading_up_to_what_was_shown_leaves_a_message_that_came_meanwhile(
    inbox: Inbox, bot: Bot, agent: Agent
) -> None:
    inbox.journal(bot, update("shown", chat=5))
    inbox.drain_all()
    [shown] = agent.listed()["conversations"]
    inbox.journal(bot, update("came meanwhile", chat=5))
    inbox.drain_all()

    answer = agent.post(f"/api/v1/conversations/{shown['id']}/read?up_to={shown['customer_seq']}")

    assert answer.json() == {"unread": 1}


def test_an_agent_who_writes_has_the_conversation_and_has_read_it(inbox: Inbox, bot: Bot, agent: Agent) -> None:
    _customers_write(inbox, bot, (7, "hello"))
    conversation = agent.conversation_of(7)

    answer = agent.write(conversation, "This is Ada, how can I help?")

    assert (answer.status_code, answer.json()["repeated"]) == (200, False)
    [listed] = agent.listed()["conversations"]
    assert (listed["unread"], listed["bot_enabled"], listed["last_message_role"]) == (0, False, "agent")
    assert inbox.rows("SELECT state, text FROM outbound") == [("queued", "This is Ada, how can I help?")]
    assert inbox.rows("SELECT state FROM turns") == [("cancelled",)]


def test_a_message_sent_twice_under_one_key_is_written_once(inbox: Inbox, bot: Bot, agent: Agent) -> None:
    _customers_write(inbox, bot, (7, "hello"), (8, "hello"))
    one, other = agent.conversation_of(7), agent.conversation_of(8)

    answers = [agent.write(one, "hi", **{"idempotency-key": "k"}).json() for _ in range(2)]
    elsewhere = agent.write(other, "hi", **{"idempotency-key": "k"}).json()

    assert answers == [{**answers[0], "repeated": False}, {**answers[0], "repeated": True}]
    assert not elsewhere["repeated"]
    assert inbox.rows("SELECT conversation_id, count(*) FROM outbound GROUP BY 1 ORDER BY 1") == sorted(
        [(one, 1), (other, 1)]
    )


def test_a_key_that_comes_again_with_another_body_is_refused(inbox: Inbox, bot: Bot, agent: Agent) -> None:
    _customers_write(inbox, bot, (7, "hello"))
    conversation = agent.conversation_of(7)
    path, key = f"/api/v1/conversations/{conversation}/messages", {"idempotency-key": "k"}

    first = agent.post(path, content=b'{"text": "at nine"}', **key)
    same = agent.post(path, content=b'{ "text":"at nine" }', **key)
    other = agent.post(path, content=b'{"text": "at ten"}', **key)

    assert (first.status_code, same.json()) == (200, {**first.json(), "repeated": True})
    assert (other.status_code, "Idempotency-Key" in other.json()["error"]) == (422, True)
    assert inbox.rows("SELECT text FROM outbound") == [("at nine",)]


def test_two_requests_under_one_key_at_once_write_once(inbox: Inbox, bot: Bot, agent: Agent) -> None:
    _customers_write(inbox, bot, (7, "hello"))
    headers = {"authorization": f"Bearer {agent.key}", "idempotency-key": "k"}
    path = f"/api/v1/conversations/{agent.conversation_of(7)}/messages"

    answers = agent.gateway.together(
        [agent.gateway.ask("POST", path, headers=headers, json={"text": "at nine"}) for _ in range(4)]
    )

    assert sorted(answer.json()["repeated"] for answer in answers) == [False, True, True, True]
    assert len({answer.json()["message_id"] for answer in answers}) == 1


@pytest.mark.parametrize(
    ("status", "body"),
    [(422, b""), (422, b"{}"), (422, b'{"text": 5}'), (422, b'{"text": " \\n"}'), (422, b"[]"), (422, b"\xff"),
     (413, b'{"text": "' + b"x" * 70_000 + b'"}')],
)  # fmt: skip
def test_a_message_that_is_none_is_refused_and_changes_nothing(
    inbox: Inbox, bot: Bot, agent: Agent, status: int, body: bytes
) -> None:
    _customers_write(inbox, bot, (7, "hello"))

    answer = agent.post(f"/api/v1/conversations/{agent.conversation_of(7)}/messages", content=body)

    assert answer.status_code == status
    assert inbox.rows("SELECT bot_enabled, customer_seq - read_seq FROM conversations") == [(True, 1)]


def test_text_that_no_table_holds_is_made_storable(inbox: Inbox, bot: Bot, agent: Agent) -> None:
    _customers_write(inbox, bot, (7, "hello"))

    assert agent.write(agent.conversation_of(7), "a\x00b\ud800c").status_code == 200
    assert inbox.rows("SELECT text FROM outbound") == [("a\ufffdb\ufffdc",)]


@pytest.mark.parametrize(
    ("method", "what"),
    [("GET", "messages"), ("POST", "messages"), ("POST", "read"), ("POST", "take-over"), ("POST", "hand-back")],
)
def test_another_companys_conversation_does_not_exist(
    inbox: Inbox, bot: Bot, gateway: RunningGateway, method: str, what: str
) -> None:
    _customers_write(inbox, bot, (7, "a secret"))
    [(conversation,)] = inbox.rows("SELECT id FROM conversations")
    stranger = agent_of(inbox, gateway, make_bot(inbox.server.admin_url))

    headers = {"authorization": f"Bearer {stranger.key}"}
    path = f"/api/v1/conversations/{conversation}/{what}"
    answer = gateway.request(method, path, headers=headers, content=b'{"text": "a stranger"}' * (what == "messages"))

    assert (answer.status_code, answer.json()["error"]) == (404, "this company has no such conversation")
    assert stranger.listed() == {"unread": 0, "conversations": [], "next_cursor": None}
    assert inbox.rows("SELECT bot_enabled, customer_seq - read_seq FROM conversations") == [(True, 1)]


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Bearer sbk_nobody", "Basic {key}", "{key}"])
def test_without_a_key_in_force_nothing_is_told(gateway: RunningGateway, agent: Agent, header: str | None) -> None:
    headers = {} if header is None else {"authorization": header.format(key=agent.key)}

    for method, path in (
        ("GET", ""),
        ("GET", "/1/messages"),
        ("POST", "/1/read"),
        ("POST", "/1/take-over"),
        ("POST", "/1/messages"),
    ):
        answer = gateway.request(method, f"/api/v1/conversations{path}", headers=headers, content=b'{"text": "hi"}')
        assert answer.status_code == 401


def test_an_agent_who_was_disabled_is_out_at_once(inbox: Inbox, agent: Agent) -> None:
    assert agent.get("/api/v1/conversations").status_code == 200
    inbox.rows("UPDATE agents SET disabled_at = now() RETURNING 1")

    assert agent.get("/api/v1/conversations").status_code == 401


@pytest.mark.parametrize("path", ["/9999/messages", "/99999999999999999999/messages", "/9223372036854775807/messages"])
def test_a_conversation_that_is_none_is_a_404(agent: Agent, path: str) -> None:
    assert agent.get(f"/api/v1/conversations{path}").status_code == 404


@pytest.mark.parametrize(
    "query", ["?limit=201", "?limit=-1", "?limit=%C2%B2", "?limit=many", "?cursor=yesterday", "?limit=" + "9" * 5000]
)
def test_a_question_that_is_none_is_a_422_that_names_it(agent: Agent, query: str) -> None:
    answer = agent.get(f"/api/v1/conversations{query}")

    assert answer.status_code == 422
    assert answer.json()["error"].startswith(query[1:].partition("=")[0])


def test_while_the_database_is_away_agents_are_asked_to_come_back(
    services: Services, inbox: Inbox, agent: Agent
) -> None:
    with cut_off(services, inbox.server):
        answer = agent.get("/api/v1/conversations")

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")


def test_an_agent_says_whose_messages_are_a_machine_s(inbox: Inbox, bot: Bot, agent: Agent) -> None:
    path = f"/api/v1/channels/{bot.channel_id}/automatic-replies"
    assert agent.get(path).json() == {"ignored_apps": [], "within_s": 2.0}

    def change(**body: Any) -> httpx.Response:
        headers = {"authorization": f"Bearer {agent.key}"}
        return agent.gateway.request("PATCH", path, headers=headers, content=json.dumps(body).encode())

    assert change(ignored_apps=["263902037430900"]).json() == {"ignored_apps": ["263902037430900"], "within_s": 2.0}
    assert change(within_s=0).json() == {"ignored_apps": ["263902037430900"], "within_s": 0.0}
    for wrong in ({"ignored_apps": ["Hootsuite"]}, {"ignored_apps": "1"}, {"within_s": 61}, {"within_s": "2"}):
        assert change(**wrong).status_code == 422, wrong
    assert agent.get(path).json() == {"ignored_apps": ["263902037430900"], "within_s": 0.0}
    assert agent.get("/api/v1/channels/999999/automatic-replies").status_code == 404


def test_a_page_says_where_the_next_one_begins(inbox: Inbox, bot: Bot, agent: Agent) -> None:
    for _ in range(3):
        inbox.journal(bot, update("hello", chat=7))
    inbox.drain_all()
    path = f"/api/v1/conversations/{agent.conversation_of(7)}/messages"
    assert agent.get(f"{path}?limit=2").json()["last_seq"] == 2
    assert agent.get(f"{path}?limit=2&after_seq=2").json()["last_seq"] == 3
    assert agent.get(f"{path}?after_seq=3").json() == {
        "conversation": agent.conversation_of(7), "messages": [], "last_seq": 3, "attention": None,
        "attention_since": None, "next_cursor": None,
    }  # fmt: skip
    cursor = agent.get(f"{path}?limit=2").json()["next_cursor"]
    assert [m["seq"] for m in agent.get(f"{path}?limit=2&cursor={cursor}").json()["messages"]] == [3]
    assert agent.get(f"{path}?cursor={cursor}&after_seq=1").status_code == 422
