"""The JSON Schema of manifests says what the models say, and the one in manifests/ is the one that they give now."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML

from bridge_operator.manifest_schema import DIALECT, manifest_schema
from support.bridgectl import Desk

MANIFESTS = Path(__file__).resolve().parents[3] / "manifests"
FILES = sorted(MANIFESTS.glob("*/*.yaml"))
BRIDGE: dict[str, Any] = {
    "apiVersion": "bridge.kafka/v1alpha1",
    "kind": "KafkaBridge",
    "metadata": {"name": "orders"},
    "spec": {"source": {"cluster": "a"}, "target": {"cluster": "b"}, "topics": [{"name": "orders"}]},
}
CLUSTER: dict[str, Any] = {
    "apiVersion": "bridge.kafka/v1alpha1",
    "kind": "KafkaCluster",
    "metadata": {"name": "a"},
    "spec": {"bootstrapServers": "kafka:9093", "network": "network1", "tls": {"secret": "tls"}},
}


def places(manifest: dict[str, Any]) -> list[str]:
    """Where a validator marks a manifest, as paths."""
    found = Draft202012Validator(manifest_schema()).iter_errors(manifest)
    return sorted("/".join(map(str, error.absolute_path)) for error in found)


def changed(manifest: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    made = copy.deepcopy(manifest)
    *parents, last = path.split("/")
    here = made
    for step in parents:
        here = here[int(step)] if isinstance(here, list) else here[step]
    here[last] = value
    return made


def test_it_is_a_schema_of_its_dialect() -> None:
    assert manifest_schema()["$schema"] == DIALECT
    Draft202012Validator.check_schema(manifest_schema())


def test_the_one_in_the_folder_is_up_to_date(tmp_path: Path) -> None:
    """stack/bridgectl schema > manifests/schema.json makes it so."""
    printed = Desk(tmp_path).run("schema").stdout
    assert (MANIFESTS / "schema.json").read_text() == printed
    assert json.loads(printed) == manifest_schema()


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_the_project_s_manifests_fit_and_name_it(file: Path) -> None:
    assert file.read_text().splitlines()[0] == "# yaml-language-server: $schema=../schema.json"
    for document in YAML(typ="safe").load_all(file):
        assert places(document) == []


@pytest.mark.parametrize("manifest", [BRIDGE, CLUSTER], ids=lambda manifest: manifest["kind"])
def test_a_minimal_manifest_fits(manifest: dict[str, Any]) -> None:
    assert places(manifest) == []


@pytest.mark.parametrize(
    ("manifest", "path", "value"),
    [
        (BRIDGE, "spec/replicas", "many"),
        (BRIDGE, "spec/replicas", 65),
        (BRIDGE, "spec/topics", []),
        (BRIDGE, "spec/topics/0/value", {"format": "xml"}),
        (BRIDGE, "spec/migrateLanesFrom", None),
        (BRIDGE, "metadata/name", "Orders"),
        (CLUSTER, "spec/bootstrapServers", "kafka"),
    ],
)
def test_a_wrong_value_is_marked_where_it_stands(manifest: dict[str, Any], path: str, value: Any) -> None:
    [marked] = places(changed(manifest, path, value))
    assert marked.startswith(path)


@pytest.mark.parametrize(
    ("manifest", "path", "marked"),
    [(BRIDGE, "spec/lane", "spec"), (BRIDGE, "spec/topics/0/nam", "spec/topics/0"), (CLUSTER, "spec/topics", "spec")],
)
def test_an_unknown_field_is_marked(manifest: dict[str, Any], path: str, marked: str) -> None:
    assert places(changed(manifest, path, 1)) == [marked]


def test_an_unknown_kind_is_marked() -> None:
    assert places(BRIDGE | {"kind": "KafkaTopic"}) == ["kind"]
