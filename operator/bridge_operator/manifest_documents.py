"""One YAML document becomes one manifest, or the list of all that is wrong with it, each with its place.

What was expected is told in the words of the model's own JSON Schema, so that a new field needs nothing here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from itertools import islice
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from bridge_operator.catalog import Problem
from bridge_operator.model import API_VERSION, KafkaBridge, KafkaCluster, ObjectName
from bridge_operator.yaml_mistakes import MAX_SHOWN, quoted, shortened
from bridge_operator.yaml_source import Document, Entry, FieldPath, Node, Place, kind_of, scalar
from kafka_bridge.config import CLIENT_PROPERTIES

MODELS: dict[str, type[KafkaBridge] | type[KafkaCluster]] = {"KafkaBridge": KafkaBridge, "KafkaCluster": KafkaCluster}
# More than anybody reads; a file that is no manifest at all could have one for each of its lines.
MAX_PROBLEMS = 100

_OBJECT_NAME: TypeAdapter[str] = TypeAdapter(ObjectName)
_KIND_LINE = re.compile(r"^kind:\s*[\"']?([A-Za-z]+)", re.MULTILINE)
_METADATA_BLOCK = re.compile(r"^metadata:(.*(?:\n(?:[ \t].*)?)*)", re.MULTILINE)
_NAME_LINE = re.compile(r"^([ \t]+)name:[ \t]*[\"']?([^\s\"',}#]+)", re.MULTILINE)
_NAME_IN_BRACES = re.compile(r"[{,]([ \t]*)name:[ \t]*[\"']?([^\s\"',}#]+)")
_PLAIN_FIELD = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")


@dataclass(frozen=True, slots=True)
class ReadDocument:
    """A manifest with where it stands. `manifest` is None where there are problems."""

    file: str
    place: Place
    kind: str
    name: str
    root: Node | None
    manifest: KafkaBridge | KafkaCluster | None
    problems: tuple[Problem, ...]

    def problem(self, path: FieldPath, found: str, expected: str, reason: str) -> Problem:
        """What is wrong with the value at `path`, for whoever knows more than this document says."""
        place, _ = locate(self.root, path) if self.root else (self.place, None)
        return _problem(self, place, path, found, expected, reason)


def read(document: Document, file: str) -> ReadDocument:
    """Never raises. Kind and name are told even of a broken document, where they can be guessed."""
    kind, name = _identity(document)
    bare = ReadDocument(file, document.place, kind, name, document.root, None, ())
    problems = [_problem(bare, fault.place, fault.path, fault.found, fault.expected) for fault in document.faults]
    manifest = None
    if document.root is not None:
        problems += _head_problems(bare, document.root)
        if kind in MODELS and isinstance(document.root.value, dict):
            try:
                manifest = MODELS[kind].model_validate(document.root.plain())
            except ValidationError as error:
                told = {problem.fieldPath for problem in problems}
                found = islice(_model_problems(bare, document.root, error.errors(include_url=False)), MAX_PROBLEMS + 1)
                for problem in found:
                    # Of a value that may be one thing or another, pydantic tells of each that it is not that.
                    if problem.fieldPath not in told:
                        told.add(problem.fieldPath)
                        problems.append(problem)
    problems.sort(key=lambda problem: (problem.line, problem.column))
    if len(problems) > MAX_PROBLEMS:
        more = f"more than {MAX_PROBLEMS} problems"
        problems[MAX_PROBLEMS:] = [_problem(bare, document.place, (), more, "a manifest of a known kind")]
    return ReadDocument(
        file, document.place, kind, name, document.root, None if problems else manifest, tuple(problems)
    )


def guess_identity(text: str) -> tuple[str, str]:
    """Kind and name of a document that cannot be read: a bridge with a broken file has not been deleted."""
    kind, metadata = _KIND_LINE.search(text), _METADATA_BLOCK.search(text)
    inside = metadata[1] if metadata else ""
    # The name proper is indented least; labels may have one too.
    names = sorted(_NAME_LINE.findall(inside), key=lambda found: len(found[0])) or _NAME_IN_BRACES.findall(inside)
    return _sound_identity(kind[1] if kind else "", names[0][1] if names else "")


def near_miss(name: str, known: Iterable[str]) -> str:
    """' (did you mean x?)' where something known is spelt much like `name`."""
    by = {one.lower(): one for one in known}
    close = get_close_matches(name[:MAX_SHOWN].lower(), by, n=1)
    return f" (did you mean {by[close[0]]}?)" if close else ""


def locate(root: Node, path: FieldPath) -> tuple[Place, Node]:
    """The place of a value, as deep as `path` can be followed; that of its field where nothing is written."""
    place, node = root.place, root
    for step in path:
        if isinstance(node.value, dict) and isinstance(step, str) and step in node.value:
            entry: Entry = node.value[step]
            node = entry.node
            place = entry.keyPlace if node.value is None else node.place
        elif isinstance(node.value, list) and isinstance(step, int) and step < len(node.value):
            node = node.value[step]
            place = node.place
        else:
            break
    return place, node


def _identity(document: Document) -> tuple[str, str]:
    if document.root is None:
        return guess_identity(document.text)
    if not isinstance(document.root.value, dict):
        return "", ""
    kind, name = (locate(document.root, path)[1] for path in (("kind",), ("metadata", "name")))
    return _sound_identity(
        kind.value if isinstance(kind.value, str) else "", name.value if isinstance(name.value, str) else ""
    )


def _sound_identity(kind: str, name: str) -> tuple[str, str]:
    """Empty where no manifest could be called so: with a slip there, it may be anybody's."""
    try:
        _OBJECT_NAME.validate_python(name)
    except ValidationError:
        name = ""
    return kind if kind in MODELS else "", name


