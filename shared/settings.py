"""Every setting, typed, with units in the names, cross-checked at start.

Only processes load settings (`load()`); everything below gets values. Sources, first wins: environment,
then `<DATA_DIR>/run.env`, which `./switchboard up` writes so that a second terminal finds the running system.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from cryptography.fernet import Fernet
from dotenv import dotenv_values
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from shared import openings
from shared.errors import SettingsError
from shared.setting_words import in_words
from shared.spelling import Surprise, surprises

RUN_ENV = "run.env"
PROCESS = "SWITCHBOARD_PROCESS"
"""The environment variable by which a process of the fleet knows that its environment is all it may read."""
PROJECT_ROOT = Path(__file__).resolve().parent.parent


class _Provider(BaseModel):
    """One OpenAI-compatible API. base_url: with /v1."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    base_url: str = Field(repr=False)
    api_key: SecretStr = SecretStr("")
    model: str = Field(min_length=1)

    @property
    def host(self) -> str:
        """Empty if base_url is no address."""
        try:
            parts = urlsplit(self.base_url)
        except ValueError:  # its words may quote a password
            return ""
        return parts.hostname or "" if parts.scheme in ("http", "https") else ""

    def problems(self) -> list[str]:
        found, key = [], self.api_key.get_secret_value().strip()
        if not self.host:
            found.append("base_url should be an address that begins with http:// or https://")
        if not (key.isascii() and key.isprintable()):
            found.append("api_key holds characters that no HTTP header can carry")
        return found


class ModelProvider(_Provider):
    """A chat API. name: for receipts and breakers; its host if it has none."""

    name: str | None = Field(default=None, min_length=1)

    @property
    def label(self) -> str:
        """What it is called; empty if base_url is no address."""
        return self.host and (self.name or self.host)


class EmbeddingsProvider(_Provider):
    """An embeddings API. baseline: the cosine that unrelated texts have in its model."""

    baseline: float = Field(0.2, ge=0, lt=1)


