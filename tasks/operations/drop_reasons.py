"""Says who is told of a dropped event, by its reason.

    counted  in the ledger, the balance and `events_total`: as it should be
    listed   also in `channel health` and the doctor: it may hold a customer's words, in a form that is not taken here
    alert    also an alert of `GET /health`: something that should have had an effect had none

A reason is typed (shared.model.Reason), so whoever adds one is asked by a test for its class. docs/reliability.md has
the table with what each of them means.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

from shared.model import Reason

Told = Literal["counted", "listed", "alert"]

_LISTED: frozenset[Reason] = frozenset(
    {"automatic_forward", "call", "channel_disabled", "channel_post", "comment", "feedback", "game_play",
     "guest_message", "history", "inline", "interaction", "mention", "payment", "poll", "sender_chat", "standby",
     "business_connection"}
)  # fmt: skip
_ALERTS: frozenset[Reason] = frozenset(
    {"error", "malformed", "malformed_update", "message", "no_channel", "no_chat", "no_content", "no_sender",
     "policy_enforcement", "rate_limited", "thin_payload", "too_many_events", "unknown_event", "unknown_status",
     "unknown_subtype", "unknown_type", "unknown_update", "edited", "deleted"}
)  # fmt: skip
TOLD: Mapping[Reason, Told] = {
    reason: "alert" if reason in _ALERTS else "listed" if reason in _LISTED else "counted"
    for reason in get_args(Reason)
}

WHAT_TO_DO: Mapping[str, str] = {
    "no_channel": "no channel is connected for it: ./switchboard channel connect, or take the subscription back",
    "rate_limited": "the platform held events back because there were too many",
    "too_many_events": "one request held more than are read: its body is kept, see docs/reliability.md",
    "error": "the platform reports a fault of its own: see its status page",
    "channel_disabled": "the channel is disabled: ./switchboard channel enable",
}


def told(reason: str) -> Told:
    """Return the class of a reason. One that is not in the table is an alert."""
    return TOLD.get(reason, "alert")  # type: ignore[call-overload]


def what_to_do(reason: str) -> str:
    if reason in WHAT_TO_DO:
        return WHAT_TO_DO[reason]
    if told(reason) != "alert":
        return "not supported here"
    return f"of a form that is not understood: ./switchboard request --dropped {reason} names the requests it came in"
