"""Assistants: how a company's turns are answered, in which words, and when a person gets the conversation."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import click
import psycopg

from shared import settings
from shared.errors import NotFound, NothingDone, Permanent
from shared.store.assistants import assistants as store
from shared.store.assistants import policies
from shared.store.assistants.assistants import ANY_LANGUAGE, Assistant
from shared.triage import texts as built_in
from workers.commands.naming import ID, CompanyItem, PlaceType, company_of, company_option, located, place_argument
from workers.commands.printing import as_json_option, print_json, print_result, print_rows
from workers.commands.setup import as_owner

_UNITS_S = {"m": 60, "h": 3_600, "d": 86_400}
NEVER = "never"


class _Duration(click.ParamType):  # type: ignore[type-arg]
    """`90m`, `12h`, `2d`, or `never`."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        text = str(value)
        if text != NEVER and not re.fullmatch(r"[0-9]{1,6}[mhd]", text, re.ASCII):
            self.fail(f"{text!r} is no time: write it as 90m, 12h, 2d or {NEVER}", param, ctx)
        least, most = policies.RETURN_AFTER_S
        if text != NEVER and not least <= (_seconds(text) or 0) <= most:
            self.fail(f"{text!r} should be from {_duration(least)} to {_duration(most)}, or {NEVER}", param, ctx)
        return text


def _seconds(text: str) -> int | None:
    return None if text == NEVER else int(text[:-1]) * _UNITS_S[text[-1]]


def _duration(seconds: int | None) -> str:
    if seconds is None:
        return NEVER
    unit, each = next((unit, each) for unit, each in reversed(_UNITS_S.items()) if not seconds % each or each == 60)
    return f"{seconds // each}{unit}"


class _TextName(click.Choice[str]):
    """A text's name; with hyphens it is taken, too."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        written = str(value).replace("-", "_")
        near = difflib.get_close_matches(written, self.choices, n=1)
        if written not in self.choices and near:
            self.fail(f"there is no {value!r}: did you mean {near[0]!r}?", param, ctx)
        return super().convert(written, param, ctx)


class _Word(_TextName):
    """One of a policy's words, with hyphens or with underscores, as it is stored."""


class _Channel(click.ParamType):  # type: ignore[type-arg]
    """COMPANY/ID, or the ID of one of the company's."""

    name = "channel"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> CompanyItem | int:
        of_a_company = isinstance(value, CompanyItem) or "/" in str(value)
        return PlaceType("channel list").convert(value, param, ctx) if of_a_company else ID.convert(value, param, ctx)


TEXT_NAME = _TextName(built_in.NAMES)
CHANNEL = _Channel()


@click.group()
def assistant() -> None:
    """How turns are answered: policies and texts. Channels are bound to an assistant; each company has a default."""


@assistant.command("list")
@company_option()
@as_json_option
def list_(company: str, as_json: bool) -> None:
    """A company's assistants and which channels are bound to each."""
    with as_owner(settings.load()) as conn:
        company_id = company_of(conn, company).id
        rows, bound = store.of_company(conn, company_id), store.channels(conn, company_id)
    if as_json:
        print_json([{**asdict(row), "channels": bound.get(row.id, [])} for row in rows])
        return
    print_rows(rows, lambda row: _line(company_id, row, bound.get(row.id, [])), empty="no assistant", as_json=False)


def _line(company_id: int, row: Assistant, bound: list[int]) -> str:
    default = "  default" if row.is_default else ""
    channels = ", ".join(f"{company_id}/{channel}" for channel in bound) or "none"
    return f"{company_id}/{row.id}  {row.kind}{default}  {row.name}  channels {channels}"


@assistant.command("show")
@place_argument("assistant list")
@as_json_option
def show(place: CompanyItem, as_json: bool) -> None:
    """An assistant's policies and its own texts."""
    with as_owner(settings.load()) as conn:
        company_id, found = _found(conn, place)
        bound = store.channels(conn, company_id).get(found.id, [])
    if as_json:
        print_json({"company_id": company_id, **asdict(found), "channels": bound})
        return
    click.echo(_line(company_id, found, bound))
    for name, said in _policies(found).items():
        click.echo(f"{name:<14}  {said}")
    for name, by_language in sorted(found.texts.items()):
        for language, text in sorted(by_language.items()):
            click.echo(f"text {name} {language}  {text}")