def _head_problems(bare: ReadDocument, root: Node) -> Iterator[Problem]:
    """apiVersion and kind come first: without them nobody knows what the rest should be."""
    if not isinstance(root.value, dict):
        yield _problem(
            bare, root.place, (), _found_words(root), "a manifest: a mapping with apiVersion, kind, metadata, spec"
        )
        return
    for field, known in (("apiVersion", [API_VERSION]), ("kind", sorted(MODELS))):
        entry = root.value.get(field)
        if entry is None:
            expected = f"the field {field}, with {_one_of(known)}"
            yield _problem(bare, root.place, (field,), f"no {field}", expected, "UnknownKind")
        elif entry.node.value not in known:
            place, node = locate(root, (field,))
            hint = near_miss(node.written, known)
            yield _problem(bare, place, (field,), _found_words(node), _one_of(known) + hint, "UnknownKind")


def _model_problems(bare: ReadDocument, root: Node, errors: Sequence[ErrorDetails]) -> Iterator[Problem]:
    schema = _schema(bare.kind)
    for error in errors:
        # pydantic marks a key that is wrong itself; its own name is enough.
        path = _path_in(root, tuple(step for step in error["loc"] if step != "[key]"), error["type"] == "missing")
        if error["type"] == "mistakes":
            for at, found, expected in error["ctx"]["mistakes"]:
                inner = (*path, *at)
                if "clientProperties" in path:
                    # Of a property that is not allowed the name is wrong, not the value.
                    where, hint = _field_place(root, inner), near_miss(str(at[-1]), CLIENT_PROPERTIES)
                    expected = f"a property that can be tuned{hint}" if hint else expected
                else:
                    where = locate(root, inner)[0]
                yield _problem(bare, where, inner, shortened(found), expected)
            continue
        place, node = locate(root, path)
        if error["type"] == "too_short" and node.value:
            # pydantic does not count the entries that have problems of their own.
            continue
        if error["type"] == "extra_forbidden":
            known = list(_subschema(schema, path[:-1]).get("properties", {}))
            name = str(path[-1])
            expected = f"one of: {', '.join(known)}{near_miss(name, known)}"
            yield _problem(bare, _field_place(root, path), path, f"the unknown field {quoted(name)}", expected)
        elif error["type"] == "missing":
            place = _field_place(root, path[:-1])
            expected = f"the field {path[-1]}: {_words(schema, _subschema(schema, path))}"
            yield _problem(bare, place, path, f"no {path[-1]}", expected)
        else:
            expected = _words(schema, _subschema(schema, path))
            if error["type"] == "string_type" and not isinstance(node.value, dict | list | None):
                expected += "; in quotes a number, true or false is text"
            yield _problem(bare, place, path, _found_words(node), expected)


