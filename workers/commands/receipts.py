"""How answers came to be and what they cost: receipts, turns, prices, budgets."""

from __future__ import annotations

import json
from dataclasses import asdict
from decimal import Decimal, InvalidOperation
from typing import Any

import click

from shared import settings
from shared.errors import Permanent
from shared.flow import waterfall
from shared.store import companies, turns, usage
from shared.store import receipts as store
from shared.store.receipts import Story
from workers.commands.setup import as_owner

MICROS = 1_000_000
TURN_STATES = ("waiting", "answering", "answered", "handed_over", "cancelled")


def _print(value: Any) -> None:
    click.echo(json.dumps(value, ensure_ascii=False, default=str))


@click.command()
@click.argument("turn_id", metavar="TURN", type=click.IntRange(1, 2**63 - 1))
@click.option("--company", "company_id", type=int, help="The company's number; finds the turn faster.")
@click.option("--json", "as_json", is_flag=True)
def receipt(turn_id: int, company_id: int | None, as_json: bool) -> None:
    """How the answer to a turn came to be: every station with its time, passages, model attempts, step, cost."""
    with as_owner(settings.load()) as conn:
        story = store.story(conn, turn_id, company_id)
    if story is None:
        where = "" if company_id is None else f" of company {company_id}"
        raise Permanent("turn", f"there is no turn {turn_id}{where}: see `turns list`")
    found = waterfall.spans(story)
    if as_json:
        _print({**asdict(story), "spans": [asdict(span) for span in found]})
        return
    for line in [*_head(story), "", *waterfall.chart(found), *_passages(story)]:
        click.echo(line)


def _head(story: Story) -> list[str]:
    failed = f", failed with {story.error}" if story.error else ""
    lines = [
        f"turn {story.turn_id} of company {story.company_id}, conversation {story.conversation_id}: {story.state}"
        f" (attempt {story.attempts}{failed})"
    ]
    if story.receipt is not None:
        left = " → ".join(f"{t['step']} ({t['left']})" if t["left"] else t["step"] for t in story.receipt["ladder"])
        lines += [
            f"step      {story.receipt['step']}, reason {story.receipt['reason']}",
            f"ladder    {left or story.receipt['step']}",
            f"cost      {_money(story.receipt['cost_micros'])}   tokens {story.receipt['tokens_in']} in,"
            f" {story.receipt['tokens_out']} out",
        ]
    if story.overtaken["calls"]:
        lines.append(f"overtaken {story.overtaken['calls']} calls, {_money(story.overtaken['cost_micros'])}")
    return lines


def _passages(story: Story) -> list[str]:
    if story.receipt is None or not story.receipt["passages"]:
        return []
    cited = {citation["chunk"]: citation["n"] for citation in story.receipt["citations"]}
    space = story.receipt["space"]
    lines = ["", f"passages, ranked {f'in the space {space}' if space else 'by words alone'}"]
    for number, passage in enumerate(story.receipt["passages"], 1):
        mark = "cited" if passage["chunk"] in cited else ""
        lines.append(
            f"  [{number}] score {passage['score']:8.3f}  relevance {passage['relevance']:.2f}  {mark:<5}  "
            f"{passage['title']}"
        )
    return lines


def _money(micros: int | None) -> str:
    return "unknown: `price set` the model" if micros is None else f"{Decimal(micros) / MICROS:f}"


@click.group("turns")
def turns_group() -> None:
    """Turns: what customers asked and what became of it."""


@turns_group.command("list")
@click.option("--company", "company_id", type=int)
@click.option("--state", type=click.Choice(TURN_STATES))
@click.option("--limit", default=50, show_default=True)
@click.option("--json", "as_json", is_flag=True)
def turns_list(company_id: int | None, state: str | None, limit: int, as_json: bool) -> None:
    """Newest first, without a word of what was said."""
    with as_owner(settings.load()) as conn:
        rows = turns.newest(conn, company_id=company_id, state=state, limit=limit)
    if as_json:
        _print([asdict(row) for row in rows])
        return
    for row in rows:
        step = f"{row.step} ({row.reason})" if row.step else row.error or ""
        click.echo(f"{row.id}  company {row.company_id}  conversation {row.conversation_id}  {row.state:<11}  {step}"
                   f"  {row.received_at:%Y-%m-%d %H:%M:%S}")  # fmt: skip
    if not rows:
        click.echo("no turns")


class _Amount(click.ParamType):  # type: ignore[type-arg]
    """An amount of money, kept in millionths."""

    name = "amount"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        try:
            micros = Decimal(str(value)) * MICROS
            if not 0 <= micros <= 10**15 or micros != micros.to_integral_value():
                raise InvalidOperation
        except InvalidOperation:
            self.fail(f"{value!r} is no amount with at most six decimals", param, ctx)
        return int(micros)


@click.group()
def price() -> None:
    """What models cost; answers are reckoned with the price at their time."""


@price.command("set")
@click.argument("model")
@click.argument("in_micros", metavar="IN", type=_Amount())
@click.argument("out_micros", metavar="OUT", type=_Amount())
def price_set(model: str, in_micros: int, out_micros: int) -> None:
    """Price of a million tokens IN and OUT, in any one currency: `price set gpt-4o-mini 0.15 0.60`."""
    with as_owner(settings.load()) as conn:
        usage.set_price(conn, usage.Price(model, in_micros, out_micros))
    click.echo(f"{model}: {_money(in_micros)} in, {_money(out_micros)} out, a million tokens")


@price.command("list")
@click.option("--json", "as_json", is_flag=True)
def price_list(as_json: bool) -> None:
    """Models that have a price."""
    with as_owner(settings.load()) as conn:
        rows = usage.prices(conn)
    if as_json:
        _print([asdict(row) for row in rows])
        return
    for row in rows:
        click.echo(f"{row.model}  {_money(row.in_micros)} in  {_money(row.out_micros)} out")
    if not rows:
        click.echo("no model has a price")


@click.command()
@click.argument("company_name", metavar="COMPANY")
@click.argument("tokens", metavar="TOKENS|none")
def budget(company_name: str, tokens: str) -> None:
    """How many tokens a company's answers may take a day (UTC); beyond it passages are quoted. none: no bound."""
    if not (tokens == "none" or (tokens.isascii() and tokens.isdigit() and len(tokens) < 19)):
        raise Permanent("budget", f"{tokens!r} should be a number of tokens, or none")
    with as_owner(settings.load()) as conn:
        company = companies.by_name(conn, company_name)
        if company is None:
            raise Permanent("company", f"no company is named {company_name!r}: make it with `company create`")
        usage.set_budget(conn, company.id, None if tokens == "none" else int(tokens))
    click.echo(f"{company.name}: {'no budget' if tokens == 'none' else f'{tokens} tokens a day'}")
