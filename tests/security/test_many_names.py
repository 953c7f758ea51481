"""Made-up names of parameters and fields: how many are looked at does not grow with how many are sent."""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable
from typing import Any

import pytest

from gateway.http import parameters as asked
from gateway.http.refused import Refused
from shared.embedded import Database
from tests.factories import settings_for
from tests.integration.gateway_client import running_gateway
from tests.integration.visitor import make_widget
from tests.operations import operations

QUERY_BYTES = 64 * 1024
PARSED_MAX = 5_000
NAMES = {"short": "%x", "like one that there is": "unti%x", "long": "x" * 500 + "%x"}
OPERATIONS = {f"{each.method} {each.path}": each for each in operations()}


@pytest.fixture
def compared(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names that were compared with those that there are."""
    names: list[str] = []
    compare = difflib.get_close_matches

    def counted(name: str, *rest: Any, **how: Any) -> Any:
        names.append(name)
        return compare(name, *rest, **how)

    monkeypatch.setattr(asked, "get_close_matches", counted)
    return names


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[None]:
    """One for each time that the JSON parser called Python."""
    calls: list[None] = []
    load = json.loads

    def counted(raw: str, **hooks: Any) -> Any:
        def each(hook: Callable[..., Any]) -> Callable[..., Any]:
            def call(given: Any) -> Any:
                calls.append(None)
                return hook(given)

            return call

        named: dict[str, Any] = {name: each(hook) for name, hook in hooks.items()}
        return load(raw, **named)

    monkeypatch.setattr(json, "loads", counted)
    return calls


def _made_up(shape: str, size: int) -> list[str]:
    count = size // (len(shape) + 8)
    return [shape % number for number in range(count)]


def _refused(work: Callable[[], object]) -> Refused:
    with pytest.raises(Refused) as refused:
        work()
    return refused.value


@pytest.mark.parametrize("shape", NAMES)
@pytest.mark.parametrize("name", OPERATIONS)
def test_a_body_of_made_up_names_is_refused_after_a_few(compared: list[str], name: str, shape: str) -> None:
    operation = OPERATIONS[name]
    names = _made_up(NAMES[shape], min(operation.body_max_bytes, 256 * 1024))
    for few in (names, names[:100]):
        given = dict.fromkeys(few, 1)
        bodies = [given, *({field: given} for field in operation.body)]
        for body in bodies:
            assert _refused(lambda body=body: operation.read(json.dumps(body).encode())).status == 422  # type: ignore[misc]
    assert len(compared) <= asked.NAMED_MAX * 2 * (1 + len(operation.body))
    assert all(len(one) <= asked.NAME_CHARS for one in compared)


SMALL_PARTS = {"objects": ["{}"] * 20_000, "numbers": ["1"] * 30_000, "nested": ['{"b":{"c":1}}'] * 4_000}


@pytest.mark.parametrize("what", SMALL_PARTS)
def test_a_body_of_many_small_parts_is_refused_while_it_is_parsed(parsed: list[None], what: str) -> None:
    body = '{"a":[' + ",".join(SMALL_PARTS[what]) + "]}"
    assert _refused(lambda: asked.read_body(body.encode(), ())).status == 422
    assert len(parsed) <= PARSED_MAX + 1


def test_a_query_has_a_bound_in_bytes_and_in_parameters_for_whoever_asks(
    database: Database, redis_url: str, compared: list[str]
) -> None:
    widget = make_widget(database.admin_url)
    long = {path: f"{path}?" + "a" * (QUERY_BYTES - 1024) for path in ("/health/live", "/media/1/1/1", "/health")}
    many = {path: f"{path}?" + "&".join(f"unti{n}" for n in range(2_000)) for path in long}
    for path in ("/webhooks/telegram/nobody", f"/widget/{widget.slug}/messages", "/api/v1/conversations"):
        long[path] = f"{path}?" + "token=" + "a" * (QUERY_BYTES - 1024)
        many[path] = f"{path}?" + "a&" * 2_000
    with running_gateway(settings_for(database, redis_url)) as gateway:
        assert {gateway.get(address).status_code for address in long.values()} == {414}
        assert {gateway.get(address).status_code for address in many.values()} == {422}
        told = gateway.get("/health/live?" + "&".join(f"unti{n}" for n in range(100)))

    assert told.status_code == 422
    assert told.json()["error"].endswith("; and 95 more")
    assert len(compared) == asked.NAMED_MAX
