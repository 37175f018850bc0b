"""What a manifest says of other things: another document of its name, its clusters, its schemas."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from bridge_operator.catalog import Problem
from bridge_operator.manifest_documents import ReadDocument, near_miss
from bridge_operator.model import KafkaBridge, KafkaCluster
from bridge_operator.yaml_mistakes import quoted, shortened

MAX_SCHEMA_BYTES = 1024 * 1024
# A message is one line; whoever has more schemas than this knows where to look.
MAX_LISTED = 20

Found = tuple[ReadDocument, Problem]


def repeated_names(documents: Sequence[ReadDocument]) -> Iterator[Found]:
    """Every document that shares kind and name with another one; it names where the other stands."""
    byIdentity: dict[tuple[str, str], list[ReadDocument]] = {}
    for document in documents:
        if document.kind and document.name:
            byIdentity.setdefault((document.kind, document.name), []).append(document)
    for (kind, name), group in byIdentity.items():
        for document in group if len(group) > 1 else ():
            other = group[1] if document is group[0] else group[0]
            found = f"{kind} {quoted(name)}, which {other.file} has in line {other.place.line} too"
            yield document, document.problem(("metadata", "name"), found, "each name once for a kind", "DuplicateName")


def missing_clusters(documents: Sequence[ReadDocument], clusters: Mapping[str, KafkaCluster]) -> Iterator[Found]:
    """`clusters` are the good ones; those with a problem are told apart from those that nobody wrote."""
    broken = {document.name: document for document in documents if document.kind == "KafkaCluster" and document.name}
    for document in documents:
        if not isinstance(document.manifest, KafkaBridge):
            continue
        spec = document.manifest.spec
        for side, name in (("source", spec.source.cluster), ("target", spec.target.cluster)):
            if name in clusters:
                continue
            if name in broken:
                where = f"{broken[name].file}:{broken[name].place.line}"
                found, expected = (
                    f"cluster {name}, whose manifest ({where}) has a problem",
                    "a cluster without problems",
                )
            else:
                found = f"cluster {name}, which no manifest describes"
                expected = _one_of("KafkaCluster", sorted(clusters)) + near_miss(name, clusters)
            yield document, document.problem(("spec", side, "cluster"), found, expected, "ClusterNotFound")


def missing_schemas(documents: Sequence[ReadDocument], folder: Path) -> Iterator[Found]:
    """Of every schemaFile that is not in `folder` or is no schema."""
    verdicts: dict[str, tuple[str, str, str] | None] = {}
    for document in documents:
        if not isinstance(document.manifest, KafkaBridge):
            continue
        for index, topic in enumerate(document.manifest.spec.topics):
            for part, given in (("key", topic.key), ("value", topic.value)):
                for place, file in given.schema_files():
                    if file not in verdicts:
                        verdicts[file] = _schema_fault(folder, file)
                    verdict = verdicts[file]
                    if verdict is not None:
                        path = ("spec", "topics", index, part, *place)
                        yield document, document.problem(path, *verdict)


def _schema_fault(folder: Path, name: str) -> tuple[str, str, str] | None:
    """Found, expected and reason; None where the file is there and could be an Avro schema."""
    path = folder / name
    try:
        if not path.is_file():
            there = sorted(file.name for file in folder.iterdir() if file.is_file() and not file.name.startswith("."))
            expected = _one_of("schema file", there) + near_miss(name, there)
            return f"schema {name}, which is not there", expected, "SchemaNotFound"
        with path.open("rb") as stream:
            content = stream.read(MAX_SCHEMA_BYTES + 1)
    except OSError as error:
        found = f"schema {name}, which cannot be read ({error.strerror or error})"
        return found, "a file that the operator may read", "SchemaNotFound"
    if len(content) > MAX_SCHEMA_BYTES:
        return f"schema {name} of more than {MAX_SCHEMA_BYTES // 1024} KiB", "an Avro schema", "SchemaInvalid"
    try:
        schema = json.loads(content)
    except json.JSONDecodeError as error:
        found = f"schema {name}, no JSON in line {error.lineno}, column {error.colno} ({shortened(error.msg)})"
        return found, "an Avro schema in JSON", "SchemaInvalid"
    except (ValueError, RecursionError) as error:
        return f"schema {name}, no JSON ({type(error).__name__})", "an Avro schema in JSON", "SchemaInvalid"
    # A record, enum and the like, a union, or the name of a type.
    if (isinstance(schema, dict) and "type" in schema) or (isinstance(schema, list | str) and schema):
        return None
    return f"schema {name} without a type", 'an Avro schema, such as {"type": "record", …}', "SchemaInvalid"


def _one_of(what: str, names: Sequence[str]) -> str:
    if not names:
        return f"a {what}; there is none yet"
    more = f" and {len(names) - MAX_LISTED} more" if len(names) > MAX_LISTED else ""
    return f"a {what} that exists: {', '.join(names[:MAX_LISTED])}{more}"
