"""Checks of Redis or Valkey in its three roles, the model, the gateway and Flower."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import httpx
import redis

from shared.errors import Permanent
from shared.llm.api import CallFailed, http_client
from shared.llm.provider import Provider
from shared.settings import ModelProvider
from tasks.operations.health.services import unwritten
from workers import probe
from workers.doctor.context import Away, DoctorContext, Finding, RedisRole, fail, ok, warn
from workers.doctor.database import clock_finding

ROLES: tuple[RedisRole, ...] = ("journal", "broker", "cache")
REDIS_MIN = (7, 0)
MEMORY_WARN = 0.8
HTTP_S = 5.0
MODEL_S = 15.0
"""Long, because a server may have to load the model first."""
MODEL_REFUSALS = {
    "llm_credentials": "the API refuses the key",
    "llm_quota": "the account has no credit left",
    "llm_not_found": "the API does not know this model, or the address does not end in /v1",
    "context_too_long": "the model reads less than our shortest prompt",
    "address_refused": "the address lies inside a private network, or on a port that EGRESS_ALLOW does not open",
    "llm_rejected": "the API refuses the request itself",
}


def connections(visit: DoctorContext) -> Iterator[Finding]:
    """Check that journal, broker and cache answer, with a version that has what we use."""
    for role in ROLES:
        try:
            info: Any = visit.redis(role).info("server")
        except Away as e:
            if "is no Redis" in str(e):
                yield ok("redis", str(e))
                continue
            yield fail("redis", f"{role}: {e}", f"start it (./switchboard up), or correct {role.upper()}_URL")
            continue
        name, version = ("Valkey", info["valkey_version"]) if "valkey_version" in info else ("Redis", "")
        version = version or str(info["redis_version"])
        told = f"{role} is {name} {version}"
        old = name == "Redis" and tuple(int(part) for part in version.split(".")[:2]) < REDIS_MIN
        yield warn("redis", told, "use Redis 7 or Valkey") if old else ok("redis", told)


def policy(visit: DoctorContext) -> Iterator[Finding]:
    """Check what each server does when memory or power fails. The cache may lose data; the other two must not."""
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
        yield fail("redis policy", f"{role} evicts keys ({policy_name}): accepted requests would be lost",
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
    """Check the clock of the journal's server: entry ids carry its time, and the ledger's day follows from them."""
    client = visit.redis("journal")
    before = time.time()
    seconds, micros = client.time()
    yield clock_finding("redis clock", seconds + micros / 1e6 - (before + time.time()) / 2)


def model(visit: DoctorContext) -> Iterator[Finding]:
    """Each configured model answers a real call of one token, which tests our key and how the API wants to be asked."""
    for number, provider in enumerate(visit.config.llm.providers):
        setting = f"entry {number} of LLM_FALLBACKS" if number else "LLM_BASE_URL, LLM_MODEL and LLM_API_KEY"
        yield _model_finding(provider, setting)


def _model_finding(configured: ModelProvider, setting: str) -> Finding:
    about = f"{configured.label}, {configured.model}"
    try:
        learnt = asyncio.run(_probe(configured))
    except Permanent as refused:
        return fail("model", f"{about}: {MODEL_REFUSALS.get(refused.reason, refused.reason)}", f"correct {setting}")
    except CallFailed as failed:
        found = f"{about} does not answer ({failed.outcome}): answers fall back to the next step"
        return fail("model", found, f"correct {setting}, or check the network in between")
    return ok("model", f"{about} answers" + (f" (asked with {', '.join(learnt)})" if learnt else ""))


async def _probe(configured: ModelProvider) -> tuple[str, ...]:
    async with http_client(1) as http:
        provider = Provider(
            http,
            name=configured.label,
            base_url=configured.base_url,
            api_key=configured.api_key.get_secret_value(),
            model=configured.model,
            max_tokens=1,
        )
        return await provider.probe(MODEL_S)


def gateway(visit: DoctorContext) -> Iterator[Finding]:
    """Check the gateway of this machine at the address that the settings name."""
    config = visit.config
    host = "127.0.0.1" if config.gateway.host in ("0.0.0.0", "::") else config.gateway.host
    try:
        answer = httpx.get(f"http://{host}:{config.gateway.port}/health/ready", timeout=HTTP_S, trust_env=False)
    except httpx.HTTPError as e:
        yield warn("gateway", f"nothing answers at {host}:{config.gateway.port} ({type(e).__name__})",
                   "./switchboard up, or ./switchboard worker gateway; ignore this if it runs elsewhere")  # fmt: skip
        return
    if answer.status_code == 200:
        yield ok("gateway", f"{host}:{config.gateway.port} accepts webhooks")
    else:
        yield fail("gateway", f"it refuses webhooks (HTTP {answer.status_code}): {_reason(answer)}",
                   "it accepts webhooks again by itself once this is over; see the lines above")  # fmt: skip


def _reason(answer: httpx.Response) -> str:
    """What /health/ready says is wrong."""
    try:
        checks = dict(answer.json()["checks"])
    except (ValueError, LookupError, TypeError):
        return "it does not say why"
    return "; ".join(f"{name} {words}" for name, words in checks.items() if words != "ok") or "it does not say why"


def flower(visit: DoctorContext) -> Iterator[Finding]:
    """Check the Flower of this machine, if it has a password."""
    config = visit.config
    password = config.operations.flower_password.get_secret_value()
    if not password:
        return
    wrong = probe.flower(config.operations.flower_port, password)
    if wrong is None:
        yield ok("flower", f"127.0.0.1:{config.operations.flower_port} answers and asks for its password")
    else:
        yield warn(
            "flower", wrong, "./switchboard up, or ./switchboard worker flower; ignore this if it runs elsewhere"
        )
