"""Runs a whole system on this machine: services, stand-in, a connected demo bot and the fleet."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psycopg
from cryptography.fernet import Fernet

from shared import settings
from shared.channels.connect.base import Identity, Registration
from shared.channels.connect.telegram import TelegramConnector
from shared.embedded import DataFolder, Postgres, Valkey, postgres, valkey
from shared.embedded.keeper import Keeper
from shared.embedded.ports import LOOPBACK, Ports
from shared.embedded.server import EmbeddedServer
from shared.errors import SettingsError
from shared.llm.money import is_paid
from shared.model import Me
from shared.resilience import disk
from shared.settings import RUN_ENV, Settings
from shared.store.db.vault import Vault
from shared.store.models import prices
from shared.store.tenants import api_keys, channels, companies, registry
from tasks.tenants import onboarding, rotation
from workers.commands.data import add_file
from workers.commands.setup import as_owner, prepare
from workers.supervisor import Supervisor

COMPANY = "Demo shop"
SLUG = "demo"
WIDGET_SLUG = "demo-widget"
WIDGET_ORIGIN = "https://shop.example"
BOT = Me("700001", "demo_shop_bot")
PORTS_FILE = "ports.json"
RESTS_FILE = "demo-bot-rests"
"""There while the demo bot is disabled by a start without the stand-in, and not by an operator."""
KNOWLEDGE = Path(__file__).parent / "commands" / "demo_knowledge"


@dataclass(slots=True)
class System:
    """A running system. standin_url: None when real platforms are used. settings: what every process was given.
    notes: what its user should know, a line each.
    wait_ready: until those are up, too, that no message needs on its way; raises ServiceFailed."""

    settings: Settings
    folder: DataFolder
    embedded: bool
    standin_url: str | None
    company_id: int
    company_slug: str
    webhook_secret: str
    api_key: str
    bot_token: str
    wait_ready: Callable[[], None]
    notes: tuple[str, ...] = ()

    @property
    def gateway_url(self) -> str:
        return f"http://{self.settings.gateway.host}:{self.settings.gateway.port}"

    @property
    def webhook_url(self) -> str:
        return f"{self.gateway_url}/webhooks/telegram/{SLUG}"

    @property
    def flower_url(self) -> str:
        return f"http://127.0.0.1:{self.settings.operations.flower_port}"


@contextmanager
def running_system(data_dir: Path, *, with_standin: bool = True) -> Iterator[System]:
    """Start everything, each part once the one below it works, and stop it in the opposite order. Yields once
    messages are taken and answered.

    Services that the environment names (DATABASE_URL …, REDIS_URL) are used, the others are embedded. Raises
    SettingsError and ServiceFailed, which name what to change.
    """
    with ExitStack() as running:
        folder = running.enter_context(DataFolder(data_dir))
        run_env = folder.path / RUN_ENV
        run_env.unlink(missing_ok=True)  # of a system that was killed
        given = settings.load(of_running_system=False, DATA_DIR=folder.path)
        ports = Ports(kept_ports(folder.path))
        _check_room(given)
        environment = _environment(given, folder, ports)
        environment |= _services(given, folder, ports, running)
        standin_port = ports.choose("the stand-in", 8500) if with_standin else None
        (folder.path / PORTS_FILE).write_text(json.dumps(ports.kept), "utf-8")
        if standin_port is not None:
            environment |= _standin_environment(given, folder, f"http://127.0.0.1:{standin_port}")
        config = _settings_of(environment)
        _write_private(run_env, environment)
        running.callback(run_env.unlink, missing_ok=True)

        supervisor = Supervisor(folder, config, environment)
        running.callback(supervisor.stop)
        standin_url = None
        if standin_port is not None:
            # before anything that takes time: until it listens, somebody else may take the port that was free
            standin_url = f"http://127.0.0.1:{standin_port}"
            start_standin(supervisor, standin_port, folder)
        prepare(config)
        system = _connect_demo(config, supervisor, standin_url, embedded=given.database.url is None)
        system.notes = (*ports.told, *system.notes)
        supervisor.start()
        yield system


def kept_ports(folder: Path) -> dict[str, int]:
    """Return the ports of an earlier start; none if the file is missing or damaged."""
    try:
        found = json.loads((folder / PORTS_FILE).read_bytes())
    except (OSError, ValueError):  # then ports are chosen again and reported
        return {}
    if not isinstance(found, dict):
        return {}
    return {name: port for name, port in found.items() if type(port) is int and 0 < port < 65_536}


def _environment(given: Settings, folder: DataFolder, ports: Ports) -> dict[str, str]:
    """Settings that every process of this system shares; what the user gave stays in the environment as it is."""
    keys = given.system.encryption_keys.get_secret_value() or folder.secret("encryption_keys", _new_key)
    flower = given.operations.flower_password.get_secret_value() or folder.secret("flower_password")
    ops_token = given.operations.ops_token.get_secret_value() or folder.secret("ops_token")
    return {
        "DATA_DIR": str(folder.path),
        "ENCRYPTION_KEYS": keys,
        "FLOWER_PASSWORD": flower,
        **listening_ports(given, ports),
        "OPS_TOKEN": ops_token,
        "RUN_DIR": str(folder.subfolder("run")),
    }


def _check_room(given: Settings) -> None:
    """Raises SettingsError if a disk is full or read-only: everything below would fail with a worse message."""
    for room in disk.rooms(given):
        needed = {"DATA_DIR", "the journal", "the database"} & set(room.names)
        if needed and room.level in ("full", "read_only"):
            raise SettingsError(f"DATA_DIR: {room.words}")


def listening_ports(given: Settings, ports: Ports) -> dict[str, str]:
    """The ports that people connect to. One that was set is used or refused; another may be chosen for a default only.

    Raises SettingsError naming the variable.
    """
    wanted = (
        ("GATEWAY_PORT", given.gateway.port, given.gateway.host, "GATEWAY_HOST"),
        ("FLOWER_PORT", given.operations.flower_port, LOOPBACK, ""),
    )
    set_ones = given.given()
    found = {}
    for variable, port, host, host_variable in wanted:
        if variable in set_ones:
            ports.reserve(variable, port, host, host_variable=host_variable)
            found[variable] = str(port)
    for variable, port, host, _ in wanted:
        if variable not in set_ones:
            found[variable] = str(ports.choose(variable, port, host))
    return found


def _new_key() -> str:
    return Fernet.generate_key().decode()


def _services(given: Settings, folder: DataFolder, ports: Ports, running: ExitStack) -> dict[str, str]:
    """Start the services that the settings do not name."""
    if given.database.url is not None:
        given.need("DATABASE_ADMIN_URL")
    if given.database.url is not None and given.redis.url is not None:
        return {}
    found: dict[str, str] = {}
    servers: list[EmbeddedServer] = []
    if given.database.url is None:
        database = Postgres(folder, port=ports.prefer("PostgreSQL", postgres.PREFERRED_PORT))
        servers.append(running.enter_context(database))
        found |= {"DATABASE_URL": database.database_url, "DATABASE_ADMIN_URL": database.database_admin_url}
    if given.redis.url is None:
        store = Valkey(folder, port=ports.prefer("Valkey", valkey.PREFERRED_PORT))
        servers.append(running.enter_context(store))
        found["REDIS_URL"] = store.redis_url
    keeper = Keeper(servers, lambda: disk.rooms(given))
    keeper.start()
    running.callback(keeper.stop)
    return found


def _standin_environment(given: Settings, folder: DataFolder, url: str) -> dict[str, str]:
    """The platforms are the stand-in; so is the model, unless a real one is configured."""
    found = dict.fromkeys(("TELEGRAM_API_URL", "GRAPH_API_URL", "INSTAGRAM_API_URL"), url)
    openings = ", ".join(filter(None, (given.egress.allow, standin_openings(url))))
    found |= {"SLACK_API_URL": f"{url}/api", "EGRESS_ALLOW": openings}
    if given.llm.base_url is None:
        found |= {"LLM_BASE_URL": f"{url}/v1", "LLM_MODEL": "standin-1", "LLM_API_KEY": folder.secret("standin_key")}
    return found


def standin_openings(url: str) -> str:
    """EGRESS_ALLOW for what the stand-in serves, its receivers of answers, its files and its models, and nothing beside
    it."""
    host = url.removeprefix("http://")
    return f"send:{host}, media:{host}, model:{host}"


def _settings_of(environment: Mapping[str, str]) -> Settings:
    return settings.load(of_running_system=False, **environment)


def _write_private(path: Path, environment: Mapping[str, str]) -> None:
    """For the command line in another terminal; holds passwords, so only its owner may read it."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(fd, "w") as file:
        file.writelines(f'{name}="{value}"\n' for name, value in environment.items())


