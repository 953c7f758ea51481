"""Changes the embedding model: adds a new one, which the index worker fills while the old one is searched, switches all
companies to it at once, and drops the old one."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime

from shared import faults
from shared.errors import NotFound, Permanent
from shared.knowledge.embed import Embedder
from shared.knowledge.embedding_models import LOOK_S
from shared.store.db.pool import Conn
from shared.store.knowledge import embedding_models as store
from shared.store.knowledge import embeddings, vector_indexes
from shared.store.knowledge.embedding_models import EmbeddingModel

PROBE = "When do you open?"
PROBE_DEADLINE_S = 30.0
BATCH = 5_000
UNSEEN_AFTER_S = 2 * LOOK_S
"""How long after a model was retired no process searches it or stores its vectors any more."""


def named(conn: Conn, name: str) -> EmbeddingModel:
    """Return the embedding model of this name. Raises NotFound, which lists the models that there are."""
    found = store.named(conn, name)
    if found is None:
        there = ", ".join(model.name for model in store.every(conn)) or "none yet"
        raise NotFound("embedding_model", f"there is no embedding model {name!r}: there are {there}")
    return found


def create(conn: Conn, embedder: Embedder, dimension: int | None = None) -> EmbeddingModel:
    """Add the model of an embedder after asking it for its dimension; an existing one stays as it is. The index worker
    fills it.

    dimension: the expected one. Raises ModelUnavailable if the embedder is away, and Permanent if its dimension is not
    the expected one or not the model's.
    """
    [vector] = embedder.embed([PROBE], deadline_s=PROBE_DEADLINE_S)
    if dimension is not None and len(vector) != dimension:
        raise Permanent("embedding_dimension", f"{embedder.model} gives {len(vector)} dimensions, not {dimension}")
    known = store.named(conn, embedder.model)
    if known is not None and known.state == "dropping":
        raise Permanent(
            "embedding_model", f"{embedder.model!r} is being dropped: run `embedding-models drop` to the end first"
        )
    embeddings.ensure_model(conn, embedder.model, len(vector))
    return named(conn, embedder.model)


def switch(conn: Conn, name: str, *, anyway: bool = False) -> tuple[EmbeddingModel, EmbeddingModel | None]:
    """Make a model the active one. Returns it and the previous one, which stays ready until it is dropped.

    anyway: even if it is not filled; chunks without a vector are then found by their words only. Without it, a model
    that is not filled raises Permanent.
    """
    with conn.transaction():
        # No lock against the worker that fills the model: it changes nothing here but filled_at.
        model = named(conn, name)
        before = next((each for each in store.every(conn) if each.state == "active"), None)
        if model.state == "dropping" or model.dimension is None:
            why = "is being dropped" if model.state == "dropping" else "has no vectors yet: no worker embeds with it"
            raise Permanent("embedding_model", f"{name!r} {why}")
        if model.state != "active" and not anyway:
            if model.filled_at is None:
                raise Permanent("embedding_model", f"{name!r} is still filling: see `embedding-models progress`")
            if behind := store.behind(conn, model.id):
                raise Permanent(
                    "embedding_model", f"{behind} documents have vectors of the active model but not of {name!r} yet"
                )
        store.switch(conn, model.id)
        faults.reach("embedding_models.before_switch")
        return named(conn, name), before if before is not None and before.id != model.id else None


def drop(
    conn: Conn, name: str, *, now: Callable[[], datetime], told: Callable[[int], None],
    sleep: Callable[[float], None] = time.sleep,
) -> int:  # fmt: skip
    """Delete a model with its vector indexes and vectors, in batches. If it is interrupted, call it again.

    told: gets the number of vectors deleted so far. Returns how many there were. Raises Permanent for the active model.
    conn: in autocommit.
    """
    model = named(conn, name)
    if not store.retire(conn, model.id):
        raise Permanent("embedding_model", f"{name!r} is the active model: switch to another one first")
    retired_at = named(conn, name).changed_at
    sleep(max(0.0, UNSEEN_AFTER_S - (now() - retired_at).total_seconds()))
    for index in vector_indexes.of_model(conn, model.id):  # first, because deleting indexed rows costs more
        vector_indexes.drop(conn, index)
    gone, after = 0, (0, 0)
    while True:
        count, behind = store.clear(conn, model.id, after=after, limit=BATCH)
        faults.reach("embedding_models.cleared_some")
        gone += count
        told(gone)
        if behind is None:
            break
        after = behind
    while store.clear_queue(conn, model.id, limit=BATCH):
        pass
    store.delete(conn, model.id)
    return gone
