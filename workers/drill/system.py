"""A private copy of the system: services of its own, and what can be asked about what became of the traffic."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psycopg
from cryptography.fernet import Fernet

from shared import faults, settings
from shared.embedded import DataFolder, Postgres, Valkey
from shared.embedded.ports import choose_port
from shared.settings import Settings
from shared.store.db.redis import connect
from shared.store.inbound.balance import Balance, take
from shared.store.inbound.journal import Reader
from workers import fleet
from workers.commands.data import add_file
from workers.commands.setup import prepare
from workers.drill import places
from workers.drill.bots import Bot, connect_bot, connect_widget, post_update
from workers.drill.told import Told
from workers.local import KNOWLEDGE, control, standin_openings, start_standin
from workers.supervisor import JOURNEY, Child, Supervisor

POLL_S = 0.05
KEY = "standin-key"
# Short bounds, so that a fault is over in seconds; the order between them is as in production.
QUICK: dict[str, Any] = {
    "quiet_window_s": 0.2,
    "lease_s": 2.0,
    "database_pool_timeout_s": 1.5,
    "send_deadline_s": 2.0,
    "record_deadline_s": 3.0,
    "uncertain_unblock_s": 2.0,
    "sweep_every_s": 0.5,
    "journal_write_timeout_s": 1.0,
    "app_cache_ttl_s": 1.0,
    "reply_threads": 8,
    "deliver_threads": 8,
    "database_pool_max": 6,
    "visibility_timeout_s": 20,
}


@dataclass(kw_only=True)
class System:
    """Services and stand-in, and whichever processes run on them. logs: where those write."""

    folder: Path
    logs: Path
    postgres: Postgres
    valkey: Valkey
    standin_url: str
    config: Settings
    http: httpx.Client
    bots: list[Bot] = field(default_factory=list)
    places: list[Bot] = field(default_factory=list)

    # ------------------------------------------------------------ traffic

    def new_bot(self) -> Bot:
        """A company of its own with the demo's knowledge and a bot that the stand-in knows."""
        number = len(self.bots) + 1
        bot = connect_bot(
            str(self.config.database_admin_url), self.config.fernet_keys, company=f"private company {number}",
            slug=f"private-bot-{number}", token=f"{7000 + number}:AAtesttokentesttokentesttokentestt",
            username=f"private{number}_bot",
        )  # fmt: skip
        control(self.standin_url, "POST", "tokens", token=bot.token, username=f"bot{bot.app_id}_bot")
        with psycopg.connect(str(self.config.database_admin_url), autocommit=True) as conn:
            for path in sorted(KNOWLEDGE.glob("*.md")):
                add_file(conn, bot.company_id, path)
        self.bots.append(bot)
        return bot

    def new_widget(self, bot: Bot) -> Bot:
        """A widget of a bot's company."""
        [(company,)] = self.rows("SELECT name FROM companies WHERE id = %s", bot.company_id)
        return connect_widget(
            str(self.config.database_admin_url), self.config.fernet_keys, company=company, slug=f"widget-{bot.slug}"
        )

    def new_place(self, platform: str, company_id: int, number: int = 1) -> Bot:
        """A channel of a company on another platform than Telegram, which the stand-in knows."""

        def tell(verb: str, path: str, **values: Any) -> dict[str, Any]:
            return control(self.standin_url, verb, path, **values)

        place = places.connect(
            tell, str(self.config.database_admin_url), self.config.fernet_keys, platform=platform,
            company_id=company_id, gateway_url=str(self.http.base_url).rstrip("/"), standin_url=self.standin_url,
            number=number,
        )  # fmt: skip
        self.places.append(place)
        return place

    def post(self, bot: Bot, body: dict[str, Any]) -> int:
        """One webhook; its status, 0 when nobody answered."""
        return post_update(self.http, bot, body)

    def post_until_accepted(self, bot: Bot, body: dict[str, Any], within_s: float = 40.0) -> int:
        """As a platform does: the same request again until it is accepted; returns how often it was sent."""
        sent = 0

        def accepted() -> bool:
            nonlocal sent
            sent += 1
            return self.post(bot, body) == 200

        wait_until(accepted, "the webhook is accepted", within_s)
        return sent

    def post_all(self, work: Sequence[tuple[Bot, dict[str, Any]]], threads: int = 8) -> None:
        """Post each until it is accepted, several at a time."""
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(lambda one: self.post_until_accepted(*one), work))

    # ------------------------------------------------------------ what became of it

    def balance(self) -> Balance:
        client = connect(str(self.config.redis_url))
        try:
            with psycopg.connect(str(self.config.database_admin_url), autocommit=True) as conn:
                return take(conn, Reader(client, self.config.journal_shards))
        finally:
            client.close()

    def wait_at_rest(self, within_s: float = 45.0) -> Balance:
        """The balance once it closes and nothing is under way."""
        seen: list[Balance] = []

        def rests() -> bool:
            seen.append(self.balance())
            return seen[-1].at_rest

        wait_until(rests, "the system comes to rest", within_s, lambda: f"{seen[-1:]}\n{self.log_tails()}")
        return seen[-1]

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(str(self.config.database_admin_url), autocommit=True) as conn:
            return conn.execute(query, values).fetchall()

    def do(self, statement: str) -> None:
        """Do something as the owner that returns no rows."""
        with psycopg.connect(str(self.config.database_admin_url), autocommit=True) as conn:
            conn.execute(statement)

    def all_logs(self) -> str:
        return "".join(path.read_text(errors="replace") for path in sorted(self.logs.glob("*.log")))

    def log_tails(self, lines: int = 12) -> str:
        """The end of every process' log, for a failure's message."""
        return "\n".join(
            "\n".join([f"--- {path.stem}", *path.read_text(errors="replace").splitlines()[-lines:]])
            for path in sorted(self.logs.glob("*.log"))
        )


