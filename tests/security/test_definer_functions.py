"""Functions that run with the owner's rights find the product's own tables and types, whoever calls them.

Two defences, each shown alone: the application role may make no objects, and in every such function pg_temp comes last.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from psycopg import sql

from shared.embedded import Database
from shared.errors import SettingsError
from shared.knowledge import search as knowledge
from shared.store.db import migrate
from shared.store.db.pool import check_role, set_companies
from tests.factories import Bot, make_bot
from tests.services import Services

TRUSTED = {"public", "pg_catalog", "pg_temp"}
FUNCTIONS = """
    SELECT
        p.oid::regprocedure::text AS signature,
        p.prosecdef AS definer,
        p.proowner = (SELECT c.relowner FROM pg_class c WHERE c.oid = 'public.companies'::regclass) AS of_owner,
        EXISTS (SELECT 1 FROM aclexplode(p.proacl) a WHERE a.grantee = 0)
            OR p.proacl IS NULL AS for_everybody,
        (SELECT substr(c, 13) FROM unnest(p.proconfig) c WHERE c LIKE 'search_path=%%') AS path
    FROM pg_proc p
    WHERE p.pronamespace = 'public'::regnamespace
      AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')
    ORDER BY 1
"""
CALLABLE = """
    SELECT p.oid::regprocedure::text, p.proname::text,
           ARRAY(SELECT format_type(t, NULL) FROM unnest(p.proargtypes) WITH ORDINALITY AS a (t, n) ORDER BY n)
    FROM pg_proc p
    WHERE p.pronamespace = 'public'::regnamespace AND p.prosecdef AND p.prorettype <> 'trigger'::regtype
      AND has_function_privilege('switchboard_app', p.oid, 'EXECUTE')
    ORDER BY 1
"""
# Arguments that lead a function as far as it goes, by their types; ":company" stands for the company's id.
BY_TYPE = {
    "bigint": ":company", "bigint[]": "ARRAY[:company]::bigint[]", "integer": "5", "integer[]": "ARRAY[1]",
    "double precision": "1.0", "double precision[]": "ARRAY[1.0]::float8[]", "text": "'small'",
    "text[]": "ARRAY['hours']", "date": "current_date", "date[]": "ARRAY[current_date]",
    "timestamp with time zone": "now()", "timestamp with time zone[]": "ARRAY[now()]", "bytea": "'\\x00'::bytea",
    "boolean": "false", "jsonb": "'{\"speakers\": [\"Ann\"]}'", "halfvec": "'[0.6,0.8]'",
}  # fmt: skip
READS_NO_TABLE = {"count_answers", "note_dropped", "switchboard_replicas"}
"""Two insert with ON CONFLICT, which fails on a view instead of running its code; the third asks the server's own."""
HIT = "foreign code ran as"


@pytest.fixture(scope="module")
def bot(module_database: Database) -> Bot:
    return make_bot(module_database.admin_url)


@pytest.fixture(scope="module")
def attacked(services: Services, module_database: Database, bot: Bot) -> Iterator[Database]:
    """A database with a document, in which the application role may make temporary objects after all."""
    with psycopg.connect(module_database.admin_url) as owner:
        knowledge.add(owner, bot.company_id, source="a", title="Opening hours", text="We open at nine.")
        owner.execute("INSERT INTO embedding_models (name, dimension) VALUES ('small', 2) ON CONFLICT DO NOTHING")
    with _grant(services, module_database, "TEMPORARY"):
        yield module_database


@contextmanager
def _grant(services: Services, database: Database, privilege: str) -> Iterator[None]:
    with psycopg.connect(_as_superuser(services, database), autocommit=True) as superuser:
        name = sql.Identifier(database.name)
        superuser.execute(sql.SQL("GRANT {} ON DATABASE {} TO PUBLIC").format(sql.SQL(privilege), name))
        try:
            yield
        finally:
            superuser.execute(sql.SQL("REVOKE {} ON DATABASE {} FROM PUBLIC").format(sql.SQL(privilege), name))


def _as_superuser(services: Services, database: Database) -> str:
    return services.postgres.superuser_url.rpartition("/")[0] + "/" + database.name


def test_pg_temp_comes_last_in_every_search_path_and_nothing_but_our_schemas_before_it(
    module_database: Database,
) -> None:
    with psycopg.connect(module_database.admin_url) as owner:
        functions = owner.execute(FUNCTIONS).fetchall()

    assert len([f for f in functions if f[1]]) > 30
    for signature, definer, _, _, path in functions:
        if path is None:
            assert not definer, f"{signature} runs with the owner's rights in its caller's search_path"
            continue
        schemas = [schema.strip() for schema in path.split(",")]
        assert schemas[-1] == "pg_temp", f"{signature}: {path}"
        assert set(schemas) <= TRUSTED, f"{signature}: {path}"
        assert schemas.count("pg_temp") == 1, f"{signature}: {path}"


