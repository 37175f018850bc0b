"""Topics at the target: those that records go to, and the bridge's own for its positions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from loguru import logger

from kafka_bridge.errors import TerminalError, TransientError
from kafka_bridge.kafka import TopicFacts


class TopicAdmin(Protocol):
    """What this module needs of `kafka.ClusterAdmin`."""

    def topics(self, names: list[str]) -> dict[str, TopicFacts]: ...
    def topic_configs(self, topic: str) -> dict[str, str]: ...
    def create_topic(self, topic: str, partitions: int, configs: Mapping[str, str]) -> bool: ...
    def grow_topic(self, topic: str, partitions: int) -> None: ...


def ensure_target_topics(target: TopicAdmin, partitionCounts: Mapping[str, int]) -> None:
    """Create the missing ones and grow the small ones, so that every source partition has its counterpart."""
    present = target.topics(list(partitionCounts))
    for topic, wanted in partitionCounts.items():
        facts = present.get(topic)
        if facts is None:
            if target.create_topic(topic, wanted, {}):
                logger.info("created topic {} with {} partitions at the target", topic, wanted)
        elif facts.partitions < wanted:
            target.grow_topic(topic, wanted)
            logger.info("grew topic {} from {} to {} partitions at the target", topic, facts.partitions, wanted)


def ensure_positions_topic(target: TopicAdmin, topic: str, lanes: int) -> None:
    """Create the bridge's own topic, or check the one that is there.

    TerminalError PositionsTopicMismatch where it is not compacted, since it would forget positions, or has another
    number of partitions than the bridge has lanes, since positions would be looked for in the wrong place.
    """
    if target.create_topic(topic, lanes, {"cleanup.policy": "compact"}):
        logger.info("created topic {} for positions, {} lanes", topic, lanes)
    facts = target.topics([topic]).get(topic)
    if facts is None:
        # The controller has it, the broker that answered has not heard of it yet.
        raise TransientError("PositionsTopicPending", f"topic {topic} has been created and is not visible yet")
    if facts.partitions != lanes:
        raise TerminalError(
            "PositionsTopicMismatch",
            f"topic {topic} has {facts.partitions} partitions, expected {lanes}, one for each lane: "
            f"the number of lanes of a bridge cannot be changed; set lanes back to {facts.partitions}",
        )
    policy = target.topic_configs(topic).get("cleanup.policy")
    if policy != "compact":
        raise TerminalError(
            "PositionsTopicMismatch",
            f"topic {topic} has cleanup.policy {policy}, expected compact: it would forget positions",
        )
