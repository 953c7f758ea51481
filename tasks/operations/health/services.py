"""Health checks of Redis in its roles, disks, the media store, breakers, caches and event streams."""

from __future__ import annotations

import shutil
from typing import Any

import redis

from shared.cache.metrics import CACHE, CACHE_BACKOFFS
from shared.live.metrics import STREAMS, STREAMS_ALLOWED
from shared.resilience import disk
from shared.resilience.metrics import BREAKERS_OPEN
from shared.resilience.shared_breaker import PREFIX
from shared.store.inbound import journal
from shared.telemetry import metrics
from tasks.operations.health.check import Away, CheckContext, CheckResult, Problem, need

MEMORY_SHARE = 0.8
DISK_SHARE = 0.9
STREAMS_SHARE = 0.9


def redis_memory(visit: CheckContext) -> CheckResult:
    """Report memory and policy of journal, broker and cache; a server that is several of them, once."""
    shown: dict[str, Any] = {}
    found = []
    for role, url, client in (
        ("journal", visit.settings.redis.journal_url, visit.journal),
        ("broker", visit.settings.redis.broker_url, visit.broker),
        ("cache", visit.settings.redis.cache_url, visit.cache),
    ):
        if client is None or (shown and url is None):
            continue
        data = shown[role] = _memory(client)
        if data["maxmemory_bytes"] and data["used_bytes"] > MEMORY_SHARE * data["maxmemory_bytes"]:
            words = f"{role}: {data['used_bytes']} of {data['maxmemory_bytes']} bytes are used"
            found.append(Problem(f"memory.{role}", words))
        if role != "cache" and data["policy"] != "noeviction":
            words = f"{role}: maxmemory-policy is {data['policy']}, which deletes accepted work"
            found.append(Problem(f"policy.{role}", words))
    if not shown:
        raise Away("away")
    return CheckResult(shown, tuple(found))


def _memory(client: redis.Redis) -> dict[str, Any]:
    info: Any = client.info("memory")
    return {
        "used_bytes": int(info["used_memory"]),
        "maxmemory_bytes": int(info["maxmemory"]),
        "policy": str(info["maxmemory_policy"]),
    }


def disks(visit: CheckContext) -> CheckResult:
    """The disks of this machine that we write to, and whether Redis could write to its own, wherever that is."""
    found = disk.rooms(visit.settings)
    shown: dict[str, Any] = {
        str(room.folder): {"of": room.names, "free_bytes": room.free_bytes, "bytes": room.total_bytes,
                           "level": room.level}
        for room in found
    }  # fmt: skip
    problems = [Problem(f"{room.level}.{room.names[0]}", room.words) for room in found if room.level != "ok"]
    for role, client in (("journal", visit.journal), ("broker", visit.broker)):
        if client is not None:
            problems += [Problem(f"{key}.{role}", words) for key, words in unwritten(role, client)]
    return CheckResult(shown, tuple(problems))


def unwritten(role: str, client: redis.Redis) -> list[tuple[str, str]]:
    """(key, words) of what this server could not write to its disk."""
    info: Any = client.info("persistence")
    found = []
    if journal.unwritten(info):
        words = f"{role}: the server cannot write to its disk (aof_last_write_status is err) and takes no writes"
        found.append(("unwritten", f"{words}: make room on the server's disk"))
    for field, what in (("aof_last_bgrewrite_status", "append-only file"), ("rdb_last_bgsave_status", "snapshot")):
        if info.get(field, "ok") != "ok":
            words = f"{role}: the server could not rewrite its {what} ({field} is {info[field]})"
            found.append((field.split("_")[2], f"{words}: see its log, and how much room its disk has"))
    return found


def media(visit: CheckContext) -> CheckResult:
    """Report how full the media folder's disk is. A bucket is its provider's concern."""
    if visit.settings.media.s3_bucket is not None:
        return CheckResult({"bucket": visit.settings.media.s3_bucket})
    folder = visit.settings.media_folder
    if not folder.is_dir():
        raise Away("there is no media folder on this machine")
    usage = shutil.disk_usage(folder)
    data = {"disk_bytes": usage.total, "disk_used_bytes": usage.used}
    words = f"the disk of the media folder is {usage.used / usage.total:.0%} full"
    return CheckResult(data, (Problem("disk", words),) if usage.used > DISK_SHARE * usage.total else ())


def breakers(visit: CheckContext) -> CheckResult:
    """Report open circuit breakers: what the fleet does not call for now.

    Models each; accounts and hosts by their kind, because there are many. A website that does not answer is its
    company's concern: shown, and no problem of ours."""
    cache: redis.Redis = need(visit.cache)
    found: dict[str, str] = {}
    for key in cache.scan_iter(f"{PREFIX}*", count=500):
        name = key.decode().removeprefix(PREFIX)
        if not name.endswith(":probe") and float(cache.hget(name=key.decode(), key="opened") or 0):
            found[name.strip("{}")] = "open"
    if metrics.counted(BREAKERS_OPEN, visit.settings.metrics_folder).get(("bucket",)):
        found["bucket:media store"] = "open"  # each process counts for itself
    kinds: dict[str, list[str]] = {}
    for name in sorted(found):
        kind, _, what = name.partition(":")
        if kind in HELD_BACK:
            kinds.setdefault(kind, []).append(what)
    held_back = [
        Problem(f"open.{kind}", f"{HELD_BACK[kind]} fail and wait for a trial: {_some(names)}")
        for kind, names in kinds.items() if kind != "site"
    ]  # fmt: skip
    models = [name for name in sorted(found) if name.partition(":")[0] not in HELD_BACK]
    return CheckResult(
        {"not_closed": found},
        (*(Problem(f"open.{name}", f"{name} is open: its calls fail") for name in models), *held_back),
    )


HELD_BACK = {
    "send": "sends to accounts", "site": "imports from websites", "media": "attachments from hosts",
    "bucket": "calls of buckets", "alert": "posts of alerts",
}  # fmt: skip
"""What does not go out while a breaker of this kind is open."""


def _some(names: list[str], most: int = 5) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def sockets(visit: CheckContext) -> CheckResult:
    """Report how many event streams this machine's gateways hold open for web pages, of how many they allow."""
    folder = visit.settings.metrics_folder
    held, allowed = (
        sum(metrics.counted(one, folder).values()) for one in (STREAMS, STREAMS_ALLOWED)
    )  # fmt: skip
    if not allowed:
        raise Away("no gateway of this machine reports metrics")
    words = f"{held:.0f} of {allowed:.0f} event streams are open: more gateways, or WIDGET_STREAMS_MAX"
    return CheckResult({"event_streams": int(held), "allowed": int(allowed)},
                 (Problem("full", words),) if held >= STREAMS_SHARE * allowed else ())  # fmt: skip


def caches(visit: CheckContext) -> CheckResult:
    """Report how often this machine's processes found what they looked for, near (in themselves) or far (in Redis),
    since counting began; and how often Redis was left alone because it was away."""
    folder = visit.settings.metrics_folder
    shown: dict[str, Any] = {}
    for (cache, where), count in metrics.counted(CACHE, folder).items():
        shown.setdefault(cache, {})[where] = int(count)
    for counts in shown.values():
        all_looks = sum(counts.values())
        counts["hit_share"] = round(1 - counts.get("nowhere", 0) / all_looks, 3) if all_looks else None
    return CheckResult({"caches": shown, "rests": int(sum(metrics.counted(CACHE_BACKOFFS, folder).values()))})
