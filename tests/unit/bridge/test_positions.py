"""The names and records by which a bridge remembers how far it has copied."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kafka_bridge.positions import (
    Position,
    bridge_id,
    decode,
    encode_key,
    encode_value,
    positions_topic,
    transactional_id,
)

VALID_KEY = encode_key("cluster-1", "orders", 2)
VALID_VALUE = encode_value(Position(7, "topic-1", 3))


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
    decoded = decode(encode_key(clusterId, topic, partition), encode_value(position))
    assert decoded == ((clusterId, topic, partition), position)


def test_the_record_is_readable_by_other_versions() -> None:
    # What is stored at a user's target outlives the code that wrote it: these bytes must stay.
    assert encode_key("c", "orders", 2) == b'{"sourceClusterId":"c","topic":"orders","partition":2}'
    assert encode_value(Position(7, "t", 3)) == b'{"offset":7,"topicId":"t","leaderEpoch":3}'


def test_a_record_without_epoch_or_with_more_fields_is_understood() -> None:
    value = json.dumps({"offset": 7, "topicId": "t", "added": "later"}).encode()
    assert decode(VALID_KEY, value) == (("cluster-1", "orders", 2), Position(7, "t", None))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (None, VALID_VALUE),
        (VALID_KEY, None),
        (b"not json", VALID_VALUE),
        (VALID_KEY, b"\xff\xfe"),
        (VALID_KEY, b"[]"),
        (VALID_KEY, b"5"),
        (b'{"topic":"orders","partition":2}', VALID_VALUE),
        (b'{"sourceClusterId":"c","topic":"orders","partition":"two"}', VALID_VALUE),
        (VALID_KEY, b'{"topicId":"t"}'),
        (VALID_KEY, b'{"offset":null,"topicId":"t"}'),
        (VALID_KEY, b'{"offset":1,"topicId":"t","leaderEpoch":"new"}'),
    ],
)
def test_what_is_no_position_is_refused_with_its_bytes(key: bytes, value: bytes) -> None:
    with pytest.raises(ValueError, match="no position record") as refusal:
        decode(key, value)
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
