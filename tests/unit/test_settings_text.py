"""Every setting goes to a child through the environment and comes back as it was."""

from __future__ import annotations

import types
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin
from unittest import mock

from annotated_types import Ge, Gt, Le, Lt
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pydantic import SecretStr, create_model
from pydantic.fields import FieldInfo

from shared.settings import VARIABLES, EmbeddingsProvider, ModelProvider, PerMinute, Settings, load, only_environment
from shared.settings.kinds import Domain

WORDS = st.text(st.characters(categories=("L", "N", "P", "S")), min_size=1, max_size=40)
TEXTS = st.lists(WORDS, min_size=1, max_size=3).map(" ".join)


def _bound(field: FieldInfo, kinds: tuple[type, ...], names: tuple[str, str], otherwise: float) -> float:
    for rule in field.metadata:
        if isinstance(rule, kinds):
            return float(getattr(rule, names[0], getattr(rule, names[1], otherwise)))
    return otherwise


def _values(kind: Any, field: FieldInfo) -> st.SearchStrategy[Any]:
    """Values of a field's type within its bounds."""
    if get_origin(kind) in (Union, types.UnionType):
        (inner,) = [one for one in get_args(kind) if one is not type(None)]
        return st.none() | _values(inner, field)
    if get_origin(kind) is Annotated:
        return _values(get_args(kind)[0], field)
    if get_origin(kind) is Literal:
        return st.sampled_from(get_args(kind))
    if get_origin(kind) is tuple:
        return st.lists(PROVIDERS[get_args(kind)[0]], max_size=3).map(tuple)
    least = _bound(field, (Ge, Gt), ("ge", "gt"), 0)
    most = _bound(field, (Le, Lt), ("le", "lt"), 2**40)
    if kind is int:
        return st.integers(int(least) + any(isinstance(rule, Gt) for rule in field.metadata), int(most))
    if kind is float:
        return st.floats(
            least, most, exclude_min=any(isinstance(rule, Gt) for rule in field.metadata),
            exclude_max=any(isinstance(rule, Lt) for rule in field.metadata),
        )  # fmt: skip
    if any(hasattr(rule, "pattern") for rule in field.metadata):
        return st.integers(0, 999).map(lambda number: f"v{number}.0")
    return OF_TYPE[kind]


OF_TYPE: dict[Any, st.SearchStrategy[Any]] = {
    bool: st.booleans(),
    str: TEXTS,
    SecretStr: TEXTS.map(SecretStr),
    Path: TEXTS.map(lambda text: Path("/", *text.split("/"))),
    PerMinute: st.builds(PerMinute, count=st.integers(1, 10**9), burst=st.integers(1, 10**9)),
}
PROVIDERS: dict[Any, st.SearchStrategy[Any]] = {
    ModelProvider: st.builds(
        ModelProvider, base_url=TEXTS, api_key=TEXTS.map(SecretStr), model=TEXTS, name=st.none() | TEXTS
    ),
    EmbeddingsProvider: st.builds(
        EmbeddingsProvider, base_url=TEXTS, api_key=TEXTS.map(SecretStr), model=TEXTS,
        baseline=st.floats(0, 1, exclude_max=True),
    ),
}  # fmt: skip


EVERYTHING = st.fixed_dictionaries({name: _values(one.field.annotation, one.field) for name, one in VARIABLES.items()})


def _without_checks(kind: type[Domain]) -> type[Domain]:
    return type(kind.__name__, (kind,), {"problems": lambda self: []})


LOOSE_DOMAINS: dict[str, Any] = {
    name: (kind, kind())
    for name, field in Settings.model_fields.items()
    if (kind := _without_checks(type(field.default)))
}


class Loose(create_model("LooseDomains", __base__=Settings, **LOOSE_DOMAINS)):  # type: ignore[misc]
    """Every setting by itself, whatever the others are."""

    def problems(self) -> list[str]:
        return []


@hypothesis_settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(EVERYTHING)
def test_a_child_reads_back_every_setting_that_it_is_given(values: dict[str, Any]) -> None:
    written = only_environment(Loose.of(**values))
    found = Loose.of(**{name: text for name, text in written.items() if text})

    assert {name: variable.value_in(found) for name, variable in VARIABLES.items()} == values


def test_further_models_go_to_a_child_with_their_keys() -> None:
    config = Settings.of(
        LLM_BASE_URL="https://first.example/v1", LLM_MODEL="a",
        LLM_FALLBACKS='[{"base_url": "https://second.example/v1", "api_key": "a key", "model": "b"}]',
        EMBEDDINGS_FALLBACKS='[{"base_url": "https://third.example/v1", "api_key": "k", "model": "c"}]',
    )  # fmt: skip

    with mock.patch.dict("os.environ", only_environment(config)):
        found = load()

    assert found == config
    assert found.llm.fallbacks[0].api_key.get_secret_value() == "a key"
