"""Every partition has one lane for ever, and every lane one replica."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kafka_bridge.lanes import lane_of, lanes_of_replica, partitions_of_lane

topicNames = st.text("abcdefghijklmnopqrstuvwxyz0123456789._-", min_size=1, max_size=40)
laneCounts = st.integers(1, 64)


@pytest.mark.parametrize(
    ("topic", "partition", "lanes", "lane"),
    [("orders", 0, 8, 6), ("orders", 1, 8, 7), ("orders", 7, 8, 5), ("a", 0, 64, 3), ("plant.sensors-1", 5, 7, 6)],
)
def test_a_partition_keeps_its_lane_over_versions(topic: str, partition: int, lanes: int, lane: int) -> None:
    # Literal values: another hash would look for positions where there are none, and copy everything again.
    assert lane_of(topic, partition, lanes) == lane


@given(st.dictionaries(topicNames, st.integers(1, 40), max_size=5), laneCounts)
def test_every_partition_belongs_to_exactly_one_lane(counts: dict[str, int], lanes: int) -> None:
    found = [one for lane in range(lanes) for one in partitions_of_lane(lane, lanes, counts)]
    assert sorted(found) == sorted((topic, number) for topic, count in counts.items() for number in range(count))


@given(laneCounts, st.integers(1, 80))
def test_every_lane_belongs_to_exactly_one_replica(lanes: int, replicas: int) -> None:
    found = [lane for ordinal in range(replicas) for lane in lanes_of_replica(ordinal, replicas, lanes)]
    assert sorted(found) == list(range(lanes))
    if replicas <= lanes:
        assert all(lanes_of_replica(ordinal, replicas, lanes) for ordinal in range(replicas)), "a replica is idle"


@given(topicNames, st.integers(0, 100), laneCounts, st.integers(1, 64), st.integers(1, 64))
def test_scaling_moves_whole_lanes(topic: str, partition: int, lanes: int, before: int, after: int) -> None:
    def owner_lanes(replicas: int) -> list[int]:
        return [
            lane
            for ordinal in range(replicas)
            for lane in lanes_of_replica(ordinal, replicas, lanes)
            if (topic, partition) in partitions_of_lane(lane, lanes, {topic: partition + 1})
        ]

    assert owner_lanes(before) == owner_lanes(after) == [lane_of(topic, partition, lanes)]


@given(topicNames, laneCounts)
def test_a_topic_spreads_over_lanes(topic: str, lanes: int) -> None:
    # Neighbouring partitions go to neighbouring lanes, so that a topic with a partition for each lane fills them all.
    assert {lane_of(topic, partition, lanes) for partition in range(lanes)} == set(range(lanes))
