"""Turns, the answers to them, and their delivery."""

from __future__ import annotations

from pydantic import Field

from shared.settings.kinds import Domain


class AnswersSettings(Domain):
    """Answers: when a turn is due, how long it may take, and what is given up under load."""

    turn_deadline_s: float = Field(default=55.0, alias="TURN_DEADLINE_S", gt=0)
    """Wall clock for all calls of a turn."""
    quiet_window_s: float = Field(default=0.8, alias="QUIET_WINDOW_S", ge=0)
    """How long to wait for a customer's next message before answering, since the last one."""
    quiet_window_max_s: float = Field(default=5.0, alias="QUIET_WINDOW_MAX_S", ge=0)
    """The same since the first one."""
    early_start: bool = Field(default=True, alias="EARLY_START")
    """Whether an answer is begun while the quiet window still runs; it leaves when the window has passed. A further
    message cancels it, and what the model had written is paid for nothing."""
    complete_quiet_s: float = Field(default=0.25, alias="COMPLETE_QUIET_S", ge=0)
    """The quiet window of a message that reads complete, from a customer who does not write in bursts. With
    `EARLY_START` alone."""
    lease_s: float = Field(default=10.0, alias="LEASE_S", ge=2)
    """How long a turn waits when the machine of its worker dies; when only the worker dies, others of the
    machine release its turns at once."""
    turn_cancels_max: int = Field(default=2, alias="TURN_CANCELS_MAX", ge=0)
    """How often newer messages may interrupt the answer to a turn."""
    turn_cancel_window_s: float = Field(default=15.0, alias="TURN_CANCEL_WINDOW_S", ge=0)
    """For how long after a turn's first message they may."""
    # Fallback steps: how long a company's last waiting customer would still wait when each is entered. A model's
    # usual answer takes some seconds, so 15 s are felt; at 45 s people write again or leave; for what would take ten
    # minutes a person may as well be asked.
    overload_cheaper_s: float = Field(default=15.0, alias="OVERLOAD_CHEAPER_S", gt=0)
    """How long a company's last customer would have to wait before its answers come from the cheaper model."""
    overload_passages_s: float = Field(default=45.0, alias="OVERLOAD_PASSAGES_S", gt=0)
    """The same before its answers become quoted passages."""
    overload_handover_s: float = Field(default=600.0, alias="OVERLOAD_HANDOVER_S", gt=0)
    """The same before its answers become an apology."""
    overload_recovery_s: float = Field(default=20.0, alias="OVERLOAD_RECOVERY_S", gt=0)
    """How long the wait must be below half of a step's bound before that step is left."""
    budget_cheaper_share: float = Field(default=0.8, alias="BUDGET_CHEAPER_SHARE", gt=0, le=1)
    """Share of a company's daily tokens above which the cheaper model answers."""
    relevance_threshold: float = Field(default=0.3, alias="RELEVANCE_THRESHOLD", ge=0, le=1)
    """If no passage answers the question with at least this probability (0 to 1), the customer is told that the answer
    is not known, and the conversation is marked for people."""

    def problems(self) -> list[str]:
        found = []
        if self.quiet_window_max_s < self.quiet_window_s:
            found.append("QUIET_WINDOW_MAX_S is below QUIET_WINDOW_S")
        if self.quiet_window_max_s > 60:
            found.append("QUIET_WINDOW_MAX_S must be at most 60: longer countdowns do not fit the broker")
        if not self.overload_cheaper_s < self.overload_passages_s < self.overload_handover_s:
            found.append("OVERLOAD_CHEAPER_S, OVERLOAD_PASSAGES_S and OVERLOAD_HANDOVER_S must rise in this order")
        return found


class DeliverySettings(Domain):
    """Delivery of answers to the platforms."""

    send_deadline_s: float = Field(default=10.0, alias="SEND_DEADLINE_S", gt=0)
    """How long a send may take."""
    record_deadline_s: float = Field(default=30.0, alias="RECORD_DEADLINE_S", gt=0)
    """How long until a send whose result was not recorded counts as one of unknown outcome."""
    unknown_outcome_unblock_s: float = Field(default=60.0, alias="UNKNOWN_OUTCOME_UNBLOCK_S", ge=0)
    """How long until later messages may be sent after one of unknown outcome."""

    def problems(self) -> list[str]:
        if self.send_deadline_s >= self.record_deadline_s:
            return ["RECORD_DEADLINE_S must be above SEND_DEADLINE_S"]
        return []
