"""Plays customers who write, alternating between all platforms, and records which messages were accepted."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import httpx

from workers.sandbox import places
from workers.sandbox.bots import ORIGIN, Bot, Webhook, post

QUESTIONS = (
    "How many days do I have to return shoes?",
    "Do you deliver to Norway?",
    "When are your shops open?",
    "What does the warranty cover?",
)
TRY_AGAIN_S = 0.25
READ_WITHIN_S = 20.0
GIVE_UP_S = 90.0


@dataclass(slots=True)
class Customer:
    """Somebody who has a chat of their own. messages: how many they wrote, all accepted. token: of a visitor of the
    widget, who reads there what was answered."""

    bot: Bot
    chat: str
    posts: int = 0
    messages: int = 0
    accepted_at: float | None = None
    token: str | None = None
    dead_letter: bool = False


@dataclass
class Traffic:
    """Posts at an even rate from several threads, each message of a new customer and, as platforms do, again until it
    is accepted. A context manager: leaving it waits until everything that was begun is accepted.

    statuses: every answer of the gateway so far; 0 where there was none.
    """

    http: httpx.Client
    bots: list[Bot]
    numbers: itertools.count[int]
    a_second: float
    threads: int = 6
    customers: list[Customer] = field(default_factory=list)
    statuses: dict[int, int] = field(default_factory=dict)
    posted: list[Webhook] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    _turns: itertools.count[int] = field(default_factory=itertools.count)
    _stop: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _running: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> Traffic:
        for place in range(self.threads):
            thread = threading.Thread(target=self._run, args=(place,), name=f"customer-{place}", daemon=True)
            self._running.append(thread)
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._running:
            thread.join(timeout=GIVE_UP_S + 10)

    def _run(self, place: int) -> None:
        pause_s = self.threads / self.a_second
        next_at = time.monotonic() + place / self.a_second
        while not self._stop.wait(max(0.0, next_at - time.monotonic())):
            next_at += pause_s
            turn = next(self._turns)
            self.write(self.bots[turn % len(self.bots)], QUESTIONS[turn % len(QUESTIONS)])

    @property
    def accepted(self) -> int:
        with self._lock:
            return sum(customer.messages for customer in self.customers)

    def refused(self) -> int:
        """Return how many requests got a 503 or no answer."""
        with self._lock:
            return sum(count for status, count in self.statuses.items() if status == 0 or status >= 500)

    def write(self, bot: Bot, *texts: str, backwards: bool = False, copies: int = 1) -> Customer:
        """A new customer writes these messages. backwards: the last one is posted first. copies: as often is each
        posted after it was accepted."""
        number = next(self.numbers)
        chat = places.KINDS[bot.platform].chat(number)
        customer = Customer(bot, chat)
        with self._lock:
            self.customers.append(customer)
        if bot.is_widget:
            self._until_accepted(customer, lambda: self._visit(customer, texts[0]))
            return customer
        webhooks = [places.webhook(bot, chat, next(self.numbers), text) for text in texts]
        for webhook in reversed(webhooks) if backwards else webhooks:
            self._until_accepted(customer, lambda webhook=webhook: post(self.http, webhook))  # type: ignore[misc]
            with self._lock:
                self.posted.append(webhook)
        for webhook in webhooks * (copies - 1):
            post(self.http, webhook)
        return customer

    def _until_accepted(self, customer: Customer, post: Callable[[], int]) -> None:
        ends_at = time.monotonic() + GIVE_UP_S
        while True:
            status = post()
            with self._lock:
                customer.posts += 1
                self.statuses[status] = self.statuses.get(status, 0) + 1
                if status in (200, 202):
                    customer.messages += 1
                    customer.accepted_at = time.time()
                    return
                if time.monotonic() > ends_at:
                    self.failed.append(f"chat {customer.chat} was not accepted within {GIVE_UP_S:g} s (last {status})")
                    return
            time.sleep(TRY_AGAIN_S)

    def _visit(self, customer: Customer, text: str) -> int:
        """A visitor of the widget: a session if there is none yet, then the message."""
        base, headers = f"/widget/{customer.bot.slug}", {"origin": ORIGIN}
        try:
            if customer.token is None:
                answer = self.http.post(f"{base}/sessions", headers=headers)
                if answer.status_code != 201:
                    return answer.status_code
                customer.token, customer.chat = str(answer.json()["token"]), str(answer.json()["visitor"])
            headers["authorization"] = f"Bearer {customer.token}"
            body = {"text": text, "client_id": "drill-1"}
            return self.http.post(f"{base}/messages", json=body, headers=headers).status_code
        except httpx.HTTPError:
            return 0


def read_answers(http: httpx.Client, customer: Customer) -> int:
    """Return how many answers a visitor of the widget reads; their page asks again while the gateway cannot say."""
    headers = {"origin": ORIGIN, "authorization": f"Bearer {customer.token}"}
    ends_at = time.monotonic() + READ_WITHIN_S
    while (answer := http.get(f"/widget/{customer.bot.slug}/messages", headers=headers)).status_code == 503:
        if time.monotonic() > ends_at:
            break
        time.sleep(TRY_AGAIN_S)
    answer.raise_for_status()
    return sum(1 for message in answer.json()["messages"] if message["role"] == "bot")
