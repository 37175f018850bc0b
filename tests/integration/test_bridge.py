"""The bridge on two real clusters: topics, formats, dead letters, where it begins, and how it says what is wrong."""

from __future__ import annotations

import io
import json
import os
import time
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import fastavro
import pytest
from fastavro.schema import fingerprint, to_parsing_canonical_form

from kafka_bridge.lanes import lane_of
from kafka_bridge.positions import bridge_id, positions_topic, transactional_id
from support.clusters import INSIDE, Bridge, Clusters
from support.stack import Stack, kept_clean, wait_until

# The first test builds images and brings the clusters up; every wait inside has a deadline of its own.
pytestmark = pytest.mark.timeout(900)

V1: dict[str, Any] = {
    "type": "record",
    "name": "Reading",
    "fields": [{"name": "sensor", "type": "string"}, {"name": "value", "type": "int"}],
}
V2: dict[str, Any] = {
    "type": "record",
    "name": "Reading",
    "fields": [
        {"name": "value", "type": "long"},
        {"name": "unit", "type": "string", "default": "C"},
        {"name": "sensor", "type": "string"},
    ],
}
SCHEMAS = {"v1.avsc": V1, "v2.avsc": V2}


@pytest.fixture(scope="module", name="clusters")
def two_clusters() -> Iterator[Clusters]:
    with kept_clean(Stack(f"kbo-bridge-{os.getpid()}")) as stack:
        clusters = Clusters(stack)
        clusters.up()
        for name, schema in SCHEMAS.items():
            stack.docker(
                "run", "--rm", "--volume", f"{stack.instance}_schemas:/schemas", f"{stack.instance}-source-producer",
                "python", "-c", "import sys; open('/schemas/' + sys.argv[1], 'w').write(sys.argv[2])",
                name, json.dumps(schema),
            )  # fmt: skip
        yield clusters


@pytest.fixture(autouse=True)
def bridges_go(clusters: Clusters) -> Iterator[None]:
    yield
    clusters.remove_bridges()


def fill(clusters: Clusters, topic: str, count: int = 600, first: int = 0, partitions: int = 6) -> None:
    if topic not in clusters.tool("source", "describe"):
        clusters.tool("source", "create", topic, "--partitions", partitions)
    clusters.tool("source", "produce", topic, "--count", count, "--first", first, "--partitions", partitions)


def numbers(clusters: Clusters, topic: str) -> list[int]:
    return sorted(int(one["value"][:12]) for one in clusters.tool("target", "records", topic))


def arrives(clusters: Clusters, topic: str, wanted: list[int]) -> None:
    def probe() -> list[int]:
        return numbers(clusters, topic) if topic in clusters.tool("target", "describe") else []

    wait_until(f"{len(wanted)} records in {topic}", lambda: len(probe()) >= len(wanted), 60, 1.0)
    assert probe() == wanted


def encode(schema: dict[str, Any], datum: dict[str, Any]) -> bytes:
    stream = io.BytesIO()
    fastavro.schemaless_writer(stream, fastavro.parse_schema(schema), datum)
    return stream.getvalue()


def send(clusters: Clusters, topic: str, values: list[bytes | None]) -> None:
    given = [[0, None, None if value is None else value.hex()] for value in values]
    clusters.tool("source", "send_each", topic, "--records", json.dumps(given))


def records(clusters: Clusters, topic: str, count: int) -> list[dict[str, Any]]:
    """The records of a topic at the target, once there are so many."""

    def probe() -> list[dict[str, Any]] | None:
        found = clusters.tool("target", "records", topic) if topic in clusters.tool("target", "describe") else []
        return found if len(found) >= count else None

    return wait_until(f"{count} records in {topic}", probe, 60, 1.0)


def values(clusters: Clusters, topic: str) -> list[bytes]:
    return [one["value"].encode("latin-1") for one in clusters.tool("target", "records", topic)]


# ---- topics


def test_a_pattern_renames_excludes_follows_and_grows(clusters: Clusters) -> None:
    fill(clusters, "plant.orders")
    fill(clusters, "plant.test.orders")
    topic = {"pattern": r"plant\.(.*)", "exclude": [r".*\.test\..*"], "targetName": "site1.$1"}
    bridge = clusters.bridge("plant", topics=[topic])
    clusters.await_copy("plant.orders", "site1.orders")

    fill(clusters, "plant.stock", partitions=2)
    clusters.await_copy("plant.stock", "site1.stock")
    clusters.tool("source", "grow", "plant.orders", "--partitions", 8)
    clusters.tool("source", "produce", "plant.orders", "--partitions", 8, "--count", 80, "--first", 1000)
    clusters.await_copy("plant.orders", "site1.orders")

    found = clusters.tool("target", "describe")
    assert {name: count for name, count in found.items() if name.startswith("site1")} == {
        "site1.orders": 8,
        "site1.stock": 2,
    }
    assert bridge.is_ready()


