"""From a manifest to containers: what is rendered, and what changes a container's hash."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from bridge_operator.desired import ContainerSpec, Desired, EngineFacts, Limits, Mount, memory_bytes, nano_cpus, render
from bridge_operator.model import KafkaBridge
from kafka_bridge.config import BridgeConfig
from support.operator_harness import CLUSTERS, bridge

FACTS = EngineFacts(
    networks={name: (f"id-{name}", f"kbo_{name}") for name in ("network1", "network2", "network3")},
    volumes={name: f"kbo_{name}" for name in ("tls-bridge-source", "tls-bridge-target", "schemas")},
    imageId="sha256:1",
    schemaDigests={"schema.avsc": "digest-1"},
)


def rendered(manifest: KafkaBridge, facts: EngineFacts = FACTS) -> Desired:
    return render(manifest, CLUSTERS["source"], CLUSTERS["target"], facts, "kbo", "image", "network2", "schemas")


def only(desired: Desired) -> ContainerSpec:
    assert len(desired.specs) == 1
    return desired.specs[0]


def avro_bridge(**spec: Any) -> KafkaBridge:
    topics = [{"name": "orders", "value": {"format": "avro", "schemaFile": "schema.avsc"}}]
    return bridge(topics=topics, **spec)


def test_a_replica_gets_what_its_bridge_needs_and_nothing_else() -> None:
    spec = only(rendered(avro_bridge(resources={"memory": "256Mi", "cpus": "500m", "pids": 64})))
    assert spec.name == "kbo-orders-0"
    assert spec.mounts == (
        Mount("kbo_tls-bridge-source", "/etc/kafka-bridge/tls/source"),
        Mount("kbo_tls-bridge-target", "/etc/kafka-bridge/tls/target"),
        Mount("kbo_schemas", "/etc/kafka-bridge/schemas"),
    )
    assert [link.engineName for link in spec.networks] == ["kbo_network1", "kbo_network2", "kbo_network3"]
    assert all(link.aliases == ("kbo-orders-0",) for link in spec.networks)
    assert spec.limits == Limits(256 * 2**20, 500_000_000, 64)
    assert len(only(rendered(bridge())).mounts) == 2, "no schema, no schema volume"


def test_the_bridge_can_read_what_is_rendered_for_it() -> None:
    second = rendered(avro_bridge(replicas=2)).specs[1]
    config = BridgeConfig.model_validate(json.loads(dict(second.environment)["BRIDGE_CONFIG"]))
    assert (config.instance, config.bridge, config.ordinal, config.replicas, config.lanes) == ("kbo", "orders", 1, 2, 6)
    assert config.source.bootstrapServers == "source-kafka:9093"
    assert config.target.tls.keyFile == "/etc/kafka-bridge/tls/target/tls.key"
    assert config.topics[0].name == "orders"
    assert config.topics[0].value.schemaFile == "schema.avsc"


def test_suspend_asks_for_no_replica() -> None:
    assert rendered(bridge(suspend=True, replicas=3)).specs == ()


@pytest.mark.parametrize(
    "changed",
    [
        rendered(avro_bridge(replicas=2)).specs[0],
        only(rendered(avro_bridge(commitIntervalMs=500))),
        only(rendered(avro_bridge(resources={"memory": "1Gi"}))),
        only(rendered(avro_bridge(resources={"cpus": "1"}))),
        only(rendered(avro_bridge(resources={"pids": 100}))),
        only(rendered(avro_bridge(), replace(FACTS, imageId="sha256:2"))),
        only(rendered(avro_bridge(), replace(FACTS, schemaDigests={"schema.avsc": "digest-2"}))),
    ],
)
def test_what_needs_a_new_container_changes_the_hash(changed: ContainerSpec) -> None:
    assert changed.specHash != only(rendered(avro_bridge())).specHash


@pytest.mark.parametrize(
    "same",
    [
        only(rendered(avro_bridge())),
        only(rendered(avro_bridge(progressDeadlineSeconds=30))),
        only(
            rendered(
                avro_bridge(),
                replace(FACTS, networks={name: (f"new-{name}", entry[1]) for name, entry in FACTS.networks.items()}),
            )
        ),
        only(rendered(avro_bridge(), replace(FACTS, schemaDigests={"schema.avsc": "digest-1", "other.avsc": "x"}))),
    ],
)
def test_what_can_be_mended_in_place_does_not(same: ContainerSpec) -> None:
    assert same.specHash == only(rendered(avro_bridge())).specHash


@pytest.mark.parametrize(
    ("facts", "reason", "words"),
    [
        (replace(FACTS, networks={"network2": ("1", "2")}), "NetworkNotFound", "network1"),
        (replace(FACTS, volumes={"schemas": "s", "tls-bridge-target": "t"}), "SecretNotFound", "tls-bridge-source"),
        (
            replace(FACTS, volumes={"tls-bridge-source": "s", "tls-bridge-target": "t"}),
            "SchemaVolumeNotFound",
            "schemas",
        ),
        (replace(FACTS, imageId=None), "ImageNotFound", "image"),
    ],
)
def test_what_is_missing_is_named(facts: EngineFacts, reason: str, words: str) -> None:
    desired = rendered(avro_bridge(), facts)
    assert desired.specs == ()
    assert desired.faults[0].reason == reason
    assert words in desired.faults[0].message


@pytest.mark.parametrize(
    ("quantity", "amount"),
    [("1", 1), ("500M", 500_000_000), ("256Mi", 268_435_456), ("1Gi", 1_073_741_824), ("3k", 3000), ("3Ki", 3072)],
)
def test_memory_quantities(quantity: str, amount: int) -> None:
    assert memory_bytes(quantity) == amount


@pytest.mark.parametrize(("quantity", "amount"), [("2", 2 * 10**9), ("0.5", 5 * 10**8), ("250m", 25 * 10**7)])
def test_cpu_quantities(quantity: str, amount: int) -> None:
    assert nano_cpus(quantity) == amount
