"""Redis or Valkey in its three parts, the model, and the gateway."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import httpx
import redis

from tasks.operations.health.services import unwritten
from workers import probe
from workers.doctor.context import Away, DoctorContext, Finding, RedisRole, fail, ok, warn
from workers.doctor.database import clock_finding

ROLES: tuple[RedisRole, ...] = ("journal", "broker", "cache")
REDIS_MIN = (7, 0)
MEMORY_WARN = 0.8
HTTP_S = 5.0


def connections(visit: DoctorContext) -> Iterator[Finding]:
    """Each of the three answers, with a version that has what we use."""
    for role in ROLES:
        try:
            info: Any = visit.redis(role).info("server")
        except Away as e:
            if "is no Redis" in str(e):
                yield ok("redis", str(e))
                continue
            yield fail("redis", f"{role}: {e}", f"start it (./switchboard up), or mend {role.upper()}_URL or REDIS_URL")
            continue
        name, version = ("Valkey", info["valkey_version"]) if "valkey_version" in info else ("Redis", "")
        version = version or str(info["redis_version"])
        told = f"{role} is {name} {version}"
        old = name == "Redis" and tuple(int(part) for part in version.split(".")[:2]) < REDIS_MIN
        yield warn("redis", told, "use Redis 7 or Valkey") if old else ok("redis", told)


def policy(visit: DoctorContext) -> Iterator[Finding]:
    """What the server does when memory or power ends. The cache may forget; the other two must not."""
    looked_at: dict[str, RedisRole] = {}
    for role in ROLES:
        try:
            url, client = visit.redis_url(role), visit.redis(role)
        except Away:
            continue  # told with the connections
        if url in looked_at:
            yield ok("redis policy", f"{role} is the same server as {looked_at[url]}")
            continue
        looked_at[url] = role
        yield from _memory(role, client)
        if role != "cache":
            yield from _durability(role, client)


def _memory(role: RedisRole, client: redis.Redis) -> Iterator[Finding]:
    info: Any = client.info("memory")
    policy_name, used, most = info.get("maxmemory_policy", "unknown"), info["used_memory"], info.get("maxmemory", 0)
    if role != "cache" and policy_name != "noeviction":
        yield fail("redis policy", f"{role} evicts ({policy_name}): accepted requests would vanish",
                   "set maxmemory-policy noeviction")  # fmt: skip
    if most and used > MEMORY_WARN * most:
        yield warn("redis memory", f"{role} uses {used * 100 // most} % of its maxmemory", "raise maxmemory")
    elif role == "cache" or policy_name == "noeviction":
        yield ok("redis policy", f"{role}: {policy_name}, {used // 1024**2} MiB used")


def _durability(role: RedisRole, client: redis.Redis) -> Iterator[Finding]:
    for _, words in unwritten(role, client):
        found, _, do = words.rpartition(": ")
        yield fail("redis disk", found, do)
    info: Any = client.info("persistence")
    if not info.get("aof_enabled"):
        loses = "accepted webhooks" if role == "journal" else "wake-ups (the sweeper makes up for them)"
        made = fail if role == "journal" else warn
        yield made("redis durability", f"{role} is not append-only: a restart loses {loses}", "set appendonly yes")
        return
    if info.get("aof_last_write_status", "ok") != "ok":
        yield fail("redis durability", f"{role} cannot write its append-only file", "look at its log and its disk")
    try:
        setting: Any = client.config_get("appendfsync")
        fsync = str(setting.get("appendfsync", "unknown"))
    except redis.ResponseError:
        fsync = "unknown"  # managed services do not show it
    if fsync == "no":
        yield warn("redis durability", f"{role}: appendfsync no", "set appendfsync everysec, or always")
    else:
        means = {"everysec": " (a power loss costs up to a second)", "always": ""}.get(fsync, "")
        yield ok("redis durability", f"{role} is append-only, appendfsync {fsync}{means}")


def clock(visit: DoctorContext) -> Iterator[Finding]:
    """The journal's ids carry its server's time, and the ledger's day follows from them."""
    client = visit.redis("journal")
    before = time.time()
    seconds, micros = client.time()
    yield clock_finding("redis clock", seconds + micros / 1e6 - (before + time.time()) / 2)


def model(visit: DoctorContext) -> Iterator[Finding]:
    """The model's API answers and takes our key."""
    config = visit.config
    if config.llm.base_url is None:
        return
    key = config.llm.api_key.get_secret_value()
    headers = {"authorization": f"Bearer {key}"} if key else {}
    try:
        answer = httpx.get(f"{config.llm.base_url.rstrip('/')}/models", headers=headers, timeout=HTTP_S)
    except (httpx.HTTPError, httpx.InvalidURL, UnicodeError, ValueError) as e:
        yield fail("model", f"LLM_BASE_URL does not answer ({type(e).__name__}): answers are quoted passages",
                   "mend LLM_BASE_URL, or the way to it")  # fmt: skip
        return
    yield _model_finding(config.llm.model or "", answer)


def _model_finding(name: str, answer: httpx.Response) -> Finding:
    if answer.status_code in (401, 403):
        return fail("model", f"the API refuses LLM_API_KEY (HTTP {answer.status_code})", "set LLM_API_KEY")
    if answer.status_code != 200:
        return warn("model", f"GET /models: HTTP {answer.status_code}", "see whether LLM_BASE_URL ends in /v1")
    try:
        known = {str(one["id"]) for one in answer.json()["data"]}
    except (ValueError, LookupError, TypeError):
        return ok("model", "the API answers; it does not list its models in the usual form")
    if known and name not in known:
        return warn("model", f"the API does not list {name}", "see whether LLM_MODEL is right")
    return ok("model", f"the API answers and knows {name}")


def gateway(visit: DoctorContext) -> Iterator[Finding]:
    """The gateway of this machine, where the settings say that it listens."""
    config = visit.config
    host = "127.0.0.1" if config.gateway.host in ("0.0.0.0", "::") else config.gateway.host
    try:
        answer = httpx.get(f"http://{host}:{config.gateway.port}/health/ready", timeout=HTTP_S, trust_env=False)
    except httpx.HTTPError as e:
        yield warn("gateway", f"nothing answers at {host}:{config.gateway.port} ({type(e).__name__})",
                   "./switchboard up, or ./switchboard worker gateway; ignore this if it runs elsewhere")  # fmt: skip
        return
    if answer.status_code == 200:
        yield ok("gateway", f"{host}:{config.gateway.port} takes webhooks")
    else:
        yield fail("gateway", f"it refuses webhooks (HTTP {answer.status_code}): {_reason(answer)}",
                   "webhooks are taken again by themselves once this is over; see the lines above")  # fmt: skip


def _reason(answer: httpx.Response) -> str:
    """What /health/ready says is wrong."""
    try:
        checks = dict(answer.json()["checks"])
    except (ValueError, LookupError, TypeError):
        return "it does not say why"
    return "; ".join(f"{name} {words}" for name, words in checks.items() if words != "ok") or "it does not say why"


def flower(visit: DoctorContext) -> Iterator[Finding]:
    """The Flower of this machine, where there is a password for it."""
    config = visit.config
    password = config.operations.flower_password.get_secret_value()
    if not password:
        return
    wrong = probe.flower(config.operations.flower_port, password)
    if wrong is None:
        yield ok("flower", f"127.0.0.1:{config.operations.flower_port} answers, behind its password")
    else:
        yield warn(
            "flower", wrong, "./switchboard up, or ./switchboard worker flower; ignore this if it runs elsewhere"
        )
