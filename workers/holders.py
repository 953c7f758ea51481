"""Which process holds which secret, and the environment that gives it those and no others.

One table, which the supervisor, `./switchboard worker` and compose.yaml are held to. In a container or under a system
user of its own a process cannot reach what stands against others' names; as children of one `./switchboard up` all
are one system user, so there it only keeps secrets out of memory and logs that have no use for them.
"""

from __future__ import annotations

from collections.abc import Mapping

from shared.settings import PROCESS, Settings, child_environment
from workers.fleet import PROCESSES

WORKERS = ("intake", "reply", "deliver", "index", "media", "maintenance")
BYTES = ("gateway", "intake", "media", "maintenance")
"""Who shows, deletes, stores and sweeps attachments."""
ANSWERS = ("reply", "deliver")
"""Who asks models for answers: reply, and deliver in its place while no reply worker lives."""
MEANING = ("gateway", *ANSWERS, "index")
"""Who embeds questions or passages."""

HOLDERS: Mapping[str, tuple[str, ...]] = {
    # The application role: owns nothing, makes nothing, is held by row-level security.
    "database_url": ("gateway", *WORKERS),
    # The owner: partitions, retention, archives, graphs, backups. Beside this process `migrate` and commands have it.
    "database_admin_url": ("maintenance",),
    # REDIS_URL stands for the three behind it. Beat and Flower know the broker alone.
    "redis_url": PROCESSES,
    "broker_url": PROCESSES,
    "journal_url": ("gateway", *WORKERS),
    "cache_url": ("gateway", *WORKERS),
    # The gateway verifies webhooks and signs attachments' addresses; reply shows that somebody is typing; deliver
    # sends and asks how channels fare; media fetches with a channel's token.
    "encryption_keys": ("gateway", "reply", "deliver", "media"),
    "llm_base_url": ANSWERS,
    "llm_api_key": ANSWERS,
    "llm_model": ANSWERS,
    "llm_fallbacks": ANSWERS,
    "rerank_base_url": ANSWERS,
    "rerank_api_key": ANSWERS,
    "rerank_model": ANSWERS,
    "embeddings_base_url": MEANING,
    "embeddings_api_key": MEANING,
    "embeddings_model": MEANING,
    "embeddings_fallbacks": MEANING,
    "media_s3_key_id": BYTES,
    "media_s3_secret": BYTES,
    "media_scan_command": ("media",),
    "ops_token": ("gateway",),
    "flower_password": ("flower",),
    "alert_webhook_url": ("maintenance",),
    "alert_webhook_secret": ("maintenance",),
    "backup_command": ("maintenance",),
    "backup_prove_command": ("maintenance",),
}
NEEDED = ("database_url", "database_admin_url", "broker_url", "journal_url", "encryption_keys", "flower_password")
"""Without these their holders do not start."""


def withheld(name: str) -> frozenset[str]:
    """The variables that a process must not be given; all of the table for one that is not in it."""
    return frozenset(setting.upper() for setting, holders in HOLDERS.items() if name not in holders)


def environment_of(name: str, values: Mapping[str, str]) -> dict[str, str]:
    """The environment of a process of the fleet: ours with `values` on top, without what others hold. It is all that
    the process reads: what `./switchboard up` has written for other terminals holds every secret."""
    return child_environment({**values, PROCESS: name}, without=withheld(name))


def may_serve(name: str, station: str, config: Settings) -> bool:
    """Whether a process may do a station's work in its place: only where it holds every secret that the station holds.
    Without them it would find credentials sealed, or answer without the model."""
    unused = () if config.media_s3_bucket else ("media_s3_key_id", "media_s3_secret")
    needed = [holders for setting, holders in HOLDERS.items() if station in holders and setting not in unused]
    return all(name in holders for holders in needed)


def check_needed(name: str, config: Settings) -> None:
    """Raises SettingsError naming what a process of the fleet cannot start without."""
    for setting in NEEDED:
        if name in HOLDERS[setting]:
            config.need(setting)
