"""The names and records by which a bridge remembers how far it has copied."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kafka_bridge.positions import (
    LaneMemory,
    LaneRecord,
    MemoryReader,
    Position,
    bridge_id,
    encode_key,
    encode_lane_key,
    encode_lane_record,
    encode_value,
    positions_topic,
    transactional_id,
)

VALID_KEY = encode_key("cluster-1", "orders", 2)
VALID_VALUE = encode_value(Position(7, "topic-1", 3))


def taken(key: bytes | None, value: bytes | None, clusterId: str = "cluster-1") -> LaneMemory:
    reader = MemoryReader(clusterId)
    reader.take(key, value)
    return reader.memory(0)


@given(
    st.text(min_size=1),
    st.text(min_size=1),
    st.integers(0, 10_000),
    st.integers(0, 2**63 - 1),
    st.text(),
    st.none() | st.integers(0, 2**31 - 1),
)
def test_a_position_survives_its_record(
    clusterId: str, topic: str, partition: int, offset: int, topicId: str, epoch: int | None
) -> None:
    position = Position(offset, topicId, epoch)
    assert taken(encode_key(clusterId, topic, partition), encode_value(position), clusterId).positions == {
        (topic, partition): position
    }
    assert taken(encode_key(clusterId, topic, partition), encode_value(position), clusterId + "x").positions == {}


def test_the_record_is_readable_by_other_versions() -> None:
    # What is stored at a user's target outlives the code that wrote it: these bytes must stay.
    assert encode_key("c", "orders", 2) == b'{"sourceClusterId":"c","topic":"orders","partition":2}'
    assert encode_value(Position(7, "t", 3)) == b'{"offset":7,"topicId":"t","leaderEpoch":3}'
    assert encode_lane_key(2) == b'{"lane":2}'
    assert encode_lane_record(LaneRecord(6, ("a", "b"), "me")) == b'{"lanes":6,"rewinds":["a","b"],"owner":"me"}'
    moved = encode_lane_record(LaneRecord(6, migratingTo=4))
    assert moved == b'{"lanes":6,"rewinds":[],"owner":"","migratingTo":4}'
    reader = MemoryReader("c")
    reader.take(encode_lane_key(0), moved)
    assert reader.record == LaneRecord(6, migratingTo=4)
    # As the first versions wrote it.
    reader.take(encode_lane_key(0), b'{"lanes":6,"rewinds":[]}')
    assert reader.record == LaneRecord(6)


def test_a_record_without_epoch_or_with_more_fields_is_understood() -> None:
    value = json.dumps({"offset": 7, "topicId": "t", "added": "later"}).encode()
    assert taken(VALID_KEY, value).positions == {("orders", 2): Position(7, "t", None)}


def test_the_last_record_counts_and_a_tombstone_forgets() -> None:
    reader = MemoryReader("cluster-1")
    reader.take(VALID_KEY, VALID_VALUE)
    reader.take(encode_lane_key(0), encode_lane_record(LaneRecord(6)))
    reader.take(VALID_KEY, encode_value(Position(8, "topic-1")))
    reader.take(encode_lane_key(0), encode_lane_record(LaneRecord(6, ("again",))))
    assert reader.memory(4) == LaneMemory({("orders", 2): Position(8, "topic-1")}, LaneRecord(6, ("again",)), 4)
    reader.take(VALID_KEY, None)
    assert reader.memory(5) == LaneMemory({}, LaneRecord(6, ("again",)), 5)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (None, VALID_VALUE),
        (encode_lane_key(1), b"{}"),
        (encode_lane_key(1), b'{"lanes":6,"rewinds":5}'),
        (b"not json", VALID_VALUE),
        (VALID_KEY, b"\xff\xfe"),
        (VALID_KEY, b"[]"),
        (VALID_KEY, b"5"),
        (b'{"topic":"orders","partition":2}', VALID_VALUE),
        (b'{"sourceClusterId":"cluster-1","topic":"orders","partition":"two"}', VALID_VALUE),
        (VALID_KEY, b'{"topicId":"t"}'),
        (VALID_KEY, b'{"offset":null,"topicId":"t"}'),
        (VALID_KEY, b'{"offset":1,"topicId":"t","leaderEpoch":"new"}'),
    ],
)
def test_what_is_no_position_is_refused_with_its_bytes(key: bytes, value: bytes) -> None:
    with pytest.raises(ValueError, match="no position record") as refusal:
        taken(key, value)
    assert repr(key) in str(refusal.value)
    assert repr(value) in str(refusal.value)


def test_names_are_stable_and_tell_sites_apart() -> None:
    bridgeId = bridge_id("plant", "orders", "Qk3x")
    assert bridgeId == "plant.orders.Qk3x"
    assert transactional_id(bridgeId, 3) == "plant.orders.Qk3x.lane.3"
    assert positions_topic(bridgeId) == "_bridge-positions.plant.orders.Qk3x"
    others = {bridge_id("plant", "orders", "Zz9a"), bridge_id("dmz", "orders", "Qk3x"), bridge_id("plant", "b", "Qk3x")}
    assert bridgeId not in others
    assert len(others) == 3
