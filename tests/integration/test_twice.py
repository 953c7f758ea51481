"""Exit codes: a command that changes something says 1 where everything is as it asks for already."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from tests.factories import Bot, Inbox, make_bot, update
from tests.integration.command_line import Run
from tests.unit.test_command_tree import COMMANDS

TWICE = {
    "down": "down",
    "company create": "company create Other",
    "company rename": "company rename shoe-shop 'Boot shop'",
    "assistant create": "assistant create Robin --company shoe-shop",
    "assistant bind": "assistant bind shoe-shop/{robin} --channel {channel}",
    "assistant set": "assistant set shoe-shop/{assistant} --on-miss at-once --return-after 2h",
    "assistant set-text": "assistant set-text shoe-shop/{assistant} welcome Hello",
    "assistant reset-text": "assistant reset-text shoe-shop/{assistant} welcome",
    "agent create": "agent create Bob --company shoe-shop",
    "agent disable": "agent disable shoe-shop/{agent}",
    "key add": "key add Backend --company shoe-shop --scope read",
    "key revoke": "key revoke shoe-shop/{key}",
    "app disable": "app disable {app}",
    "app enable": "app enable {app}",
    "app drop-old-secret": "app drop-old-secret {app}",
    "app seen": "app seen {app}",
    "channel create-widget": "channel create-widget --company shoe-shop --slug chat --origin https://a.example",
    "channel automatic-replies": "channel automatic-replies shoe-shop/{channel} --heed-app 7",
    "channel disable": "channel disable shoe-shop/{channel}",
    "channel enable": "channel enable shoe-shop/{channel}",
    "channel seen": "channel seen shoe-shop/{channel}",
    "documents retry": "documents retry --company shoe-shop",
    "documents clear-failed": "documents clear-failed --company shoe-shop",
    "documents delete": "documents delete shoe-shop/{document}",
    "conversations take-over": "conversations take-over shoe-shop/{conversation}",
    "conversations close": "conversations close shoe-shop/{conversation}",
    "conversations hand-back": "conversations hand-back shoe-shop/{conversation}",
    "conversations mark-read": "conversations mark-read shoe-shop/{conversation}",
    "retention set": "retention set llm_calls 30",
    "retention set --company": "retention set llm_calls 20 --company shoe-shop",
    "retention unset": "retention unset llm_calls",
    "retention unset --company": "retention unset llm_calls --company shoe-shop",
    "limit set": "limit set media_fetches --per-contact 7",
    "limit reset": "limit reset media_fetches",
    "limit set --company": "limit set media_fetches --company shoe-shop --per-contact 7",
    "limit reset --company": "limit reset media_fetches --company shoe-shop",
    "limit set, a rate": "limit set answers --per-hour 70",
    "limit reset, a rate": "limit reset answers",
    "limit set --company, a rate": "limit set answers --company shoe-shop --per-hour 70",
    "limit reset --company, a rate": "limit reset answers --company shoe-shop",
    "job pause": "job pause inbox.reconcile_totals",
    "job resume": "job resume inbox.reconcile_totals",
    "archive run": "archive run",
    "archive restore": "archive restore --all",
    "archive terms": "archive terms --company shoe-shop --after-days 90",
    "archive delete": "archive delete --older-than 730 --yes",
    "outbound unknown-outcomes settle": "outbound unknown-outcomes settle shoe-shop/1 --sent",
    "model-provider add": "model-provider add house http://127.0.0.1:9/v1 --model large --no-key",
    "model-provider change": "model-provider change house --add-model small",
    "model-route set": "model-route set answer house/large",
    "model-route reset": "model-route reset answer",
    "model-provider remove": "model-provider remove house",
    "price set": "price set gpt 0.15 0.60",
    "price set --company": "price set gpt 0.15 0.60 --company shoe-shop",
    "price unset": "price unset gpt",
    "price unset --company": "price unset gpt --company shoe-shop",
    "budget tokens": "budget tokens 1000 --company shoe-shop",
    "budget tokens none": "budget tokens none --company shoe-shop",
    "budget set": "budget set 5 --company shoe-shop --each-contact",
    "budget set default": "budget set default --company shoe-shop --each-contact",
    "budget reset": "budget reset --company shoe-shop",
    "dead-letters redrive": "dead-letters redrive --all",
    "dead-letters discard": "dead-letters discard 2026-01-01/s/1-0/0 --reason spam",
    "embedding-models drop": "embedding-models drop nothing --yes",
    "embedding-models switch": "embedding-models switch nothing",
}  # fmt: skip
"""One after the other on one database. Some find nothing to do at the first time already."""

OTHERWISE = {
    "again, and that is what is wanted": {
        "up", "demo", "drill", "worker", "job run", "backup run", "backup prove", "documents add", "documents add-site",
        "app rotate-secret", "app register", "keys rotate", "eval retrieval", "eval sets", "model-provider test",
    },
    "a deployment runs it whatever there is": {"migrate"},
    "a platform, an embedder or a stopped system is needed, and other tests have it": {
        "channel connect", "channel check", "embedding-models create", "backup restore", "backup drop-replaced",
    },
    "shows the receipt of the first time": {"contact erase"},
    "only shows, or writes a file": {
        "model-provider list", "model-route show",
        "company list", "company show", "assistant list", "assistant show", "assistant texts",
        "agent list", "key list", "app list", "app show", "channel list", "channel show",
        "channel health", "channel kinds", "documents list", "documents progress", "documents search",
        "embedding-models list", "embedding-models progress", "conversations list", "conversations show", "doctor",
        "request", "balance", "job list", "job history", "retention show", "limit list", "limit abuse",
        "archive preview",
        "budget show", "budget check",
        "archive stats", "archive receipts", "backup list", "contact find", "contact export",
        "outbound unknown-outcomes list", "turns list", "receipt", "price list", "usage", "usage reprice",
        "report list", "report show",
        "dead-letters list", "dead-letters show", "parse", "openapi",
    },
}  # fmt: skip
"""Commands that the table leaves out, by the reason."""


def test_every_command_is_in_the_table_or_left_out_for_a_reason() -> None:
    left_out = set[str]().union(*OTHERWISE.values())
    tried = {name for name in COMMANDS for said in TWICE.values() if said.startswith(f"{name} ") or said == name}

    assert COMMANDS.keys() - tried - left_out == set()
    assert tried & left_out == set()


def test_the_same_thing_twice_exits_1_with_one_line(run: Run, inbox: Inbox, tmp_path: Path) -> None:
    bot = make_bot(inbox.server.admin_url, "Shoe shop")
    inbox.journal(bot, update("hello", chat=5))
    inbox.drain_all()
    (tmp_path / "hours.txt").write_text("We open at nine.")
    [(conversation,)] = inbox.rows("SELECT id FROM conversations")
    made = run("agent", "create", "Ada", "--company", "shoe-shop", "--json").json
    key = run("key", "add", "Shop", "--company", "shoe-shop", "--scope", "admin", "--json").json["id"]
    names = {"agent": made["id"], "key": key, "app": bot.slug, "channel": bot.channel_id, "folder": tmp_path,
             "document": 1, "conversation": conversation, **_assistants(inbox, bot)}  # fmt: skip

    wrong = []
    for name, said in TWICE.items():
        words = shlex.split(said.format(**names))
        first, second = run(*words), run(*words)
        if first.code not in (0, 1) or second.code != 1:
            wrong.append((name, first.code, second.code, second.err))
        assert "Traceback" not in second.err, name

    assert wrong == []


def _assistants(inbox: Inbox, bot: Bot) -> dict[str, object]:
    """The default one, and another."""
    [(default,)] = inbox.rows("SELECT id FROM assistants WHERE company_id = %s", bot.company_id)
    [(made,)] = inbox.rows(
        "INSERT INTO assistants (company_id, name) VALUES (%s, 'Robina') RETURNING id", bot.company_id
    )
    return {"assistant": default, "robin": made}


@pytest.mark.parametrize(
    "name", ["backup prove nothing", "embedding-models switch nothing", "embedding-models progress nothing"]
)
def test_a_name_that_nothing_has_exits_1(run: Run, inbox: Inbox, name: str) -> None:
    assert run(*name.split()).code == 1
