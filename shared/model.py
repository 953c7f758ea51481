"""The words of the domain as frozen values: what each stage hands to the next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from dataclasses import fields as dataclass_fields
from datetime import datetime
from typing import Any, Literal

Kind = Literal[
    "message", "edited", "deleted", "reaction", "delivery", "read", "echo",
    "handover", "referral", "optin", "account", "other",
]  # fmt: skip

Reason = Literal[
    "message", "edited", "deleted", "reaction", "delivery", "read", "echo",
    "handover", "referral", "optin", "account", "other",
    "account_linking", "app_home", "app_roles", "app_uninstalled", "assistant_thread", "automatic_forward",
    "boost", "business_connection", "call", "request", "sender_chat", "unchanged",
    "channel_changed", "channel_disabled", "channel_post", "comment", "contact_sync", "duplicate", "error", "feed",
    "feedback", "file", "from_bot", "game_play", "group_without_mention", "guest_message", "handshake", "history",
    "inline", "interaction", "link_shared", "malformed", "malformed_update", "managed_bot", "membership", "mention",
    "metadata", "no_channel", "no_chat", "no_content", "no_sender", "nothing_new", "own_echo", "page_change",
    "payment", "pin", "policy_enforcement", "poll", "rate_limited", "scopes", "service_message", "standby",
    "thin_payload", "tokens_revoked", "too_many_events", "unknown_chat", "unknown_event", "unknown_message",
    "unknown_status", "unknown_subtype", "unknown_type", "unknown_update", "user_tokens_revoked", "workflow",
    "workspace_changed",
]  # fmt: skip
"""Why an event is not answered, or has no effect at all; tasks/operations/drop_reasons.py says of each whether somebody
is told."""

SendStatus = Literal["sent", "retry", "unknown_outcome", "failed", "reauth"]

FallbackStep = Literal[
    "full", "cheaper", "passages", "unknown", "handover", "notice", "clarify", "courtesy", "welcome",
    "silence",
]  # fmt: skip
"""Steps of degrading: the first model wrote the answer; a later one did; the best passages, quoted; the customer was
told that nothing is known; a person gets the conversation, or was told because we failed; a fixed notice (nothing but
attachments arrived, which nobody here can read); the model asked back what was meant. And what needs no answer of
substance: a courtesy in return; a welcome; nothing at all."""
Purpose = Literal[
    "answer", "cheaper", "triage", "summary", "intent", "memory", "tools", "rerank", "embedding", "transcription",
]  # fmt: skip
"""What a model is called for."""

BotMove = Literal["hands_over", "pauses", "resumes"]
"""What an answer does to its conversation besides: a person gets it; the bot is silent from now on, or no longer."""


@dataclass(frozen=True, slots=True)
class Me:
    """Who we are on a platform: needed to see mentions of us and to know our own echoes.

    external_id: the bot's, page's or number's own id. handle: user name without @, None if it has none. app: our
    application's id there, which platforms write on what it sent.
    """

    external_id: str | None = None
    handle: str | None = None
    app: str | None = None


_SAID_BY_NAME = frozenset({"contact", "contacts", "order", "product", "template"})


@dataclass(frozen=True, slots=True)
class Attachment:
    """Something in a message that is no text. id is the platform's file id, url a link it gave.

    name: a file's name, a place's or a contact's. latitude, longitude: of a location, in degrees. fields: what it says
    in words, as (label, value) in their order: a form's answers, a poll's options, an order's lines.
    """

    type: str
    id: str | None = None
    url: str | None = None
    mime: str | None = None
    name: str | None = None
    size_bytes: int | None = None
    latitude: float | None = None
    longitude: float | None = None
    fields: tuple[tuple[str, str], ...] = ()

    def as_json(self) -> dict[str, Any]:
        """As it is stored and shown, without fields where it has none."""
        found: dict[str, Any] = {one.name: getattr(self, one.name) for one in dataclass_fields(self)[:-1]}
        return {**found, "fields": [list(pair) for pair in self.fields]} if self.fields else found

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Attachment:
        """What as_json() made of it; what else stands there is passed over."""
        known: dict[str, Any] = {one.name: stored.get(one.name) for one in dataclass_fields(cls)}
        pairs = tuple((str(label), str(value)) for label, value in known["fields"] or ())
        return cls(**{**known, "fields": pairs})

    def in_words(self) -> str | None:
        """What it says on one line, for whoever reads text alone; None for a file, which must be looked at."""
        if not self.fields and self.latitude is None and (self.type not in _SAID_BY_NAME or not self.name):
            return None
        said = [self.name] if self.name else []
        if self.latitude is not None and self.longitude is not None:
            said.append(f"{self.latitude:g}, {self.longitude:g}")
        said += [f"{label}: {value}" if label else value for label, value in self.fields]
        return f"{self.type.replace('_', ' ')}: {'; '.join(said)}"


@dataclass(frozen=True, slots=True)
class InboundEvent:
    """One thing that a webhook says happened.

    kind: what it is. reply: whether the bot may answer it. reason: why not (a static word), None if it may.
    account: external id of the channel it was sent to (page, number, bot), None where the app has only one.
    business_account: the platform's id of the account that holds the channel, where no channel is named; number: the
    digits of one of its telephone numbers, where the event is about that one.
    sender: the contact's id on the platform; sender_name as shown there. chat: the conversation's id on the
    platform (equals the sender in a private chat). external_id: the platform's id of the message.
    dedupe_key: unique inside one channel; two events with one key are the same event sent twice.
    text: never empty, None if there is none; no NUL and no lone surrogate, so that it can be stored.
    reply_to: external_id of the message this one answers. sent_at: the platform's time, None if unknown.
    migrated_to: the chat's new id, where the event says that it moved.
    payload: the hidden value of a pressed button or a referral; of a reaction that is one of several, its name.
    targets: external ids of the messages that an edit, deletion, reaction, delivery, read or echo speaks of. until: a
    delivery's or read's mark: everything up to then. status: of a delivery: `sent`, `delivered`, `read`, `failed`,
    `deleted`; of a handover or account event, its name.
    twin: where a message may come in two events, one of which asks the bot, the other's key. elsewhere: other chats in
    which the message that an edit or deletion speaks of may stand.
    referral: where the customer came from, as a message says it (a start link, an advertisement). language: that of the
    sender's device or browser as the platform tells it, as ISO 639-1. aliases: other ids of the customer that the event
    shows.
    meaning: a static word for the error that a `failed` came with. ref: our own name for what we sent, as the platform
    gives it back. app: the application that an echo comes from, None if a person wrote it by hand or nobody says.
    """

    kind: Kind
    reply: bool
    reason: Reason | None
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
    payload: str | None = None
    targets: tuple[str, ...] = ()
    until: datetime | None = None
    status: str | None = None
    meaning: str | None = None
    ref: str | None = None
    app: str | None = None
    business_account: str | None = None
    number: str | None = None
    referral: str | None = None
    language: str | None = None
    twin: str | None = None
    elsewhere: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """One accepted request as it stands in the journal.

    stream: the shard's key. entry_id: `<ms>-<seq>`, given by the server. raw: the body's bytes as received.
    redrive: for a dead letter sent round again, `<day>/<stream>/<entry>/<ordinal>` of its ledger row.
    request_id: the gateway's name for the request, None for entries that did not come through it. delivery_id: the
    sender's name for it, the same each time it is sent again, where the platform puts one into a header.
    """

    stream: str
    entry_id: str
    platform: str
    app_id: int
    received_at: datetime
    raw: bytes
    redrive: str | None = None
    request_id: str | None = None
    delivery_id: str | None = None


@dataclass(frozen=True, slots=True)
class Route:
    """Where an app's events go: a channel of a company. business_account: the platform's id of what holds the channel,
    None where nothing does or it is not known yet.

    quiet_window_s is not here on purpose: it is a setting of the system.
    """

    app_id: int
    platform: str
    channel_id: int
    company_id: int
    me: Me
    business_account: str | None = None


@dataclass(frozen=True, slots=True)
class Destination:
    """Where something is sent: a chat of a channel.

    account: the channel's id on the platform (page, number, workspace). credentials: decrypted, never printed.
    chat: as in InboundEvent. last_message: external id of the customer's newest message, None if unknown.
    last_customer_at: when the customer wrote that, by the platform's clock.
    """

    account: str
    credentials: Mapping[str, str] = field(repr=False)
    chat: str
    last_message: str | None = None
    last_customer_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One part to send. ref: our name for it, unique for ever, which goes into the platform's metadata where it has
    some (see `ref_of`). by: who wrote it; some platforms give a person more time than a bot. attempt: which one this
    is, from 1. queued_at: when it was written, the same at every attempt."""

    place: Destination
    text: str = field(repr=False)
    ref: str
    by: Literal["bot", "agent"] = "bot"
    attempt: int = field(default=1, kw_only=True)
    queued_at: datetime | None = field(default=None, kw_only=True)


