"""Commands that run one process of the fleet, or the whole system on this machine."""

from __future__ import annotations

import os
import signal
import threading
import time
from contextlib import suppress
from pathlib import Path

import click

from shared import settings
from shared.embedded.folder import holder_of
from shared.embedded.ports import check_port
from shared.embedded.process import command_line
from shared.errors import NothingDone, Transient
from shared.settings import PROJECT_ROOT, Settings
from workers import fleet, holders
from workers.commands.printing import as_json_option, print_result
from workers.local import WIDGET_SLUG, System, running_system
from workers.supervisor import ServiceFailed, argv_of, secret_environment


@click.command()
@click.argument("name", type=click.Choice(fleet.PROCESSES))
def worker(name: str) -> None:
    """Run one process of the fleet in the foreground, on the services that the settings name."""
    config = settings.load()
    if name == "flower" and not config.operations.flower_password.get_secret_value():
        raise click.UsageError("set FLOWER_PASSWORD: Flower never runs without a password")
    holders.check_needed(name, config)
    # Flower's and beat's memories lie there; neither makes it, and Flower then forgets without a word
    config.system.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    if name == "flower":
        check_port("FLOWER_PORT", config.operations.flower_port)
    argv = argv_of(name, config)
    os.chdir(PROJECT_ROOT)
    folders = settings.given_folders(config)  # relative ones are of the folder that we have just left
    given = settings.of_running_system(config.system.data_dir) | folders | secret_environment(name, config)
    os.execve(argv[0], argv, holders.environment_of(name, given))


@click.command()
@click.option(
    "--standin/--no-standin", default=True, show_default=True, help="Play the platforms and a model on this machine."
)
def up(standin: bool) -> None:
    """Start the whole system on this machine and stay until Ctrl-C."""
    stop = _stop_on_signals()
    with running_system(_data_dir(), with_standin=standin) as system:
        _introduce(system)
        _wait_for_the_rest(system)
        stop.wait()
        click.echo("stopping …")
    click.echo("stopped; what was under way goes on at the next start")


@click.command()
@click.option("--wait", "wait_s", default=120, show_default=True, type=click.IntRange(1, 3_600),
              help="Seconds to wait at most. The system goes on stopping after that.")  # fmt: skip
@as_json_option
def down(wait_s: int, as_json: bool) -> None:
    """Stop the running `up` of DATA_DIR in order, as Ctrl-C does there, and wait until it has ended."""
    folder = _data_dir().resolve()
    pid = holder_of(folder)
    if pid is None or not _is_up(pid):
        raise NothingDone("up", f"no system of {folder} is running")
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    ends_at = time.monotonic() + wait_s
    while holder_of(folder) == pid:
        if time.monotonic() > ends_at:
            raise Transient(f"the system of {folder} (process {pid}) has not ended within {wait_s} s: its log says why")
        time.sleep(0.1)
    print_result({"data_dir": str(folder), "process": pid, "stopped": True}, f"stopped the system of {folder}",
                 as_json=as_json)  # fmt: skip


def _is_up(pid: int) -> bool:
    """A restore holds the folder, too, and is not to be ended."""
    words = command_line(pid).split()
    return "workers.commands" in words and words[words.index("workers.commands") + 1 :][:1] == ["up"]


def _wait_for_the_rest(system: System) -> None:
    """Flower, beat and the others come up behind. One that does not is begun again and again, and its log says why."""
    try:
        system.wait_ready()
        click.echo("all processes are up")
    except ServiceFailed as e:
        click.echo(f"warning: {e}", err=True)


@click.command()
@click.option("--keep", is_flag=True, help="Keep the demo's data folder, with its logs.")
def demo(keep: bool) -> None:
    """Start the system, send webhooks, show the answers, stop. Exits 1 unless all is as promised."""
    from workers.commands.demo import show

    folder = _data_dir() / f"demo-{os.getpid()}"
    with running_system(folder) as system:
        system.wait_ready()
        failures = show(system)
        logs = system.folder
    if failures:
        for failure in failures:
            click.echo(f"NOT AS PROMISED: {failure}", err=True)
        raise SystemExit(f"the demo failed; its logs are in {folder / 'log'}")
    if not keep:
        logs.open().discard()
    click.echo("everything is as promised")


def _data_dir() -> Path:
    return settings.load(of_running_system=False).system.data_dir


def _stop_on_signals() -> threading.Event:
    """An event that Ctrl-C and SIGTERM set; a second one interrupts whatever hangs."""
    stop = threading.Event()

    def on_signal(number: int, _: object) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    signal.signal(signal.SIGINT, on_signal)
    signal.signal(signal.SIGTERM, on_signal)
    return stop


def _introduce(system: System) -> None:
    """Addresses, keys, and something to try."""
    config = system.settings
    click.echo(f"gateway     {system.gateway_url}   (health: /health/ready)")
    click.echo(f"company     {system.company_slug}   (its channels: channel list --company {system.company_slug})")
    click.echo(f"inbox       {system.gateway_url}/api/v1/conversations   API key: {system.api_key}")
    click.echo(f"widget      {system.gateway_url}/widget/{WIDGET_SLUG}/ (sessions, messages, events)")
    click.echo(
        f"flower      {system.flower_url}   user admin, password {config.operations.flower_password.get_secret_value()}"
    )
    click.echo(
        f"metrics     {system.gateway_url}/metrics   bearer token: {config.operations.ops_token.get_secret_value()}"
    )
    services = "embedded" if system.embedded else "yours"
    click.echo(f"services    PostgreSQL and Redis: {services}; data and logs: {system.folder.path}")
    click.echo(f"answers     {_first_step(config, system.standin_url)}")
    if system.standin_url is not None:
        click.echo(f"stand-in    {system.standin_url}   (plays Telegram{_plays_model(config, system.standin_url)})")
    for note in system.notes:
        click.echo(f"note        {note}")
    _suggest(system)
    click.echo("\nCtrl-C, or ./switchboard down in another terminal, stops everything in order.")


def _suggest(system: System) -> None:
    """A first message to try."""
    if system.standin_url is None:
        click.echo("\ntry         connect a bot of yours: ./switchboard channel connect telegram --help")
        return
    update = (
        '{"update_id":1,"message":{"message_id":1,"date":1780000000,"text":"How long can I return shoes?",'
        '"from":{"id":42,"is_bot":false,"first_name":"Ada"},"chat":{"id":42,"type":"private"}}}'
    )
    click.echo("\ntry         a customer writes:")
    click.echo(
        f"  curl -X POST {system.webhook_url} -H 'content-type: application/json' \\\n"
        f"    -H 'x-telegram-bot-api-secret-token: {system.webhook_secret}' -d '{update}'"
    )
    click.echo("            and an agent sees it, with the answer:")
    click.echo(f"  curl -H 'authorization: Bearer {system.api_key}' {system.gateway_url}/api/v1/conversations")


def _plays_model(config: Settings, standin_url: str) -> str:
    return " and the model" if (config.llm.base_url or "").startswith(standin_url) else ""


def _first_step(config: Settings, standin_url: str | None) -> str:
    """Which fallback step answers begin at, and why."""
    if config.llm.base_url is None:
        return "step `passages`: the best passages, quoted, because no LLM_BASE_URL is set"
    if standin_url is not None and config.llm.base_url.startswith(standin_url):
        return "step `full`, written by the stand-in's model, because no LLM_BASE_URL is set"
    return f"step `full`, written by {config.llm.model}, because LLM_BASE_URL is set"