def test_chosen_settings_of_a_topic_are_carried_over(clusters: Clusters) -> None:
    own = ["--config", "cleanup.policy=compact", "--config", "retention.ms=7200000", "--config", "segment.ms=60000"]
    clusters.tool("source", "create", "settings", "--partitions", 3, *own)
    clusters.bridge("settings", topicCreation={"configs": {"min.insync.replicas": 1}}).await_ready()
    assert clusters.tool("target", "configs", "settings") == {
        "cleanup.policy": "compact",
        "retention.ms": "7200000",
        "min.insync.replicas": "1",
    }


def test_a_topic_made_anew_stops_the_bridge_until_it_is_rewound(clusters: Clusters) -> None:
    fill(clusters, "anew", 60)
    bridge = clusters.bridge("anew")
    clusters.await_copy("anew")
    clusters.tool("source", "delete", "anew")
    fill(clusters, "anew", 30, first=600)
    reason, message = bridge.await_failure()
    assert reason == "SourceTopicRecreated"
    assert "rewind" in message
    assert numbers(clusters, "anew") == list(range(60)), "nothing is copied before somebody says where from"

    clusters.bridge("anew", rewind=[{"id": "new-topic", "topic": "anew", "to": "earliest"}])
    arrives(clusters, "anew", [*range(60), *range(600, 630)])


def test_what_the_source_has_forgotten_stops_the_bridge_until_it_is_rewound(clusters: Clusters) -> None:
    fill(clusters, "forgotten", 60)
    bridge = clusters.bridge("forgotten")
    clusters.await_copy("forgotten")
    assert bridge.stop() == 0
    fill(clusters, "forgotten", 60, first=60)
    clusters.tool("source", "trim", "forgotten", "--first", 15)
    bridge.start()
    reason, message = bridge.await_failure()
    assert reason == "SourceOffsetOutOfRange"
    assert "offset 10" in message
    assert "rewind" in message

    clusters.bridge("forgotten", rewind=[{"id": "go-on", "to": "earliest"}])
    arrives(clusters, "forgotten", [*range(60), *range(90, 120)])


# ---- where copying begins


def test_a_bridge_may_begin_at_the_end(clusters: Clusters) -> None:
    fill(clusters, "latest")
    bridge = clusters.bridge("latest", startFrom="latest")
    bridge.await_ready()
    fill(clusters, "latest", 12, first=600)
    arrives(clusters, "latest", list(range(600, 612)))


def test_a_bridge_may_begin_at_a_time_and_go_back_to_one_once(clusters: Clusters) -> None:
    fill(clusters, "timed", 12)
    time.sleep(1.1)
    moment = datetime.now(UTC).isoformat()
    time.sleep(0.1)
    fill(clusters, "timed", 12, first=12)
    bridge = clusters.bridge("timed", startFrom=moment)
    arrives(clusters, "timed", list(range(12, 24)))
    assert bridge.stop() == 0

    for _ in range(2):
        again = clusters.bridge("timed", startFrom=moment, rewind=[{"id": "again", "topic": "timed", "to": moment}])
        arrives(clusters, "timed", sorted([*range(12, 24), *range(12, 24)]))
        assert again.stop() == 0
    clusters.bridge(
        "timed", rewind=[{"id": "again", "to": moment}, {"id": "one", "topic": "timed", "partition": 3, "to": 0}]
    )
    arrives(clusters, "timed", sorted([*range(12, 24), *range(12, 24), 3, 9, 15, 21]))


