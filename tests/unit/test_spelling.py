"""Misspelt settings: what is surely ours is an error, what other programs set never is."""

from __future__ import annotations

import pytest

from shared.settings import VARIABLES
from shared.settings.spelling import RENAMED, edits_between, surprises

KNOWN = list(VARIABLES)


def judged(*names: str) -> dict[str, bool]:
    """name → whether it is surely ours; names that are nobody's business are missing."""
    return {one.name: one.sure for one in surprises(names, KNOWN)}


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("LLM_BASEURL", "LLM_BASE_URL"),
        ("LLMBASEURL", "LLM_BASE_URL"),
        ("LLM_BASE_ULR", "LLM_BASE_URL"),
        ("LLM_MODLE", "LLM_MODEL"),
        ("GATEWY_PORT", "GATEWAY_PORT"),
        ("GATEWAY_PROT", "GATEWAY_PORT"),
        ("DATABASE_ADMINURL", "DATABASE_ADMIN_URL"),
        ("ENCRYPTION_KEY", "ENCRYPTION_KEYS"),
        ("EGRESS_ALOW", "EGRESS_ALLOW"),
        ("EMBEDINGS_BASE_URL", "EMBEDDINGS_BASE_URL"),
        ("OVERLOAD_RECOVERYS", "OVERLOAD_RECOVERY_S"),
        ("ARCHIVE_AFTER_DAY", "ARCHIVE_AFTER_DAYS"),
        ("SWITCHBOARD_LOG_LEVEL", "LOG_LEVEL"),
        ("flower_pasword", "FLOWER_PASSWORD"),
    ],
)
def test_a_misspelt_setting_is_named_with_the_one_that_is_meant(name: str, meant: str) -> None:
    (found,) = surprises([name], KNOWN)

    assert found.sure
    assert f"did you mean {meant}?" in found.words


def test_an_old_name_of_a_setting_is_an_error_that_tells_the_new_one() -> None:
    (found,) = surprises(["WEDGED_AFTER_S"], KNOWN)

    assert found.sure
    assert found.words == "WEDGED_AFTER_S has a new name: set STALLED_AFTER_S"
    assert set(RENAMED.values()) <= set(KNOWN)


OTHERS = [
    "PATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "TERM",
    "SHELL",
    "USER",
    "PWD",
    "OLDPWD",
    "HOSTNAME",
    "EDITOR",
    "TMPDIR",
    "TZ",
    "PYTHONPATH",
    "PYTHONUNBUFFERED",
    "VIRTUAL_ENV",
    "DATABASE_HOST",
    "DATABASE_PORT",
    "DATABASE_NAME",
    "DATABASE_USER",
    "DATABASE_PASSWORD",
    "DATABASE_PRIVATE_URL",
    "POSTGRES_URL",
    "DATABASE_CONNECTION_POOL_URL",
    "REDIS_TLS_URL",
    "REDIS_HOST",
    "REDIS_PORT",
    "REDIS_PASSWORD",
    "REDISCLOUD_URL",
    "CELERY_BROKER_URL",
    "MEDIA_ROOT",
    "MEDIA_URL",
    "STATIC_URL",
    "LOG_FORMAT",
    "LOG_FILE",
    "RUST_LOG",
    "DEBUG",
    "PORT",
    "WEB_CONCURRENCY",
    "FLOWER_BASIC_AUTH",
    "FLOWER_UNAUTHENTICATED_API",
    "FLOWER_URL_PREFIX",
    "TELEGRAM_BOT_TOKEN",
    "TELEGRAM_API_ID",
    "TELEGRAM_API_HASH",
    "OPENAI_API_KEY",
    "OPENAI_BASE_URL",
    "ANTHROPIC_API_KEY",
    "SLACK_BOT_TOKEN",
    "SLACK_SIGNING_SECRET",
    "AWS_REGION",
    "AWS_S3_BUCKET",
    "S3_BUCKET",
    "DATA_ROOT",
    "GATEWAY_SERVICE_HOST",
    "GATEWAY_SERVICE_PORT",
    "GATEWAY_PORT_8400_TCP",
    "GATEWAY_PORT_8400_TCP_ADDR",
    "CACHE_DIR",
    "CACHE_TTL",
    "GRAPHQL_API_URL",
    "SEND_GRID_KEY",
    "METRICS_PORT",
    "RUN_MAIN",
    "RUNNER_NAME",
    "XDG_RUNTIME_DIR",
    "GRACE_PERIOD",
    "ALERT_EMAIL",
    "OPS_EMAIL",
    "HEROKU_APP_NAME",
    "KUBERNETES_SERVICE_HOST",
    "PIP_FIND_LINKS",
    "UV_INDEX_URL",
    "REQUESTS_CA_BUNDLE",
    "BACKUP_FOLDER",
    "FAULT_HANDLER",
]


