"""What answering a turn needs comes under the names of its fields, whatever the order of the columns."""

from __future__ import annotations

from dataclasses import fields

import psycopg

from shared.embedded import Database
from shared.store.answers import turn_contexts
from shared.store.answers.turns import Claim
from shared.store.assistants import assistants
from shared.store.tenants import companies
from shared.store.tenants.companies import Company
from tests.factories import make_bot


def test_a_turns_company_is_the_one_that_its_table_holds(database: Database) -> None:
    bot = make_bot(database.admin_url)
    with psycopg.connect(database.admin_url, autocommit=True) as conn:
        conn.execute(
            "UPDATE companies SET daily_token_budget = 7 WHERE id = %s", (bot.company_id,),
        )  # fmt: skip
        conn.execute(
            "UPDATE assistants SET name = 'Robin', language = 'de', texts = '{\"greeting\": {\"*\": \"g\"}}',"
            " on_miss = 'after_misses', misses_max = 2, on_wish = 'tell', return_after_s = 3600,"
            " hours = 'Mon 09:00-10:00', time_zone = 'Europe/Berlin' WHERE company_id = %s", (bot.company_id,),
        )  # fmt: skip
        row = conn.execute(
            "INSERT INTO conversations (company_id, channel_id, chat) VALUES (%s, %s, '5') RETURNING id",
            (bot.company_id, bot.channel_id),
        ).fetchone()
        assert row is not None
        turn = conn.execute(
            "INSERT INTO turns (company_id, conversation_id, channel_id, state, epoch, first_seq, last_seq,"
            " received_at, due_at) VALUES (%s, %s, %s, 'answering', 3, 1, 1, now(), now()) RETURNING id",
            (bot.company_id, row[0], bot.channel_id),
        ).fetchone()
        assert turn is not None
        claim = Claim(bot.company_id, int(turn[0]), 3)

        [loaded] = turn_contexts.load(conn, [claim], history_lines=5, lines_max=10).values()
        company = companies.by_id(conn, bot.company_id)
        [assistant] = assistants.of_company(conn, bot.company_id)

    assert company is not None
    assert loaded.assistant == assistant
    assert (assistant.name, assistant.misses_max, assistant.time_zone) == ("Robin", 2, "Europe/Berlin")
    assert {one.name: getattr(loaded.company, one.name) for one in fields(Company)} == {
        one.name: getattr(company, one.name) for one in fields(Company)
    }
    assert (loaded.turn.conversation_id, loaded.turn.chat, loaded.turn.platform) == (row[0], "5", bot.platform)
    assert (loaded.tokens_today, loaded.misses, loaded.where) == (0, 0, None)
