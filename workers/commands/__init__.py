"""The command line: a module per group of commands, imported when one of them is called."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import click

from workers.commands import renamed, version
from workers.commands.examples import show_examples
from workers.commands.suggest import suggestion

WORDS = "switchboard.words"
"""Where a context keeps the command line as it was given."""


@dataclass(frozen=True, slots=True)
class Lazy:
    """Where a command is (`module:attribute`) and what the overview says about it."""

    target: str
    summary: str


class LazyGroup(click.Group):
    """Commands that are imported when they are called: parsing a message should not wait for Celery."""

    def __init__(self, *, lazy: Mapping[str, Lazy], name: str, help: str) -> None:
        super().__init__(name=name, help=help, no_args_is_help=True)
        self._lazy = lazy

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self._lazy)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self._lazy:
            return None
        module, _, attribute = self._lazy[cmd_name].target.partition(":")
        command = getattr(importlib.import_module(module), attribute)
        if not isinstance(command, click.Command):
            raise TypeError(f"{self._lazy[cmd_name].target} is not a command")
        show_examples(command, cmd_name)
        return command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.meta[WORDS] = tuple(args)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except click.UsageError as e:
            words = renamed.told(ctx.meta[WORDS]) or suggestion(self, ctx.meta[WORDS])
            if words is None:
                raise
            raise click.UsageError(words, e.ctx) from e

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, lazy.summary) for name, lazy in self._lazy.items()])


COMMANDS = {
    "up": Lazy("workers.commands.run:up", "Start the whole system on this machine and stay until Ctrl-C."),
    "down": Lazy("workers.commands.run:down", "Stop the system that `up` runs, and wait until it has ended."),
    "demo": Lazy("workers.commands.run:demo", "Start the system, send webhooks, show the answers, stop."),
    "drill": Lazy("workers.commands.drill:drill", "Cause faults in a private copy and count what is lost."),
    "worker": Lazy("workers.commands.run:worker", "Run one process of the fleet on your own services."),
    "migrate": Lazy("workers.commands.setup:migrate", "Bring the database's schema up to date."),
    "company": Lazy("workers.commands.companies:company", "Add, list, show and rename companies."),
    "assistant": Lazy("workers.commands.assistants:assistant", "How turns are answered: policies and texts."),
    "agent": Lazy("workers.commands.companies:agent", "The people who answer, each with an API key."),
    "key": Lazy("workers.commands.api_keys:key", "API keys with scopes, for programs and agents."),
    "app": Lazy("workers.commands.channels:app", "Webhook addresses and their secrets: rotate, disable."),
    "channel": Lazy("workers.commands.channels:channel", "Connect a page, number or bot to a company."),
    "keys": Lazy("workers.commands.keys:keys", "Encrypt credentials again with the newest key."),
    "documents": Lazy("workers.commands.data:documents", "Load a company's knowledge."),
    "embedding-models": Lazy(
        "workers.commands.embedding_models:group", "Embedding models: add one, fill it, switch, drop it."
    ),
    "conversations": Lazy(
        "workers.commands.conversations:conversations", "List conversations, take one over, hand it back."
    ),
    "doctor": Lazy("workers.commands.doctor:doctor", "Check the system: what works, what does not, what to do."),
    "request": Lazy("workers.commands.requests:request", "From a webhook's id to its turn, answer and delivery."),
    "balance": Lazy("workers.commands.ops:balance", "Check that no received event is missing."),
    "job": Lazy("workers.commands.jobs:job", "Scheduled jobs: list them, see what ran, run one now."),
    "retention": Lazy("workers.commands.retention:retention", "How long logs are kept, also for one company."),
    "limit": Lazy(
        "workers.commands.limits:limit",
        "Rate limits of contacts, users and addresses, and daily limits on costly work.",
    ),
    "archive": Lazy("workers.commands.archive:archive", "Old messages: preview, move, restore, statistics."),
    "backup": Lazy("workers.commands.backups:backup", "Backups: make one, list them, test one, restore one."),
    "contact": Lazy("workers.commands.contacts:contact", "A data subject's data: find, export, erase."),
    "outbound": Lazy("workers.commands.ops:outbound_group", "List and settle sends whose outcome is unknown."),
    "turns": Lazy("workers.commands.receipts:turns_group", "List turns: what was asked and what became of it."),
    "receipt": Lazy("workers.commands.receipts:receipt", "How the answer to a turn was made, station by station."),
    "model-provider": Lazy("workers.commands.models:provider", "Who runs models: address, key, models; try one."),
    "model-route": Lazy("workers.commands.models:route", "Which models are asked for what, by company."),
    "report": Lazy("workers.commands.reports:report", "The daily digest and the monthly report."),
    "usage": Lazy("workers.commands.usage:usage", "What models were used for, and what it cost."),
    "price": Lazy("workers.commands.prices:price", "What models cost."),
    "budget": Lazy("workers.commands.budgets:budget", "What models may cost a company and its contacts."),
    "dead-letters": Lazy(
        "workers.commands.ops:dead_letters", "List, show, redrive or discard what could not be handled."
    ),
    "eval": Lazy("workers.commands.evaluate:evaluate", "Measure how well passages are found, on your own data."),
    "openapi": Lazy("workers.commands.openapi:openapi", "Print the description of the HTTP API (OpenAPI 3.1)."),
    "parse": Lazy("workers.commands.parse:parse", "Show what a webhook's body means, without storing anything."),
}

switchboard = LazyGroup(
    name="switchboard", help="The worker system behind an AI inbox: webhooks in, grounded answers out.", lazy=COMMANDS
)
version.add_option(switchboard)
