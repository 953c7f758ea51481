"""The zip archives that office documents and e-books are, and the XML in them, read within bounds."""

from __future__ import annotations

import io
import posixpath
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import NamedTuple
from xml.parsers import expat

from shared.knowledge.extract.base import UNPACKED_MAX, Unreadable, XmlReader
from shared.knowledge.extract.below import below

MEMBERS_MAX = 20_000
NODES_MAX = 1_500_000
DEPTH_MAX = 250
"""Tables within tables within text boxes need some thirty; walking the tree takes a frame of the stack for each."""
_READ = 64 * 1024
_NO_ATTRIBUTES: Mapping[str, str] = MappingProxyType({})

BROKEN = (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, zlib.error, EOFError, ValueError)
"""What a damaged archive makes zipfile raise."""


class Node:
    """An element. name: without its namespace's prefix; attributes: as they are written; children: elements and
    texts, in their order."""

    __slots__ = ("attributes", "children", "name")

    def __init__(self, name: str, attributes: Mapping[str, str]) -> None:
        self.name = name
        self.attributes = attributes
        self.children: list[Node | str] = []

    def get(self, name: str, default: str = "") -> str:
        """An attribute by its name, whatever its prefix; with a prefix only that one."""
        found = self.attributes.get(name)
        if found is None and ":" not in name:
            ending = ":" + name
            found = next((value for key, value in self.attributes.items() if key.endswith(ending)), None)
        return default if found is None else found

    def elements(self, *names: str) -> Iterator[Node]:
        """Child elements, of these names if any are given."""
        for child in self.children:
            if isinstance(child, Node) and (not names or child.name in names):
                yield child

    def first(self, *path: str) -> Node | None:
        """The first child of the first name, of that the first of the second, and so on."""
        found: Node | None = self
        for name in path:
            found = None if found is None else next(found.elements(name), None)
        return found

    def every(self, *names: str) -> Iterator[Node]:
        """All elements below of these names, in the order of the document."""
        return (child for child in below(self.children) if isinstance(child, Node) and child.name in names)

    def text(self) -> str:
        """All text below."""
        return "".join(child for child in below(self.children) if isinstance(child, str))


class _Tree(XmlReader):
    def __init__(self) -> None:
        self.root = Node("", _NO_ATTRIBUTES)
        self._open = [self.root]
        self._names: dict[str, str] = {}
        self._count = 0

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._count += 1
        if self._count > NODES_MAX:
            raise Unreadable(f"more than {NODES_MAX} elements: divide the document")
        if len(self._open) > DEPTH_MAX:
            raise Unreadable("nested too deeply")
        local = self._names.setdefault(name, name.rpartition(":")[2])
        node = Node(local, attributes or _NO_ATTRIBUTES)
        self._open[-1].children.append(node)
        self._open.append(node)

    def _end(self, name: str) -> None:
        self._open.pop()

    def _data(self, data: str) -> None:
        children = self._open[-1].children
        if children and isinstance(children[-1], str):
            children[-1] += data
        else:
            children.append(data)


class Relation(NamedTuple):
    """kind: the last part of its type's address, such as `styles`. target: a member's name in the archive."""

    kind: str
    target: str


class Package:
    """An archive that is open. What is unpacked is counted over all members together."""

    def __init__(self, archive: zipfile.ZipFile, called: str) -> None:
        self._archive = archive
        self._called = called
        self._left = UNPACKED_MAX
        infos = archive.infolist()
        if len(infos) > MEMBERS_MAX:
            raise Unreadable(f"not a valid {called} (more than {MEMBERS_MAX} parts)")
        self.names = {info.filename for info in infos}

    def bytes(self, name: str) -> bytes:
        """One member, however small it was made; the size that the archive says of itself is not believed."""
        info = self._archive.getinfo(name)
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            # These formats use no other, and the others unfold a block at once, however large.
            raise Unreadable(f"not a valid {self._called} (compressed in another way): save it anew")
        found = bytearray()
        with self._archive.open(info) as member:
            while piece := member.read(_READ):
                found += piece
                self._left -= len(piece)
                if self._left < 0:
                    raise Unreadable("the document unfolds to more than we read")
        return bytes(found)

    def tree(self, name: str) -> Node:
        """The root element of a member that is XML."""
        tree = _Tree()
        try:
            tree.parse(self.bytes(name))
        except expat.ExpatError as e:
            raise Unreadable(f"not a valid {self._called} (its XML is broken at line {e.lineno})") from None
        return next(tree.root.elements())

    def tree_or_none(self, name: str) -> Node | None:
        return self.tree(name) if name in self.names else None

    def relations(self, of: str) -> dict[str, Relation]:
        """What a member points at inside the archive, by the id it uses."""
        folder, _, last = of.rpartition("/")
        root = self.tree_or_none(posixpath.join(folder, "_rels", f"{last}.rels"))
        found = {}
        for each in root.elements("Relationship") if root is not None else ():
            if each.get("TargetMode") != "External":
                target = each.get("Target")
                joined = target.lstrip("/") if target.startswith("/") else posixpath.join(folder, target)
                found[each.get("Id")] = Relation(
                    each.get("Type").rpartition("/")[2], posixpath.normpath(joined).removeprefix("../")
                )
        return found


@contextmanager
def opened(raw: bytes, called: str, suffix: str) -> Iterator[Package]:
    """The archive of a file. called: what it should be, such as `Word document`. Raises Unreadable, also for what is
    broken while it is read."""
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            yield Package(archive, called)
    except (*BROKEN, KeyError) as e:
        raise Unreadable(f"not a valid {called} ({type(e).__name__}): save it as {suffix}") from None