def start_standin(supervisor: Supervisor, port: int, folder: DataFolder) -> None:
    """Start the stand-in as a process beside the fleet; returns once it answers."""
    marker = folder.subfolder("run") / "standin.port"
    marker.unlink(missing_ok=True)
    argv = [sys.executable, "-P", "-m", "standin", "--host", "127.0.0.1", "--port", str(port)]
    # what was connected through it works on after a restart: it knows those tokens and addresses again
    kept = folder.path / "standin.json"
    token = folder.secret(CONTROL_SECRET)
    supervisor.start_other(
        "standin", [*argv, "--port-file", str(marker), "--state-file", str(kept)], marker.exists,
        {"STANDIN_CONTROL_TOKEN": token},
    )  # fmt: skip
    control_tokens[f"http://127.0.0.1:{port}"] = token


CONTROL_SECRET = "standin_control"
control_tokens: dict[str, str] = {}
"""What the control APIs of the stand-ins that this process has started are called with, by their addresses."""


def control(standin_url: str, verb: str, path: str, **values: Any) -> dict[str, Any]:
    """Ask the control API of a stand-in that this process has started. Raises httpx.HTTPError when it refuses."""
    query, body = (values, None) if verb == "GET" else (None, values)
    answer = httpx.request(
        verb, f"{standin_url}/_control/{path}", params=query, json=body, timeout=60, trust_env=False,
        headers={"x-standin-token": control_tokens.get(standin_url, "")},
    )  # fmt: skip
    answer.raise_for_status()
    found: dict[str, Any] = answer.json()
    return found


