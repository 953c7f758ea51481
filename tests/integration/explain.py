"""What the planner does with the store's own statements, and how many rows they really touch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from shared.store.db.pool import Conn

Node = Mapping[str, Any]


class Watched:
    """Stands where a connection does and sees each statement before it runs, also those of the connection's cursors."""

    def __init__(self, conn: Conn) -> None:
        self._conn = conn

    def see(self, query: Any, params: Any) -> None:
        raise NotImplementedError

    def execute(self, query: Any, params: Any = None, *, prepare: bool | None = None) -> Any:
        return self.cursor().execute(query, params)

    def cursor(self, **kwargs: Any) -> _WatchedCursor:
        return _WatchedCursor(self, self._conn.cursor(**kwargs))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._conn, name)


class _WatchedCursor:
    def __init__(self, watched: Watched, cursor: Any) -> None:
        self._watched = watched
        self._cursor = cursor

    def execute(self, query: Any, params: Any = None, *, prepare: bool | None = None) -> Any:
        self._watched.see(query, params)
        return self._cursor.execute(query, params)

    def __enter__(self) -> _WatchedCursor:
        self._cursor.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._cursor.__exit__(*error)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cursor, name)


class Explaining(Watched):
    """Stands where a connection does: each statement is explained with its own values, then run."""

    def __init__(self, conn: Conn) -> None:
        super().__init__(conn)
        self.plans: list[Node] = []

    def see(self, query: Any, params: Any) -> None:
        row = self._conn.execute(b"EXPLAIN (FORMAT JSON) " + query.encode(), params).fetchone()
        assert row is not None
        self.plans.append(row[0][0]["Plan"])  # type: ignore[index]

    @property
    def nodes(self) -> list[Node]:
        return [node for plan in self.plans for node in walk(plan)]

    def read_whole(self, tables: tuple[str, ...]) -> list[str]:
        """Those of the tables that a plan reads from end to end."""
        return [n["Relation Name"] for n in self.nodes if "Seq Scan" in n["Node Type"] and n["Relation Name"] in tables]

    def indexes(self) -> set[str]:
        return {node["Index Name"] for node in self.nodes if "Index Name" in node}

    def sorts(self) -> list[str]:
        """Sort keys of what no index gave in order."""
        return [str(node["Sort Key"]) for node in self.nodes if "Sort" in node["Node Type"]]


def walk(node: Node) -> Iterator[Node]:
    yield node
    for child in node.get("Plans", ()):
        yield from walk(child)


@dataclass
class Touched:
    """Rows or index entries read, by table (from end to end) and by index. Counted by the server, also inside
    functions, whose plans EXPLAIN does not show."""

    whole: dict[str, int] = field(default_factory=dict)
    indexes: dict[str, int] = field(default_factory=dict)

    @property
    def entries(self) -> int:
        return sum(self.whole.values()) + sum(self.indexes.values())


Counters = dict[tuple[str, str], tuple[int, int]]


def read_by(conn: Conn, use: Callable[[Conn], object]) -> Touched:
    """What `use` reads on this connection."""
    before = _counters(conn)
    use(conn)
    found = Touched()
    for (kind, name), (scans, entries) in _counters(conn).items():
        scans_before, entries_before = before.get((kind, name), (0, 0))
        if scans != scans_before:
            (found.indexes if kind == "i" else found.whole)[name] = entries - entries_before
    return found


def _counters(conn: Conn) -> Counters:
    rows = conn.execute(
        "SELECT relkind, relname::text, pg_stat_get_xact_numscans(oid), pg_stat_get_xact_tuples_returned(oid)"
        " FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'i')"
    ).fetchall()
    return {(str(kind), str(name)): (int(str(scans)), int(str(entries))) for kind, name, scans, entries in rows}