class PerMinute(BaseModel):
    """A limit, written `<a minute>/<at once>`: so many evenly spread over a minute, after a burst of so many."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    count: int = Field(gt=0)
    burst: int = Field(gt=0)

    def __str__(self) -> str:
        return f"{self.count}/{self.burst}"


def _read_limit(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    count, _, burst = value.partition("/")
    if not (count.strip().isdecimal() and burst.strip().isdecimal()):
        raise ValueError("write <a minute>/<at once>, such as 20/10")
    return {"count": int(count), "burst": int(burst)}


Limit = Annotated[PerMinute, NoDecode, BeforeValidator(_read_limit)]


def _names_a_host(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _absolute(value: Any) -> Any:
    """Processes work in another folder than the terminal that a relative path was written in."""
    return Path(value).expanduser().absolute() if isinstance(value, str | Path) and str(value) else value


Folder = Annotated[Path, BeforeValidator(_absolute)]
LogLevel = Annotated[
    Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"],
    BeforeValidator(lambda value: value.strip().upper() if isinstance(value, str) else value),
]


class Settings(BaseSettings):
    model_config = SettingsConfigDict(
        extra="ignore", frozen=True, env_ignore_empty=True, allow_inf_nan=False, str_strip_whitespace=True
    )

    # Services. Unset means: `./switchboard up` starts embedded ones. Addresses hold passwords: never shown.
    database_url: str | None = Field(None, repr=False)
    """PostgreSQL as the application role, which owns nothing and is held to row-level security. Unset: embedded."""
    database_admin_url: str | None = Field(None, repr=False)
    """The same database as its owner; used only by `maintenance`, `migrate` and commands. Unset: embedded."""
    redis_url: str | None = Field(None, repr=False)
    """Redis or Valkey, with an append-only file and the policy `noeviction`. Unset: embedded."""
    journal_url: str | None = Field(None, repr=False)
    """The server of the journal, if it is not that of `REDIS_URL`; append-only, `noeviction`."""
    broker_url: str | None = Field(None, repr=False)
    """The server of Celery's queues, if it is not that of `REDIS_URL`; append-only, `noeviction`."""
    cache_url: str | None = Field(None, repr=False)
    """The server of caches, limits and live events, if it is not that of `REDIS_URL`."""
    data_dir: Folder = PROJECT_ROOT / ".data"
    """Embedded services, secrets (mode 0600) and logs."""
    encryption_keys: SecretStr = SecretStr("")
    """Fernet keys for stored credentials, newest first, separated by commas; `up` makes one."""

    # Models. No LLM_BASE_URL: passages are quoted instead of written up.
    llm_base_url: str | None = Field(None, repr=False)
    """An OpenAI-compatible chat API, with `/v1`. Unset: passages are quoted instead of written up."""
    llm_api_key: SecretStr = SecretStr("")
    """Its key."""
    llm_model: str | None = None
    """Its model."""
    llm_fallbacks: Annotated[tuple[ModelProvider, ...], NoDecode] = ()
    """A JSON list of `{"base_url", "api_key", "model", "name"?}`, asked in order when the first one fails."""
    embeddings_base_url: str | None = Field(None, repr=False)
    """An OpenAI-compatible embeddings API. Unset: the local model."""
    embeddings_api_key: SecretStr = SecretStr("")
    """Its key."""
    embeddings_model: str | None = None
    """Its model; another model gets a space of its own, filled while the old one serves."""
    embeddings_baseline: float = Field(0.2, ge=0, lt=1)
    """The cosine that unrelated texts have in that model; 0.7 for some models."""
    embeddings_fallbacks: Annotated[tuple[EmbeddingsProvider, ...], NoDecode] = ()
    """A JSON list of `{"base_url", "api_key", "model", "baseline"?}`: models of other spaces, used when the
    first one does not answer."""
    rerank_base_url: str | None = Field(None, repr=False)
    """The reranker's address before `/rerank`. Unset: the order of the search."""
    rerank_api_key: SecretStr = SecretStr("")
    """Its key."""
    rerank_model: str | None = None
    """Its model."""
    rerank_style: Literal["cohere", "tei"] = "cohere"
    """The reranker's API; `tei` for text-embeddings-inference."""
    embedding_deadline_s: float = Field(3.0, gt=0)
    """How long to wait for a question's vector; after it only words are searched."""
    llm_call_deadline_s: float = Field(30.0, gt=0)
    """Wall clock for one call of a model."""
    turn_deadline_s: float = Field(55.0, gt=0)
    """Wall clock for all calls of a turn."""
    llm_max_tokens: int = Field(600, gt=0)
    """The most tokens that an answer may have."""
    llm_connections: int = Field(200, gt=0)
    """Open connections to models, per process."""

    # Platforms
    telegram_api_url: str = "https://api.telegram.org"
    """Telegram's API."""
    slack_api_url: str = "https://slack.com/api"
    """Slack's API."""
    graph_api_url: str = "https://graph.facebook.com"
    """Meta's API for Messenger, WhatsApp, and Instagram through a page."""
    instagram_api_url: str = "https://graph.instagram.com"
    """Meta's API for Instagram accounts without a page."""
    graph_api_version: str = Field("v23.0", pattern=r"^v[0-9]{1,3}\.[0-9]$")
    """The version of Meta's API for sending (connecting always uses v23.0); Meta supports one for about two years."""
    send_deadline_s: float = Field(10.0, gt=0)
    """How long a send may take."""
    egress_allow: str = ""
    """What addresses given by others may lead to besides ports 80 and 443 of the public network:
    `purpose:host:port`, separated by commas; the purpose is `send`, `media` or `site`."""

    # Attachments: a folder (default DATA_DIR/media), or an S3-compatible bucket
    media_dir: Folder | None = None
    """Where attachments are stored, by their hash; shared by gateway, intake, media and maintenance. Unset:
    `DATA_DIR/media`."""
    media_s3_bucket: str | None = None
    """An S3-compatible bucket for attachments instead of a folder."""
    media_s3_endpoint: str | None = None
    """Its address. Unset: Amazon's."""
    media_s3_region: str = "us-east-1"
    """Its region."""
    media_s3_key_id: str = ""
    """The id of its access key. Unset: what the machine's role allows."""
    media_s3_secret: SecretStr = SecretStr("")
    """The secret of its access key."""
    media_max_bytes: int = Field(25 * 1024 * 1024, gt=0)
    """The largest attachment that is fetched."""
    media_deadline_s: float = Field(60.0, gt=0)
    """How long fetching one may take."""
    media_types: str = (
        "image/,audio/,video/,text/plain,text/csv,text/vcard,application/pdf,application/msword,application/vnd.,"
        "application/zip,application/json"
    )
    """Which attachments are stored: beginnings of media types, separated by commas."""
    media_scan_command: str = ""
    """A virus scanner such as `clamdscan --no-summary -`: gets the bytes on stdin; exit code 0 means clean, 1
    infected, any other: try again."""
    media_url_ttl_s: float = Field(300.0, gt=0)
    """How long a link to an attachment is valid."""

    # Edge
    gateway_host: str = "127.0.0.1"
    """The address on which the gateway listens."""
    gateway_port: int = Field(8400, ge=1, le=65535)
    """Its port. If a port that was set is taken the start fails; the default port is replaced by a free one."""
    gateway_max_body_bytes: int = Field(4 * 1024 * 1024, gt=0)
    """The largest webhook."""
    journal_write_timeout_s: float = Field(2.0, gt=0)
    """How long a webhook waits for the journal before it gets 503."""
    journal_max_waiting_bytes: int = Field(64 * 1024 * 1024, gt=0)
    """Bytes of webhooks that may wait for the journal, per gateway; above it webhooks get 503."""
    # The last resort: before the journal's server takes no more (of its maxmemory), and when nobody stores what it
    # holds. After an hour a request is better kept by its platform, which sends it again, than promised once more.
    refuse_memory_share: float = Field(0.9, gt=0, le=1)
    """Share of Redis' `maxmemory` above which webhooks get 503."""
    refuse_age_s: float = Field(3600.0, gt=0)
    """Age of the journal's oldest entry above which webhooks get 503."""
    # Free space of the disks that this machine's parts write to: the larger of bytes and share. Below the first pair
    # the gateway refuses what it could only promise to a journal on that disk; below the second operators are told.
    disk_refuse_free_bytes: int = Field(128 * 1024 * 1024, ge=0)
    """Free space below which webhooks get 503; the larger of bytes and share counts."""
    disk_refuse_free_share: float = Field(0.0, ge=0, lt=1)
    """The same as a share of the disk."""
    disk_warn_free_bytes: int = Field(1024 * 1024 * 1024, ge=0)
    """Free space below which operators are warned; the larger of bytes and share counts."""
    disk_warn_free_share: float = Field(0.05, ge=0, lt=1)
    """The same as a share of the disk."""
    gateway_forwarded_hops: int = Field(0, ge=0, le=8)
    """Number of your proxies in front of the gateway, for limits per address."""
    gateway_bodies_max_bytes: int = Field(64 * 1024 * 1024, ge=25 * 1024 * 1024)
    """Bytes of unfinished requests in memory, per gateway; half of it for senders who are not known yet."""
    gateway_bodies_address_max_bytes: int = Field(32 * 1024 * 1024, ge=25 * 1024 * 1024)
    """The same per address."""
    gateway_connections_max: int = Field(4_000, ge=10)
    """Open connections per gateway."""
    gateway_connections_address_max: int = Field(1_000, ge=1)
    """Open connections per address; not counted behind proxies."""
    gateway_wrong_keys_limit: Limit = PerMinute(count=60, burst=30)
    """Wrong API keys and wrong `OPS_TOKEN`s per address."""
    gateway_unknown_limit: Limit = PerMinute(count=300, burst=100)
    """Requests for apps and widgets that do not exist, per address."""
    widget_token_ttl_s: float = Field(30 * 86_400.0, gt=60)
    """How long a visitor's token is valid."""
    widget_streams_max: int = Field(1_000, ge=1)
    """Open event streams per gateway."""
    widget_streams_address_max: int = Field(100, ge=1)
    """Open event streams per address."""
    widget_streams_company_max: int = Field(500, ge=1)
    """Open event streams per company."""
    widget_sessions_limit: Limit = PerMinute(count=30, burst=20)
    """New visitors per address."""
    widget_attempts_limit: Limit = PerMinute(count=60, burst=30)
    """Requests without a valid token, per address."""
    widget_messages_limit: Limit = PerMinute(count=20, burst=10)
    """Messages per visitor."""
    widget_messages_address_limit: Limit = PerMinute(count=200, burst=100)
    """Messages per address, which may be a whole office."""
    knowledge_search_limit: Limit = PerMinute(count=120, burst=30)
    """Searches over HTTP per company, all its agents together."""
    knowledge_write_limit: Limit = PerMinute(count=120, burst=60)
    """Files and sites sent over HTTP per company, all its agents together."""
    widget_reads_limit: Limit = PerMinute(count=120, burst=30)
    """Reads per visitor."""
    widget_reads_address_limit: Limit = PerMinute(count=1200, burst=300)
    """Reads per address."""
    app_cache_ttl_s: float = Field(30.0, ge=0)
    """How long a gateway may go on accepting a rotated or disabled secret."""

    # Journal and intake
    journal_shards: int = Field(16, ge=1, le=256)
    """Streams of the journal; never lower it while the journal holds something."""
    journal_batch: int = Field(200, ge=1, le=1000)
    """Requests that are stored in one transaction, at most."""
    journal_wait_replicas: int = Field(0, ge=0, le=8)
    """How many replicas of Redis must have a webhook before its 200; run one more than that."""

    # Turns and delivery
    quiet_window_s: float = Field(0.8, ge=0)
    """How long to wait for a customer's next message before answering, since the last one."""
    quiet_window_max_s: float = Field(5.0, ge=0)
    """The same since the first one."""
    lease_s: float = Field(10.0, ge=2)
    """How long a turn waits when the machine of its worker dies; when only the worker dies, others of the
    machine release its turns at once."""
    turn_cancels_max: int = Field(2, ge=0)
    """How often newer messages may interrupt the answer to a turn."""
    turn_cancel_window_s: float = Field(15.0, ge=0)
    """For how long after a turn's first message they may."""
    conversation_answers_max: int = Field(12, ge=0)
    """Answers at once in one conversation, and one a minute after that; more are a machine that answers the
    bot. 0: any number."""
    # The ladder's steps: how long a company's last waiting customer would still wait when each is entered. A model's
    # usual answer takes some seconds, so 15 s are felt; at 45 s people write again or leave; for what would take ten
    # minutes a person may as well be asked.
    overload_cheaper_s: float = Field(15.0, gt=0)
    """How long a company's last customer would have to wait before its answers come from the cheaper model."""
    overload_passages_s: float = Field(45.0, gt=0)
    """The same before its answers become quoted passages."""
    overload_handover_s: float = Field(600.0, gt=0)
    """The same before its answers become an apology."""
    overload_recovery_s: float = Field(20.0, gt=0)
    """How long the wait must be below half of a step's bound before that step is left."""
    budget_cheaper_share: float = Field(0.8, gt=0, le=1)
    """Share of a company's daily tokens above which the cheaper model answers."""
    relevance_threshold: float = Field(0.3, ge=0, le=1)
    """If no passage is at least so relevant (0 to 1), the customer is told that the answer is not known, and
    the conversation is marked for people."""
    record_deadline_s: float = Field(30.0, gt=0)
    """How long until a send whose result was not recorded counts as uncertain."""
    uncertain_unblock_s: float = Field(60.0, ge=0)
    """How long until later messages may be sent after an uncertain one."""
    sweep_every_s: float = Field(2.0, gt=0)
    """How often the sweeper looks for overdue work."""

    # Processes
    reply_threads: int = Field(32, ge=1)
    """Answers at the same time, per process."""
    deliver_threads: int = Field(16, ge=1)
    """Sends at the same time, per process."""
    # Of these, at most so large a share for one company: whoever writes next finds a free slot at once
    company_slots_share: float = Field(0.75, gt=0, le=1)
    """Share of `REPLY_THREADS`, `DELIVER_THREADS` and `IMPORT_THREADS` that one company may use."""
    import_threads: int = Field(4, ge=1)
    """Files and pages that an index process reads at the same time, each in a child."""
    media_threads: int = Field(4, ge=1)
    """Attachments fetched at the same time, per process."""
    database_pool_max: int = Field(8, ge=1)
    """Database connections per process; `doctor` compares all pools with `max_connections`."""
    database_pool_timeout_s: float = Field(5.0, gt=0)
    """How long to wait for a free one of these connections."""
    visibility_timeout_s: int = Field(300, ge=5)
    """After how long the broker gives a wake-up that a worker took and did not acknowledge to another one."""
    stalled_after_s: float = Field(60.0, ge=1)
    """A worker that takes no wake-up for so long while some wait ends and is started again."""
    grace_s: float = Field(20.0, gt=0)
    """From SIGTERM until what has not ended is killed."""
    flower_port: int = Field(5555, ge=1, le=65535)
    """Flower's port."""
    flower_password: SecretStr = SecretStr("")
    """Flower's password, for the user `admin`; `up` makes one."""
    archive_after_days: int = Field(183, ge=30)
    """A conversation without a message for so many days is archived, if its company has no term of its own."""
    archive_delete_after_days: int | None = Field(None, ge=60)
    """Archives older than this are deleted for good. Unset: never."""
    archive_messages_per_s: int = Field(2000, ge=0)
    """Pace of moving messages to the archive; a slower one disturbs other writes less. 0: as fast as possible."""
    archive_keep_messages: int = Field(100, ge=1)
    """Messages of each conversation that stay out of the archive."""
    backup_dir: Folder | None = None
    """Where backups are stored; better on another disk. Unset: `DATA_DIR/backups`."""
    # How many hours, days, weeks and months that have a backup keep their newest one. What somebody had erased is gone
    # from all of them once the oldest is.
    backup_keep_hourly: int = Field(24, ge=1)
    """For how many hours the newest backup of each is kept."""
    backup_keep_daily: int = Field(7, ge=0)
    """The same for days."""
    backup_keep_weekly: int = Field(4, ge=0)
    """The same for weeks."""
    backup_keep_monthly: int = Field(0, ge=0)
    """The same for months. What somebody had erased is gone from all backups once the oldest is."""
    backup_deadline_s: float = Field(3_000.0, gt=0, le=6_000)
    """Time for a backup; it must be done before the next one is due."""
    backup_alert_after_h: float = Field(3.0, gt=0)
    """Hours without a backup before there is an alert."""
    backup_proof_alert_after_h: float = Field(50.0, gt=0)
    """Hours without a backup that was restored as a test before there is an alert."""
    backup_command: str = ""
    """A backup tool of your own instead of `pg_dump`; it finds its folder in `BACKUP_FOLDER` and the database
    in `PG…`."""
    backup_prove_command: str = ""
    """The command that checks that what is in `BACKUP_FOLDER` can be restored."""
    log_level: LogLevel = "INFO"
    """Of the JSON lines on stderr; they have ids, never message text."""
    ops_token: SecretStr = SecretStr("")
    """Bearer token of `GET /metrics`, `GET /health` and `/ops`; unset: they answer nobody. `up` makes one."""
    database_quota_bytes: int | None = Field(None, gt=0)
    """How large the database may become. Unset: no alert."""
    database_quota_alert_share: float = Field(0.75, gt=0, le=1)
    """Share of it from which on there is an alert."""
    alert_webhook_url: str | None = Field(None, repr=False)
    """Where alerts are posted. Unset: they are only logged."""
    alert_webhook_secret: SecretStr = SecretStr("")
    """The `whsec_…` that signs them, as in Standard Webhooks."""
    metrics_dir: Folder | None = None
    """Where processes write their metrics, one folder for all of a machine. Unset: `DATA_DIR/metrics`."""
    run_dir: Folder | None = None
    """Where a process writes that it is ready."""

    # Tests and drills
    faults: str = ""
    """Named points at which a process fails; for tests and drills only."""
    faults_dir: Folder | None = None
    """Where it writes that it has."""

    @field_validator("llm_fallbacks", "embeddings_fallbacks", mode="before")
    @classmethod
    def _read_list(cls, value: Any) -> Any:
        """Read here: the library's own error for a broken list would quote it, keys and all."""
        if not isinstance(value, str):
            return value
        try:
            found = json.loads(value)
        except ValueError:
            found = None
        if not isinstance(found, list):
            raise ValueError('no JSON list; write [{"base_url": "https://…/v1", "api_key": "…", "model": "…"}]')
        return found

    @model_validator(mode="after")
    def _cross_check(self) -> Self:
        problems = [
            *self._url_problems(), *self._model_problems(), *self._time_problems(), *self._key_problems(),
            *self._network_problems(), *self._body_problems(),
        ]  # fmt: skip
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def _url_problems(self) -> list[str]:
        found = []
        for name, schemes in (
            ("database_url", ("postgresql", "postgres")),
            ("database_admin_url", ("postgresql", "postgres")),
            ("redis_url", ("redis", "rediss")),
            ("journal_url", ("redis", "rediss")),
            ("broker_url", ("redis", "rediss", "amqp", "amqps", "sentinel")),
            ("cache_url", ("redis", "rediss")),
            ("llm_base_url", ("http", "https")),
            ("embeddings_base_url", ("http", "https")),
            ("rerank_base_url", ("http", "https")),
            ("telegram_api_url", ("http", "https")),
            ("graph_api_url", ("http", "https")),
            ("slack_api_url", ("http", "https")),
            ("instagram_api_url", ("http", "https")),
            ("media_s3_endpoint", ("http", "https")),
        ):
            value = getattr(self, name)
            if value is None:
                continue
            try:
                scheme = urlsplit(value).scheme
            except ValueError:  # its words may quote the password that the bracket stands in
                found.append(f"{name.upper()} is no address: write [ and ] in a password as %5B and %5D")
                continue
            if scheme not in schemes:
                found.append(f"{name.upper()} should begin with {' or '.join(s + '://' for s in schemes)}")
            elif scheme in ("http", "https") and not _names_a_host(value):
                found.append(f"{name.upper()} names no host, or a port that is none")
        if self.database_url and self.database_url == self.database_admin_url:
            found.append("DATABASE_URL and DATABASE_ADMIN_URL are the same: the application role must own nothing")
        if self.database_url and not self.redis_url:
            found.append("DATABASE_URL is set but REDIS_URL is not: set both, or neither for embedded services")
        return found

    def _model_problems(self) -> list[str]:
        found = []
        for prefix in ("llm", "embeddings", "rerank"):
            url, model = getattr(self, f"{prefix}_base_url"), getattr(self, f"{prefix}_model")
            if bool(url) != bool(model):
                found.append(f"set both {prefix.upper()}_BASE_URL and {prefix.upper()}_MODEL, or neither")
        return [*found, *self._fallback_problems(), *self._space_problems()]

    def _fallback_problems(self) -> list[str]:
        found = []
        if self.llm_fallbacks and not self.llm_base_url:
            found.append("LLM_FALLBACKS is set but LLM_BASE_URL is not: the first provider stands there")
        known = {(provider.label, provider.model) for provider in self.model_providers[:1]}
        for number, provider in enumerate(self.llm_fallbacks, 1):
            entry = f"LLM_FALLBACKS: entry {number}"
            found += [f"{entry}: {problem}" for problem in provider.problems()]
            if (provider.label, provider.model) in known:
                found.append(f"{entry} has the provider and model of an earlier one: give it a name of its own")
            known.add((provider.label, provider.model))
        return found

    def _space_problems(self) -> list[str]:
        found, known = [], {self.embeddings_model}
        for number, provider in enumerate(self.embeddings_fallbacks, 1):
            entry = f"EMBEDDINGS_FALLBACKS: entry {number}"
            found += [f"{entry}: {problem}" for problem in provider.problems()]
            if provider.model in known:
                found.append(f"{entry} has the model of an earlier one: a model has one space")
            known.add(provider.model)
        return found

    def _time_problems(self) -> list[str]:
        found = []
        if self.quiet_window_max_s < self.quiet_window_s:
            found.append("QUIET_WINDOW_MAX_S is below QUIET_WINDOW_S")
        if self.database_pool_timeout_s >= self.lease_s:
            found.append("DATABASE_POOL_TIMEOUT_S must be below LEASE_S, or a waiting renewal loses its lease")
        if self.turn_deadline_s < self.llm_call_deadline_s:
            found.append("TURN_DEADLINE_S is below LLM_CALL_DEADLINE_S")
        if self.send_deadline_s >= self.record_deadline_s:
            found.append("RECORD_DEADLINE_S must be above SEND_DEADLINE_S")
        if not self.overload_cheaper_s < self.overload_passages_s < self.overload_handover_s:
            found.append("OVERLOAD_CHEAPER_S, OVERLOAD_PASSAGES_S and OVERLOAD_HANDOVER_S must rise in this order")
        if self.quiet_window_max_s > 60:
            found.append("QUIET_WINDOW_MAX_S must be at most 60: longer countdowns do not fit the broker")
        if self.visibility_timeout_s < self.quiet_window_max_s + 4:
            found.append("VISIBILITY_TIMEOUT_S must be above the longest countdown")
        return found

    def _key_problems(self) -> list[str]:
        for number, key in enumerate(self.fernet_keys, 1):
            try:
                Fernet(key)
            except ValueError:
                return [f"ENCRYPTION_KEYS: key {number} is no Fernet key (32 bytes in url-safe base64)"]
        return []

    def _body_problems(self) -> list[str]:
        found = []
        if self.gateway_bodies_address_max_bytes > self.gateway_bodies_max_bytes:
            found.append("GATEWAY_BODIES_ADDRESS_MAX_BYTES is above GATEWAY_BODIES_MAX_BYTES")
        if self.gateway_bodies_address_max_bytes < 2 * self.gateway_max_body_bytes:
            found.append("GATEWAY_BODIES_ADDRESS_MAX_BYTES must be at least twice GATEWAY_MAX_BODY_BYTES")
        return found

    def _network_problems(self) -> list[str]:
        try:
            openings.parse(self.egress_allow)
        except ValueError as e:
            return [f"EGRESS_ALLOW: {e}"]
        return []

    @property
    def egress_openings(self) -> tuple[openings.Opening, ...]:
        return openings.parse(self.egress_allow)

    @property
    def platform_urls(self) -> tuple[str, ...]:
        """The platforms' APIs."""
        return self.telegram_api_url, self.slack_api_url, self.graph_api_url, self.instagram_api_url

    @property
    def media_type_prefixes(self) -> tuple[str, ...]:
        return tuple(prefix.strip().lower() for prefix in self.media_types.split(",") if prefix.strip())

    @property
    def media_folder(self) -> Path:
        return self.media_dir or self.data_dir / "media"

    @property
    def metrics_folder(self) -> Path:
        return self.metrics_dir or self.data_dir / "metrics"

    @property
    def backup_folder(self) -> Path:
        return self.backup_dir or self.data_dir / "backups"

    @property
    def lease_folder(self) -> Path:
        """What each process of this machine has leased; in the one folder that all of them have in common."""
        return self.metrics_folder / "held"

    @property
    def model_providers(self) -> tuple[ModelProvider, ...]:
        """Every configured chat API in the order in which they are asked; empty where none is."""
        if self.llm_base_url is None or self.llm_model is None:
            return ()
        first = ModelProvider(base_url=self.llm_base_url, api_key=self.llm_api_key, model=self.llm_model)
        return (first, *self.llm_fallbacks)

    @property
    def fernet_keys(self) -> list[str]:
        return [key.strip() for key in self.encryption_keys.get_secret_value().split(",") if key.strip()]

    def need(self, name: str) -> str:
        """A setting that this process cannot do without. Raises SettingsError naming it."""
        value = getattr(self, name)
        if value is None and name in ("journal_url", "broker_url", "cache_url"):
            return self.need("redis_url")
        if not value and not self.data_dir.is_dir():
            raise SettingsError(
                f"{name.upper()} is not set, and DATA_DIR={self.data_dir} does not exist, so no system runs there: "
                "name the DATA_DIR of a running ./switchboard up"
            )
        if not value:
            raise SettingsError(
                f"{name.upper()} is not set: start the embedded system with ./switchboard up, "
                f"or set {name.upper()} to use a service of your own"
            )
        return str(value)