def test_what_other_programs_and_hosters_set_is_nobodys_business() -> None:
    assert judged(*OTHERS) == {}


@pytest.mark.parametrize(
    "name", ["LOGLEVEL", "DATABASE_URI", "REDIS_URI", "LLM_TEMPERATURE", "LLM_API_KEY_2", "RETENTION_DAY", "REDIS_URL2"]
)
def test_what_may_be_another_programs_is_a_warning(name: str) -> None:
    assert judged(name) == {name: False}


def test_a_misspelt_name_beside_the_right_one_is_a_warning() -> None:
    assert judged("LLM_BASEURL", "LLM_BASE_URL") == {"LLM_BASEURL": False}


def test_our_own_names_are_no_surprise() -> None:
    assert judged(*KNOWN, *(name.lower() for name in KNOWN)) == {}


def test_edits_are_counted_with_swapped_neighbours_as_one() -> None:
    assert [edits_between("PORT", other) for other in ("PORT", "PROT", "POT", "PORTS", "FORK", "")] == [
        0,
        1,
        1,
        1,
        2,
        4,
    ]


# ------------------------------------------------------------------ to the letter

FEW = ("LLM_MODEL", "LLM_BASE_URL", "GATEWAY_PORT", "FLOWER_KEY", "DATA_DIR", "LOG")


def _words(*names: str, known: tuple[str, ...] = FEW) -> list[str]:
    return [one.words for one in surprises(names, known)]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("LLM_MODLE", "LLM_MODLE is not a setting: did you mean LLM_MODEL?"),
        ("SWITCHBOARD_DATADIR", "SWITCHBOARD_DATADIR is not a setting: did you mean DATA_DIR?"),
        ("FLOWER_KEY_FILE", "FLOWER_KEY_FILE is not read: set FLOWER_KEY itself"),
        ("FLOWERKEY_FILE", "FLOWERKEY_FILE is not read: set FLOWER_KEY itself"),
        (
            "RAW_RETENTION_DAYS",
            "RAW_RETENTION_DAYS is not a setting: how long things are kept is set with ./switchboard retention",
        ),
        ("RETENTION", "RETENTION is not a setting: how long things are kept is set with ./switchboard retention"),
        ("GATEWAY_POLICY", "GATEWAY_POLICY is not a setting of Switchboard: the nearest one is GATEWAY_PORT"),
        ("LLM_BASEMENT", "LLM_BASEMENT is not a setting of Switchboard"),
        ("WEDGED_AFTER_S", "WEDGED_AFTER_S has a new name: set STALLED_AFTER_S"),
    ],
)
def test_a_name_that_is_not_ours_is_told_in_words(name: str, words: str) -> None:
    assert _words(name) == [words]


def test_names_are_told_in_their_order_whatever_their_case() -> None:
    assert [one.name for one in surprises(["LLM_x", "llm_MODLE", "GATEWAY_x"], FEW)] == [
        "GATEWAY_X", "LLM_MODLE", "LLM_X",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "name", ["RETENTIONS", "MY_RETENTION", "X_FILE", "SWITCHBOARD_OTHER", "SWITCHBOARD_", "FLOWER_"]
)
def test_what_only_begins_or_ends_alike_is_nobodys_business(name: str) -> None:
    assert _words(name) == []


