"""Reads the manifest folder into a catalog: good objects, and every problem of every document with its place.

Never raises for what stands in the folder: a mistake there must not disturb what runs.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from bridge_operator.catalog import Catalog, Problem
from bridge_operator.manifest_documents import ReadDocument, guess_identity, read
from bridge_operator.manifest_files import SourceFile, read_file, read_folder
from bridge_operator.manifest_references import missing_clusters, missing_schemas, repeated_names
from bridge_operator.model import KafkaBridge, KafkaCluster
from bridge_operator.yaml_source import Place, read_documents, split_documents

FILES_REMEMBERED = 2_000


def load_folder(folder: Path, schemaFolder: Path | None) -> Catalog:
    """All manifests below `folder`, checked against each other and, where it exists, against `schemaFolder`."""
    fault = _folder_fault(folder)
    if fault:
        return Catalog(folderFault=fault)
    documents = _read_all(read_folder(folder))
    if not documents:
        return Catalog(folderFault=f"the manifest folder {folder} holds no manifest (in files *.yaml and *.yml)")
    documents = _with(documents, repeated_names(documents))
    documents = _with(documents, missing_clusters(documents, _clusters(documents)))
    if schemaFolder is not None and schemaFolder.is_dir():
        documents = _with(documents, missing_schemas(documents, schemaFolder))
    return _catalog(documents)


def load_file(file: Path) -> Catalog:
    """The manifests of one file, each by its shape alone; only repeated names are looked for."""
    source = read_file(file, str(file))
    if source is None:
        source = SourceFile(str(file), "", ("no such file", "a file of manifests"), isReadable=False)
    documents = _read_all([source])
    if not documents:
        return Catalog(folderFault=f"the file {file} holds no manifest")
    return _catalog(_with(documents, repeated_names(documents)))


def _folder_fault(folder: Path) -> str:
    try:
        with os.scandir(folder):
            return ""
    except FileNotFoundError:
        return f"the manifest folder {folder} does not exist"
    except NotADirectoryError:
        return f"the manifest folder {folder} is a file, expected a folder of manifests"
    except OSError as error:
        return f"the manifest folder {folder} cannot be read: {error.strerror or error}"


def _read_all(files: Iterable[SourceFile]) -> list[ReadDocument]:
    documents: list[ReadDocument] = []
    for file in files:
        if file.fault is None:
            documents += _read_text(file.name, file.text)
        else:
            documents += _without_reading(file, *file.fault)
    return documents


@lru_cache(maxsize=FILES_REMEMBERED)
def _read_text(name: str, text: str) -> tuple[ReadDocument, ...]:
    """Remembered: at a resync hardly any file has changed, and reading YAML is what costs."""
    return tuple(read(document, name) for document in read_documents(text))


def _without_reading(file: SourceFile, found: str, expected: str) -> list[ReadDocument]:
    """A fault of the file is one of each of its documents; of a file that could not be opened nobody knows them."""
    identities = dict.fromkeys(guess_identity(part) for part, _ in split_documents(file.text)) or {("", ""): None}
    reason = "InvalidManifest" if file.isReadable else "Unreadable"
    return [
        ReadDocument(
            file.name,
            Place(1, 1),
            kind,
            name,
            None,
            None,
            (Problem(file.name, 1, 1, "", found, expected, kind, name, reason),),
        )
        for kind, name in identities
    ]


def _with(documents: Sequence[ReadDocument], found: Iterable[tuple[ReadDocument, Problem]]) -> list[ReadDocument]:
    """A document with a problem is no manifest any more."""
    more: dict[int, list[Problem]] = {}
    for document, problem in found:
        more.setdefault(id(document), []).append(problem)
    return [
        replace(one, manifest=None, problems=(*one.problems, *more[id(one)])) if id(one) in more else one
        for one in documents
    ]


def _clusters(documents: Sequence[ReadDocument]) -> dict[str, KafkaCluster]:
    return {one.name: one.manifest for one in documents if isinstance(one.manifest, KafkaCluster)}


def _catalog(documents: Sequence[ReadDocument]) -> Catalog:
    return Catalog(
        bridges={one.name: one.manifest for one in documents if isinstance(one.manifest, KafkaBridge)},
        clusters=_clusters(documents),
        problems=tuple(problem for document in documents for problem in document.problems),
    )