def load(*, of_running_system: bool = True, **overrides: Any) -> Settings:
    """Read the settings of this process. Raises SettingsError naming each variable that is wrong or misspelt.

    of_running_system: also what a running `./switchboard up` has written for other terminals; never in a process of
    the fleet, which is given what it needs.
    """
    data_dir = Path(overrides.get("data_dir") or _absolute(os.environ.get("DATA_DIR") or PROJECT_ROOT / ".data"))
    run_env = data_dir / RUN_ENV
    # A readable file only: another user's data folder must not break `--help`.
    read = of_running_system and PROCESS not in os.environ and os.access(run_env, os.R_OK)
    env_file = run_env if read else None
    wrong = [one.words for one in _surprises() if one.sure] + (_strangers(env_file) if env_file else [])
    try:
        found = Settings(_env_file=env_file, **overrides)  # type: ignore[call-arg]
    except ValidationError as e:
        wrong += [in_words(error) for error in e.errors()]
        raise SettingsError("; ".join(wrong)) from None
    if wrong:
        raise SettingsError("; ".join(wrong)) from None
    return found


def warnings() -> list[str]:
    """What in this process' environment looks like a misspelt setting and may be another program's. For the entry of a
    process or command, which says it once."""
    return [one.words for one in _surprises() if not one.sure]