def test_the_number_of_lanes_changes_in_the_middle_of_copying(clusters: Clusters) -> None:
    fill(clusters, "lanes", 300_000)
    bridge = clusters.bridge("lanes", lanes=6)
    wait_until("some records are copied", lambda: bridge.records() > 0, 60, 0.05)
    # The old one goes on: it must be fenced, not trusted to have stopped.
    successor = clusters.bridge("lanes", ordinal=0, lanes=4, migrateLanesFrom=6, suffix="-new")
    successor.await_ready()
    fill(clusters, "lanes", 6_000, first=300_000)
    clusters.await_copy("lanes")
    wait_until("the old one has noticed", lambda: states(bridge) == {"Fenced"}, 60)
    assert states(successor) == {"Copying"}

    late = clusters.bridge("lanes", lanes=6, suffix="-late")
    wait_until("the late one stops", lambda: late.status().get("fault"), 60)
    assert late.status()["fault"]["reason"] == "LanesMismatch"
    fill(clusters, "lanes", 600, first=306_000)
    clusters.await_copy("lanes")


def states(bridge: Bridge) -> set[str]:
    return {lane["state"] for lane in bridge.status()["lanes"]}


# ---- formats


def test_framings_are_checked_and_converted(clusters: Clusters) -> None:
    datum = {"sensor": "s1", "value": 21}
    framed = {
        "raw": b"",
        "singleObject": b"\xc3\x01"
        + bytes.fromhex(fingerprint(to_parsing_canonical_form(fastavro.parse_schema(V1)), "CRC-64-AVRO")),
        "confluent": b"\x00\x00\x00\x00\x11",
    }
    topics = []
    for framing, prefix in framed.items():
        clusters.tool("source", "create", f"framed.{framing}", "--partitions", 1)
        send(clusters, f"framed.{framing}", [prefix + encode(V1, datum), None])
        schemas: dict[str, Any] = {"schemaFile": "v1.avsc"}
        if framing == "confluent":
            schemas = {"schemas": [{"id": 17, "schemaFile": "v1.avsc"}]}
        value = {"format": "avro", "framing": framing, **schemas}
        converted = {"schemaFile": "v2.avsc", "framing": "confluent", "schemaId": 42}
        topics.append({"name": f"framed.{framing}", "value": value | {"convertTo": converted}})
    clusters.bridge("framed", topics=topics)
    wanted = b"\x00\x00\x00\x00\x2a" + encode(V2, {**datum, "unit": "C"})
    for framing in framed:
        topic = f"framed.{framing}"
        first, tombstone = records(clusters, topic, 2)
        assert first["value"].encode("latin-1") == wanted
        assert tombstone["value"] is None


def test_dead_letters_say_where_they_come_from_and_the_rest_goes_on(clusters: Clusters) -> None:
    clusters.tool("source", "create", "readings", "--partitions", 1)
    good = [encode(V1, {"sensor": "s", "value": number}) for number in range(4)]
    send(clusters, "readings", [good[0], b"\xff\xff", good[1], good[2] + b"x", None, good[3]])
    topic = {"name": "readings", "value": {"format": "avro", "schemaFile": "v1.avsc"}, "onInvalid": "deadLetter"}
    bridge = clusters.bridge("readings", topics=[topic])
    wait_until("all is copied", lambda: bridge.records() == 6, 60)

    copied = clusters.tool("target", "records", "readings")
    assert [one["value"] and one["value"].encode("latin-1") for one in copied] == [*good[:2], None, good[3]]
    letters = clusters.tool("target", "records", "readings.dead-letters")
    assert [one["value"].encode("latin-1") for one in letters] == [b"\xff\xff", good[2] + b"x"]
    told = [dict(one["headers"]) for one in letters]
    assert [(one["kafka-bridge.topic"], one["kafka-bridge.partition"], one["kafka-bridge.offset"]) for one in told] == [
        ("readings", "0", "1"),
        ("readings", "0", "3"),
    ]
    assert "do not decode" in told[0]["kafka-bridge.reason"]
    assert "1 of 4 bytes are left over" in told[1]["kafka-bridge.reason"]
    metrics = fetch(bridge, "metrics")
    assert "kafka_bridge_dead_letters_total 2.0" in metrics
    assert 'kafka_bridge_replication_latency_ms_bucket{le="+Inf"} 6.0' in metrics


def test_without_dead_letters_the_lane_stops_at_the_record_and_goes_on_once_it_is_passed(clusters: Clusters) -> None:
    clusters.tool("source", "create", "strict", "--partitions", 1)
    good = [encode(V1, {"sensor": "s", "value": number}) for number in range(3)]
    send(clusters, "strict", [good[0], good[1], b"\xff", good[2]])
    topic = {"name": "strict", "value": {"format": "avro", "schemaFile": "v1.avsc"}}
    reason, message = clusters.bridge("strict", topics=[topic]).await_failure()
    assert reason == "InvalidRecord"
    assert message.startswith("strict-0 at offset 2: its value: ")
    assert values(clusters, "strict") == good[:2]

    clusters.bridge("strict", topics=[topic], rewind=[{"id": "skip", "topic": "strict", "partition": 0, "to": 3}])
    wait_until("the rest is copied", lambda: values(clusters, "strict") == good, 60, 1.0)


