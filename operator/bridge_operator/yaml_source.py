"""YAML text as trees that know where each value stands, so that every mistake can be shown by line and column.

Built straight from the parser's events: limits hold while reading, numbers keep the form in which they were written,
and a repeated key is seen. Each document is parsed by itself, so that a slip in one hides nothing of the others.
Never raises for what stands in the text.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.events import AliasEvent, MappingEndEvent, MappingStartEvent, ScalarEvent, SequenceStartEvent
from ruamel.yaml.reader import ReaderError

from bridge_operator.yaml_mistakes import explain, quoted

# Far above any manifest, low enough that the worst text takes seconds at most.
MAX_DEPTH = 32
MAX_NODES = 50_000
MAX_DOCUMENTS = 1_000
MAX_LINE = 100_000

FieldPath = tuple[str | int, ...]

_CORE_TAGS = "tag:yaml.org,2002:"
_TEXT_TAG = f"{_CORE_TAGS}str"
# YAML 1.2's core schema; a number of more digits is no number that anybody means.
_NULL = re.compile(r"~|null|Null|NULL|")
_BOOLEAN = re.compile(r"(true|True|TRUE)|false|False|FALSE")
_INTEGER = re.compile(r"[-+]?[0-9]{1,40}|0o[0-7]{1,40}|0x[0-9a-fA-F]{1,40}")
_FLOAT = re.compile(r"[-+]?(\.[0-9]{1,40}|[0-9]{1,40}(\.[0-9]{0,40})?)([eE][-+]?[0-9]{1,3})?")
_MARKER = re.compile(r"^(---|\.\.\.)(?=\s|$)", re.MULTILINE)
_NOTHING_BUT_REMARKS = re.compile(r"(---)?\s*+([#%][^\n]*+\s*+)*+")


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Counted from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with the YAML itself."""

    place: Place
    path: FieldPath
    found: str
    expected: str


@dataclass(frozen=True, slots=True)
class Node:
    """A scalar, a list of nodes or a mapping. `written` is a scalar's own text; `size` counts aliases in full."""

    place: Place
    value: bool | int | float | str | list[Node] | dict[str, Entry] | None
    written: str = ""
    size: int = 1

    def plain(self) -> Any:
        """The value without places; shared where an alias was used."""
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        if isinstance(self.value, dict):
            return {key: entry.node.plain() for key, entry in self.value.items()}
        return self.value


@dataclass(frozen=True, slots=True)
class Entry:
    keyPlace: Place
    node: Node


@dataclass(frozen=True, slots=True)
class Document:
    """`root` is None where the YAML could not be read. `text` is what was written, for whoever wants to guess."""

    place: Place
    text: str
    root: Node | None
    faults: tuple[Fault, ...] = ()


class _Refusal(Exception):
    def __init__(self, index: int, found: str, expected: str) -> None:
        super().__init__(found)
        self.index, self.found, self.expected = index, found, expected


def read_documents(text: str) -> list[Document]:
    """All documents that hold anything, in their order."""
    documents: list[Document] = []
    for part, firstLine in split_documents(text):
        if len(documents) == MAX_DOCUMENTS:
            fault = Fault(Place(firstLine, 1), (), f"more than {MAX_DOCUMENTS} documents", "several smaller files")
            documents.append(Document(fault.place, "", None, (fault,)))
            break
        documents.append(_Builder(part, firstLine).document())
    return documents