def test_the_shorter_a_setting_the_fewer_wrong_letters_leave_no_doubt() -> None:
    """Without underscores: up to seven letters none, up to eleven one, from twelve on two."""
    seven, eight, eleven, twelve = "ABCDEFG", "ABCDEFGH", "ABCDEFGHIJK", "ABCDEFGHIJKL"
    for known, wrong, near in [
        (seven, "ABCDEFX", False), (eight, "ABCDEFGX", True), (eight, "ABCDEFXX", False), (eight, "ABCDEFG", True),
        (eight, "ABCDEFGHX", True), (eight, "ABCDEF", False),
        (eleven, "XBCDEFGHIJX", False), (eleven, "XBCDEFGHIJK", True),
        (twelve, "XBCDEFGHIJKX", True), (twelve, "XBCDEFGHIXKX", False), (twelve, "ABCDEFGHIJ", True),
        (twelve, "ABCDEFGHIJKLMN", True), (twelve, "ABCDEFGHIJKLMNO", False), (twelve, "XXCDEFGHIJKL", True),
    ]:  # fmt: skip
        assert bool(_words(wrong, known=(known,))) is near, (known, wrong)


def test_of_several_near_ones_the_nearest_is_meant() -> None:
    known = ("ABCDEFGHIJKLMN", "ABCDEFGHIJKLMX", "ZBCDEFGHIJKLMN")
    assert _words("ABCDEFGHIJKLMY", known=known) == [f"ABCDEFGHIJKLMY is not a setting: did you mean {known[0]}?"]
    assert _words("ABCDEFGHIJKLMXX", known=known) == [f"ABCDEFGHIJKLMXX is not a setting: did you mean {known[1]}?"]


def test_a_very_long_name_is_not_looked_at() -> None:
    longest = "LLM_" + "X" * 60
    assert _words(longest) == [f"{longest} is not a setting of Switchboard"]
    assert _words(longest + "X") == []


@pytest.mark.parametrize(
    ("name", "beside", "sure"),
    [
        ("LLM_MODLE", (), True), ("LLM_MODLE", ("LLM_MODEL",), False), ("LLM_MODLE", ("DATA_DIR",), True),
        ("LLM_MODEL2", (), False), ("DATADIR", (), False), ("LLM_MODEL_FILE", (), False), ("LLM_POLICY", (), False),
        ("SWITCHBOARD_LLM_MODEL", (), True),
    ],
)  # fmt: skip
def test_it_is_sure_where_it_can_hardly_be_another_program_s(name: str, beside: tuple[str, ...], sure: bool) -> None:
    [found] = surprises([name, *beside], FEW)
    assert (found.name, found.sure) == (name, sure)


@pytest.mark.parametrize(
    ("one", "other", "edits"),
    [
        ("", "ABC", 3), ("ABC", "", 3), ("AB", "BA", 1), ("ABCD", "BADC", 2), ("CA", "ABC", 3), ("ABC", "XABC", 1),
        ("ABC", "AXC", 1), ("ABCDEF", "FBCDEA", 2), ("AAB", "ABA", 1), ("XAB", "YBA", 2),
    ],
)  # fmt: skip
def test_edits_are_counted_as_the_fewest(one: str, other: str, edits: int) -> None:
    assert edits_between(one, other) == edits_between(other, one) == edits


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("LLM_ABCDE_OTHERWISE", ": the nearest one is LLM_ABCDEFGHIJ"),  # eight letters alike
        ("LLM_ABCD_OTHERWISE", ""),
        ("LLM_ABCDEFG", ": the nearest one is LLM_ABCDEFGHIJ"),  # it ends before anything differs
    ],
)
def test_a_setting_that_begins_alike_is_named(name: str, hint: str) -> None:
    known = ("LLM_ABCDEFGHIJ", "GATEWAY_PORT")
    assert _words(name, known=known) == [f"{name} is not a setting of Switchboard{hint}"]
    assert _words(name, known=()) == [f"{name} is not a setting of Switchboard"]
