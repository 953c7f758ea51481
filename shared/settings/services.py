"""What every process works with: the data folder, PostgreSQL, Redis, the journal, and the disks beneath them."""

from __future__ import annotations

from pathlib import Path

from cryptography.fernet import Fernet
from pydantic import Field, SecretStr

from shared.settings.kinds import Domain, Folder, LogLevel, address_problems

PROJECT_ROOT = Path(__file__).resolve().parent.parent.parent
POSTGRESQL = ("postgresql", "postgres")
REDIS = ("redis", "rediss")


class SystemSettings(Domain):
    """The system: what all processes have in common."""

    data_dir: Folder = Field(default=PROJECT_ROOT / ".data", alias="DATA_DIR")
    """Embedded services, secrets (mode 0600) and logs."""
    encryption_keys: SecretStr = Field(default=SecretStr(""), alias="ENCRYPTION_KEYS")
    """Fernet keys for stored credentials, newest first, separated by commas; `up` makes one."""
    run_dir: Folder | None = Field(default=None, alias="RUN_DIR")
    """Where a process writes that it is ready."""
    log_level: LogLevel = Field(default="INFO", alias="LOG_LEVEL")
    """Of the JSON lines on stderr; they have ids, never message text."""
    faults: str = Field(default="", alias="FAULTS")
    """Named points at which a process fails; for tests and drills only."""
    faults_dir: Folder | None = Field(default=None, alias="FAULTS_DIR")
    """Where it writes that it has."""

    @property
    def fernet_keys(self) -> list[str]:
        return [key.strip() for key in self.encryption_keys.get_secret_value().split(",") if key.strip()]

    def problems(self) -> list[str]:
        for number, key in enumerate(self.fernet_keys, 1):
            try:
                Fernet(key)
            except ValueError:
                return [f"ENCRYPTION_KEYS: key {number} is no Fernet key (32 bytes in url-safe base64)"]
        return []


class DatabaseSettings(Domain):
    """PostgreSQL. Unset: `./switchboard up` starts an embedded one."""

    url: str | None = Field(default=None, alias="DATABASE_URL", repr=False)
    """PostgreSQL as the application role, which owns nothing and is subject to row-level security. Unset: embedded."""
    admin_url: str | None = Field(default=None, alias="DATABASE_ADMIN_URL", repr=False)
    """The same database as its owner; used only by `maintenance`, `migrate` and commands. Unset: embedded."""
    pool_max: int = Field(default=8, alias="DATABASE_POOL_MAX", ge=1)
    """Database connections per process; `doctor` compares all pools with `max_connections`."""
    pool_timeout_s: float = Field(default=5.0, alias="DATABASE_POOL_TIMEOUT_S", gt=0)
    """How long to wait for a free one of these connections."""
    connect_timeout_s: int = Field(default=3, alias="DATABASE_CONNECT_TIMEOUT_S", ge=2)
    """How long connecting may take, whole seconds; a pooler that waits for PostgreSQL itself needs more."""
    quota_bytes: int | None = Field(default=None, alias="DATABASE_QUOTA_BYTES", gt=0)
    """How large the database may become. Unset: no alert."""
    quota_alert_share: float = Field(default=0.75, alias="DATABASE_QUOTA_ALERT_SHARE", gt=0, le=1)
    """Share of it from which on there is an alert."""

    def problems(self) -> list[str]:
        found = address_problems(self, DATABASE_URL=POSTGRESQL, DATABASE_ADMIN_URL=POSTGRESQL)
        if self.url and self.url == self.admin_url:
            found.append("DATABASE_URL and DATABASE_ADMIN_URL are the same: the application role must own nothing")
        return found


class RedisSettings(Domain):
    """Redis. Unset: `./switchboard up` starts an embedded one."""

    url: str | None = Field(default=None, alias="REDIS_URL", repr=False)
    """Redis or Valkey, with an append-only file and the policy `noeviction`. Unset: embedded."""
    journal_url: str | None = Field(default=None, alias="JOURNAL_URL", repr=False)
    """The server of the journal, if it is not that of `REDIS_URL`; append-only, `noeviction`."""
    broker_url: str | None = Field(default=None, alias="BROKER_URL", repr=False)
    """The server of Celery's queues, if it is not that of `REDIS_URL`; append-only, `noeviction`."""
    cache_url: str | None = Field(default=None, alias="CACHE_URL", repr=False)
    """The server of caches, limits and live events, if it is not that of `REDIS_URL`."""
    visibility_timeout_s: int = Field(default=300, alias="VISIBILITY_TIMEOUT_S", ge=5)
    """After how long the broker gives a wake-up that a worker took and did not acknowledge to another one."""

    def problems(self) -> list[str]:
        brokers = (*REDIS, "amqp", "amqps", "sentinel")
        return address_problems(self, REDIS_URL=REDIS, JOURNAL_URL=REDIS, BROKER_URL=brokers, CACHE_URL=REDIS)


class JournalSettings(Domain):
    """The journal of received webhooks."""

    shards: int = Field(default=16, alias="JOURNAL_SHARDS", ge=1, le=256)
    """Streams of the journal; never lower it while the journal holds something."""
    batch: int = Field(default=200, alias="JOURNAL_BATCH", ge=1, le=1000)
    """Requests that are stored in one transaction, at most."""
    wait_replicas: int = Field(default=0, alias="JOURNAL_WAIT_REPLICAS", ge=0, le=8)
    """How many replicas of Redis must have a webhook before its 200; run one more than that."""
    write_timeout_s: float = Field(default=2.0, alias="JOURNAL_WRITE_TIMEOUT_S", gt=0)
    """How long a webhook waits for the journal before it gets 503."""
    max_waiting_bytes: int = Field(default=64 * 1024 * 1024, alias="JOURNAL_MAX_WAITING_BYTES", gt=0)
    """Bytes of webhooks that may wait for the journal, per gateway; above it webhooks get 503."""
    # The last resort: before the journal's server takes no more (of its maxmemory), and when nobody stores what it
    # holds. After an hour a request is better kept by its platform, which sends it again, than promised once more.
    refuse_memory_share: float = Field(default=0.9, alias="REFUSE_MEMORY_SHARE", gt=0, le=1)
    """Share of Redis' `maxmemory` above which webhooks get 503."""
    refuse_age_s: float = Field(default=3600.0, alias="REFUSE_AGE_S", gt=0)
    """Age of the journal's oldest entry above which webhooks get 503."""


class DiskSettings(Domain):
    """Free space of the disks that this machine's parts write to."""

    # The larger of bytes and share counts. Below the first pair the gateway refuses what it could only promise to a
    # journal on that disk; below the second operators are told.
    refuse_free_bytes: int = Field(default=128 * 1024 * 1024, alias="DISK_REFUSE_FREE_BYTES", ge=0)
    """Free space below which webhooks get 503; the larger of bytes and share counts."""
    refuse_free_share: float = Field(default=0.0, alias="DISK_REFUSE_FREE_SHARE", ge=0, lt=1)
    """The same as a share of the disk."""
    warn_free_bytes: int = Field(default=1024 * 1024 * 1024, alias="DISK_WARN_FREE_BYTES", ge=0)
    """Free space below which operators are warned; the larger of bytes and share counts."""
    warn_free_share: float = Field(default=0.05, alias="DISK_WARN_FREE_SHARE", ge=0, lt=1)
    """The same as a share of the disk."""
