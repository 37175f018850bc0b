"""bridgectl get: manifests that are in force, and how their bridges are."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from bridge_operator.accepted import Accepted, AcceptedBridge
from bridge_operator.state_files import StateFiles
from support.bridgectl import Desk, bridge, report
from support.operator_harness import CLUSTERS
from support.operator_harness import bridge as manifest


@pytest.fixture(name="desk")
def make_desk(tmp_path: Path) -> Desk:
    desk = Desk(tmp_path, [])
    desk.write(report(bridge(), bridge("stray", readyReplicas=0)))
    accepted = {
        name: AcceptedBridge(generation=3, bridge=manifest(name), source=CLUSTERS["source"], target=CLUSTERS["target"])
        for name in ("orders", "payments")
    }
    StateFiles(desk.stateDir).write_accepted(Accepted(bridges=accepted))
    return desk


def test_bridges_as_a_table(desk: Desk) -> None:
    for words in (("bridges",), ("kafkabridge",), ("kb",)):
        lines = desk.run("get", *words).stdout.splitlines()
        assert [line.split() for line in lines] == [
            ["NAME", "SOURCE", "TARGET", "DESIRED", "READY", "STATUS"],
            ["orders", "source", "target", "1", "1", "Ready"],
            ["payments", "source", "target", "<unknown>", "<unknown>", "<unknown>"],
            ["stray", "<unknown>", "<unknown>", "1", "0", "Ready"],
        ]


def test_clusters_as_a_table(desk: Desk) -> None:
    lines = desk.run("get", "clusters", "source").stdout.splitlines()
    assert [line.split() for line in lines] == [
        ["NAME", "BOOTSTRAP", "SERVERS", "NETWORK", "SECRET", "USED", "BY"],
        ["source", "source-kafka:9093", "network1", "tls-bridge-source", "orders,payments"],
    ]


def test_names_alone(desk: Desk) -> None:
    assert desk.run("get", "bridges", "-o", "name").stdout == (
        "kafkabridge/orders\nkafkabridge/payments\nkafkabridge/stray\n"
    )


def test_one_as_an_object(desk: Desk) -> None:
    one = json.loads(desk.run("get", "bridge/orders", "-o", "json").stdout)
    assert (one["apiVersion"], one["kind"]) == ("bridge.kafka/v1alpha1", "KafkaBridge")
    assert one["metadata"] == {"name": "orders", "generation": 3}
    assert one["spec"] == manifest().spec.model_dump(mode="json", exclude_none=True), "defaults are shown"
    assert (one["status"]["observedGeneration"], one["status"]["readyReplicas"]) == (3, 1)
    assert {condition["type"] for condition in one["status"]["conditions"]} >= {"Ready", "Progressing"}
    assert YAML(typ="safe").load(desk.run("get", "bridge", "orders", "-o", "yaml").stdout)["spec"] == one["spec"]


def test_several_as_a_list(desk: Desk) -> None:
    listed = json.loads(desk.run("get", "bridges", "-o", "json").stdout)
    assert (listed["apiVersion"], listed["kind"]) == ("v1", "List")
    assert [one["metadata"]["name"] for one in listed["items"]] == ["orders", "payments", "stray"]


def test_what_is_not_there_is_named_and_the_rest_shown(desk: Desk) -> None:
    done = desk.run("get", "bridges", "orders", "nobody")
    assert done.exit_code == 1
    assert done.stderr == 'Error from operator (NotFound): kafkabridges "nobody" not found\n'
    assert "orders" in done.stdout
    assert desk.run("get", "topics").exit_code == 2


def test_nothing_is_said_to_be_nothing(tmp_path: Path) -> None:
    desk = Desk(tmp_path, [])
    desk.write(report())
    assert desk.run("get", "bridges").stdout == "No bridges found.\n"
    assert desk.run("get", "clusters").stdout == "No clusters found.\n"
    assert desk.run("get", "bridge", "ordrs").stdout == "", "whether there are others was not asked"


def test_with_the_operator_down_the_engine_is_asked_and_that_is_said(desk: Desk) -> None:
    (desk.stateDir / "status.json").unlink()
    done = desk.run("get", "bridges")
    assert "showing what the engine says" in done.stderr
    assert "orders" in done.stdout
