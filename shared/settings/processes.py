"""The fleet's processes, and what operators see of them."""

from __future__ import annotations

from pydantic import Field, SecretStr

from shared.settings.kinds import Domain, Folder


class ProcessesSettings(Domain):
    """Processes: threads, shares and deadlines of the workers."""

    reply_threads: int = Field(default=32, alias="REPLY_THREADS", ge=1)
    """Answers at the same time, per process."""
    deliver_threads: int = Field(default=16, alias="DELIVER_THREADS", ge=1)
    """Sends at the same time, per process."""
    # The largest share of these for one company, so that another company's customer finds a free slot at once
    company_slots_share: float = Field(default=0.75, alias="COMPANY_SLOTS_SHARE", gt=0, le=1)
    """Share of `REPLY_THREADS`, `DELIVER_THREADS` and `IMPORT_THREADS` that one company may use."""
    # The same for what a send waits for, so that a platform that hangs leaves slots to the others
    channel_slots_share: float = Field(default=0.75, alias="CHANNEL_SLOTS_SHARE", gt=0, le=1)
    """Share of `DELIVER_THREADS` that sends to one platform may use; each company's own webhook counts by itself."""
    import_threads: int = Field(default=4, alias="IMPORT_THREADS", ge=1)
    """Files and pages that an index process reads at the same time, each in a child."""
    media_threads: int = Field(default=4, alias="MEDIA_THREADS", ge=1)
    """Attachments fetched at the same time, per process."""
    stalled_after_s: float = Field(default=60.0, alias="STALLED_AFTER_S", ge=1)
    """A worker that takes no wake-up for so long while some wait ends and is started again."""
    grace_s: float = Field(default=20.0, alias="GRACE_S", gt=0)
    """From SIGTERM until what has not ended is killed."""
    sweep_every_s: float = Field(default=2.0, alias="SWEEP_EVERY_S", gt=0)
    """How often the sweeper looks for overdue work."""


class OperationsSettings(Domain):
    """Operations: metrics, alerts and Flower."""

    ops_token: SecretStr = Field(default=SecretStr(""), alias="OPS_TOKEN")
    """Bearer token of `GET /metrics`, `GET /health`, `/api/v1/operations`. Unset: none answers. `up` makes one."""
    alert_webhook_url: str | None = Field(default=None, alias="ALERT_WEBHOOK_URL", repr=False)
    """Where alerts are posted. Unset: they are only logged."""
    alert_webhook_secret: SecretStr = Field(default=SecretStr(""), alias="ALERT_WEBHOOK_SECRET")
    """The `whsec_…` that signs them, as in Standard Webhooks."""
    metrics_dir: Folder | None = Field(default=None, alias="METRICS_DIR")
    """Where processes write their metrics, one folder for all of a machine. Unset: `DATA_DIR/metrics`."""
    work_events: bool = Field(default=True, alias="WORK_EVENTS")
    """Whether workers tell Flower of each piece of work."""
    flower_host: str = Field(default="127.0.0.1", alias="FLOWER_HOST")
    """The address on which Flower listens."""
    flower_tasks_max: int = Field(default=20_000, alias="FLOWER_TASKS_MAX", ge=100, le=1_000_000)
    """How many tasks and pieces of work Flower keeps, 5 KB each; the oldest go first."""
    flower_port: int = Field(default=5555, alias="FLOWER_PORT", ge=1, le=65535)
    """Flower's port."""
    flower_password: SecretStr = Field(default=SecretStr(""), alias="FLOWER_PASSWORD")
    """Flower's password, for the user `admin`, in ASCII; `up` makes one."""

    def problems(self) -> list[str]:
        if not self.flower_password.get_secret_value().isascii():
            return ["FLOWER_PASSWORD should be of ASCII characters: browsers do not agree on how others are sent"]
        return []
