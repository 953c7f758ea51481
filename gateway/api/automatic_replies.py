"""Which messages of other applications on a channel are no person's, for the company's agents."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from gateway.api.agents import Agent, agent
from gateway.http.json import as_json
from gateway.http.parameters import Field, Parameters, Wrong
from gateway.http.refused import Refused
from gateway.http.resource import Operation, Resource
from shared.store.db.pool import Conn
from shared.store.tenants import automatic_replies
from shared.store.tenants.automatic_replies import APPS_MAX, WITHIN_S_MAX, AutomaticReplies


def _apps(given: Any) -> tuple[str, ...]:
    if not isinstance(given, list) or not all(isinstance(one, str) for one in given):
        raise Wrong(f"should be a list of up to {APPS_MAX} applications' ids, as texts")
    return tuple(dict.fromkeys(given))


def _within(given: Any) -> float:
    if isinstance(given, bool) or not isinstance(given, int | float) or not 0 <= given <= WITHIN_S_MAX:
        raise Wrong(f"should be a number of seconds from 0 to {WITHIN_S_MAX:g}")
    return float(given)


IGNORED_APPS = Field[tuple[str, ...] | None]("ignored_apps", _apps, None)
WITHIN_S = Field[float | None]("within_s", _within, None)


def _channel(agent: Agent) -> int:
    return int(agent.request.path_params["channel"])


async def show(agent: Agent, asked: Parameters) -> Response:
    return as_json(await agent.work(lambda conn, company_id: _found(conn, company_id, _channel(agent))))


async def change(agent: Agent, asked: Parameters) -> Response:
    """`{"ignored_apps": ["263902037430900"], "within_s": 2}`, either or both; answers how it is now."""

    def work(conn: Conn, company_id: int) -> AutomaticReplies:
        now = _found(conn, company_id, _channel(agent))
        apps, within_s = asked.body[IGNORED_APPS], asked.body[WITHIN_S]
        wanted = AutomaticReplies(
            now.ignored_apps if apps is None else apps, now.within_s if within_s is None else within_s
        )
        if wrong := automatic_replies.wrong_with(wanted):
            raise Refused(422, wrong)
        automatic_replies.set_for(conn, company_id, _channel(agent), wanted)
        return wanted

    return as_json(await agent.work(work))


def _found(conn: Conn, company_id: int, channel_id: int) -> AutomaticReplies:
    found = automatic_replies.of_channel(conn, company_id, channel_id)
    if found is None:
        raise Refused(404, "this company has no such channel")
    return found


ROUTES = [
    Resource("/inbox/channels/{channel:id}/automatic-replies", {
        "GET": Operation(show, agent),
        "POST": Operation(change, agent, body=(IGNORED_APPS, WITHIN_S)),
    }),
]  # fmt: skip