def _policies(found: Assistant) -> dict[str, str]:
    misses = f" ({found.misses_max})" if found.on_miss == "after_misses" else ""
    return {
        "on-miss": found.on_miss + misses,
        "on-wish": found.on_wish,
        "return-after": _duration(found.return_after_s),
        "hours": found.hours or "always",
        "time-zone": found.time_zone,
        "language": found.language or "none",
    }


def _found(conn: psycopg.Connection, place: CompanyItem) -> tuple[int, Assistant]:
    company_id, assistant_id = located(conn, place)
    found = store.by_id(conn, company_id, assistant_id)
    if found is None:
        raise NotFound("assistant", f"there is no assistant {place}: see `assistant list`")
    return company_id, found


@assistant.command("create")
@click.argument("name")
@company_option()
@as_json_option
def create(name: str, company: str, as_json: bool) -> None:
    """Make another assistant of a company: `assistant create Robin --company acme`. Then bind channels to it."""
    with as_owner(settings.load()) as conn, conn.transaction():
        company_id = company_of(conn, company).id
        try:
            made = store.create(conn, company_id, name)
        except store.NameTaken as e:
            raise NothingDone("assistant", str(e)) from None
        except ValueError as e:
            raise Permanent("assistant", str(e)) from None
    print_result({"company_id": company_id, "id": made, "name": name.strip()},
                 f"assistant {company_id}/{made}: {name.strip()}", as_json=as_json)  # fmt: skip


@assistant.command("set")
@place_argument("assistant list")
@click.option("--name", help="What customers may call it by.")
@click.option(
    "--on-miss",
    type=_Word(policies.ON_MISS),
    help="Where nothing relevant is known: offer a person, hand over at once, or after --misses misses in a row.",
)
@click.option("--misses", "misses_max", type=int, help="For after_misses: how many in a row.")
@click.option(
    "--on-wish",
    type=_Word(policies.ON_WISH),
    help="Where a person is wished for: hand over, or tell people and go on answering.",
)
@click.option(
    "--return-after",
    type=_Duration(),
    help="After a handover the bot answers again once nobody has written for so long: 12h, 90m, never.",
)
@click.option("--hours", help="When the team is there: 'Mon-Fri 09:00-17:00, Sat 10:00-14:00'; empty: at all times.")
@click.option("--time-zone", help="Of the hours: Europe/Berlin.")
@click.option("--language", help="ISO 639-1: where the customer's language has no texts, or nothing tells it.")
@as_json_option
def set_(place: CompanyItem, as_json: bool, return_after: str | None, **given: Any) -> None:
    """Change an assistant's policies, from the next answer on."""
    wanted = {name: value for name, value in given.items() if value is not None}
    if return_after is not None:
        wanted["return_after_s"] = _seconds(return_after)
    if not wanted:
        raise Permanent("assistant", "say what to set, for example --on-miss at_once; see --help")
    with as_owner(settings.load()) as conn, conn.transaction():
        company_id, before = _found(conn, place)
        try:
            changed = policies.checked(before, wanted)
            if changed:
                store.update(conn, company_id, before.id, changed)
        except ValueError as e:
            raise Permanent("assistant", str(e)) from None
        if not changed:
            raise NothingDone("assistant", f"assistant {place}: {', '.join(wanted)}: already so")
        _, now = _found(conn, place)
    lines = [f"{name}  {said}" for name, said in _policies(now).items() if said != _policies(before)[name]]
    if "misses_max" in changed and now.on_miss != "after_misses":
        lines += [f"misses  {now.misses_max} (used once --on-miss is after_misses)"]
    lines += [f"name  {now.name}"] if now.name != before.name else []
    print_result({"company_id": company_id, "id": now.id, **changed}, *lines, as_json=as_json)


