"""Says which process holds which secrets, and makes the environment that contains those and no others.

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
    "DATABASE_URL": ("gateway", *WORKERS),
    # The owner: partitions, retention, archives, graphs, backups. Beside this process `migrate` and commands have it.
    "DATABASE_ADMIN_URL": ("maintenance",),
    # REDIS_URL stands for the three behind it. Beat and Flower know the broker alone.
    "REDIS_URL": PROCESSES,
    "BROKER_URL": PROCESSES,
    "JOURNAL_URL": ("gateway", *WORKERS),
    "CACHE_URL": ("gateway", *WORKERS),
    # The gateway verifies webhooks and signs attachments' addresses; reply shows that somebody is typing; deliver
    # sends and asks how channels fare; media fetches with a channel's token.
    "ENCRYPTION_KEYS": ("gateway", "reply", "deliver", "media"),
    "LLM_BASE_URL": ANSWERS,
    "LLM_API_KEY": ANSWERS,
    "LLM_MODEL": ANSWERS,
    "LLM_FALLBACKS": ANSWERS,
    "RERANK_BASE_URL": ANSWERS,
    "RERANK_API_KEY": ANSWERS,
    "RERANK_MODEL": ANSWERS,
    "EMBEDDINGS_BASE_URL": MEANING,
    "EMBEDDINGS_API_KEY": MEANING,
    "EMBEDDINGS_MODEL": MEANING,
    "EMBEDDINGS_FALLBACKS": MEANING,
    "MEDIA_S3_KEY_ID": BYTES,
    "MEDIA_S3_SECRET": BYTES,
    "MEDIA_SCAN_COMMAND": ("media",),
    "OPS_TOKEN": ("gateway",),
    "FLOWER_PASSWORD": ("flower",),
    "ALERT_WEBHOOK_URL": ("maintenance",),
    "PRICES_URL": ("maintenance",),
    "ALERT_WEBHOOK_SECRET": ("maintenance",),
    "BACKUP_COMMAND": ("maintenance",),
    "BACKUP_PROVE_COMMAND": ("maintenance",),
}
NEEDED = ("DATABASE_URL", "DATABASE_ADMIN_URL", "BROKER_URL", "JOURNAL_URL", "ENCRYPTION_KEYS", "FLOWER_PASSWORD")
"""Without these their holders do not start."""


def withheld(name: str) -> frozenset[str]:
    """Return the variables that a process must not get: all of the table if the process is not in it."""
    return frozenset(setting for setting, holders in HOLDERS.items() if name not in holders)


def environment_of(name: str, values: Mapping[str, str]) -> dict[str, str]:
    """The environment of a process of the fleet: ours with `values` on top, without what others hold. It is all that
    the process reads: what `./switchboard up` has written for other terminals holds every secret."""
    return child_environment({**values, PROCESS: name}, without=withheld(name))


def may_serve(name: str, station: str, config: Settings) -> bool:
    """Return whether a process may do a station's work in its place: only if it holds every secret that the station
    holds. Without them it would find credentials sealed, or answer without the model."""
    unused = () if config.media.s3_bucket else ("MEDIA_S3_KEY_ID", "MEDIA_S3_SECRET")
    needed = [holders for setting, holders in HOLDERS.items() if station in holders and setting not in unused]
    return all(name in holders for holders in needed)


def check_needed(name: str, config: Settings) -> None:
    """Raises SettingsError naming what a process of the fleet cannot start without."""
    for setting in NEEDED:
        if name in HOLDERS[setting]:
            config.need(setting)