def _connect_demo(config: Settings, supervisor: Supervisor, standin_url: str | None, *, embedded: bool) -> System:
    """The demo company with an agent, a widget and a little knowledge; made once a data folder. Its bot exists where
    the stand-in plays Telegram: no real platform knows it, so that without the stand-in it would be a standing alert.
    """
    folder = supervisor.folder
    token = f"{BOT.external_id}:{folder.secret('demo_bot_token')}"
    secret: str | None = None
    if standin_url is not None:
        control(standin_url, "POST", "tokens", token=token, username=BOT.handle)
        control(standin_url, "POST", "keys", key=config.llm.api_key.get_secret_value() or "none")
    vault = Vault(config.system.fernet_keys)
    notes: list[str] = []
    with as_owner(config) as conn:
        company = companies.ensure(conn, COMPANY)
        api_key = folder.secret(
            "demo_api_key", lambda: onboarding.new_agent(conn, company.id, _agent_name(conn, company.id))
        )
        notes += _keep_agent(conn, company.id, api_key)
        if standin_url is None:
            notes += _rest_bot(conn, company.id, folder.path / RESTS_FILE)
        else:
            secret = _secret_of_bot(conn, vault, company.id, token)
            if secret is None:
                secret = folder.secret("demo_webhook_secret")
                onboarding.connect_bot(
                    conn, vault, platform="telegram", company_id=company.id, slug=SLUG, webhook_secrets=[secret],
                    token=token, me=BOT,
                )  # fmt: skip
            notes += _wake_bot(conn, company.id, folder.path / RESTS_FILE)
            _register_bot(standin_url, config, token, secret)
        onboarding.connect_widget(
            conn, vault, company_id=company.id, slug=WIDGET_SLUG,
            origins=[WIDGET_ORIGIN, f"http://127.0.0.1:{config.gateway.port}"],
        )  # fmt: skip
        for path in sorted(KNOWLEDGE.glob("*.md")):
            add_file(conn, company.id, path)
        notes += _without_price(conn, config)
    return System(
        config, folder, embedded, standin_url, company.id, company.slug, secret or "", api_key, token,
        supervisor.wait_ready, tuple(notes),
    )  # fmt: skip


