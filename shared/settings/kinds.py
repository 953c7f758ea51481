"""What settings are made of: a domain's base, and the types that are written in a form of their own."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

WEB = ("http", "https")
"""Schemes of an address on the web."""


class Domain(BaseModel):
    """The settings of one domain. Each field's alias is its environment variable; its docstring says what it means."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, str_strip_whitespace=True)

    def problems(self) -> list[str]:
        """Return what is wrong with this domain's settings, each of which is valid by itself; names the variables."""
        return []

    @classmethod
    def attribute_of(cls, variable: str) -> str:
        """The attribute that an environment variable of this domain sets. Raises KeyError if it sets none."""
        for attribute, field in cls.model_fields.items():
            if field.alias == variable:
                return attribute
        raise KeyError(variable)


class PerMinute(BaseModel):
    """A limit, written `<a minute>/<at once>`: so many evenly spread over a minute, after a burst of so many."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    count: int = Field(gt=0)
    burst: int = Field(gt=0)

    def __str__(self) -> str:
        return f"{self.count}/{self.burst}"


def _read_limit(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    count, _, burst = value.partition("/")
    if not (count.strip().isdecimal() and burst.strip().isdecimal()):
        raise ValueError("write <a minute>/<at once>, such as 20/10")
    return {"count": int(count), "burst": int(burst)}


Limit = Annotated[PerMinute, BeforeValidator(_read_limit)]


def read_list(value: Any) -> Any:
    """Read a JSON list here: the library's own error for a broken one would quote it, keys and all."""
    if not isinstance(value, str):
        return value
    try:
        found = json.loads(value)
    except ValueError:
        found = None
    if not isinstance(found, list):
        raise ValueError('no JSON list; write [{"base_url": "https://…/v1", "api_key": "…", "model": "…"}]')
    return found


def absolute(value: Any) -> Any:
    """Processes work in another folder than the terminal that a relative path was written in."""
    return Path(value).expanduser().absolute() if isinstance(value, str | Path) and str(value) else value


Folder = Annotated[Path, BeforeValidator(absolute)]
LogLevel = Annotated[
    Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"],
    BeforeValidator(lambda value: value.strip().upper() if isinstance(value, str) else value),
]


def address_problems(domain: Domain, **schemes: Iterable[str]) -> list[str]:
    """Return what is wrong with a domain's addresses. schemes: by variable, those that its address may begin with."""
    found = []
    for variable, allowed in schemes.items():
        address = getattr(domain, domain.attribute_of(variable))
        if address is not None:
            found.append(_address_problem(variable, address, tuple(allowed)))
    return [problem for problem in found if problem]


def _address_problem(variable: str, address: str, schemes: tuple[str, ...]) -> str:
    """Empty if nothing is wrong."""
    try:
        scheme = urlsplit(address).scheme
    except ValueError:  # its text may quote the password that contains the bracket
        return f"{variable} is no address: write [ and ] in a password as %5B and %5D"
    if scheme not in schemes:
        return f"{variable} should begin with {' or '.join(s + '://' for s in schemes)}"
    if scheme in WEB and not _names_a_host(address):
        return f"{variable} names no host, or a port that is none"
    return ""


def _names_a_host(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