def ref_of(company_id: int, outbound_id: int) -> str:
    """Our name for an outbound part on platforms: `sb.<company>.<part's id>`."""
    return f"sb.{company_id}.{outbound_id}"


def read_ref(ref: str | None) -> tuple[int, int] | None:
    """Company and part's id from a name that `ref_of` made; None for anything else. Whoever uses it checks that the
    part belongs to the channel: platforms hand on what others wrote."""
    parts = (ref or "").split(".")
    if len(parts) != 3 or parts[0] != "sb" or not all(p.isascii() and p.isdigit() and len(p) < 19 for p in parts[1:]):
        return None
    return int(parts[1]), int(parts[2])


@dataclass(frozen=True, slots=True)
class Location:
    """Where an attachment's bytes are. headers: what its server wants to see of us. ours: the address was built from
    the settings, so that it may lie in a private network; any other is judged first."""

    url: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    ours: bool = False


@dataclass(frozen=True, slots=True)
class SendOutcome:
    """What became of one request to a platform's send API.

    sent: the platform has it, platform_message_id is its id. retry: it has it not; come back in retry_after_s.
    unknown_outcome: the request left and nobody knows. failed: it never will (meaning says why).
    reauth: the channel's credentials are refused; a person must renew them.
    meaning: a static word for people and metrics. migrated_to: the chat's new id, send there. disables: whoever
    received the channel's messages wants no more of them.
    """

    status: SendStatus
    meaning: str
    platform_message_id: str | None = None
    retry_after_s: float | None = None
    http_status: int | None = None
    migrated_to: str | None = None
    disables: bool = False


