"""Row-level security, table by table as the catalogue names them: nobody reaches another company's rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import psycopg
import pytest
from psycopg import errors, sql

from shared.embedded import Database
from shared.knowledge import search as knowledge
from shared.model import Answer, ModelAttempt
from shared.store.answers import replies, turns
from shared.store.db.pool import Conn, set_companies
from shared.store.delivery import statuses
from shared.store.inbox import changes, conversations, reactions
from shared.store.knowledge import embeddings, imports, index_audit
from shared.store.lifecycle import retention  # fmt: skip
from tasks.tenants import onboarding
from tests.factories import Bot, Inbox, make_bot, update
from tests.integration.claims import begin_send, claim_part, claim_turn

OPERATORS_ONLY = {
    "apps", "journal_progress", "sweeps", "schema_migrations", "webhook_raw", "companies", "model_prices",
    "reports",  # of all companies together, and the dearest by their ids
    "balance_checks",  # sums over everybody
    "embedding_models",  # which models there are
    "jobs", "job_runs", "retention_policies", "archive_runs", "table_sizes", "alerts",  # the timetable's
    "backups", "rounds",  # the timetable's, too
    "daily_limits",  # everybody's defaults
    "overload", "queue_depths", "reply_paces",  # ids and numbers of the whole fleet
    "app_answers", "dropped_events",  # an app may serve several companies
}  # fmt: skip
"""Tables without a company_id. Whoever adds another one says here why it needs no company."""

LOOKS_OVER_THE_FENCE = {
    "agent_of_key", "archive_change_contact", "archive_move",
    "channels_to_watch", "claim_imports", "claim_indexing", "claim_media",
    "claim_parts", "claim_turns", "company_ids", "count_answers", "disabled_routes_of",
    "add_embedding_model", "ensure_embedding_model",
    "expire_sending", "holder_of_key", "knowledge_nearest", "knowledge_search", "ledger_known", "ledger_resolve",
    "note_keys_used",
    "operations_background", "operations_budgets", "operations_channels", "operations_dropped", "operations_recall",
    "operations_embedding_models", "operations_state", "operations_usage", "note_dropped", "operations_attention",
    "ops_counts", "ops_dead_letter", "ops_dead_letters", "ops_discard", "ops_hours", "ops_unknown_outcomes",
    "overdue", "quiet_handovers",
    "overdue_by_company", "popular_commonest", "renew_turns", "routes_of", "switchboard_replicas", "take_daily",
    "unidentified_companies", "models_routed_companies",
}  # fmt: skip
"""SECURITY DEFINER functions that the application role may call."""


@dataclass(frozen=True)
class Tables:
    """names: every table with a company, and `companies`; key: the column that says whose a row is."""

    server: Database
    ours: Bot
    foreign: Bot
    names: list[str]
    partitions: list[str]

    @staticmethod
    def key(table: str) -> str:
        return "id" if table == "companies" else "company_id"


@pytest.fixture(scope="module")
def tables(services: object, module_database: Database) -> Iterator[Tables]:
    server = module_database
    ours, foreign = make_bot(server.admin_url), make_bot(server.admin_url)
    with services.redis_database() as redis_url:  # type: ignore[attr-defined]
        inbox = Inbox(server, redis_url)
        try:
            inbox.journal(ours, update("hello", chat=5, photo=[{"file_id": "f", "width": 1, "height": 1}]))
            inbox.drain_all()
        finally:
            inbox.close()
    with psycopg.connect(server.admin_url) as conn:
        _seed(conn, ours)
        yield Tables(server, ours, foreign, *_catalogue(conn))


def _catalogue(conn: Conn) -> tuple[list[str], list[str]]:
    rows = conn.execute(
        "SELECT c.relname::text, c.relispartition FROM pg_class c"
        " WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')"
        " AND (c.relispartition OR c.relname = 'companies' OR EXISTS (SELECT 1 FROM pg_attribute a"
        "   WHERE a.attrelid = c.oid AND a.attname = 'company_id' AND NOT a.attisdropped)) ORDER BY 1"
    ).fetchall()
    return [str(n) for n, partition in rows if not partition], [str(n) for n, partition in rows if partition]


def _seed(conn: Conn, bot: Bot) -> None:
    """What a webhook alone does not fill."""
    company = bot.company_id
    set_companies(conn, [company])
    onboarding.make_agent(conn, company, "Ann")
    retention.set_override(conn, company, "webhook_events", 30)
    model_id = embeddings.ensure_model(conn, "small", 2)
    document = knowledge.add(
        conn, company, source="a", title="Opening hours", text="We open at nine. Call AX-3306-B."
    ).document_id
    [(chunk_id,)] = conn.execute("SELECT id FROM chunks WHERE company_id = %s", (company,)).fetchall()
    embeddings.add(conn, company, model_id, [(int(str(chunk_id)), [0.6, 0.8])])
    conn.execute(
        "INSERT INTO chunk_speakers SELECT company_id, id, 'Ann' FROM chunks WHERE company_id = %s", (company,)
    )
    conn.execute(
        "INSERT INTO chat_filters SELECT company_id, id, jsonb_build_object('documents', ARRAY[%s::bigint])"
        " FROM conversations WHERE company_id = %s",
        (document, company),
    )
    conn.execute(
        "INSERT INTO moved_chats (company_id, channel_id, chat, moved_to)"
        " SELECT company_id, id, '-1', '-1001' FROM channels WHERE company_id = %s", (company,),
    )  # fmt: skip
    conn.execute(
        "INSERT INTO merged_conversations (company_id, id, merged_into)"
        " SELECT company_id, 0, id FROM conversations WHERE company_id = %s", (company,),
    )  # fmt: skip
    conn.execute(
        "INSERT INTO model_providers (company_id, name, base_url, paid) VALUES (%s, 'a', 'https://a.example', true)",
        (company,),
    )
    conn.execute(
        "INSERT INTO rate_limits (company_id, purpose, per_hour) VALUES (%s, 'answers', 5)",
        (company,),
    )
    conn.execute(
        "INSERT INTO model_routes (company_id, purpose, ordinal, provider_id, model)"
        " SELECT company_id, 'answer', 1, id, 'm' FROM model_providers WHERE company_id = %s", (company,),
    )  # fmt: skip
    imports.note(conn, company, source="a", name="a", folder=None, document_id=document, reason=None)
    index_audit.record(conn, company, recall=0.9, questions=1, ef_search=200)
    claim = claim_turn(conn) or _make_due(conn)
    turn = turns.load(conn, claim)
    assert turn is not None
    conversation = conversations.lock(conn, company, turn.conversation_id)
    assert conversation is not None
    conn.execute(
        "INSERT INTO popular_questions SELECT company_id, min(id), 3 FROM messages WHERE company_id = %s GROUP BY 1",
        (company,),
    )
    asked = (ModelAttempt("one", "m", "ok", 5, 20, 5),)
    answer = Answer("At nine.", "full", "model", attempts=asked)
    assert replies.make(conn, claim, conversation, "answered", answer, ["At nine."]) is not None
    part = claim_part(conn)
    assert part is not None
    begin_send(conn, part)
    for table, columns, values in (
        (
            "archive_segments",
            "company_id, conversation_id, kind, first_seq, last_seq, run_id, from_at, to_at, rows, hot_bytes, body",
            "%s, (SELECT min(id) FROM conversations), 'messages', 0, 0, 1, now(), now(), 1, 1, '[]'",
        ),
        ("archived_keys", "company_id, channel_id, key_hash, message_id", "%s, 1, dedupe_key_hash('a'), 1"),
        (
            "contact_identities",
            "company_id, channel_id, identity, contact_id, external_id",
            "%s, (SELECT min(channel_id) FROM contacts), 'a', (SELECT min(id) FROM contacts), 'a'",
        ),
        ("daily_limit_overrides", "company_id, kind, per_company", "%s, 'images', 1"),
        ("model_price_overrides", "company_id, model, in_micros, out_micros", "%s, 'm', 1, 1"),
        ("daily_uses", "company_id, day, kind, used", "%s, current_date, 'images', 1"),
        ("budgets", "company_id, scope, limit_micros", "%s, 'company', 1"),
        ("budget_resets", "company_id, day, micros", "%s, current_date, 0"),
        (
            "contact_answers",
            "company_id, contact_id, answered_at",
            "%s, (SELECT min(id) FROM contacts), ARRAY[now()]",
        ),
        ("contact_days", "company_id, contact_id, day, cost_micros", "%s, 1, current_date, 1"),
        (
            "budget_reservations",
            "company_id, micros, purpose, day, expires_at",
            "%s, 1, 'answer', current_date, now() + interval '1 hour'",
        ),
        ("deletion_receipts", "company_id, kind, subject, requested_by, counts", "%s, 'archive', 'a', 'hand', '{}'"),
    ):
        conn.execute(f"INSERT INTO {table} ({columns}) VALUES ({values})".encode(), (company,))
    now = datetime.now(UTC)
    changes.keep_early(conn, {(company, turn.conversation_id, "m9"): changes.Content(deleted_at=now)})
    reactions.put(conn, [reactions.Reaction(company, turn.channel_id, "5", "m1", "5", "👍", now)])
    statuses.keep_early(conn, [statuses.Early(company, turn.channel_id, "p1", "read", None, now)])
    conn.commit()


def _make_due(conn: Conn) -> turns.Claim:
    conn.execute("UPDATE turns SET due_at = now()")
    claim = claim_turn(conn)
    assert claim is not None
    return claim


@pytest.fixture
def app(tables: Tables) -> Iterator[Conn]:
    """The application role, in a transaction that is undone."""
    with psycopg.connect(tables.server.url) as conn:
        yield conn
        conn.rollback()


def test_every_tenant_table_holds_rows_to_try_with(tables: Tables) -> None:
    assert {"companies", "messages", "turns", "outbound", "webhook_events", "chunks"} <= set(tables.names)
    with psycopg.connect(tables.server.admin_url) as owner:
        empty = [
            table
            for table in tables.names
            if owner.execute(_sql("SELECT 1 FROM {0} WHERE {1} = %s", table), (tables.ours.company_id,)).fetchone()
            is None
        ]
    assert empty == [], "a new tenant table: seed a row of it in _seed, so that the tests below try it"


def test_every_table_without_a_company_is_one_that_needs_none(tables: Tables) -> None:
    with psycopg.connect(tables.server.admin_url) as owner:
        every = owner.execute(
            "SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace"
            " AND relkind IN ('r', 'p') AND NOT relispartition"
        ).fetchall()

    assert {str(row[0]) for row in every} - set(tables.names) == OPERATORS_ONLY - {"companies"}


def test_every_tenant_table_and_its_partitions_have_row_level_security(tables: Tables) -> None:
    with psycopg.connect(tables.server.admin_url) as owner:
        open_ = owner.execute(
            "SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace AND NOT relrowsecurity"
            " AND relname = ANY (%s)",
            (tables.names + tables.partitions,),
        ).fetchall()

    assert open_ == []


def test_another_company_s_rows_cannot_be_seen_changed_or_deleted(tables: Tables, app: Conn) -> None:
    set_companies(app, [tables.foreign.company_id])
    own = {"companies", "channels", "company_totals", "assistants"}  # the foreign company has rows of its own here
    own |= {"rate_limits"}  # and sees the defaults, which are nobody's

    for table in tables.names:
        for statement in (
            "SELECT 1 FROM {0} WHERE {1} = %s",
            "UPDATE {0} SET {2} = {2} WHERE {1} = %s",
            "DELETE FROM {0} WHERE {1} = %s",
        ):
            assert _touched(app, _sql(statement, table), tables.ours.company_id) == 0, (table, statement)
        if table not in own:
            assert _touched(app, _sql("SELECT {1} FROM {0}", table)) == 0, table


def test_a_row_cannot_be_written_for_another_company(tables: Tables, app: Conn) -> None:
    for table in tables.names:
        with psycopg.connect(tables.server.admin_url) as owner:
            columns = sql.SQL(", ").join(sql.Identifier(c) for c in _insertable(owner, table))
        set_companies(app, [tables.ours.company_id])
        # a copy of our row, read while we may, written while we may not
        copied = app.execute(
            sql.SQL("SELECT row_to_json(r)::text FROM (SELECT {} FROM {} LIMIT 1) r").format(
                columns, sql.Identifier(table)
            )
        ).fetchone()
        assert copied is not None, table
        set_companies(app, [tables.foreign.company_id])
        with pytest.raises(errors.InsufficientPrivilege):
            app.execute(
                sql.SQL("INSERT INTO {0} ({1}) SELECT {1} FROM json_populate_record(NULL::{0}, %s::json)").format(
                    sql.Identifier(table), columns
                ),
                copied,
            )
        app.rollback()


def test_without_a_company_every_tenant_table_refuses_to_answer(tables: Tables, app: Conn) -> None:
    for table in tables.names:
        for statement in ("SELECT {1} FROM {0}", "UPDATE {0} SET {2} = {2}", "DELETE FROM {0}"):
            with pytest.raises(errors.InsufficientPrivilege):
                app.execute(_sql(statement, table))
            app.rollback()


def test_with_an_empty_list_of_companies_every_tenant_table_refuses_to_answer(tables: Tables, app: Conn) -> None:
    for table in tables.names:
        set_companies(app, [])
        with pytest.raises(errors.InsufficientPrivilege):
            app.execute(_sql("SELECT {1} FROM {0}", table))
        app.rollback()


def test_a_company_set_once_is_forgotten_with_its_transaction(tables: Tables, app: Conn) -> None:
    set_companies(app, [tables.ours.company_id])
    assert app.execute("SELECT count(*) FROM messages").fetchone() == (2,)
    app.commit()

    with pytest.raises(errors.InsufficientPrivilege):
        app.execute("SELECT count(*) FROM messages")


def test_a_partition_cannot_be_reached_directly(tables: Tables, app: Conn) -> None:
    assert len(tables.partitions) >= 3
    for partition in tables.partitions:
        for statement in ("SELECT 1 FROM {}", "DELETE FROM {}", "INSERT INTO {} SELECT * FROM {}"):
            set_companies(app, [tables.ours.company_id])
            with pytest.raises(errors.InsufficientPrivilege):
                app.execute(sql.SQL(statement).format(*[sql.Identifier(partition)] * statement.count("{}")))
            app.rollback()


def test_a_partition_made_later_cannot_be_reached_directly_either(tables: Tables, app: Conn) -> None:
    with psycopg.connect(tables.server.admin_url, autocommit=True) as owner:
        owner.execute("SELECT switchboard_make_partition('webhook_events', '2031-05-06')")

    set_companies(app, [tables.ours.company_id])
    with pytest.raises(errors.InsufficientPrivilege):
        app.execute("SELECT 1 FROM webhook_events_20310506")


def test_the_application_role_cannot_read_raw_bodies_or_make_itself_a_company(tables: Tables, app: Conn) -> None:
    for statement in (
        "SELECT body FROM webhook_raw",
        "INSERT INTO companies (name) VALUES ('mine')",
        "UPDATE companies SET name = 'mine'",
        "INSERT INTO apps (platform, slug, secrets) VALUES ('telegram', 'mine', '')",
        "CREATE TABLE mine (id int)",
        "INSERT INTO embedding_models (name, dimension) VALUES ('mine', 2)",
        "ALTER TABLE messages DISABLE ROW LEVEL SECURITY",
    ):
        set_companies(app, [tables.ours.company_id])
        with pytest.raises(errors.InsufficientPrivilege):
            app.execute(statement)
        app.rollback()


def test_only_the_known_functions_look_over_the_fence_and_none_is_anybody_s(tables: Tables) -> None:
    with psycopg.connect(tables.server.admin_url) as owner:
        rows = owner.execute(
            "SELECT proname::text, has_function_privilege('switchboard_app', oid, 'EXECUTE'),"
            " coalesce(array_to_string(proconfig, ' '), '') LIKE '%search_path=%',"
            " EXISTS (SELECT 1 FROM aclexplode(coalesce(proacl, acldefault('f', proowner))) WHERE grantee = 0)"
            " FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND prosecdef"
        ).fetchall()
        anybodys = owner.execute(
            "SELECT proname::text FROM pg_proc p WHERE pronamespace = 'public'::regnamespace"
            " AND pg_get_userbyid(proowner) = current_user"
            " AND EXISTS (SELECT 1 FROM aclexplode(coalesce(proacl, acldefault('f', proowner))) WHERE grantee = 0)"
        ).fetchall()

    assert {str(name) for name, callable_, *_ in rows if callable_} == LOOKS_OVER_THE_FENCE
    assert [name for name, _, fixed, public in rows if not fixed or public] == []
    assert anybodys == []


def test_knowledge_of_another_company_is_refused_and_not_just_empty(tables: Tables, app: Conn) -> None:
    set_companies(app, [tables.foreign.company_id])

    with pytest.raises(errors.InsufficientPrivilege):
        knowledge.search(app, tables.ours.company_id, "when do you open?")
    app.rollback()
    set_companies(app, [tables.foreign.company_id])
    model_id = embeddings.find_model(app, "small", 2)
    assert model_id is not None
    with pytest.raises(errors.InsufficientPrivilege):
        embeddings.nearest(app, tables.ours.company_id, model_id, [0.6, 0.8], 5)


def _sql(statement: str, table: str) -> sql.Composed:
    """{0} is the table, {1} the column that says whose a row is, {2} one that may be updated at all."""
    key = Tables.key(table)
    any_column = "name" if table == "companies" else key
    return sql.SQL(statement).format(*map(sql.Identifier, (table, key, any_column)))


def _touched(conn: Conn, statement: sql.Composed, *values: object) -> int:
    """Rows that a statement reaches; 0 where the role may not run it at all."""
    try:
        with conn.transaction():
            return conn.execute(statement, values).rowcount
    except errors.InsufficientPrivilege:
        return 0


def _insertable(owner: Conn, table: str) -> list[str]:
    rows = owner.execute(
        "SELECT attname::text FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped"
        " AND attidentity = ''",
        (table,),
    ).fetchall()
    return [str(row[0]) for row in rows]


def test_ledger_rows_that_belong_to_no_company_are_nobody_s_to_read(tables: Tables, app: Conn) -> None:
    with psycopg.connect(tables.server.admin_url, autocommit=True) as owner:
        changed = owner.execute(
            "UPDATE webhook_events SET company_id = NULL"
            " WHERE (stream, entry_id, ordinal) = (SELECT stream, entry_id, ordinal FROM webhook_events LIMIT 1)"
        ).rowcount
    assert changed == 1

    for working_for in ([tables.ours.company_id], [tables.ours.company_id, tables.foreign.company_id]):
        set_companies(app, working_for)
        assert app.execute("SELECT count(*) FROM webhook_events WHERE company_id IS NULL").fetchone() == (0,)
        app.rollback()