@assistant.command("bind")
@place_argument("assistant list")
@click.option(
    "--channel", "channel", type=CHANNEL, required=True, help="COMPANY/ID, as `channel list` shows it, or the ID."
)
@as_json_option
def bind(place: CompanyItem, channel: CompanyItem | int, as_json: bool) -> None:
    """Have a channel or widget of the same company answered by this assistant, from the next answer on."""
    with as_owner(settings.load()) as conn, conn.transaction():
        company_id, found = _found(conn, place)
        if isinstance(channel, CompanyItem):
            of_company, channel_id = located(conn, channel)
            if of_company != company_id:
                raise Permanent("assistant", f"channel {channel} is of another company than assistant {place}")
            channel = channel_id
        try:
            before = store.of_channel(conn, company_id, channel)
        except store.NoSuchChannel:
            raise NotFound("channel", f"there is no channel {place.company}/{channel}: see `channel list`") from None
        if before.id == found.id:
            raise NothingDone("assistant", f"channel {place.company}/{channel} is bound to it already")
        store.bind(conn, company_id, channel, found.id)
    print_result({"company_id": company_id, "channel_id": channel, "assistant_id": found.id},
                 f"channel {company_id}/{channel}: {found.name}", as_json=as_json)  # fmt: skip


@assistant.command("texts")
@place_argument("assistant list")
@click.option("--language", default=built_in.FALLBACK, help="ISO 639-1: in which language to show the built-in ones.")
@as_json_option
def texts(place: CompanyItem, language: str, as_json: bool) -> None:
    """Everything that customers are told besides answers: what each text is for, its own words or the built-in ones."""
    if language not in built_in.LANGUAGES:
        known = ", ".join(sorted(built_in.LANGUAGES))
        raise Permanent("language", f"no texts in {language[:20]!r}: choose one of {known}")
    with as_owner(settings.load()) as conn:
        _, found = _found(conn, place)
    if as_json:
        print_json([_text_row(found, name, language) for name in built_in.NAMES])
        return
    for name in built_in.NAMES:
        row = _text_row(found, name, language)
        click.echo(f"{name}: {row['purpose']}")
        for of_language, text in sorted(row["own"].items()):
            click.echo(f"    own, {of_language}  {text}")
        click.echo(f"    built in, {language}  {row['built_in']}")


def _text_row(found: Assistant, name: built_in.Name, language: str) -> dict[str, Any]:
    return {
        "name": name,
        "purpose": built_in.PURPOSES[name],
        "own": dict(found.texts.get(name, {})),
        "built_in": built_in.default(name, language),
    }


@assistant.command("set-text")
@place_argument("assistant list")
@click.argument("name", type=TEXT_NAME)
@click.argument("text")
@click.option(
    "--language", default=ANY_LANGUAGE, help="ISO 639-1; left out: for every language that has no words of its own."
)
@as_json_option
def set_text(place: CompanyItem, name: str, text: str, language: str, as_json: bool) -> None:
    """Give a text words of your own: `assistant set-text acme/1 welcome 'Hi!'`. `assistant texts` lists all names."""
    _change(place, {name: {language: text}}, as_json=as_json)


@assistant.command("reset-text")
@place_argument("assistant list")
@click.argument("name", type=TEXT_NAME)
@click.option("--language", help="ISO 639-1, or '*'; left out: your words of all languages go.")
@as_json_option
def reset_text(place: CompanyItem, name: str, language: str | None, as_json: bool) -> None:
    """The built-in words again."""
    every = (ANY_LANGUAGE, *sorted(built_in.LANGUAGES))
    _change(place, {name: dict.fromkeys(every if language is None else (language,))}, as_json=as_json)


def _change(place: CompanyItem, given: Mapping[str, Mapping[str, str | None]], *, as_json: bool) -> None:
    with as_owner(settings.load()) as conn, conn.transaction():
        company_id, found = _found(conn, place)
        try:
            now = policies.with_texts(found, given)
        except ValueError as e:
            raise Permanent("text", str(e)) from None
        if now == found.texts:
            raise NothingDone("text", f"{', '.join(given)}: already so")
        store.set_texts(conn, company_id, found.id, now)
    [name] = given
    own = now.get(name, {})
    lines = [f"{name} {language}  {text}" for language, text in sorted(own.items())] or [f"{name}  (built in)"]
    print_result({"company_id": company_id, "id": found.id, name: own}, *lines, as_json=as_json)
