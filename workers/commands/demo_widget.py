"""The demo's visitor: one conversation through the web-chat widget, watched while the answer is written."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import click
import httpx

from workers.local import WIDGET_ORIGIN, WIDGET_SLUG, System, control

QUESTION = "A gift card got lost, can it be blocked?"
SAYS = "blocked and replaced"
STREAM_WITHIN_S = 60.0


def play(system: System) -> list[str]:
    """A session, a message, its answer in pieces and as a message; returns the promises that were not held."""
    assert system.standin_url is not None
    control(system.standin_url, "POST", "latency", target="openai", first_byte_s=0.0, chunk_s=0.05)
    try:
        with httpx.Client(base_url=f"{system.gateway_url}/widget/{WIDGET_SLUG}", trust_env=False) as http:
            return _converse(http)
    finally:
        control(system.standin_url, "POST", "latency", target="openai", first_byte_s=0.0, chunk_s=0.0)


def _converse(http: httpx.Client) -> list[str]:
    failures = []
    stranger = http.post("/sessions", headers={"origin": "https://elsewhere.example"}).status_code
    if stranger != 403:
        failures.append(f"a page that is not allowed gets 403 (got {stranger})")
    http.headers["origin"] = WIDGET_ORIGIN
    http.headers["authorization"] = f"Bearer {http.post('/sessions').json()['token']}"
    with http.stream("GET", "/events", timeout=STREAM_WITHIN_S) as stream:
        body = {"text": QUESTION, "client_id": "demo-1"}
        posted = [http.post("/messages", json=body).status_code for _ in range(2)]  # the second is the first again
        pieces, answer = _watch(stream)
    seen = http.get("/messages").json()["messages"]
    _print(pieces, answer)
    if posted != [202, 202]:
        failures.append(f"the visitor's message is accepted (got {posted})")
    if not pieces:
        failures.append("the visitor sees the answer being written")
    if SAYS not in answer:
        failures.append(f"the visitor's answer says {SAYS!r}")
    if [message["role"] for message in seen] != ["customer", "bot"]:
        failures.append(f"the visitor's conversation holds one question and one answer (holds {len(seen)})")
    return failures


def _watch(stream: httpx.Response) -> tuple[list[str], str]:
    """The pieces as they came, and the message that took their place."""
    pieces: list[str] = []
    for name, data in _events(stream):
        if name == "piece":
            pieces.append(data["text"])
        elif name == "message" and data["role"] == "bot":
            return pieces, str(data["text"])
    return pieces, ""


def _events(stream: httpx.Response) -> Iterator[tuple[str, dict[str, Any]]]:
    name = ""
    for line in stream.iter_lines():
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield name, json.loads(line.removeprefix("data: "))


def _print(pieces: list[str], answer: str) -> None:
    click.echo("\n── a visitor of the widget " + "─" * 56)
    click.echo(f"visitor   {QUESTION}")
    click.echo(f"writing   {len(pieces)} pieces: " + " | ".join(" ".join(piece.split()) for piece in pieces[:4]) + " …")
    click.echo("answer    " + answer.replace("\n", "\n          "))
