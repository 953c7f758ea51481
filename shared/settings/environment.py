"""Settings from this process' environment and into the environments of others.

Sources, first wins: arguments, the environment, then `<DATA_DIR>/run.env`, which `./switchboard up` writes so that a
second terminal finds the running system. The names of variables are read without regard to case, and an empty one
counts as not set.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dotenv import dotenv_values
from pydantic import SecretStr, ValidationError

from shared.errors import SettingsError
from shared.settings.kinds import absolute
from shared.settings.services import PROJECT_ROOT
from shared.settings.spelling import Surprise, surprises
from shared.settings.tree import VARIABLES, Settings
from shared.settings.words import in_words

RUN_ENV = "run.env"
PROCESS = "SWITCHBOARD_PROCESS"
LOG_FILE = "SWITCHBOARD_LOG_FILE"
"""The file of a process' output, from whoever started it."""
"""The environment variable by which a process of the fleet knows that its environment is all it may read."""


def load(*, of_running_system: bool = True, **overrides: Any) -> Settings:
    """Read the settings of this process. Raises SettingsError naming each variable that is wrong or misspelt.

    of_running_system: also what a running `./switchboard up` has written for other terminals; never in a process of
    the fleet, which is given what it needs. overrides: by variable.
    """
    data_dir = Path(overrides.get("DATA_DIR") or absolute(os.environ.get("DATA_DIR") or PROJECT_ROOT / ".data"))
    run_env = data_dir / RUN_ENV
    # A readable file only: another user's data folder must not break `--help`.
    read = of_running_system and PROCESS not in os.environ and os.access(run_env, os.R_OK)
    written = dotenv_values(run_env) if read else {}
    wrong = [one.words for one in _surprises() if one.sure] + _strangers(run_env, written)
    try:
        found = Settings.of(**_set_ones(written) | _set_ones(os.environ) | overrides)
    except ValidationError as e:
        wrong += [in_words(error) for error in e.errors()]
        raise SettingsError("; ".join(wrong)) from None
    if wrong:
        raise SettingsError("; ".join(wrong)) from None
    return found


def _set_ones(environment: Mapping[str, str | None]) -> dict[str, str]:
    """Our variables that are set; of names that differ in case only, the last one."""
    named = ((name.upper(), value) for name, value in environment.items() if value)
    return {name: value for name, value in named if name in VARIABLES}


def warnings() -> list[str]:
    """Return what in this process' environment looks like a misspelt setting and may be another program's. For the
    entry of a process or command, which says it once."""
    return [one.words for one in _surprises() if not one.sure]


def _surprises() -> tuple[Surprise, ...]:
    given = (name for name, value in os.environ.items() if value)
    return surprises(given, VARIABLES)


def _strangers(run_env: Path, written: Mapping[str, str | None]) -> list[str]:
    """Everything in this file is ours, so what is unknown is of another version."""
    unknown = sorted({name.upper() for name in written} - set(VARIABLES))
    return [
        f"{run_env} holds {', '.join(unknown)}, which is no setting of this version: "
        "delete the file, or start ./switchboard up again, which writes it anew"
    ] if unknown else []  # fmt: skip


def only_environment(config: Settings) -> dict[str, str]:
    """The environment in which a child loads these settings; what is empty hides what stands in ours."""
    found = {}
    for name, variable in VARIABLES.items():
        value = variable.value_in(config)
        found[name] = "" if value == variable.field.default else as_text(value)
    return found


def as_text(value: Any) -> str:
    """A setting's value as an environment variable says it: what `load` reads back as the same value."""
    if isinstance(value, tuple):
        return json.dumps([one.model_dump(exclude_defaults=True) for one in value], default=as_text)
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return "" if value is None else str(value)


def log_file() -> Path | None:
    """The file of this process' output, which whoever started it may rename; None where nobody has said."""
    name = os.environ.get(LOG_FILE)
    return Path(name) if name else None


def given_folders(config: Settings) -> dict[str, str]:
    """The folders that were set, as a process in any other folder finds them."""
    return {name: str(path) for name, path in config.given().items() if isinstance(path, Path)}


def child_environment(values: Mapping[str, str], *, without: frozenset[str] = frozenset()) -> dict[str, str]:
    """The environment for a process started by us: ours, with `values` on top, finding our packages. without: names,
    in capitals, that it is not given; names are read without regard to case."""
    whole = {**os.environ, "PYTHONPATH": str(PROJECT_ROOT), "PYTHONUNBUFFERED": "1", **values}
    return {name: value for name, value in whole.items() if name.upper() not in without}


def of_running_system(data_dir: Path) -> dict[str, str]:
    """Return what a running `./switchboard up` has written for other terminals, without what the environment sets."""
    run_env = data_dir / RUN_ENV
    if PROCESS in os.environ or not os.access(run_env, os.R_OK):
        return {}
    ours = {name.upper() for name, value in os.environ.items() if value}
    return {name: value for name, value in dotenv_values(run_env).items() if value and name.upper() not in ours}
