"""Changes to the text of a manifest file: one document is written anew, everything around it stays as it is. Pure.

Remarks, quotes and the order of fields survive. Kinds and names are those of `model`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import StringIO
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq

from bridge_operator.manifest_documents import read
from bridge_operator.yaml_source import read_documents, split_documents, with_plain_line_ends

# Given a document that can be written to; tells whether it has changed anything.
Change = Callable[[CommentedMap], bool]

# A list whose entries stand further in than the field that holds it.
_INDENTED_LIST = re.compile(r"^( *)[^\s#-][^\n]*:[ \t]*\n(?:[ \t]*#[^\n]*\n)*\1 +- ", re.MULTILINE)


@dataclass(frozen=True, slots=True, order=True)
class Identity:
    """Which manifest: `kind` as it is written, `name` of its metadata."""

    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class Part:
    """A document as it stands in a text, from `start` to `end`."""

    identity: Identity
    text: str
    start: int

    @property
    def end(self) -> int:
        return self.start + len(self.text)


def parts_of(text: str) -> list[Part]:
    """The documents of a file that hold anything; line ends are made plain."""
    text = with_plain_line_ends(text)
    parts, at = [], 0
    for part, _ in split_documents(text):
        at = text.index(part, at)
        document = read(next(iter(read_documents(part))), "")
        parts.append(Part(Identity(document.kind, document.name), part, at))
        at += len(part)
    return parts


def with_change(text: str, identity: Identity, change: Change) -> str:
    """The same text where nothing changes. KeyError where there is no such document, or no spec in it."""
    return _rewritten(text, identity, lambda part: _changed(part, change))


def with_document(text: str, identity: Identity, document: str) -> str:
    """`document` in the place of the one that there is."""
    return _rewritten(text, identity, lambda part: ("---\n" if part.startswith("---") else "") + bare(document))


def without_document(text: str, identity: Identity) -> str:
    """Empty where nothing else is left but remarks."""
    left = _rewritten(text, identity, lambda part: "")
    return left if parts_of(left) else ""


def bare(document: str) -> str:
    """Without the marker that separates it from others, ending in a line's end."""
    return re.sub(r"\A---[ \t]*\n?", "", document).rstrip() + "\n"


def set_in_spec(field: str, value: Any, default: Any = None) -> Change:
    """A field that is not there yet comes first. Nothing changes where the value, or the default, is the same."""

    def change(document: CommentedMap) -> bool:
        spec = document["spec"]
        if spec.get(field, default) == value:
            return False
        if field in spec:
            spec[field] = value
        else:
            spec.insert(0, field, value)
        return True

    return change


def add_to_spec(field: str, entry: Mapping[str, Any]) -> Change:
    """One more entry of a list; the newest comes first."""

    def change(document: CommentedMap) -> bool:
        spec = document["spec"]
        written = CommentedMap(entry)
        written.fa.set_flow_style()
        if spec.get(field):
            spec[field].insert(0, written)
        else:
            set_in_spec(field, CommentedSeq([written]))(document)
        return True

    return change


def _rewritten(text: str, identity: Identity, rewrite: Callable[[str], str]) -> str:
    plain = with_plain_line_ends(text)
    part = next((one for one in parts_of(plain) if one.identity == identity), None)
    if part is None:
        raise KeyError(identity)
    result = plain[: part.start] + rewrite(part.text) + plain[part.end :]
    return result.replace("\n", "\r\n") if "\r\n" in text else result


def _changed(part: str, change: Change) -> str:
    yaml = YAML(typ="rt")
    # Attributes by the library's own names. No line is folded that was not.
    vars(yaml).update(preserve_quotes=True, width=10**9, explicit_start=part.startswith("---"))
    if _INDENTED_LIST.search(part):
        yaml.indent(mapping=2, sequence=4, offset=2)
    document = yaml.load(part)
    if not change(document):
        return part
    stream = StringIO()
    yaml.dump(document, stream)
    return stream.getvalue()
