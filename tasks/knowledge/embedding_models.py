"""Spaces by hand: a new one is made, filled by the index worker beside the one that serves, switched to at once for
everybody, and the old one dropped."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime

from shared import faults
from shared.errors import NotFound, Permanent
from shared.knowledge.embed import Embedder
from shared.knowledge.spaces import LOOK_S
from shared.store.db.pool import Conn
from shared.store.knowledge import embedding_models as store
from shared.store.knowledge import embeddings, vector_indexes
from shared.store.knowledge.embedding_models import Space

PROBE = "When do you open?"
PROBE_DEADLINE_S = 30.0
BATCH = 5_000
UNSEEN_AFTER_S = 2 * LOOK_S
"""So long after it was retired nobody ranks in a space or writes to it any more."""


def named(conn: Conn, model: str) -> Space:
    """Raises Permanent naming those that there are."""
    found = store.of_model(conn, model)
    if found is None:
        there = ", ".join(space.model for space in store.every(conn)) or "none yet"
        raise NotFound("space", f"there is no space of {model!r}: there are {there}")
    return found


def create(conn: Conn, embedder: Embedder, dimension: int | None = None) -> Space:
    """Make the space of an embedder that answers; one that is there stays as it is. The index worker fills it.

    dimension: what it should be. Raises ModelUnavailable, and Permanent for another dimension than that, or than the
    space has had so far.
    """
    [vector] = embedder.embed([PROBE], deadline_s=PROBE_DEADLINE_S)
    if dimension is not None and len(vector) != dimension:
        raise Permanent("embedding_dimension", f"{embedder.model} gives {len(vector)} dimensions, not {dimension}")
    known = store.of_model(conn, embedder.model)
    if known is not None and known.state == "dropping":
        raise Permanent("space", f"the space of {embedder.model!r} is being dropped: finish `spaces drop` first")
    embeddings.ensure_space(conn, embedder.model, len(vector))
    return named(conn, embedder.model)


def switch(conn: Conn, model: str, *, anyway: bool = False) -> tuple[Space, Space | None]:
    """Have a space rank from now on. Returns it and the one before, which stays ready until it is dropped.

    anyway: also where it is not full: what has no vector there is found by its words. Raises Permanent otherwise.
    """
    with conn.transaction():
        # A worker that fills it waits for nobody here: it only ever writes filled_at.
        space = named(conn, model)
        before = next((each for each in store.every(conn) if each.state == "active"), None)
        if space.state == "dropping" or space.dimension is None:
            why = "is being dropped" if space.state == "dropping" else "has no vectors yet: no worker embeds in it"
            raise Permanent("space", f"the space of {model!r} {why}")
        if space.state != "active" and not anyway:
            if space.filled_at is None:
                raise Permanent("space", f"the space of {model!r} is being filled: see `spaces progress`")
            if behind := store.behind(conn, space.id):
                raise Permanent(
                    "space", f"{behind} documents have vectors in the active space and not in {model!r} yet"
                )
        store.switch(conn, space.id)
        faults.reach("spaces.before_switch")
        return named(conn, model), before if before is not None and before.id != space.id else None


def drop(
    conn: Conn, model: str, *, now: Callable[[], datetime], told: Callable[[int], None],
    sleep: Callable[[float], None] = time.sleep,
) -> int:  # fmt: skip
    """Delete a space with its index and vectors, a batch at a time. Ended half way it is called again. told: how many
    vectors are gone so far. Returns how many. Raises Permanent for the active one. conn: in autocommit."""
    space = named(conn, model)
    if not store.retire(conn, space.id):
        raise Permanent("space", f"the space of {model!r} is the active one: switch to another one first")
    retired_at = named(conn, model).changed_at
    sleep(max(0.0, UNSEEN_AFTER_S - (now() - retired_at).total_seconds()))
    for graph in vector_indexes.of_space(conn, space.id):  # what is deleted from a graph costs more than from a table
        vector_indexes.drop(conn, graph)
    gone, after = 0, (0, 0)
    while True:
        count, behind = store.clear(conn, space.id, after=after, limit=BATCH)
        faults.reach("spaces.cleared_some")
        gone += count
        told(gone)
        if behind is None:
            break
        after = behind
    while store.clear_queue(conn, space.id, limit=BATCH):
        pass
    store.forget(conn, space.id)
    return gone
