"""Commands that change from one embedding model to another while questions are answered."""

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
from shared.llm.api import http_client
from shared.resilience.loop import Loop
from shared.store.knowledge import embedding_models as store
from shared.store.knowledge.embedding_models import EmbeddingModel, Progress
from tasks.knowledge import embedding_models as flow
from workers.commands.printing import as_json_option, print_json, print_result
from workers.commands.setup import as_owner


@contextmanager
def embedders_of(config: settings.Settings) -> Iterator[Mapping[str, Embedder]]:
    """Open the embedders that the settings name, by the names of their models."""
    loop = Loop()
    loop.start()
    http = http_client(1)
    try:
        found = [embed.from_settings(config, http, loop), *embed.others_from_settings(config, http, loop)]
        yield {each.model: each for each in found}
    finally:
        loop.run(http.aclose(), timeout_s=2)
        loop.stop()


@click.group("embedding-models")
def group() -> None:
    """Embedding models: one is active, and searches use its vectors."""


@group.command("list")
@as_json_option
def list_models(as_json: bool) -> None:
    """List the embedding models in the order in which searches prefer them, with how far each is filled."""
    config = settings.load()
    with as_owner(config) as conn:
        _show(conn, config, store.every(conn), as_json=as_json)


@group.command("progress")
@click.argument("model", required=False)
@as_json_option
def progress(model: str | None, as_json: bool) -> None:
    """Show how many documents have vectors of each model, and what fails. Exit code 1 while a model is not filled."""
    config = settings.load()
    with as_owner(config) as conn:
        chosen = store.every(conn) if model is None else [flow.named(conn, model)]
        fills = _show(conn, config, chosen, as_json=as_json)
    if any(fill.waiting for fill in fills):
        raise SystemExit(1)


@group.command("create")
@click.argument("model")
@click.option(
    "--dimension", type=click.IntRange(1, 4000), help="The dimension it should have; any other one is refused."
)
@as_json_option
def create(model: str, dimension: int | None, as_json: bool) -> None:
    """Add a model that the settings name (EMBEDDINGS_MODEL, EMBEDDINGS_FALLBACKS, or a local one). The index worker
    fills it while searches keep using the active one; `embedding-models drop` undoes it."""
    config = settings.load()
    with as_owner(config) as conn, embedders_of(config) as embedders:
        if model not in embedders:
            known = ", ".join(embedders)
            raise Permanent(
                "embedding_model",
                f"the settings name no embedder {model!r}, only {known}: add it to EMBEDDINGS_FALLBACKS",
            )
        before = store.named(conn, model)
        made = flow.create(conn, embedders[model], dimension)
        if made == before:
            raise NothingDone("embedding_model", f"{model} is there already: {made.state}")
    _wake_index(config)
    print_result(asdict(made), f"{made.name}: {made.dimension} dimensions, {made.state}", as_json=as_json)


@group.command("switch")
@click.argument("model")
@click.option("--anyway", is_flag=True, help="Even if it is not filled: the rest is found by its words meanwhile.")
@as_json_option
def switch(model: str, anyway: bool, as_json: bool) -> None:
    """Search with this model from now on, for all companies at once. The previous one stays ready and is still
    filled."""
    with as_owner(settings.load()) as conn:
        was = flow.named(conn, model).state
        now, before = flow.switch(conn, model, anyway=anyway)
    if before is None and was == "active":
        raise NothingDone("embedding_model", f"{now.name} is the active model already")
    print_result({"model": now.name, "state": now.state, "before": before and before.name},
                 f"{now.name} is active" + (f"; {before.name} stays until `embedding-models drop`" if before else ""),
                 as_json=as_json)  # fmt: skip


@group.command("drop")
@click.argument("model")
@click.option("--yes", is_flag=True, help="Confirm. To have the model back, everything must be embedded again.")
@as_json_option
def drop(model: str, yes: bool, as_json: bool) -> None:
    """Delete a model with its indexes and all its vectors. If it is interrupted, run it again."""
    config = settings.load()
    if model == embed.first_model(config):
        setting = "EMBEDDINGS_MODEL" if config.embeddings.model else f"EMBEDDINGS_LOCAL_MODEL={model}"
        raise Permanent("embedding_model", f"with {setting} the index worker would add it again: change that first")
    if not yes:
        raise Permanent("embedding_model", f"this deletes all vectors of {model!r}: add --yes to confirm")
    with as_owner(config) as conn:
        gone = flow.drop(conn, model, now=lambda: datetime.now(UTC), told=lambda gone: None)
    print_result({"model": model, "vectors": gone}, f"{model} is gone, with {gone} vectors", as_json=as_json)


def _show(
    conn: psycopg.Connection, config: settings.Settings, chosen: list[EmbeddingModel], *, as_json: bool
) -> list[Progress]:
    fills = [store.progress_of(conn, model.id) for model in chosen]
    with embedders_of(config) as embedders:
        known = set(embedders)
    if as_json:
        print_json([
            {**asdict(model), **asdict(fill), "waiting": fill.waiting, "embedder": model.name in known}
            for model, fill in zip(chosen, fills, strict=True)
        ])  # fmt: skip
        return fills
    for model, fill in zip(chosen, fills, strict=True):
        failing = f", {fill.failing} failing ({fill.error})" if fill.failing else ""
        nobody = "" if model.name in known else "  the settings name no embedder for it"
        click.echo(
            f"{model.name}  {model.state}  {model.dimension or '?'} dimensions  {fill.done} of {fill.documents}"
            f" documents{failing}{nobody}"
        )
    if not chosen:
        click.echo("no embedding model yet: the index worker adds the first one")
    return fills


def _wake_index(config: settings.Settings) -> None:
    if config.redis.broker_url is None and config.redis.url is None:
        return
    # Celery takes a second to import, and only this needs it.
    from tasks.knowledge.tasks import embed_due
    from tasks.wakeups import wake_up

    wake_up(embed_due)
