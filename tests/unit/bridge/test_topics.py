"""Topics at the target are made to fit; the positions topic is verified before a record is copied."""

from __future__ import annotations

from typing import Any

import pytest

from kafka_bridge.errors import TerminalError, TransientError
from kafka_bridge.kafka import TopicFacts
from kafka_bridge.topic_config import TopicConfig, TopicCreation
from kafka_bridge.topics import (
    ensure_dead_letter_topic,
    ensure_positions_topic,
    ensure_target_topics,
    message_limits,
)
from support.fake_kafka import FakeAdmin

POSITIONS = "_bridge-positions.plant.orders.c"


def counts(admin: FakeAdmin) -> dict[str, int]:
    return {name: facts.partitions for name, facts in admin.facts.items()}


def ensure(source: FakeAdmin, target: FakeAdmin, **creation: Any) -> None:
    """As for a bridge that puts "x." before every name."""
    selected = {name: TopicConfig(name=name, targetName=f"x.{name}") for name in source.facts}
    ensure_target_topics(source, target, selected, source.facts, TopicCreation(**creation))


def test_target_topics_get_the_source_s_partition_count() -> None:
    source = FakeAdmin({"new": 6, "small": 4, "fitting": 3, "large": 3})
    target = FakeAdmin({"x.small": 2, "x.fitting": 3, "x.large": 9})
    ensure(source, target)
    assert counts(target) == {"x.new": 6, "x.small": 4, "x.fitting": 3, "x.large": 9}
    assert target.configs == {"x.new": {}}, "the broker's defaults apply"
    assert target.replication == {"x.new": None}


def test_what_a_source_topic_sets_itself_is_carried_over_as_far_as_chosen() -> None:
    source, target = FakeAdmin({"orders": 6}), FakeAdmin()
    own = {"cleanup.policy": "compact", "retention.ms": "5000", "min.insync.replicas": "2"}
    source.configs["orders"] = own
    ensure(source, target)
    assert target.configs == {"x.orders": {"cleanup.policy": "compact", "retention.ms": "5000"}}


def test_copied_and_given_settings_are_the_manifest_s() -> None:
    source, target = FakeAdmin({"orders": 6}), FakeAdmin()
    source.configs["orders"] = {"cleanup.policy": "compact", "retention.ms": "5000"}
    ensure(
        source, target, copyConfigs=["retention.ms"], configs={"retention.ms": 7, "segment.ms": 9}, replicationFactor=3
    )
    assert target.configs == {"x.orders": {"retention.ms": "7", "segment.ms": "9"}}
    assert target.replication == {"x.orders": 3}


def test_a_topic_that_is_there_keeps_its_settings() -> None:
    source, target = FakeAdmin({"orders": 2}), FakeAdmin({"x.orders": 2})
    source.configs["orders"] = {"retention.ms": "5000"}
    ensure(source, target, configs={"retention.ms": 7})
    assert target.configs == {}


def test_the_dead_letter_topic_takes_larger_records_than_others() -> None:
    target = FakeAdmin()
    assert ensure_dead_letter_topic(target, "dead", 4) == 4
    assert target.configs["dead"] == {"max.message.bytes": "16777216"}
    target.facts["dead"] = TopicFacts("x", 2)
    assert ensure_dead_letter_topic(target, "dead", 4) == 2
    target.hidden.add("dead")
    with pytest.raises(TransientError, match="not visible yet"):
        ensure_dead_letter_topic(target, "dead", 4)


def test_the_limits_of_topics_are_told_wherever_they_come_from() -> None:
    target = FakeAdmin({"a": 1, "b": 1})
    target.configs["b"] = {"max.message.bytes": "5000"}
    assert message_limits(target, ["a", "b"]) == [1_048_588, 5000]
    assert message_limits(target, []) == []


def test_the_positions_topic_is_created_compacted_with_a_partition_for_each_lane() -> None:
    admin = FakeAdmin()
    ensure_positions_topic(admin, POSITIONS, 8)
    assert counts(admin) == {POSITIONS: 8}
    assert admin.configs[POSITIONS] == {"cleanup.policy": "compact"}
    ensure_positions_topic(admin, POSITIONS, 8)


def test_a_positions_topic_that_is_there_tells_its_number_of_partitions() -> None:
    admin = FakeAdmin()
    assert ensure_positions_topic(admin, POSITIONS, 8) == 8
    assert ensure_positions_topic(admin, POSITIONS, 4) == 8
    assert counts(admin) == {POSITIONS: 8}


@pytest.mark.parametrize("policy", ["delete", "compact,delete"])
def test_a_positions_topic_that_forgets_is_refused(policy: str) -> None:
    admin = FakeAdmin({POSITIONS: 8})
    admin.configs[POSITIONS] = {"cleanup.policy": policy}
    with pytest.raises(TerminalError, match=f"cleanup.policy {policy}, expected compact") as fault:
        ensure_positions_topic(admin, POSITIONS, 8)
    assert fault.value.reason == "PositionsTopicMismatch"
    assert POSITIONS in str(fault.value)


def test_a_topic_that_is_not_visible_yet_is_tried_again() -> None:
    admin = FakeAdmin()
    admin.hidden.add(POSITIONS)
    with pytest.raises(TransientError, match="not visible yet") as fault:
        ensure_positions_topic(admin, POSITIONS, 8)
    assert fault.value.reason == "PositionsTopicPending"
