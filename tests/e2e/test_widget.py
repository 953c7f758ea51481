"""A page with the widget and every process: pieces as they are written, an answer overtaken, a gateway that stops."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import psycopg
import pytest

from tests.e2e.system import System, private_system
from tests.factories import Bot
from tests.integration.visitor import ORIGIN, make_widget
from workers.commands.data import add_file
from workers.local import KNOWLEDGE

WITHIN_S = 30.0
Event = tuple[str, dict[str, Any]]


@pytest.fixture(scope="module")
def system() -> Iterator[System]:
    with private_system() as system:
        system.start("gateway", "intake", "reply", "deliver")
        yield system


@pytest.fixture
def widget(system: System) -> Bot:
    widget = make_widget(str(system.config.database.admin_url))
    with psycopg.connect(str(system.config.database.admin_url), autocommit=True) as conn:
        for path in sorted(KNOWLEDGE.glob("*.md")):
            add_file(conn, widget.company_id, path)
    return widget


class Page:
    """A browser's page with the widget."""

    def __init__(self, system: System, widget: Bot) -> None:
        self._http = system.http
        self._base = f"/widget/{widget.slug}"
        token = self._http.post(f"{self._base}/sessions", headers={"origin": ORIGIN}).json()["token"]
        self._headers = {"origin": ORIGIN, "authorization": f"Bearer {token}"}

    def say(self, text: str, client_id: str) -> None:
        body = {"text": text, "client_id": client_id}
        assert self._http.post(f"{self._base}/messages", json=body, headers=self._headers).status_code == 202

    @contextmanager
    def watch(self) -> Iterator[Iterator[Event]]:
        """The stream's events; the iterator ends when the server ends the stream in order."""
        with self._http.stream("GET", f"{self._base}/events", headers=self._headers, timeout=WITHIN_S) as answer:
            assert answer.status_code == 200
            yield _events(answer)

    def messages(self) -> list[dict[str, Any]]:
        found: dict[str, Any] = self._http.get(f"{self._base}/messages", headers=self._headers).json()
        return list(found["messages"])


def _events(answer: httpx.Response) -> Iterator[Event]:
    name = ""
    for line in answer.iter_lines():
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield name, json.loads(line.removeprefix("data: "))


def until_answered(events: Iterator[Event]) -> list[Event]:
    seen: list[Event] = []
    for event in events:
        seen.append(event)
        if event[0] == "message" and event[1]["role"] == "bot":
            return seen
    raise AssertionError(f"the stream ended after {seen}")


def test_a_visitor_sees_the_answer_being_written_and_then_the_answer(system: System, widget: Bot) -> None:
    page = Page(system, widget)
    system.standin.set_latency(chunk_s=0.1)
    with page.watch() as events:
        page.say("How many days do I have to return shoes?", "q1")
        *before, (_, answer) = until_answered(events)
    system.standin.set_latency()

    assert [data["text"] for name, data in before if name == "message"] == ["How many days do I have to return shoes?"]
    written = "".join(data["text"] for name, data in before if name == "piece")
    assert written
    assert written[:20] in answer["text"]
    system.wait_at_rest()
    assert [message["role"] for message in page.messages()] == ["customer", "bot"]
    state = system.rows("SELECT state, meaning FROM outbound WHERE channel_id = %s", widget.channel_id)
    assert state == [("sent", "stored_here")]


def test_a_second_message_ends_the_answer_to_the_first(system: System, widget: Bot) -> None:
    page = Page(system, widget)
    system.standin.set_latency(first_byte_s=WITHIN_S)
    gone = len(system.standin.completions(outcome="client_gone"))
    page.say("Do you deliver to Norway?", "q1")
    system.standin.wait_attempts(1, WITHIN_S, target="openai", outcome="open")
    system.standin.set_latency()
    with page.watch() as events:
        page.say("And how long does it take?", "q2")
        system.standin.wait_attempts(gone + 1, WITHIN_S, target="openai", outcome="client_gone")
        until_answered(events)

    assert [message["role"] for message in page.messages()] == ["customer", "customer", "bot"]


def test_a_gateway_that_stops_ends_its_streams_in_order(system: System, widget: Bot) -> None:
    page = Page(system, widget)
    with page.watch() as events:
        page.say("Are gift cards valid for ever?", "q1")
        until_answered(events)
        process = system.processes["gateway"].process
        process.terminate()
        # a stream that is cut off by a kill raises instead of ending
        assert {name for name, _ in events} <= {"message", "piece", "withdrawn"}
    assert process.wait(WITHIN_S) == 0
    system.processes.pop("gateway")
    system.start("gateway")
    assert [message["role"] for message in page.messages()] == ["customer", "bot"]
