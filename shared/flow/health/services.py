"""Redis in its parts, the media store, and the models' breakers."""

from __future__ import annotations

import shutil
from typing import Any

import redis

from shared.flow.health.visit import Away, Found, Problem, Visit, need
from shared.resilience.shared_breaker import PREFIX

MEMORY_SHARE = 0.8
DISK_SHARE = 0.9


def redis_memory(visit: Visit) -> Found:
    """Memory and policy of each part; parts that are one server are told once."""
    shown: dict[str, Any] = {}
    found = []
    for role, url, client in (
        ("journal", visit.settings.journal_url, visit.journal),
        ("broker", visit.settings.broker_url, visit.broker),
        ("cache", visit.settings.cache_url, visit.cache),
    ):
        if client is None or (shown and url is None):
            continue
        data = shown[role] = _memory(client)
        if data["maxmemory_bytes"] and data["used_bytes"] > MEMORY_SHARE * data["maxmemory_bytes"]:
            words = f"{role}: {data['used_bytes']} of {data['maxmemory_bytes']} bytes are used"
            found.append(Problem(f"memory.{role}", words))
        if role != "cache" and data["policy"] != "noeviction":
            words = f"{role}: maxmemory-policy is {data['policy']}, which throws accepted work away"
            found.append(Problem(f"policy.{role}", words))
    if not shown:
        raise Away("away")
    return Found(shown, tuple(found))


def _memory(client: redis.Redis) -> dict[str, Any]:
    info: Any = client.info("memory")
    return {
        "used_bytes": int(info["used_memory"]),
        "maxmemory_bytes": int(info["maxmemory"]),
        "policy": str(info["maxmemory_policy"]),
    }


def media(visit: Visit) -> Found:
    """The disk of the media folder; a bucket is its provider's."""
    if visit.settings.media_s3_bucket is not None:
        return Found({"bucket": visit.settings.media_s3_bucket})
    folder = visit.settings.media_folder
    if not folder.is_dir():
        raise Away("there is no media folder on this machine")
    usage = shutil.disk_usage(folder)
    data = {"disk_bytes": usage.total, "disk_used_bytes": usage.used}
    words = f"the disk of the media folder is {usage.used / usage.total:.0%} full"
    return Found(data, (Problem("disk", words),) if usage.used > DISK_SHARE * usage.total else ())


def breakers(visit: Visit) -> Found:
    """Models that the fleet calls no more."""
    cache: redis.Redis = need(visit.cache)
    found: dict[str, str] = {}
    for key in cache.scan_iter(f"{PREFIX}*", count=500):
        name = key.decode().removeprefix(PREFIX)
        if not name.endswith(":probe") and float(cache.hget(name=key.decode(), key="opened") or 0):
            found[name.strip("{}")] = "open"
    return Found({"not_closed": found},
                 tuple(Problem(f"open.{name}", f"{name} is {state}: its calls fail") for name, state in
                       sorted(found.items())))  # fmt: skip