def _without_price(conn: psycopg.Connection, config: Settings) -> list[str]:
    """Of the environment's models those that no budget can bound, because nobody knows what they cost."""
    return [
        f"{one.model} of {one.label} has no price and is not asked until it has one, for a million tokens in and out:"
        f" ./switchboard price set {one.model} IN OUT"
        for one in config.llm.providers
        if is_paid(one.base_url) and prices.price_of(conn, 0, one.label, one.model) is None
    ]


def _secret_of_bot(conn: psycopg.Connection, vault: Vault, company_id: int, token: str) -> str | None:
    """The newest webhook secret of the demo bot as it stands: an operator may have rotated it. None: it is to be
    connected, because there is none with this token that our keys open."""
    app = channels.app_by_slug(conn, "telegram", SLUG)
    bot = _bot(conn, company_id)
    if app is None or bot is None:
        return None
    try:
        if vault.open_credentials(channels.credentials(conn, company_id, bot.id)).get("token") != token:
            return None
        return rotation.secrets_of(vault, app)[0]
    except SettingsError:
        return None


def _bot(conn: psycopg.Connection, company_id: int) -> registry.ChannelLine | None:
    lines = registry.channels(conn, company_id=company_id, slug=SLUG)
    return next((line for line in lines if line.external_id == BOT.external_id), None)


def _wake_bot(conn: psycopg.Connection, company_id: int, rests: Path) -> list[str]:
    """Enable the bot that a start without the stand-in has disabled; one that an operator disabled stays so."""
    bot = _bot(conn, company_id)
    assert bot is not None
    if rests.exists():
        registry.set_app_state(conn, SLUG, "active")
        registry.set_channel_enabled(conn, company_id, bot.id, enabled=True)
        rests.unlink()
        return []
    [app] = registry.apps(conn, SLUG)
    if app.state == "disabled":
        return [f"the demo bot is disabled: ./switchboard app enable {SLUG}"]
    if bot.state == "disabled":
        return [f"the demo bot is disabled: ./switchboard channel enable {company_id}/{bot.id}"]
    return []


def _register_bot(standin_url: str, config: Settings, token: str, secret: str) -> None:
    """Register the bot's webhook with the platform, as `channel connect --public-url` does."""
    connector = TelegramConnector(standin_url)
    address = f"http://127.0.0.1:{config.gateway.port}/webhooks/telegram/{SLUG}"
    registration = Registration(address, secret, Identity(BOT, {"token": token}))

    async def register() -> None:
        async with httpx.AsyncClient(trust_env=False) as http:
            await connector.register(http, registration)

    asyncio.run(register())


def _rest_bot(conn: psycopg.Connection, company_id: int, rests: Path) -> list[str]:
    """Disable the bot of an earlier start with the stand-in until a start with the stand-in."""
    bot = _bot(conn, company_id)
    if bot is None:
        return []
    if bot.state != "disabled":
        rests.touch(mode=0o600)
        registry.set_channel_enabled(conn, company_id, bot.id, enabled=False)
        registry.set_app_state(conn, SLUG, "disabled")
    return ["the demo bot is disabled while the stand-in, which plays Telegram for it, is not started"]


def _agent_name(conn: psycopg.Connection, company_id: int) -> str:
    """Several data folders may use one database, each with a key of its own."""
    return companies.free_agent_name(conn, company_id, "demo agent")


def _keep_agent(conn: psycopg.Connection, company_id: int, api_key: str) -> list[str]:
    """A data folder's key is known to the database that it is used with. One that was revoked there stays so."""
    if api_keys.holder_of(conn, api_key) is not None:
        return []
    if api_keys.is_known(conn, api_key):
        return ["the demo agent's API key was revoked: `agent create NAME --company COMPANY` makes another one"]
    onboarding.make_agent(conn, company_id, _agent_name(conn, company_id), api_key)
    return []
