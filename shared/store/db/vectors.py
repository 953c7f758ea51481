"""pgvector's types on connections: vectors go to the server as it keeps them, in two bytes a number.

pgvector's `register_vector` asks the server about four types, three round trips each; we have one of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pgvector import HalfVector
from pgvector.psycopg.halfvec import register_halfvec_info
from psycopg import Connection
from psycopg.types import TypeInfo

NAME = "halfvec"


def register(conn: Connection[Any], oid: int | None, array_oid: int | None) -> None:
    """Let the connection send vectors. oid, array_oid: the server's numbers of halfvec and halfvec[], which differ from
    database to database; None where pgvector is not installed, and nothing is done."""
    if oid and array_oid:
        register_halfvec_info(conn, TypeInfo(NAME, oid, array_oid))


def halfvec(conn: Connection[Any], vector: Sequence[float]) -> HalfVector:
    """Return a vector as a value for a statement of this connection, which is asked for the type's number if it is not
    the pool's. Numbers keep the four digits that the column has."""
    if conn.adapters.types.get(NAME) is None:
        row = conn.execute(
            """
            /* vectors.halfvec */
            SELECT oid, typarray
            FROM pg_type
            WHERE oid = to_regtype('public.halfvec')
            """
        ).fetchone()
        register(conn, *(row or (None, None)))
    return HalfVector(list(vector))
