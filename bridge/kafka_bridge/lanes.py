"""Which partition belongs to which lane, and which lane to which replica. Pure arithmetic, the same everywhere.

The number of lanes is fixed for a bridge, so scaling its replicas moves whole lanes between processes and never a
partition between lanes: the position of a partition is always in the same place.
"""

from __future__ import annotations

from collections.abc import Mapping
from zlib import crc32


def lane_of(topic: str, partition: int, lanes: int) -> int:
    """The lane of a source partition. CRC-32 is stable over processes and versions; Python's `hash` is not."""
    return (crc32(topic.encode()) + partition) % lanes


def lanes_of_replica(ordinal: int, replicas: int, lanes: int) -> tuple[int, ...]:
    """The lanes that replica `ordinal` of `replicas` owns."""
    return tuple(lane for lane in range(lanes) if lane % replicas == ordinal)


def partitions_of_lane(lane: int, lanes: int, partitionCounts: Mapping[str, int]) -> frozenset[tuple[str, int]]:
    """The (topic, partition) pairs of `lane`, where `partitionCounts` gives each topic's number of partitions."""
    return frozenset(
        (topic, partition)
        for topic, count in partitionCounts.items()
        for partition in range(count)
        if lane_of(topic, partition, lanes) == lane
    )