def _path_in(root: Node, path: FieldPath, isMissing: bool) -> FieldPath:
    """As far as there is something: behind that, pydantic names what a value might have been, or what is missing."""
    node = root
    for end, step in enumerate(path):
        if isinstance(node.value, dict) and isinstance(step, str) and step in node.value:
            node = node.value[step].node
        elif isinstance(node.value, list) and isinstance(step, int) and step < len(node.value):
            node = node.value[step]
        else:
            return path[: end + 1] if isMissing else path[:end]
    return path


def _field_place(root: Node, path: FieldPath) -> Place:
    """Where the field itself is named; of an entry in a list, where it begins."""
    place, parent = locate(root, path[:-1])
    if path and isinstance(parent.value, dict) and path[-1] in parent.value:
        return parent.value[str(path[-1])].keyPlace
    return locate(root, path)[0] if path else place


def _found_words(node: Node) -> str:
    """A value as it was written."""
    if isinstance(node.value, str):
        if not node.value:
            return "an empty text"
        # Whoever quoted a number does not see what is wrong with it.
        return quoted(node.value) + ("" if isinstance(scalar(node.value), str) else " in quotes, which is text")
    if isinstance(node.value, bool):
        return shortened(node.written)
    return f"the number {shortened(node.written)}" if isinstance(node.value, int | float) else kind_of(node)


def _problem(
    bare: ReadDocument, place: Place, path: FieldPath, found: str, expected: str, reason: str = "InvalidManifest"
) -> Problem:
    return Problem(
        file=bare.file,
        line=place.line,
        column=place.column,
        fieldPath=_written_path(path),
        found=found,
        expected=expected,
        kind=shortened(bare.kind),
        name=bare.name,
        reason=reason,
    )


def _written_path(path: FieldPath) -> str:
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        elif _PLAIN_FIELD.fullmatch(step):
            text += f".{shortened(step)}" if text else shortened(step)
        else:
            text += f"[{quoted(step)}]"
    return text


def _one_of(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"one of: {', '.join(names)}"


@cache
def _schema(kind: str) -> dict[str, Any]:
    return MODELS[kind].model_json_schema()


def _subschema(schema: dict[str, Any], path: FieldPath) -> dict[str, Any]:
    """What the model says of the value at `path`; nothing where it knows no such value."""
    here = schema
    for step in path:
        here = _resolved(schema, here)
        if isinstance(step, int):
            here = here.get("items", {})
        else:
            here = here.get("properties", {}).get(step) or here.get("additionalProperties") or {}
    return _resolved(schema, here)


def _resolved(schema: dict[str, Any], here: dict[str, Any]) -> dict[str, Any]:
    """Without references, and without the null that stands for a field that may be left out."""
    options = [option for option in here.get("anyOf", ()) if option.get("type") != "null"]
    if len(options) > 1 and "description" in here:
        return {"description": here["description"]}
    if options:
        return _resolved(schema, options[0])
    if "$ref" in here:
        resolved: dict[str, Any] = schema["$defs"][here["$ref"].rpartition("/")[2]]
        return resolved
    return here


def _words(schema: dict[str, Any], here: dict[str, Any]) -> str:
    if "enum" in here or "const" in here:
        return _one_of([str(one) for one in here.get("enum", [here.get("const")])])
    match here.get("type"):
        case "object" if "properties" in here:
            return f"a mapping with {', '.join(here['properties'])}"
        case "object":
            return "a mapping of names to text"
        case "array":
            return (
                f"a list of at least {here.get('minItems', 0)}, each {_words(schema, _subschema(here | schema, (0,)))}"
            )
    if "description" in here:
        return str(here["description"])
    match here.get("type"):
        case "integer":
            return f"a whole number from {here['minimum']} to {here['maximum']}"
        case "boolean":
            return "true or false"
    return "text"
