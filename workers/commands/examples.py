"""One example of each command, shown below its help."""

from __future__ import annotations

import shlex

import click

EXAMPLES = """
up
down
demo
drill
worker reply
migrate
company create "Acme Shoes" --slug acme
company list
company rename acme "Acme Boots"
company show acme
assistant bind acme/1 --channel 2
assistant create Robin --company acme
assistant list --company acme
assistant reset-text acme/1 welcome
assistant set acme/1 --on-miss at-once --hours "Mon-Fri 09:00-17:00" --time-zone Europe/Berlin
assistant set-text acme/1 welcome "Hello! How can I help?"
assistant show acme/1
assistant texts acme/1 --language de
agent create Ada --company acme
agent disable acme/3
agent list --company acme
key add "Shop backend" --company acme --scope read --scope write --days 365
key list --company acme
key revoke acme/3
app disable acme-bot
app drop-old-secret acme-bot
app enable acme-bot
app list
app register acme-bot --public-url https://bots.example.com
app rotate-secret acme-bot
app seen acme-bot
app show acme-bot
channel automatic-replies acme/2 --ignore-app 263902037430900
channel check acme/2
channel connect telegram --company acme --slug acme-bot
channel create-widget --company acme --slug acme-chat --origin https://www.example.com
channel disable acme/2
channel enable acme/2
channel health
channel kinds
channel list
channel seen acme/2
channel show acme/2
keys rotate
documents add handbook/ --company acme
documents add-site https://www.example.com/sitemap.xml --company acme
documents clear-failed --company acme --reason PDF
documents delete acme/12
documents list --company acme
documents progress --company acme
documents retry --company acme
documents search "How long may I return shoes?" --company acme
embedding-models create text-embedding-3-small
embedding-models drop text-embedding-3-small
embedding-models list
embedding-models progress text-embedding-3-small
embedding-models switch text-embedding-3-small
conversations close acme/17
conversations hand-back acme/17
conversations list --company acme
conversations mark-read acme/17
conversations show acme/17 --content
conversations take-over acme/17
doctor
request 0198c5a2-7e1b-7c3d-9a4f-1b2c3d4e5f60
balance --hours 24
job history lifecycle.archive_messages
job list
job pause knowledge.refresh_documents
job resume knowledge.refresh_documents
job run lifecycle.archive_messages --dry-run
retention set webhook_events 30 --company acme
retention show
retention unset webhook_events --company acme
limit abuse --company acme
limit list
limit reset media_fetches --company acme
limit set answers --company acme --per-hour 120
limit set media_fetches --company acme --per-company 50000 --per-contact none
archive delete --older-than 730 --dry-run
archive preview --company acme
archive receipts
archive restore --conversation acme/17
archive run --company acme
archive stats
archive terms --company acme --after-days 90
backup drop-replaced
backup list
backup prove
backup restore newest
backup run
contact erase acme/52
contact export acme/52 ada
contact find Ada --company acme
outbound unknown-outcomes list
outbound unknown-outcomes settle acme/7 --sent
turns list --company acme
receipt 41
model-provider add openai https://api.openai.com/v1 --model gpt-4o-mini --key-file openai.key
model-provider change openai --add-model gpt-4o
model-provider list
model-provider remove openai --company acme
model-provider test openai
model-route reset answer --company acme
model-route set answer openai/gpt-4o@800 openai/gpt-4o-mini --company acme
model-route show --company acme
price list
price set gpt-4o-mini 0.15 0.60
price unset gpt-4o-mini
usage --by company --days 30
report list
report show monthly --period 2026-10
usage reprice --days 30 --model gpt-4o-mini=0.10/0.40
budget check
budget reset --contact acme/52
budget set 50 --company acme
budget show --company acme
budget tokens 1000000 --company acme
dead-letters discard 2026-01-01/s/1-0/0 --reason spam
dead-letters list
dead-letters redrive 2026-01-01/s/1-0/0
dead-letters show 2026-01-01/s/1-0/0 --content
eval sets ../sets xquad-en xquad-de --at-most 100
eval retrieval --corpus corpus.jsonl --queries queries.jsonl --out run.jsonl
openapi
parse telegram --me @acme_bot < webhook.json
"""
"""As they follow `./switchboard`, a line each."""


def example_of(path: str) -> str | None:
    """The example of the command with this path, such as `company create`."""
    words = path.split()
    lines = EXAMPLES.strip().splitlines()
    return next((line for line in lines if shlex.split(line)[: len(words)] == words), None)


def show_examples(command: click.Command, path: str) -> None:
    """Put the example of a command, or of all commands of a group, below its help."""
    if isinstance(command, click.Group):
        for name, below in command.commands.items():
            show_examples(below, f"{path} {name}")
    elif example := example_of(path):
        command.epilog = f"\b\nExample:\n  ./switchboard {example}"
