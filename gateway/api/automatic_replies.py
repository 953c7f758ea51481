"""Which messages of other applications on a channel are no person's, for the company's agents."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from pydantic import Field

from gateway.api.agents import Reader, Writer
from gateway.http.refused import Refused
from gateway.rest.endpoint import Endpoint
from gateway.rest.given import Given, Id
from gateway.rest.representation import IfMatch
from shared.store.db.pool import Conn
from shared.store.tenants import automatic_replies
from shared.store.tenants.automatic_replies import APPS_MAX, WITHIN_S_MAX, AutomaticReplies

ROUTER = APIRouter(prefix="/api/v1/channels", tags=["channels"], route_class=Endpoint)

App = Annotated[str, Field(pattern="^[0-9]{1,32}$")]


class Change(Given):
    ignored_apps: list[App] = Field([], max_length=APPS_MAX, examples=[["263902037430900"]])
    """Ids, on the platform, of applications whose messages are no person's."""
    within_s: float = Field(0, ge=0, le=WITHIN_S_MAX)
    """What comes so soon after the customer's first message is a machine's; 0: nothing is by that alone."""


@ROUTER.get("/{channel:id}/automatic-replies", summary="Show what counts as automatic")
async def show(agent: Reader, channel: Id) -> AutomaticReplies:
    return await agent.work(lambda conn, company_id: _found(conn, company_id, channel))


@ROUTER.patch("/{channel:id}/automatic-replies", summary="Change what counts as automatic")
async def change(agent: Writer, channel: Id, given: Change, match: IfMatch) -> AutomaticReplies:
    """Either or both; answers how it is now."""

    def work(conn: Conn, company_id: int) -> AutomaticReplies:
        now = automatic_replies.of_channel(conn, company_id, channel, lock=True)
        if now is None:
            raise _no_such_channel()
        match.check(lambda: now)
        given_apps = tuple(dict.fromkeys(given.ignored_apps))
        wanted = AutomaticReplies(
            given_apps if given.has("ignored_apps") else now.ignored_apps,
            given.within_s if given.has("within_s") else now.within_s,
        )
        if wrong := automatic_replies.wrong_with(wanted):
            raise Refused(422, wrong)
        automatic_replies.set_for(conn, company_id, channel, wanted)
        return wanted

    return await agent.work(work)


def _found(conn: Conn, company_id: int, channel_id: int) -> AutomaticReplies:
    found = automatic_replies.of_channel(conn, company_id, channel_id)
    if found is None:
        raise _no_such_channel()
    return found


def _no_such_channel() -> Refused:
    return Refused(404, "this company has no such channel")
