"""The words of the domain as frozen values: what each stage hands to the next."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

Kind = Literal[
    "message", "edited", "deleted", "reaction", "delivery", "read", "echo",
    "handover", "referral", "optin", "account", "other",
]  # fmt: skip

SendStatus = Literal["sent", "retry", "uncertain", "failed", "reauth"]

Ladder = Literal["full", "cheaper", "passages", "handover", "notice"]
"""Steps of degrading: the first model wrote the answer; a later one did; the best passages, quoted; a person was
asked to take over; a fixed notice (nothing but attachments arrived, which nobody here can read)."""


@dataclass(frozen=True, slots=True)
class Me:
    """Who we are on a platform: needed to see mentions of us and to know our own echoes.

    external_id: the bot's, page's or number's own id. handle: user name without @, None if it has none.
    """

    external_id: str | None = None
    handle: str | None = None


@dataclass(frozen=True, slots=True)
class Attachment:
    """Something in a message that is no text. id is the platform's file id, url a link it gave."""

    type: str
    id: str | None = None
    url: str | None = None
    mime: str | None = None


@dataclass(frozen=True, slots=True)
class InboundEvent:
    """One thing that a webhook says happened.

    kind: what it is. reply: whether the bot may answer it. reason: why not (a static word), None if it may.
    account: external id of the channel it was sent to (page, number, bot), None where the app has only one.
    sender: the contact's id on the platform; sender_name as shown there. chat: the conversation's id on the
    platform (equals the sender in a private chat). external_id: the platform's id of the message.
    dedupe_key: unique inside one channel; two events with one key are the same event sent twice.
    text: never empty, None if there is none; no NUL and no lone surrogate, so that it can be stored.
    reply_to: external_id of the message this one answers. sent_at: the platform's time, None if unknown.
    migrated_to: the chat's new id, where the event says that it moved.
    """

    kind: Kind
    reply: bool
    reason: str | None
    sender: str | None
    chat: str | None
    external_id: str | None
    dedupe_key: str
    text: str | None = None
    attachments: tuple[Attachment, ...] = ()
    reply_to: str | None = None
    account: str | None = None
    sender_name: str | None = None
    sent_at: datetime | None = None
    migrated_to: str | None = None


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """One accepted request as it stands in the journal.

    stream: the shard's key. entry_id: `<ms>-<seq>`, given by the server. raw: the body's bytes as received.
    redrive: for a parked event sent round again, `<day>/<stream>/<entry>/<ordinal>` of its ledger row.
    request_id: the gateway's name for the request, None for entries that did not come through it.
    """

    stream: str
    entry_id: str
    platform: str
    app_id: int
    received_at: datetime
    raw: bytes
    redrive: str | None = None
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class Route:
    """Where an app's events go: a channel of a company.

    quiet_window_s is not here on purpose: it is a setting of the system.
    """

    app_id: int
    platform: str
    channel_id: int
    company_id: int
    me: Me


@dataclass(frozen=True, slots=True)
class SendOutcome:
    """What became of one request to a platform's send API.

    sent: the platform has it, platform_message_id is its id. retry: it has it not; come back in retry_after_s.
    uncertain: the request left and nobody knows. failed: it never will (meaning says why).
    reauth: the channel's credentials are refused; a person must renew them.
    meaning: a static word for people and metrics. migrated_to: the chat's new id, send there.
    """

    status: SendStatus
    meaning: str
    platform_message_id: str | None = None
    retry_after_s: float | None = None
    http_status: int | None = None
    migrated_to: str | None = None


@dataclass(frozen=True, slots=True)
class Rate:
    """A platform's limit: at most `count` in `per_s` seconds under `key`, evenly after a burst of `burst`."""

    key: str
    count: int
    per_s: float
    burst: int = 1


@dataclass(frozen=True, slots=True)
class Passage:
    """A chunk retrieved for a question.

    score: BM25, cosine or fused ranks; higher is better, comparable only inside one search. relevance: the share of
    the question's information found in the chunk, or what its nearness in meaning is worth, 0 to 1, comparable
    between searches. bm25, cosine: what each side said, None where it did not find the chunk.
    """

    chunk_id: int
    document_id: int
    title: str
    ordinal: int
    text: str
    score: float
    relevance: float
    bm25: float | None = None
    cosine: float | None = None


@dataclass(frozen=True, slots=True)
class ModelAttempt:
    """One request to a model, for the receipt. outcome: `ok` or a static word for the failure.

    step: which step of the ladder it was for. offset_ms: when it began, since the models were first asked.
    """

    provider: str
    model: str
    outcome: str
    duration_ms: int
    tokens_in: int = 0
    tokens_out: int = 0
    step: Ladder = "full"
    offset_ms: int = 0


@dataclass(frozen=True, slots=True)
class Tried:
    """A step of the ladder that was tried. left: the static word for why it did not hold, None for the last one."""

    step: Ladder
    left: str | None = None


@dataclass(frozen=True, slots=True)
class Completion:
    """What a model wrote. step: `full` if the first provider did, `cheaper` if a later one."""

    text: str
    model: str
    tokens_in: int
    tokens_out: int
    attempts: tuple[ModelAttempt, ...] = ()
    step: Ladder = "full"


@dataclass(frozen=True, slots=True)
class ChatLine:
    """One line of a conversation as the model sees it."""

    role: Literal["customer", "bot", "agent"]
    text: str


@dataclass(frozen=True, slots=True)
class Answer:
    """A reply to a turn, with its receipt.

    citations: 1-based numbers used in the text → the passage each stands for, in the order of use.
    ladder: the steps in the order in which they were tried, this one last. ms: time per stage in milliseconds.
    """

    text: str
    step: Ladder
    step_reason: str
    passages: tuple[Passage, ...] = ()
    citations: tuple[tuple[int, Passage], ...] = ()
    attempts: tuple[ModelAttempt, ...] = ()
    ladder: tuple[Tried, ...] = ()
    ms: dict[str, int] = field(default_factory=dict)
