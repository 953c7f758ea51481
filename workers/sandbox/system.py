"""A private copy of the system: services of its own, and what can be asked about what became of the traffic."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
from shared.store.tenants import rate_limits
from shared.store.tenants.rate_limits import Bounds
from workers import fleet
from workers.commands.data import add_file
from workers.commands.setup import prepare
from workers.local import KNOWLEDGE, control, standin_openings, start_standin
from workers.sandbox import places
from workers.sandbox.bots import Bot, connect_bot, connect_widget, post_update
from workers.sandbox.told import Told
from workers.sandbox.waiting import wait_until
from workers.supervisor import JOURNEY, Child, Supervisor

KEY = "standin-key"
# Short bounds, so that a fault is over in seconds; the order between them is as in production.
QUICK: dict[str, Any] = {
    "QUIET_WINDOW_S": 0.2,
    "LEASE_S": 2.0,
    "DATABASE_POOL_TIMEOUT_S": 1.5,
    "SEND_DEADLINE_S": 2.0,
    "RECORD_DEADLINE_S": 3.0,
    "UNKNOWN_OUTCOME_UNBLOCK_S": 2.0,
    "SWEEP_EVERY_S": 0.5,
    "JOURNAL_WRITE_TIMEOUT_S": 1.0,
    "APP_CACHE_TTL_S": 1.0,
    "REPLY_THREADS": 8,
    "DELIVER_THREADS": 8,
    "DATABASE_POOL_MAX": 6,
    "VISIBILITY_TIMEOUT_S": 20,
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
            str(self.config.database.admin_url), self.config.system.fernet_keys, company=f"private company {number}",
            slug=f"private-bot-{number}", token=f"{7000 + number}:AAtesttokentesttokentesttokentestt",
            username=f"private{number}_bot",
        )  # fmt: skip
        control(self.standin_url, "POST", "tokens", token=bot.token, username=f"bot{bot.app_id}_bot")
        with psycopg.connect(str(self.config.database.admin_url), autocommit=True) as conn:
            for path in sorted(KNOWLEDGE.glob("*.md")):
                add_file(conn, bot.company_id, path)
        self.bots.append(bot)
        return bot

    def new_widget(self, bot: Bot) -> Bot:
        """A widget of a bot's company."""
        [(company,)] = self.rows("SELECT name FROM companies WHERE id = %s", bot.company_id)
        return connect_widget(
            str(self.config.database.admin_url),
            self.config.system.fernet_keys,
            company=company,
            slug=f"widget-{bot.slug}",
        )

    def new_place(self, platform: str, company_id: int, number: int = 1) -> Bot:
        """A channel of a company on another platform than Telegram, which the stand-in knows."""

        def tell(verb: str, path: str, **values: Any) -> dict[str, Any]:
            return control(self.standin_url, verb, path, **values)

        place = places.connect(
            tell, str(self.config.database.admin_url), self.config.system.fernet_keys, platform=platform,
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
        client = connect(str(self.config.redis.url))
        try:
            with psycopg.connect(str(self.config.database.admin_url), autocommit=True) as conn:
                return take(conn, Reader(client, self.config.journal.shards))
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
        with psycopg.connect(str(self.config.database.admin_url), autocommit=True) as conn:
            return conn.execute(query, values).fetchall()

    def do(self, statement: str) -> None:
        """Run a statement as the owner that returns no rows."""
        with psycopg.connect(str(self.config.database.admin_url), autocommit=True) as conn:
            conn.execute(statement)

    def all_logs(self) -> str:
        return "".join(path.read_text(errors="replace") for path in sorted(self.logs.glob("*.log")))

    def log_tails(self, lines: int = 12) -> str:
        """Return the end of every process' log, for a failure's message."""
        return "\n".join(
            "\n".join([f"--- {path.stem}", *path.read_text(errors="replace").splitlines()[-lines:]])
            for path in sorted(self.logs.glob("*.log"))
        )


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
        given |= {"FAULTS": faults.ON_REQUEST, "FAULTS_DIR": marks} if armed else {}
        config = Settings.of(**given | values)
        prepare(config)
        lift_limits(config)
        supervisor = Supervisor(folder, config, settings.only_environment(config))
        running.callback(supervisor.stop)
        start_standin(supervisor, standin_port, folder)
        control(standin_url, "POST", "keys", key=KEY)
        supervisor.start(JOURNEY if quick else fleet.PROCESSES)
        supervisor.wait_ready()
        base_url = f"http://127.0.0.1:{config.gateway.port}"
        http = running.enter_context(httpx.Client(base_url=base_url, timeout=10, trust_env=False))
        system = Drilled(
            folder=folder.path, logs=folder.subfolder("log"), postgres=postgres, valkey=valkey, standin_url=standin_url,
            config=config, http=http, supervisor=supervisor, marks=marks,
        )  # fmt: skip
        running.enter_context(Told(http, standin_url, system.places))
        yield system


def lift_limits(config: Settings) -> None:
    """All customers come from one address, and one program asks the API again and again until it sees what it wants."""
    with psycopg.connect(config.need("DATABASE_ADMIN_URL"), autocommit=True) as conn:
        for purpose in ("address", "address_signed_in", "api_user", "api_key"):
            rate_limits.set_bounds(conn, purpose, None, Bounds())


def _values(folder: DataFolder, postgres: Postgres, valkey: Valkey, standin_url: str, quick: bool) -> dict[str, Any]:
    everybody = "60000/60000"  # all customers come from one address
    return {
        **(QUICK | {"LLM_CALL_DEADLINE_S": 2.0, "TURN_DEADLINE_S": 4.0, "STALLED_AFTER_S": 2.0} if quick else {}),
        "DATA_DIR": folder.path,
        "RUN_DIR": folder.subfolder("run"),
        "ENCRYPTION_KEYS": folder.secret("encryption_keys", lambda: Fernet.generate_key().decode()),
        "DATABASE_URL": postgres.database_url,
        "DATABASE_ADMIN_URL": postgres.database_admin_url,
        "REDIS_URL": valkey.redis_url,
        "TELEGRAM_API_URL": standin_url,
        "GRAPH_API_URL": standin_url,
        "INSTAGRAM_API_URL": standin_url,
        "SLACK_API_URL": f"{standin_url}/api",
        "EGRESS_ALLOW": standin_openings(standin_url),  # programs of customers are the stand-in's receivers
        "LLM_BASE_URL": f"{standin_url}/v1",
        "LLM_API_KEY": KEY,
        "LLM_MODEL": "standin-1",
        "GATEWAY_PORT": choose_port(None),
        "FLOWER_PORT": choose_port(None),
        "FLOWER_PASSWORD": folder.secret("flower_password"),
        "OPS_TOKEN": folder.secret("ops_token"),
        "WIDGET_SESSIONS_LIMIT": everybody,
        "WIDGET_ATTEMPTS_LIMIT": everybody,
        "WIDGET_MESSAGES_ADDRESS_LIMIT": everybody,
        "WIDGET_READS_ADDRESS_LIMIT": everybody,
    }
