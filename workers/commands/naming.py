"""How commands name things: a company by its slug or id, what belongs to one by COMPANY/ID."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import click
import psycopg

from shared.errors import NotFound
from shared.store.inbox import merged
from shared.store.tenants import companies
from shared.store.tenants.companies import Company

F = TypeVar("F", bound=Callable[..., Any])

ID_MAX = 2**63 - 1
NEAR_AMONG = 10_000
"""Of so many companies names are suggested."""


class IdType(click.ParamType):  # type: ignore[type-arg]
    """The number of a row."""

    name = "id"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        text = str(value)
        if not (text.isascii() and text.isdecimal() and len(text) <= 19 and 0 < int(text) <= ID_MAX):
            self.fail(f"{text!r} is not an id: a number from 1 to {ID_MAX}", param, ctx)
        return int(text)


class CompanyType(click.ParamType):  # type: ignore[type-arg]
    """A company's slug or id as it was written; `company_of` finds the company."""

    name = "company"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        text = str(value).strip()
        if not text or not text.isprintable():
            self.fail("a company is named by its slug or id: `company list` shows both", param, ctx)
        if text.isascii() and text.isdecimal():
            ID.convert(text, param, ctx)
        return text


@dataclass(frozen=True, slots=True)
class CompanyItem:
    """Something of a company's: the company as it was written, and the id."""

    company: str
    id: int

    def __str__(self) -> str:
        return f"{self.company}/{self.id}"


class PlaceType(click.ParamType):  # type: ignore[type-arg]
    """COMPANY/ID. listing: the command that prints such places."""

    name = "company/id"

    def __init__(self, listing: str) -> None:
        self.listing = listing

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> CompanyItem:
        if isinstance(value, CompanyItem):
            return value
        company, slash, id_ = str(value).rpartition("/")
        if not slash or "/" in company:
            self.fail(f"{value!r} should be COMPANY/ID, as `{self.listing}` prints it", param, ctx)
        return CompanyItem(COMPANY.convert(company, param, ctx), ID.convert(id_, param, ctx))


ID, COMPANY = IdType(), CompanyType()


def company_option(help: str = "Its slug or id, as `company list` shows them.", *, required: bool = True) -> Any:
    """`--company COMPANY`: how every command takes the company that it works for."""
    return click.option("--company", "company", metavar="COMPANY", type=COMPANY, required=required, help=help)


def company_argument() -> Any:
    """COMPANY, for commands whose object is a company."""
    return click.argument("company", metavar="COMPANY", type=COMPANY)


def place_argument(listing: str) -> Any:
    return click.argument("place", metavar="COMPANY/ID", type=PlaceType(listing))


def company_of(conn: psycopg.Connection, word: str) -> Company:
    """Raises NotFound, which suggests what may have been meant."""
    is_id = word.isascii() and word.isdecimal()
    found = companies.by_id(conn, int(word)) if is_id else companies.by_slug(conn, word.lower())
    if found is None:
        raise NotFound("company", f"no company has the {'id' if is_id else 'slug or id'} {word!r}: {_hint(conn, word)}")
    return found


def _hint(conn: psycopg.Connection, word: str) -> str:
    named = companies.by_name(conn, word)
    if named is not None:
        return f"the company of this name has the slug {named.slug}"
    known = companies.slugs(conn, limit=NEAR_AMONG)
    if not known:
        return "there is no company yet, `company create NAME` makes one"
    near = difflib.get_close_matches(word.lower(), known, n=3, cutoff=0.6)
    return f"did you mean {' or '.join(near)}?" if near else "`company list` shows them"


def company_id_of(conn: psycopg.Connection, word: str | None) -> int | None:
    """Return the company's id; None if no company was named."""
    return None if word is None else company_of(conn, word).id


def located(conn: psycopg.Connection, place: CompanyItem) -> tuple[int, int]:
    """(company's id, id). Raises NotFound where there is no such company."""
    return company_of(conn, place.company).id, place.id


def located_now(conn: psycopg.Connection, place: CompanyItem) -> tuple[int, int]:
    """(company's id, id) of a conversation, as `located`; of the one that it became part of, where it did."""
    company_id, conversation_id = located(conn, place)
    return company_id, merged.current(conn, company_id, conversation_id)