def with_plain_line_ends(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def split_documents(text: str) -> Iterator[tuple[str, int]]:
    """The documents' texts with the line that each begins in; a marker ends even a block of text or a quote."""
    text = with_plain_line_ends(text)
    marks = list(_MARKER.finditer(text))
    starts = [0, *(mark.start() if mark[0] == "---" else mark.end() for mark in marks)]
    ends = [*(mark.start() for mark in marks), len(text)]
    line, counted = 1, 0
    for start, end in zip(starts, ends, strict=True):
        line, counted = line + text.count("\n", counted, start), start
        if not _NOTHING_BUT_REMARKS.fullmatch(text, start, end):
            yield text[start:end], line


@dataclass(slots=True)
class _Builder:
    text: str
    firstLine: int
    faults: list[Fault] = field(default_factory=list)
    anchors: dict[str, Node] = field(default_factory=dict)
    nodes: int = 0
    lineStarts: list[int] = field(default_factory=list)
    events: Iterator[Any] = field(default_factory=lambda: iter(()))

    def document(self) -> Document:
        self.lineStarts = [0, *accumulate(len(line) + 1 for line in self.text.split("\n"))]
        root = None
        try:
            self._refuse_long_lines()
            self.events = iter(YAML(typ="safe", pure=True).parse(self.text))
            next(self.events), next(self.events)
            root = self._node(next(self.events), (), 0)
            # What follows the root is a mistake, and only shows when it is read.
            list(self.events)
        except _Refusal as refusal:
            self._fault(refusal.index, (), refusal.found, refusal.expected)
        except (MarkedYAMLError, ReaderError) as error:
            root = None
            self._fault(*explain(error, self.text, self.firstLine))
        except Exception as error:
            # The parser raises whatever comes for a few odd texts; a file never ends the operator.
            root = None
            self._fault(0, (), f"text that cannot be read as YAML ({type(error).__name__})", "a manifest in YAML")
        place = root.place if root else self._place(len(self.text) - len(self.text.lstrip()))
        return Document(place, self.text, root, tuple(self.faults))

    def _refuse_long_lines(self) -> None:
        for start, end in zip(self.lineStarts, self.lineStarts[1:], strict=False):
            if end - start > MAX_LINE:
                raise _Refusal(start, f"a line of {end - start - 1} characters", f"at most {MAX_LINE}")

    def _node(self, event: Any, path: FieldPath, depth: int) -> Node:
        index = event.start_mark.index
        if isinstance(event, AliasEvent):
            return self._aliased(event.anchor, index)
        self._count(1, index)
        if depth > MAX_DEPTH:
            raise _Refusal(index, f"more than {MAX_DEPTH} levels, one in the other", "a manifest's few levels")
        if event.tag is not None and not (isinstance(event, ScalarEvent) and str(event.tag) in (_TEXT_TAG, "!")):
            self._fault(
                index,
                path,
                f"the tag {quoted(str(event.tag).replace(_CORE_TAGS, '!!'))}",
                "a plain value, without a tag",
            )
        if isinstance(event, ScalarEvent):
            value = scalar(event.value) if event.implicit[0] else event.value
            node = Node(self._place(index), value, event.value)
        elif isinstance(event, SequenceStartEvent):
            node = self._list(index, path, depth)
        else:
            node = self._mapping(index, path, depth)
        if event.anchor is not None:
            self.anchors[event.anchor] = node
        return node

    def _list(self, index: int, path: FieldPath, depth: int) -> Node:
        nodes: list[Node] = []
        # A list's end is the one event that no value begins with.
        while isinstance(event := next(self.events), ScalarEvent | AliasEvent | SequenceStartEvent | MappingStartEvent):
            nodes.append(self._node(event, (*path, len(nodes)), depth + 1))
        return Node(self._place(index), nodes, size=1 + sum(node.size for node in nodes))

    def _mapping(self, index: int, path: FieldPath, depth: int) -> Node:
        entries: dict[str, Entry] = {}
        merged: list[Entry] = []
        while not isinstance(event := next(self.events), MappingEndEvent):
            keyPlace = self._place(event.start_mark.index)
            isMerge = isinstance(event, ScalarEvent) and event.value == "<<" and event.implicit[0]
            key = self._key(event, path, depth)
            entry = Entry(keyPlace, self._node(next(self.events), path if isMerge else (*path, key), depth + 1))
            if isMerge:
                merged.append(entry)
            elif key in entries:
                first = entries[key].keyPlace.line
                fault = f"the field {quoted(key)} a second time"
                self.faults.append(
                    Fault(keyPlace, (*path, key), fault, f"each field once; the first is in line {first}")
                )
            else:
                entries[key] = entry
        for entry in merged:
            entries = {**self._mapping_to_merge(entry, path), **entries}
        return Node(self._place(index), entries, size=1 + sum(entry.node.size for entry in entries.values()))

    def _key(self, event: Any, path: FieldPath, depth: int) -> str:
        node = self._node(event, path, depth + 1)
        if isinstance(node.value, list | dict):
            raise _Refusal(event.start_mark.index, f"{kind_of(node)} where a field's name should be", "a name")
        return node.written

    def _mapping_to_merge(self, entry: Entry, path: FieldPath) -> dict[str, Entry]:
        if isinstance(entry.node.value, dict):
            return entry.node.value
        found = f"<< with {kind_of(entry.node)}"
        self.faults.append(
            Fault(entry.keyPlace, (*path, "<<"), found, "a mapping to take fields from, as in <<: *name")
        )
        return {}

    def _aliased(self, anchor: str, index: int) -> Node:
        node = self.anchors.get(anchor)
        if node is None:
            known = ", ".join(sorted(self.anchors)[:10]) or "none in this document"
            raise _Refusal(index, f"*{anchor}", f"an anchor that stands complete before it ({known}); text in quotes")
        self._count(node.size, index)
        return node

    def _count(self, more: int, index: int) -> None:
        self.nodes += more
        if self.nodes > MAX_NODES:
            raise _Refusal(index, f"more than {MAX_NODES} values, aliases counted in full", "a smaller document")

    def _place(self, index: int) -> Place:
        line = bisect_right(self.lineStarts, index)
        return Place(self.firstLine + line - 1, index - self.lineStarts[line - 1] + 1)

    def _fault(self, index: int, path: FieldPath, found: str, expected: str) -> None:
        self.faults.append(Fault(self._place(min(index, len(self.text))), path, found, expected))


def kind_of(node: Node) -> str:
    """What sort of value it is, in words."""
    match node.value:
        case dict(entries):
            return "a mapping" if entries else "an empty mapping"
        case list(nodes):
            return f"a list of {len(nodes)}" if nodes else "an empty list"
        case None:
            return "nothing"
        case bool() | int() | float():
            return "true or false" if isinstance(node.value, bool) else "a number"
    return "text"


def scalar(written: str) -> bool | int | float | str | None:
    """What YAML makes of text without quotes."""
    if _NULL.fullmatch(written):
        return None
    if boolean := _BOOLEAN.fullmatch(written):
        return boolean[1] is not None
    if _INTEGER.fullmatch(written):
        return int(written, 0) if written[:2] in ("0o", "0x") else int(written)
    return float(written) if _FLOAT.fullmatch(written) else written
