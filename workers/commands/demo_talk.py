"""The demo's talker: a greeting, something nobody knows, then a question: the bot stays on through all of it."""

from __future__ import annotations

import click

from shared.store.answers import receipts
from workers.commands.demo_stage import Stage

CHAT = 109
SAYS = (
    ("/start autumn-sale", "welcome"),
    ("Hello!", "courtesy"),
    ("Which team won the cricket cup last summer?", "unknown"),
    ("How many days do I have to return shoes?", "full"),
    ("ok", "silence"),
    ("Thanks a lot!", "courtesy"),
)


def play(stage: Stage) -> None:
    """One conversation, line by line."""
    replies, answers = 0, list[str]()
    click.echo("\n── a conversation that is more than questions " + "─" * 40)
    for text, step in SAYS:
        status = stage.post(stage.update(CHAT, text))
        stage.expect(f"the webhook of chat {CHAT} is accepted (got {status})", status == 200)
        if step != "silence":
            replies += 1
            answers = [str(message["text"]) for message in stage.arrived(CHAT, replies)]
        stage.rest()
        said = "(none is needed)" if step == "silence" else answers[-1] if answers else "(none came)"
        click.echo(f"customer  {text}\nanswer    " + said.replace("\n", "\n          "))
    found = stage.conversation(CHAT)
    steps = [receipt["step"] for receipt in receipts.of_conversation(stage.owner, stage.system.company_id, found.id)] \
        if found else []  # fmt: skip
    expected = [step for _, step in SAYS]
    stage.expect(f"chat {CHAT} goes through {expected} (went through {steps})", steps == expected)
    stage.expect(f"chat {CHAT} gets {replies} replies (got {len(answers)})", len(answers) == replies)
    if found:
        click.echo(f"needs     a person: {found.attention} (the bot is {'on' if found.bot_enabled else 'off'})")
        stage.expect(
            f"chat {CHAT} keeps its bot, waits for a person and knows where it came from"
            f" (bot {found.bot_enabled}, {found.attention}, {found.referral})",
            (found.bot_enabled, found.attention, found.referral) == (True, "nothing_relevant", "autumn-sale"),
        )