@dataclass(frozen=True, slots=True)
class ChannelHealth:
    """What a platform says of a channel's subscription when it is asked. problem: a static word where it fails.
    pending: how many events the platform holds for us, None where it does not say."""

    state: Literal["ok", "failing", "unknown"]
    problem: str | None = None
    pending: int | None = None


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

    score: what words, meaning and surroundings say together; higher is better, comparable only inside one search.
    relevance: how likely the chunk answers the question, 0 to 1, comparable between searches, languages and companies.
    bm25, cosine: what each side said, None where it says nothing of the chunk. start_char: where text begins in its
    document's text. identifiers: the codes and numbers of the question that stand in it, as they were asked. evidence:
    what relevance is made of: each feature's value and what it adds to the log-odds.
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
    start_char: int = 0
    identifiers: tuple[str, ...] = ()
    evidence: Mapping[str, Sequence[float]] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one request to a model. estimated: counted by us, because the provider did not say. cached_in: those of
    tokens_in that the provider had in its cache. reasoning_out: those of tokens_out that are not part of the answer.
    """

    tokens_in: int = 0
    tokens_out: int = 0
    estimated: bool = False
    cached_in: int = 0
    reasoning_out: int = 0


@dataclass(frozen=True, slots=True)
class ModelAttempt:
    """One request to a model, for the receipt. outcome: `ok` or a static word for the failure.

    step: which fallback step it was for. offset_ms: when it began, since the models were first asked.
    estimated: the tokens are counted by us, because the provider did not say. cached_in, reasoning_out: as in Usage.
    purpose: what the model was called for. paid: whether its provider asks for money, so that a call without a price
    costs an unknown sum; on machines of our own it costs nothing.
    """

    provider: str
    model: str
    outcome: str
    duration_ms: int
    tokens_in: int = 0
    tokens_out: int = 0
    step: FallbackStep = "full"
    offset_ms: int = 0
    estimated: bool = False
    cached_in: int = 0
    reasoning_out: int = 0
    purpose: Purpose = "answer"
    paid: bool = True


@dataclass(frozen=True, slots=True)
class Tried:
    """A fallback step that was tried. left: the static word for why it did not hold, None for the last one."""

    step: FallbackStep
    left: str | None = None


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A function that a model asks to be called. arguments: JSON as the model wrote it, not checked."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Completion:
    """What a model wrote. step: `full` if the first provider did, `cheaper` if a later one. estimated: the tokens are
    counted by us, because the provider did not say. tool_calls: what it asks for before it goes on; the text may then
    be empty. cut: it ended at its limit of tokens."""

    text: str
    model: str
    tokens_in: int
    tokens_out: int
    attempts: tuple[ModelAttempt, ...] = ()
    step: FallbackStep = "full"
    estimated: bool = False
    tool_calls: tuple[ToolCall, ...] = ()
    cut: bool = False


@dataclass(frozen=True, slots=True)
class ChatLine:
    """One line of a conversation as the model sees it. attached: types of what came with it. told: (type, words) of
    those that can be said in words (see Attachment.in_words); the model cannot see the others. automatic: another
    system wrote it in our name, and no person."""

    role: Literal["customer", "bot", "agent"]
    text: str
    attached: tuple[str, ...] = ()
    told: tuple[tuple[str, str], ...] = ()
    automatic: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """A reply to a turn, with its receipt.

    citations: 1-based numbers used in the text → the passage each stands for, in the order of use.
    fallback_steps: in the order in which they were tried, this one last. ms: time per stage in milliseconds.
    embedding_model: the model whose vectors ranked the passages, None if only words were searched. needed: the
    relevance from which on a passage was taken. beside: calls of models that did not write it: embedding the question,
    ranking the passages. bot: None: it stays as it is. opens: when the customer is told that a person replies, None
    where no time is told.
    """

    text: str
    step: FallbackStep
    step_reason: str
    passages: tuple[Passage, ...] = ()
    citations: tuple[tuple[int, Passage], ...] = ()
    attempts: tuple[ModelAttempt, ...] = ()
    fallback_steps: tuple[Tried, ...] = ()
    ms: dict[str, int] = field(default_factory=dict)
    embedding_model: str | None = None
    needed: float = 0.0
    beside: tuple[ModelAttempt, ...] = ()
    bot: BotMove | None = None
    opens: datetime | None = None


@dataclass(frozen=True, slots=True)
class NewChunk:
    """A part of a document. start_char: where text begins in the document's text, in characters. speakers: who says
    it, where it is a part of a transcript."""

    title: str
    text: str
    start_char: int
    speakers: tuple[str, ...] = ()
