"""Assistants over HTTP: how the company's turns are answered, in which words, and which channel is bound to which."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from starlette.responses import Response

from gateway.api.agents import AFTER_ID, Agent, agent, limit
from gateway.http.json import as_json
from gateway.http.parameters import ID_MAX, Field, Parameters, Wrong, body_number, called
from gateway.http.refused import Refused
from gateway.http.resource import Operation, Resource
from shared.store.assistants import assistants, policies
from shared.store.assistants.assistants import Assistant
from shared.store.db.pool import Conn
from shared.text import storable
from shared.triage import texts

WORD_CHARS = 500
LIMIT = limit(100)
UNSET: Any = object()


def _word(value: Any) -> str:
    if not isinstance(value, str):
        raise Wrong(f"should be a text, not {called(value)}")
    if len(value) > WORD_CHARS:
        raise Wrong(f"should have up to {WORD_CHARS} characters")
    return storable(value)


def _number(value: Any) -> int:
    if type(value) is not int:
        raise Wrong(f"should be a number, not {called(value)}")
    return value


def _texts(value: Any) -> dict[str, dict[str, str | None]]:
    """Which names and languages there are is for policies.changes to say."""
    if not isinstance(value, dict) or not all(isinstance(by_language, dict) for by_language in value.values()):
        raise Wrong('should be an object such as {"welcome": {"en": "Hello!", "*": null}}')
    found = {name: dict(by_language) for name, by_language in value.items()}
    if not all(one is None or isinstance(one, str) for by_language in found.values() for one in by_language.values()):
        raise Wrong("should hold texts, or null for the built-in ones")
    return {
        storable(name): {storable(language): None if text is None else storable(text) for language, text in own.items()}
        for name, own in found.items()
    }


FIELDS: dict[str, Field[Any]] = {
    "name": Field("name", _word, UNSET),
    "language": Field("language", lambda value: None if value is None else _word(value), UNSET),
    "on_miss": Field("on_miss", _word, UNSET),
    "misses_max": Field("misses_max", _number, UNSET),
    "on_wish": Field("on_wish", _word, UNSET),
    "return_after_s": Field("return_after_s", lambda value: None if value is None else _number(value), UNSET),
    "hours": Field("hours", _word, UNSET),
    "time_zone": Field("time_zone", _word, UNSET),
}
TEXTS = Field[dict[str, dict[str, str | None]]]("texts", _texts, {})
CHANNEL = body_number("channel", 1, ID_MAX)


async def list_(agent: Agent, asked: Parameters) -> Response:
    """The company's assistants with their policies, and the channels bound to each; texts are on each one's page."""
    after_id, most = asked.query[AFTER_ID], asked.query[LIMIT]

    def work(conn: Conn, company_id: int) -> list[dict[str, Any]]:
        bound = assistants.channels(conn, company_id)
        found = assistants.of_company(conn, company_id, after_id=after_id, limit=most)
        shown = [_shown(one, bound.get(one.id, [])) for one in found]
        return [{name: value for name, value in one.items() if name != "texts"} for one in shown]

    return as_json({"assistants": await agent.work(work)})


async def show(agent: Agent, asked: Parameters) -> Response:
    """One, and `built_in`: what each text says in English where it has no words of its own."""

    def work(conn: Conn, company_id: int) -> dict[str, Any]:
        found = _found(conn, company_id, _id(agent))
        return _shown(found, assistants.channels(conn, company_id).get(found.id, []))

    built_in = {name: texts.default(name, texts.FALLBACK) for name in texts.NAMES}
    return as_json({**await agent.work(work), "built_in": built_in})


async def change(agent: Agent, asked: Parameters) -> Response:
    """Any of the policies, and texts as `{name: {language: text}}`; null: the built-in text again. All or nothing."""
    given = {name: asked.body[field] for name, field in FIELDS.items() if asked.body.has(field)}
    own = asked.body[TEXTS]

    def work(conn: Conn, company_id: int) -> dict[str, Any]:
        before = _found(conn, company_id, _id(agent))
        try:
            changed, words = policies.changes(before, given, own)
            if changed:
                assistants.update(conn, company_id, before.id, changed)
        except ValueError as e:
            raise Refused(422, str(e)) from None
        if words != before.texts:
            assistants.set_texts(conn, company_id, before.id, words)
        now = _found(conn, company_id, before.id)
        return _shown(now, assistants.channels(conn, company_id).get(now.id, []))

    return as_json(await agent.work(work))


async def bind(agent: Agent, asked: Parameters) -> Response:
    """`{"channel": 3}`: that channel or widget is answered by this assistant from the next answer on."""
    channel = asked.body[CHANNEL]

    def work(conn: Conn, company_id: int) -> dict[str, Any]:
        found = _found(conn, company_id, _id(agent))
        if not assistants.bind(conn, company_id, channel, found.id):
            raise Refused(404, "this company has no such channel")
        return _shown(found, assistants.channels(conn, company_id).get(found.id, []))

    return as_json(await agent.work(work))


def _id(agent: Agent) -> int:
    return int(agent.request.path_params["assistant"])


def _found(conn: Conn, company_id: int, assistant_id: int) -> Assistant:
    found = assistants.by_id(conn, company_id, assistant_id)
    if found is None:
        raise Refused(404, "this company has no such assistant")
    return found


def _shown(one: Assistant, channels: list[int]) -> dict[str, Any]:
    return {**asdict(one), "channels": channels}


ROUTES = [
    Resource("/assistants", {"GET": Operation(list_, agent, query=(AFTER_ID, LIMIT))}),
    Resource("/assistants/{assistant:id}", {
        "GET": Operation(show, agent), "PATCH": Operation(change, agent, body=(*FIELDS.values(), TEXTS)),
    }),
    Resource("/assistants/{assistant:id}/bind", {"POST": Operation(bind, agent, body=(CHANNEL,))}),
]  # fmt: skip
