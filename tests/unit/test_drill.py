"""The drill counts what it finds rightly, knows every fault point there is, and lets nothing of its surroundings in."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import asdict

import httpx
import pytest

from shared import settings
from shared.settings import Settings
from tests.unit.test_faults import REACHED, all_of
from workers.commands.drill import FAULTS
from workers.drill.kills import IN_SHORT, POINTS
from workers.sandbox import places
from workers.sandbox.bots import Bot
from workers.sandbox.checks import Chat, Totals, count
from workers.sandbox.traffic import Customer, Traffic
from workers.sandbox.waiting import wait_until

BOT = Bot(1, 1, 1, "bot", "secret", "7:token")


@pytest.mark.parametrize(
    ("chat", "got", "expected"),
    [
        (Chat(stored=1, replies=1, turns=1, sent=1), 1, {"once": 1}),
        (Chat(stored=1, replies=1, turns=1, sent=2), 2, {"once": 1}),  # one reply in two parts
        (Chat(), 0, {"lost": 1}),  # accepted and nowhere
        (Chat(stored=1), 0, {"lost": 1}),  # stored and never answered
        (Chat(stored=1, replies=1, turns=1, sent=1), 0, {"lost": 1}),  # we say sent, the platform has nothing
        (Chat(stored=1, replies=1, turns=1, sent=1), 2, {"doubled": 1}),
        (Chat(stored=1, replies=2, turns=1, sent=2), 2, {"doubled": 1}),  # two replies to one turn
        (Chat(stored=2, replies=1, turns=1, sent=1), 1, {"doubled": 1}),
        (Chat(stored=1, replies=1, turns=1, unknown_outcomes=1), 0, {"unknown_outcomes": 1}),
        (Chat(stored=1, replies=1, turns=1, unknown_outcomes=1), 1, {"unknown_outcomes": 1}),
        (
            Chat(stored=1, replies=1, turns=1, unknown_outcomes=1),
            2,
            {"doubled": 1},
        ),  # a send of unknown outcome was repeated
    ],
)
def test_each_customer_is_counted_for_what_became_of_their_message(
    chat: Chat, got: int, expected: dict[str, int]
) -> None:
    found = Totals()
    count(found, Customer(BOT, "5", posts=1, messages=1), chat, got)

    assert {name: value for name, value in asdict(found).items() if value} == {"accepted": 1, **expected}


def test_several_messages_of_one_chat_count_each() -> None:
    customer = Customer(BOT, "5", posts=9, messages=3)
    found = Totals()
    count(found, customer, Chat(stored=3, replies=2, turns=2, sent=2), 2)
    count(found, customer, Chat(stored=2, replies=1, turns=1, sent=1), 1)

    assert (found.accepted, found.once, found.lost) == (6, 3, 1)


def test_what_was_to_be_a_dead_letter_counts_as_one_only_if_it_was_not_stored() -> None:
    customer = Customer(BOT, "5", posts=1, messages=1, dead_letter=True)
    found = Totals()
    count(found, customer, Chat(), 0)
    count(found, customer, Chat(stored=1, replies=1, turns=1, sent=1), 1)

    assert (found.dead_letters, found.once, found.lost) == (1, 1, 0)


def test_every_fault_point_of_a_message_s_way_is_drilled() -> None:
    """The jobs' own points (archive, job, person) are their tests' affair."""
    points = {name for folder in ("gateway", "workers", "tasks", "shared") for name in REACHED.findall(all_of(folder))}

    way = ("gateway.", "intake.", "reply.", "deliver.", "wakeup.")
    assert set(POINTS) == {name for name in points if name.startswith(way)}
    assert set(IN_SHORT) <= set(POINTS)


def test_every_fault_has_a_name_of_its_own_and_only_a_cut_off_sender_may_leave_sends_of_unknown_outcome() -> None:
    assert max(Counter(fault.name for fault in FAULTS).values()) == 1
    assert {
        fault.name
        for fault in FAULTS
        if fault.unknown_outcomes and not fault.name.startswith(("kill deliver.", "kill wakeup."))
    } == {
        "platform says nothing",
        "platform hangs",
        "worker hangs",
    }
    assert {fault.name for fault in FAULTS if fault.stated} == {
        "redis killed, no file", "redis flushed", "redis failover", "redis failover, min-replicas",
    }  # fmt: skip


def test_a_private_copy_takes_nothing_from_its_surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM_BASE_URL", "https://a-real-model.example/v1")
    monkeypatch.setenv("LLM_MODEL", "costly")
    monkeypatch.setenv("LEASE_S", "77")
    config = Settings.of(QUIET_WINDOW_S=0.3, WIDGET_SESSIONS_LIMIT="9/9", LLM_API_KEY="a key")

    for name, value in settings.only_environment(config).items():
        monkeypatch.setenv(name, value)
    assert settings.load() == config  # what its processes load
    assert (config.llm.base_url, config.answers.lease_s, config.answers.quiet_window_s) == (None, 10.0, 0.3)


def test_what_a_platform_told_and_we_did_not_hear_is_no_matter_for_a_person() -> None:
    page = Bot(1, 1, 2, "page", "secret", "token", "messenger", "81")
    found = Totals()
    count(found, Customer(page, "5", posts=1, messages=1), Chat(stored=1, replies=1, turns=1, unknown_outcomes=1), 1)
    count(found, Customer(page, "6", posts=1, messages=1), Chat(stored=1, replies=1, turns=1, unknown_outcomes=1), 0)
    count(found, Customer(BOT, "7", posts=1, messages=1), Chat(stored=1, replies=1, turns=1, unknown_outcomes=1), 1)
    count(found, Customer(page, "8", posts=1, messages=1), Chat(stored=1, replies=1, turns=1, sent=1, settled=1), 1)

    assert (found.unknown_outcomes, found.unheard, found.settled, found.once) == (3, 1, 1, 1)


def test_customers_write_on_every_channel_by_turns() -> None:
    posted: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        posted.append(request.url.path)
        return httpx.Response(200)

    bots = [Bot(1, 1, n, name, "whsec_c2VjcmV0", "token", name, f"a{n}") for n, name in enumerate(places.KINDS)]
    with (
        httpx.Client(transport=httpx.MockTransport(answer), base_url="http://gateway") as http,
        Traffic(http, bots, itertools.count(1), a_second=1000.0, threads=1) as traffic,
    ):
        wait_until(lambda: traffic.accepted >= 2 * len(bots), "two rounds are posted", 10)
    assert set(posted[: len(bots)]) == {f"/webhooks/{name}/{name}" for name in places.KINDS}
    assert len({(customer.bot.platform, customer.chat) for customer in traffic.customers}) == len(traffic.customers)
