"""One company at fifty times the traffic of each of twenty others: how long the others wait for their answers, with it
and without it. Few slots, so that they are what is short and not this machine."""

from __future__ import annotations

import http.client
import itertools
import json
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.e2e.system import System, private_system
from tests.factories import Bot, update

FLEET = ("gateway", "intake", "reply", "deliver")
QUIET_COMPANIES = 20
A_SECOND = 0.4
NOISY_TIMES = 50
SECONDS = 15.0
SLOW_S = 0.3
SETTLE_S = 90.0
QUESTION = "How many days do I have to return shoes?"
_chats = itertools.count(1_000_000)


@dataclass(frozen=True, slots=True)
class _Setting:
    """What is slow, and how few may be at it. slots: answers or sends at a time of the only process."""

    station: str
    slots: int
    company_share: float


SETTINGS = (
    _Setting("reply", 6, 0.75), _Setting("reply", 6, 1.0), _Setting("deliver", 6, 0.75), _Setting("deliver", 6, 1.0),
)  # fmt: skip


@contextmanager
def _system(setting: _Setting) -> Iterator[System]:
    slots: dict[str, Any] = {f"{setting.station}_threads": setting.slots}
    with private_system(
        **{"REPLY_THREADS": 32, "DELIVER_THREADS": 16, "DATABASE_POOL_MAX": 8, **slots},
        COMPANY_SLOTS_SHARE=setting.company_share,
    ) as system:
        system.standin.limits(enforced=False)
        target = "openai" if setting.station == "reply" else "telegram"
        system.standin.set_latency(target=target, first_byte_s=SLOW_S)
        system.start(*FLEET)
        yield system


def _post(system: System, bot: Bot, a_second: float, began_s: float) -> list[tuple[int, float]]:
    """Messages on a timetable, each of a customer of its own: (chat, when it was accepted)."""
    connection = http.client.HTTPConnection("127.0.0.1", system.config.gateway.port, timeout=30)
    accepted = []
    for number in range(round(SECONDS * a_second)):
        # not all companies at the same moment
        time.sleep(max(0.0, began_s + (number + bot.company_id % 10 / 10) / a_second - time.time()))
        chat = next(_chats)
        headers = {"content-type": "application/json", "x-telegram-bot-api-secret-token": bot.secret}
        connection.request(
            "POST", f"/webhooks/telegram/{bot.slug}", json.dumps(update(QUESTION, chat=chat)), headers
        )  # fmt: skip
        if (response := connection.getresponse()).status != 200:
            raise RuntimeError(f"a webhook was answered with {response.status}")
        response.read()
        accepted.append((chat, time.time()))
    connection.close()
    return accepted


def _waits_s(system: System, quiet: Sequence[Bot], noisy: Bot | None) -> list[float]:
    """Of the quiet companies' customers, from the 200 to the send API, the quiet window taken off; ascending."""
    rates = [(bot, A_SECOND) for bot in quiet] + ([(noisy, A_SECOND * NOISY_TIMES)] if noisy else [])
    before = system.standin.wait_count(0, 1, target="telegram", kind="message")
    began_s = time.time()
    with ThreadPoolExecutor(len(rates)) as pool:
        posted = list(pool.map(lambda one: _post(system, one[0], one[1], began_s), rates))
    system.standin.wait_count(before + sum(map(len, posted)), SETTLE_S, target="telegram", kind="message")
    arrived = {
        int(one["chat_id"]): float(one["at"]) for bot in quiet for one in system.standin.messages(token=bot.token)
    }
    return sorted(
        arrived[chat] - at - system.config.answers.quiet_window_s
        for accepted in posted[: len(quiet)]
        for chat, at in accepted
    )


def _line(setting: _Setting) -> str:
    with _system(setting) as system:
        quiet = [system.new_bot() for _ in range(QUIET_COMPANIES)]
        noisy = system.new_bot()
        _waits_s(system, quiet[:2], None)  # connections are opened
        alone, beside = _waits_s(system, quiet, None), _waits_s(system, quiet, noisy)
        degraded = system.rows("SELECT count(*) FROM receipts WHERE reason = 'overload'")[0][0]
    told = " | ".join(
        f"{waits[len(waits) // 2] * 1000:.0f} / {waits[int(len(waits) * 0.95)] * 1000:.0f}" for waits in (alone, beside)
    )
    return f"  | {setting.station} | {setting.slots} | {setting.company_share:g} | {told} | {degraded} |"


def report() -> list[str]:
    return [
        f"fairness, {QUIET_COMPANIES} companies at {A_SECOND:g} messages/s each, and one at {NOISY_TIMES} times that;"
        f" {SLOW_S * 1000:.0f} ms a piece; answer time of the twenty's customers, p50 / p95 in ms:",
        "  | station | slots | share | without the noisy one | beside it | answers degraded |",
        *map(_line, SETTINGS),
    ]