def _surprises() -> tuple[Surprise, ...]:
    given = (name for name, value in os.environ.items() if value)
    return surprises(given, (name.upper() for name in Settings.model_fields))


def _strangers(run_env: Path) -> list[str]:
    """Everything in this file is ours, so what is unknown is of another version."""
    unknown = sorted(
        {name.upper() for name in dotenv_values(run_env)} - {name.upper() for name in Settings.model_fields}
    )
    return [
        f"{run_env} holds {', '.join(unknown)}, which is no setting of this version: "
        "delete the file, or start ./switchboard up again, which writes it anew"
    ] if unknown else []  # fmt: skip


def only(**values: Any) -> Settings:
    """Settings of a private copy: what is given and the defaults, nothing of this process' surroundings."""
    defaults = {name: field.default for name, field in Settings.model_fields.items() if name not in values}
    return Settings(_env_file=None, **defaults, **values)  # type: ignore[call-arg]


def only_environment(config: Settings) -> dict[str, str]:
    """The environment in which a child loads these settings; what is empty hides what stands in ours."""
    found = {}
    for name, field in Settings.model_fields.items():
        value = getattr(config, name)
        found[name.upper()] = "" if value == field.default else as_text(value)
    return found


def as_text(value: Any) -> str:
    """A setting's value as an environment variable says it: what `Settings` reads back as the same value."""
    if isinstance(value, tuple):
        return json.dumps([one.model_dump(exclude_defaults=True) for one in value], default=as_text)
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return "" if value is None else str(value)


def given_folders(config: Settings) -> dict[str, str]:
    """The folders that were set, as a process in any other folder finds them."""
    paths = {name: getattr(config, name) for name in config.model_fields_set}
    return {name.upper(): str(path) for name, path in paths.items() if isinstance(path, Path)}


def child_environment(values: Mapping[str, str], *, without: frozenset[str] = frozenset()) -> dict[str, str]:
    """The environment for a process started by us: ours, with `values` on top, finding our packages. without: names,
    in capitals, that it is not given; names are read without regard to case."""
    whole = {**os.environ, "PYTHONPATH": str(PROJECT_ROOT), "PYTHONUNBUFFERED": "1", **values}
    return {name: value for name, value in whole.items() if name.upper() not in without}


def of_running_system(data_dir: Path) -> dict[str, str]:
    """What a running `./switchboard up` has written for other terminals, where the environment says nothing else."""
    run_env = data_dir / RUN_ENV
    if PROCESS in os.environ or not os.access(run_env, os.R_OK):
        return {}
    ours = {name.upper() for name, value in os.environ.items() if value}
    return {name: value for name, value in dotenv_values(run_env).items() if value and name.upper() not in ours}