def fetch(bridge: Bridge, path: str) -> str:
    with urllib.request.urlopen(f"http://{bridge.address()}:8080/{path}", timeout=10) as answer:
        return str(answer.read().decode())


# ---- consumer groups


def test_a_consumer_group_goes_on_at_the_target_where_it_was_at_the_source(clusters: Clusters) -> None:
    clusters.tool("source", "create", "moved", "--partitions", 2)
    # Aborted transactions and markers: the offsets of the two sides differ.
    produce = ("produce", "moved", "--partitions", 2, "--count", 400, "--per-transaction", 40, "--abort-every", 4)
    clusters.tool("source", *produce)
    groups = {"include": ["billing.*"], "intervalSeconds": 1}
    bridge = clusters.bridge("moved", topics=[{"name": "moved", "targetName": "site.moved"}], consumerGroups=groups)
    clusters.await_copy("moved", "site.moved")
    read = clusters.tool("source", "consume_some", "moved", "--group", "billing", "--count", 133)
    assert bridge.stop() == 0

    # Another process: what stands where is known from what was written down.
    bridge = clusters.bridge("moved", topics=[{"name": "moved", "targetName": "site.moved"}], consumerGroups=groups)
    wait_until(
        "the group is carried over",
        lambda: [one["carried"] for one in bridge.status().get("consumerGroups", ())] == [len(read["positions"])],
        60,
    )
    rest = clusters.tool("target", "consume_some", "site.moved", "--group", "billing", "--count", 0)
    everything = clusters.tool("target", "records", "site.moved")
    assert read["values"], "the group has read something"
    assert sorted(read["values"] + rest["values"]) == sorted(one["value"][:12] for one in everything)


# ---- crashes


def test_a_crash_in_mid_transaction_is_not_waited_out(clusters: Clusters) -> None:
    fill(clusters, "crashed", 60)
    bridge = clusters.bridge("crashed", commitIntervalMs=5_000)
    clusters.await_copy("crashed")
    feed = clusters.start_tool("source", "produce", "crashed", "--count", 60_000, "--first", 60, "--rate", 1_000)
    wait_until("the lanes are in the midst of transactions", lambda: bridge.records() > 60, 60, 0.1)
    for _ in range(2):
        time.sleep(1.0)
        bridge.kill()
        bridge.start()
        # The transactions that it left would stay open for 60 s; whoever fences them need not wait.
        bridge.await_ready(timeoutSeconds=40)
    clusters.end_tool("source", feed, "crashed")
    clusters.await_copy("crashed")


# ---- what the target leaves behind


def hang_transaction(clusters: Clusters, transactionalId: str, *places: str) -> None:
    """As a broker does that has slept, and has been fenced for a moment: records that wait for a marker for ever."""
    stack = clusters.stack
    stack.docker(
        "run", "--rm", "--network", stack.network("network3"), "--volume", f"{INSIDE}:/tools:ro", "--user", "10001",
        "--volume", f"{stack.instance}_tls-target-kafka:/etc/kafka-bridge/tls/target:ro",
        "--entrypoint", "python", f"{stack.instance}-bridge",
        "/tools/hang_transaction.py", clusters.servers("target"), transactionalId, *places,
    )  # fmt: skip


def test_a_transaction_that_hangs_at_the_target_is_ended_and_never_seen(clusters: Clusters) -> None:
    fill(clusters, "hanging", count=60, partitions=2)
    bridge = clusters.bridge("hanging", lanes=2)
    clusters.await_copy("hanging")
    bridgeId = bridge_id(clusters.stack.instance, "hanging", bridge.status()["source"]["clusterId"])
    bridge.stop()
    lane = lane_of("hanging", 0, 2)
    hang_transaction(
        clusters, transactional_id(bridgeId, lane), "hanging:0=never", f"{positions_topic(bridgeId)}:{lane}={{}}"
    )
    fill(clusters, "hanging", count=60, first=60, partitions=2)
    bridge.start()
    clusters.await_copy("hanging")
    assert "aborting a transaction that has lost its markers in _bridge-positions" in bridge.logs()
    assert bridge.is_ready()