def test_functions_belong_to_the_owner_and_are_executed_by_nobody_who_was_not_granted_it(
    module_database: Database,
) -> None:
    with psycopg.connect(module_database.admin_url) as owner:
        functions = owner.execute(FUNCTIONS).fetchall()

    assert [signature for signature, _, of_owner, _, _ in functions if not of_owner] == []
    assert [signature for signature, _, _, for_everybody, _ in functions if for_everybody] == []


def test_the_application_role_makes_no_object(module_database: Database) -> None:
    for statement in (
        "CREATE TEMPORARY VIEW companies AS SELECT 1", "CREATE TEMPORARY TABLE companies (id int)",
        "CREATE FUNCTION pg_temp.f() RETURNS int LANGUAGE sql AS 'SELECT 1'", "CREATE DOMAIN pg_temp.text AS int",
        "CREATE TABLE public.own (id int)", "CREATE FUNCTION public.f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE SCHEMA own",
    ):  # fmt: skip
        with psycopg.connect(module_database.url) as app, pytest.raises(psycopg.errors.InsufficientPrivilege):
            app.execute(statement.encode())


def _shadow(app: psycopg.Connection) -> None:
    """Make what stands in for every table of ours: whoever reads or writes it runs the caller's code."""
    told = sql.Literal(f"BEGIN RAISE EXCEPTION '{HIT} %', current_user; END")
    app.execute(sql.SQL("CREATE FUNCTION pg_temp.written() RETURNS trigger LANGUAGE plpgsql AS {}").format(told))
    names = app.execute(
        "SELECT c.relname::text FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace"
        " AND c.relkind IN ('r', 'p') AND NOT c.relispartition"
    ).fetchall()
    for (name,) in names:
        table, function = sql.Identifier(name), sql.Identifier("read_" + name)
        app.execute(
            sql.SQL("CREATE FUNCTION pg_temp.{} () RETURNS SETOF public.{} LANGUAGE plpgsql AS {}").format(
                function, table, told
            )
        )
        app.execute(sql.SQL("CREATE TEMPORARY VIEW {} AS SELECT * FROM pg_temp.{} ()").format(table, function))
        app.execute(sql.SQL("GRANT ALL ON pg_temp.{} TO PUBLIC").format(table))
        app.execute(
            sql.SQL(
                "CREATE TRIGGER written INSTEAD OF INSERT OR UPDATE OR DELETE ON pg_temp.{}"
                " FOR EACH ROW EXECUTE FUNCTION pg_temp.written()"
            ).format(table)
        )


def _shadow_types(app: psycopg.Connection) -> None:
    body = sql.Literal(f"BEGIN RAISE EXCEPTION '{HIT} %', current_user; END")
    app.execute(
        sql.SQL("CREATE FUNCTION pg_temp.judge(anyelement) RETURNS boolean LANGUAGE plpgsql AS {}").format(body)
    )
    for name in (b"pg_catalog.text", b"pg_catalog.jsonb", b"pg_catalog.regclass", b"public.halfvec"):
        short = name.partition(b".")[2]
        app.execute(b"CREATE DOMAIN pg_temp.%s AS %s CHECK (pg_temp.judge(VALUE))" % (short, name))


def _calls(admin_url: str, company_id: int) -> list[tuple[str, bytes]]:
    """Each function of the application role's that runs with the owner's rights, and a call of it."""
    with psycopg.connect(admin_url) as owner:
        functions = owner.execute(CALLABLE).fetchall()
    return [
        (
            name,
            "SELECT * FROM public.{}({})".format(
                name,
                ", ".join(
                    f"({BY_TYPE[type_]})::{'public.halfvec' if type_ == 'halfvec' else 'pg_catalog.' + _plain(type_)}"
                    for type_ in types
                ),
            )
            .replace(":company", str(company_id))
            .encode(),
        )
        for _, name, types in functions
    ]


def _plain(type_: str) -> str:
    """A type's name that may stand behind a schema's."""
    plain = {"bigint": "int8", "integer": "int4", "double precision": "float8", "boolean": "bool",
             "timestamp with time zone": "timestamptz"}  # fmt: skip
    base = type_.removesuffix("[]")
    return plain.get(base, base) + type_[len(base) :]


def _outcome(app: psycopg.Connection, company_id: int, call: bytes) -> str:
    """What a call gives, and nothing of what it did."""
    with app.transaction(force_rollback=True):
        set_companies(app, [company_id])
        try:
            app.execute(call).fetchall()
        except psycopg.Error as e:
            return str(e).partition("\n")[0]
    return "done"


def _attack(database: Database, bot: Bot, calls: list[tuple[str, bytes]], *, types: bool = False) -> dict[str, str]:
    with psycopg.connect(database.url, autocommit=True) as app:
        (_shadow_types if types else _shadow)(app)
        return {name: _outcome(app, bot.company_id, call) for name, call in calls}