def wait_until(
    condition: Callable[[], bool], what: str, within_s: float, shown: Callable[[], str] = lambda: ""
) -> None:
    """Until a condition that somebody else brings about holds. Raises NotReached after within_s."""
    ends_at = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > ends_at:
            raise NotReached(f"not within {within_s:g} s: {what} {shown()}")
        time.sleep(POLL_S)  # a poll with a bound: the condition lies in other processes


class NotReached(AssertionError):
    """What should have happened did not; the message says what."""


@dataclass(kw_only=True)
class Drilled(System):
    """A copy whose fleet is kept up by the supervisor, as on a real machine. marks: where faults are laid and victims
    leave their marks (shared.faults)."""

    supervisor: Supervisor
    marks: Path

    def child(self, name: str) -> Child:
        return next(child for child in self.supervisor.children if child.name == name)

    def restarts(self) -> int:
        return sum(child.restarts for child in self.supervisor.children)

    def control(self, verb: str, path: str, **values: Any) -> dict[str, Any]:
        return control(self.standin_url, verb, path, **values)


@contextmanager
def drilled_system(data_dir: Path, *, quick: bool, armed: bool = True, **values: Any) -> Iterator[Drilled]:
    """Start everything, on ports of its own, and stop it in the opposite order; nothing of the caller's settings is
    used. quick: short bounds and only what a message needs on its way; otherwise the default settings and all
    processes. armed: faults can be laid, for which each point looks into a folder. values: further settings. Raises
    ServiceFailed."""
    with ExitStack() as running:
        folder = running.enter_context(DataFolder(data_dir))
        postgres = running.enter_context(Postgres(folder, port=choose_port(None)))
        valkey = running.enter_context(Valkey(folder, port=choose_port(None)))
        standin_port = choose_port(None)
        standin_url = f"http://127.0.0.1:{standin_port}"
        marks = folder.subfolder("faults")
        given = _values(folder, postgres, valkey, standin_url, quick)
        given |= {"faults": faults.ON_REQUEST, "faults_dir": marks} if armed else {}
        config = settings.only(**given | values)
        prepare(config)
        supervisor = Supervisor(folder, config, settings.only_environment(config))
        running.callback(supervisor.stop)
        start_standin(supervisor, standin_port, folder)
        control(standin_url, "POST", "keys", key=KEY)
        supervisor.start(JOURNEY if quick else fleet.PROCESSES)
        supervisor.wait_ready()
        base_url = f"http://127.0.0.1:{config.gateway_port}"
        http = running.enter_context(httpx.Client(base_url=base_url, timeout=10, trust_env=False))
        system = Drilled(
            folder=folder.path, logs=folder.subfolder("log"), postgres=postgres, valkey=valkey, standin_url=standin_url,
            config=config, http=http, supervisor=supervisor, marks=marks,
        )  # fmt: skip
        running.enter_context(Told(http, standin_url, system.places))
        yield system


def _values(folder: DataFolder, postgres: Postgres, valkey: Valkey, standin_url: str, quick: bool) -> dict[str, Any]:
    everybody = "60000/60000"  # all customers come from one address
    return {
        **(QUICK | {"llm_call_deadline_s": 2.0, "turn_deadline_s": 4.0, "stalled_after_s": 2.0} if quick else {}),
        "data_dir": folder.path,
        "run_dir": folder.subfolder("run"),
        "encryption_keys": folder.secret("encryption_keys", lambda: Fernet.generate_key().decode()),
        "database_url": postgres.database_url,
        "database_admin_url": postgres.database_admin_url,
        "redis_url": valkey.redis_url,
        "telegram_api_url": standin_url,
        "graph_api_url": standin_url,
        "instagram_api_url": standin_url,
        "slack_api_url": f"{standin_url}/api",
        "egress_allow": standin_openings(standin_url),  # programs of customers are the stand-in's receivers
        "llm_base_url": f"{standin_url}/v1",
        "llm_api_key": KEY,
        "llm_model": "standin-1",
        "gateway_port": choose_port(None),
        "flower_port": choose_port(None),
        "flower_password": folder.secret("flower_password"),
        "ops_token": folder.secret("ops_token"),
        "widget_sessions_limit": everybody,
        "widget_attempts_limit": everybody,
        "widget_messages_address_limit": everybody,
        "widget_reads_address_limit": everybody,
    }
