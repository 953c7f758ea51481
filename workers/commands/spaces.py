"""Spaces of vectors by hand: from one embedding model to another while questions are answered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime

import click
import psycopg

from shared import settings
from shared.errors import NothingDone, Permanent
from shared.knowledge import embed
from shared.knowledge.embed import Embedder
from shared.knowledge.minilm import MODEL
from shared.llm.provider import http_client
from shared.resilience.loop import Loop
from shared.store.knowledge import embedding_models as store
from shared.store.knowledge.embedding_models import Fill, Space
from tasks.knowledge import embedding_models as flow
from workers.commands.printing import as_json_option, print_json, print_result
from workers.commands.setup import as_owner


@contextmanager
def embedders_of(config: settings.Settings) -> Iterator[Mapping[str, Embedder]]:
    """Those that the settings name, by their models."""
    loop = Loop()
    loop.start()
    http = http_client(1)
    try:
        found = [embed.from_settings(config, http, loop), *embed.others_from_settings(config, http, loop)]
        yield {each.model: each for each in found}
    finally:
        loop.run(http.aclose(), timeout_s=2)
        loop.stop()


@click.group()
def spaces() -> None:
    """Embedding models: each has a space of its own, and questions are ranked in one of them."""


@spaces.command("list")
@as_json_option
def spaces_list(as_json: bool) -> None:
    """Every space, in the order in which they rank, and how far each is filled."""
    config = settings.load()
    with as_owner(config) as conn:
        _show(conn, config, store.every(conn), as_json=as_json)


@spaces.command("progress")
@click.argument("model", required=False)
@as_json_option
def progress(model: str | None, as_json: bool) -> None:
    """How far spaces are: documents with their vectors, and those that failed. Exit code 1 while one is not full."""
    config = settings.load()
    with as_owner(config) as conn:
        chosen = store.every(conn) if model is None else [flow.named(conn, model)]
        fills = _show(conn, config, chosen, as_json=as_json)
    if any(fill.waiting for fill in fills):
        raise SystemExit(1)


@spaces.command("create")
@click.argument("model")
@click.option("--dimension", type=click.IntRange(1, 4000), help="What it should give; another one is refused.")
@as_json_option
def create(model: str, dimension: int | None, as_json: bool) -> None:
    """Make the space of a model that the settings name (EMBEDDINGS_MODEL, EMBEDDINGS_FALLBACKS, or the local one). The
    index worker fills it while the active space keeps serving; with `spaces drop` it is undone."""
    config = settings.load()
    with as_owner(config) as conn, embedders_of(config) as embedders:
        if model not in embedders:
            known = ", ".join(embedders)
            raise Permanent(
                "space", f"no embedder of {model!r}: the settings know {known}. Add it to EMBEDDINGS_FALLBACKS"
            )
        before = store.of_model(conn, model)
        made = flow.create(conn, embedders[model], dimension)
        if made == before:
            raise NothingDone("space", f"there is a space of {model} already: {made.state}")
    _ring(config)
    print_result(asdict(made), f"{made.model}: {made.dimension} dimensions, {made.state}", as_json=as_json)


@spaces.command("switch")
@click.argument("model")
@click.option("--anyway", is_flag=True, help="Also where it is not full: the rest is found by its words meanwhile.")
@as_json_option
def switch(model: str, anyway: bool, as_json: bool) -> None:
    """Rank questions in this space from now on, all at once; the one before stays ready, and is filled on."""
    with as_owner(settings.load()) as conn:
        was = flow.named(conn, model).state
        now, before = flow.switch(conn, model, anyway=anyway)
    if before is None and was == "active":
        raise NothingDone("space", f"{now.model} is the active one already")
    print_result({"model": now.model, "state": now.state, "before": before and before.model},
                 f"{now.model} is active" + (f"; {before.model} stays until `spaces drop`" if before else ""),
                 as_json=as_json)  # fmt: skip


@spaces.command("drop")
@click.argument("model")
@click.option("--yes", is_flag=True, help="To have it back everything is embedded anew.")
@as_json_option
def drop(model: str, yes: bool, as_json: bool) -> None:
    """Delete a space with its index and all its vectors. Ended half way, call it again."""
    config = settings.load()
    if model == (config.embeddings.model or MODEL):
        setting = "EMBEDDINGS_MODEL" if config.embeddings.model else "no EMBEDDINGS_MODEL"
        raise Permanent("space", f"with {setting} the index worker would make it anew: change that first")
    if not yes:
        raise Permanent("space", f"this deletes every vector of {model!r}: say --yes")
    with as_owner(config) as conn:
        gone = flow.drop(conn, model, now=lambda: datetime.now(UTC), told=lambda gone: None)
    print_result({"model": model, "vectors": gone}, f"{model} is gone, with {gone} vectors", as_json=as_json)


def _show(conn: psycopg.Connection, config: settings.Settings, chosen: list[Space], *, as_json: bool) -> list[Fill]:
    fills = [store.fill_of(conn, space.id) for space in chosen]
    with embedders_of(config) as embedders:
        known = set(embedders)
    if as_json:
        print_json([
            {**asdict(space), **asdict(fill), "waiting": fill.waiting, "embedder": space.model in known}
            for space, fill in zip(chosen, fills, strict=True)
        ])  # fmt: skip
        return fills
    for space, fill in zip(chosen, fills, strict=True):
        failing = f", {fill.failing} failing ({fill.error})" if fill.failing else ""
        nobody = "" if space.model in known else "  the settings name no embedder of it"
        click.echo(
            f"{space.model}  {space.state}  {space.dimension or '?'} dimensions  {fill.done} of {fill.documents}"
            f" documents{failing}{nobody}"
        )
    if not chosen:
        click.echo("no space yet: the first one comes with the index worker")
    return fills


def _ring(config: settings.Settings) -> None:
    if config.redis.broker_url is None and config.redis.url is None:
        return
    # Celery takes a second to import, and only this needs it.
    from tasks.knowledge.tasks import embed_due
    from tasks.wakeups import wake_up

    wake_up(embed_due)