def test_a_temporary_view_or_type_stands_in_for_none_of_ours_in_any_function(attacked: Database, bot: Bot) -> None:
    calls = _calls(attacked.admin_url, bot.company_id)
    with psycopg.connect(attacked.url, autocommit=True) as app:
        usual = {name: _outcome(app, bot.company_id, call) for name, call in calls}

    assert _attack(attacked, bot, calls) == usual
    assert _attack(attacked, bot, calls, types=True) == usual


def test_the_same_attack_takes_every_function_whose_search_path_does_not_name_pg_temp(
    attacked: Database, bot: Bot
) -> None:
    """What proves that the test above could fail."""
    calls = _calls(attacked.admin_url, bot.company_id)
    with _without_pg_temp(attacked):
        outcomes = _attack(attacked, bot, calls)
        by_types = _attack(attacked, bot, calls, types=True)

    safe = {name for name, outcome in outcomes.items() if f"{HIT} switchboard_admin" not in outcome}
    assert safe == READS_NO_TABLE, {name: outcomes[name] for name in safe}
    assert any(f"{HIT} switchboard_admin" in outcome for outcome in by_types.values())


@contextmanager
def _without_pg_temp(database: Database) -> Iterator[None]:
    with psycopg.connect(database.admin_url, autocommit=True) as owner:
        paths = [(f[0], f[4]) for f in owner.execute(FUNCTIONS).fetchall() if f[4] is not None]
        for signature, path in paths:
            owner.execute(f"ALTER FUNCTION {signature} SET search_path = {path.removesuffix(', pg_temp')}".encode())
        try:
            yield
        finally:
            for signature, path in paths:
                owner.execute(f"ALTER FUNCTION {signature} SET search_path = {path}".encode())


def _delete_a_document(database: Database, bot: Bot) -> str:
    """What calls the trigger's function, which also runs with the owner's rights."""
    with psycopg.connect(database.url, autocommit=True) as app:
        _shadow(app)
        return _outcome(app, bot.company_id, b"DELETE FROM public.documents RETURNING id")


def test_a_triggers_function_is_held_like_the_others(attacked: Database, bot: Bot) -> None:
    assert _delete_a_document(attacked, bot) == "done"
    with _without_pg_temp(attacked):
        assert HIT in _delete_a_document(attacked, bot)


def test_a_temporary_function_or_operator_is_found_by_no_name_without_its_schema(attacked: Database, bot: Bot) -> None:
    """PostgreSQL never looks for functions and operators in pg_temp; should it ever, this says so."""
    calls = [call for call in _calls(attacked.admin_url, bot.company_id) if call[0] == "knowledge_search"]
    with psycopg.connect(attacked.url, autocommit=True) as app:
        for name in (b"knowledge_owned(bigint)", b"array_position(bigint[], bigint)", b"lower(text)"):
            app.execute(
                b"CREATE FUNCTION pg_temp.%s RETURNS text LANGUAGE plpgsql AS"
                b" $$ BEGIN RAISE EXCEPTION '%s'; END $$" % (name, HIT.encode())
            )
        app.execute(
            f"CREATE FUNCTION pg_temp.far(public.halfvec, public.halfvec) RETURNS float8 LANGUAGE plpgsql AS"
            f" $$ BEGIN RAISE EXCEPTION '{HIT}'; END $$".encode()
        )
        app.execute("CREATE OPERATOR pg_temp.<=> (FUNCTION = pg_temp.far, LEFTARG = halfvec, RIGHTARG = halfvec)")

        assert {_outcome(app, bot.company_id, call) for _, call in calls} == {"done"}


def test_a_role_that_may_make_objects_is_refused_until_migrate_has_revoked_it(
    services: Services, database: Database
) -> None:
    with _grant(services, database, "TEMPORARY"):
        with psycopg.connect(database.url, autocommit=True) as app, pytest.raises(SettingsError, match="temporary"):
            check_role(app)
        migrate.migrate(database.admin_url)
        with psycopg.connect(database.url, autocommit=True) as app:
            check_role(app)


def test_a_schema_open_to_everybody_as_before_postgresql_15_is_closed(database: Database) -> None:
    with psycopg.connect(database.admin_url, autocommit=True) as owner:
        owner.execute("GRANT CREATE ON SCHEMA public TO PUBLIC")
    with psycopg.connect(database.url, autocommit=True) as app, pytest.raises(SettingsError, match="schema public"):
        check_role(app)

    migrate.migrate(database.admin_url)

    with psycopg.connect(database.url, autocommit=True) as app:
        check_role(app)


def test_migrate_says_what_to_run_where_the_owner_role_does_not_own_the_database(
    services: Services, database: Database
) -> None:
    with psycopg.connect(_as_superuser(services, database), autocommit=True) as superuser:
        superuser.execute(sql.SQL("ALTER DATABASE {} OWNER TO postgres").format(sql.Identifier(database.name)))
        superuser.execute(sql.SQL("GRANT TEMPORARY ON DATABASE {} TO PUBLIC").format(sql.Identifier(database.name)))

        with pytest.raises(SettingsError, match=r"does not own the database.*REVOKE TEMPORARY ON DATABASE"):
            migrate.migrate(database.admin_url)
