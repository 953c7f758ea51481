"""`make mutate`: its list names modules that there are, each with unit tests, and its report counts what it should."""

from __future__ import annotations

import subprocess

import pytest

from scripts import mutate
from scripts.mutate import ENOUGH, MODULES, ROOT, Score, report, score


@pytest.mark.parametrize("module", MODULES)
def test_each_module_of_the_list_exists_and_a_unit_test_imports_it(module: str) -> None:
    assert (ROOT / module).is_file()
    assert mutate.tests_of([module])


def test_only_tests_that_import_a_module_or_its_package_are_run() -> None:
    found = mutate.tests_of(["shared/knowledge/extract/html.py"])
    assert {"tests/unit/test_extract_html.py", "tests/unit/test_extract.py"} <= set(found)
    assert "tests/unit/test_prompt.py" not in found


def test_a_test_that_gets_a_module_from_a_helper_of_the_tests_is_run_too() -> None:
    assert "tests/unit/test_llm_router_told.py" in mutate.tests_of(["shared/llm/router.py"])
    assert "tests/unit/test_telegram_groups.py" in mutate.tests_of(["shared/channels/telegram/message.py"])


def test_a_test_that_goes_through_a_platform_is_run_for_its_parts() -> None:
    assert "tests/unit/test_slack_parse.py" in mutate.tests_of(["shared/channels/slack/event.py"])


def test_a_sample_is_spread_over_a_module_s_mutants(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[object] = []
    monkeypatch.setattr(subprocess, "run", lambda command, **_: ran.append(command))
    monkeypatch.setattr(mutate, "_outcomes", lambda module: {f"{module}{n}": None for n in range(10)})
    assert mutate.sample(["a", "b"], 4) == ["a2", "a6", "b2", "b6"]
    assert len(ran) == 1


@pytest.mark.parametrize("every", ["0", "-1", "x"])
def test_a_sample_of_each_0th_mutant_is_refused(every: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        mutate.main(["--every", every])
    assert "--every" in capsys.readouterr().err


def test_outcomes_are_counted_by_what_they_mean() -> None:
    outcomes = {"a": 1, "b": 3, "c": 36, "d": -24, "e": 0, "f": 33, "g": None, "h": 0}
    assert score("m", outcomes) == Score("m", killed=4, survived=2, untested=1, untried=1)
    assert score("m", outcomes).tried == 7


@pytest.mark.parametrize(
    ("killed", "untested", "ended", "code"),
    [(17, 3, "", 0), (16, 3, "", 1), (17, 3, "interrupted", 1), (0, 0, "", 1)],
)
def test_the_exit_code_is_0_where_enough_were_killed_of_all(
    killed: int,
    untested: int,
    ended: str,
    code: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert ENOUGH == 0.85
    monkeypatch.setattr(mutate, "survivors", lambda outcomes: iter(()))
    codes = [1] * killed + [33] * untested
    assert report({"m.py": {str(number): code for number, code in enumerate(codes)}}, ended) == code
    assert ended in capsys.readouterr().out


@pytest.mark.parametrize(
    ("mutant", "function"),
    [
        ("shared.model.x_parsed__mutmut_12", "parsed"),
        ("shared.model.x__private__mutmut_1", "_private"),
        ("shared.model.xǁBreakerǁ__init____mutmut_3", "Breaker.__init__"),
    ],
)
def test_a_mutant_s_function_is_called_as_in_the_code(mutant: str, function: str) -> None:
    assert mutate._function(mutant) == function
