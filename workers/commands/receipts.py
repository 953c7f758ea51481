"""Commands about how answers were made: receipts and turns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import click

from shared import settings
from shared.errors import NotFound
from shared.store.answers import receipts as store
from shared.store.answers import turns
from shared.store.answers.receipts import Story
from tasks.answers import trace
from workers.commands.amounts import money
from workers.commands.naming import ID, company_id_of, company_option
from workers.commands.printing import as_json_option, limit_option, print_json, print_rows
from workers.commands.setup import as_owner

_BOT = {
    "hands_over": "a person gets the conversation",
    "pauses": "silent from now on, as the customer wants it",
    "resumes": "answers again",
}
"""What an answer did to its conversation."""
TURN_STATES = ("waiting", "answering", "answered", "handed_over", "no_reply", "cancelled")


@click.command()
@click.argument("turn_id", metavar="TURN", type=ID)
@company_option("Whose turn it is; it is found faster.", required=False)
@as_json_option
def receipt(turn_id: int, company: str | None, as_json: bool) -> None:
    """Show how the answer to a turn was made: each station with its time, passages, model calls, step and cost."""
    with as_owner(settings.load()) as conn:
        company_id = company_id_of(conn, company)
        story = store.story(conn, turn_id, company_id)
    if story is None:
        where = "" if company_id is None else f" of company {company_id}"
        raise NotFound("turn", f"there is no turn {turn_id}{where}: see `turns list`")
    found = trace.spans(story)
    if as_json:
        print_json({**asdict(story), "spans": [asdict(span) for span in found]})
        return
    for line in [*_head(story), "", *trace.chart(found), *_passages(story)]:
        click.echo(line)


def _head(story: Story) -> list[str]:
    failed = f", failed with {story.error}" if story.error else ""
    lines = [
        f"turn {story.turn_id}, conversation {story.company_id}/{story.conversation_id}: {story.state}"
        f" (attempt {story.attempts}{failed})"
    ]
    if story.receipt is not None:
        left = " → ".join(
            f"{t['step']} ({t['left']})" if t["left"] else t["step"] for t in story.receipt["fallback_steps"]
        )
        lines += [
            f"step      {story.receipt['step']}, reason {story.receipt['reason']}",
            f"fallback  {left or story.receipt['step']}",
            _cost(story.receipt),
        ]
        if story.receipt["bot"] is not None:
            lines.append(f"bot       {_BOT[story.receipt['bot']]}")
    if story.overtaken["calls"]:
        lines.append(f"overtaken {story.overtaken['calls']} calls, {money(story.overtaken['cost_micros'])}")
    return lines


def _cost(receipt: dict[str, Any]) -> str:
    if not receipt["attempts"] and receipt["cost_micros"] == 0:
        return "cost      none: no model was asked to write it"
    tokens = f"tokens {receipt['tokens_in']} in, {receipt['tokens_out']} out{_estimated(receipt['attempts'])}"
    return f"cost      {money(receipt['cost_micros'])}   {tokens}"


def _estimated(attempts: Sequence[dict[str, Any]]) -> str:
    return " (estimated: the model's server does not say)" if any(a.get("estimated") for a in attempts) else ""


def _passages(story: Story) -> list[str]:
    if story.receipt is None or not story.receipt["passages"]:
        return []
    cited = {citation["chunk"]: citation["n"] for citation in story.receipt["citations"]}
    model = story.receipt["embedding_model"]
    ranked = f"ranked {f'with {model}' if model else 'by words only'}"
    needed = story.receipt["passages"][0].get("needed", 0.0)  # answers of before do not say
    taken = f", taken from a relevance of {needed:g} on" if needed else ""
    lines = ["", f"passages, {ranked}{taken}"]
    for number, passage in enumerate(story.receipt["passages"], 1):
        too_low = passage["relevance"] < needed
        mark = "cited" if passage["chunk"] in cited else "too low" if too_low else ""
        lines.append(
            f"  [{number}] score {passage['score']:8.3f}  relevance {passage['relevance']:.2f}  {mark:<7}  "
            f"{passage['title']}"
        )
    return lines


@click.group("turns")
def turns_group() -> None:
    """Turns: what customers asked and what became of it."""


@turns_group.command("list")
@company_option("Only this company's.", required=False)
@click.option("--state", type=click.Choice(TURN_STATES), help="Only those in this state.")
@limit_option(50, most=100_000)
@as_json_option
def turns_list(company: str | None, state: str | None, limit: int, as_json: bool) -> None:
    """List turns, newest first, without any text."""
    with as_owner(settings.load()) as conn:
        rows = turns.newest(conn, company_id=company_id_of(conn, company), state=state, limit=limit + 1)
    print_rows(rows, _turn_line, empty="no turns", as_json=as_json, limit=limit)


def _turn_line(row: turns.Listed) -> str:
    step = f"{row.step} ({row.reason})" if row.step else row.error or ""
    return (f"{row.id}  conversation {row.company_id}/{row.conversation_id}  {row.state:<11}  {step}"
                   f"  {row.received_at:%Y-%m-%d %H:%M:%S}")  # fmt: skip
