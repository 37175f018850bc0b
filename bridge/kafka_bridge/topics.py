"""Topics at the target: those that records go to, and the bridge's own for its positions and dead letters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from loguru import logger

from kafka_bridge.errors import TerminalError, TransientError
from kafka_bridge.kafka import ConfigValue, TopicFacts
from kafka_bridge.topic_config import TopicConfig, TopicCreation

# A record that a topic refuses for its size must still fit here.
DEAD_LETTER_BYTES = 16 * 1024 * 1024
# A consumer group that has not moved for longer is not carried over any more.
OFFSETS_RETENTION_MS = 7 * 24 * 3600 * 1000

TopicConfigs = dict[str, dict[str, ConfigValue]]


class SourceTopics(Protocol):
    """What this module needs of the source's `kafka.ClusterAdmin`."""

    def topic_configs(self, topics: Iterable[str]) -> TopicConfigs: ...


class TargetTopics(SourceTopics, Protocol):
    """What this module needs of the target's `kafka.ClusterAdmin`."""

    def topics(self, names: Iterable[str]) -> dict[str, TopicFacts]: ...
    def create_topic(
        self, topic: str, partitions: int, configs: Mapping[str, str], replicationFactor: int | None = None
    ) -> bool: ...
    def grow_topic(self, topic: str, partitions: int) -> None: ...


def ensure_target_topics(
    source: SourceTopics,
    target: TargetTopics,
    selected: Mapping[str, TopicConfig],
    topology: Mapping[str, TopicFacts],
    creation: TopicCreation,
) -> None:
    """Create the missing ones and grow the small ones, so that every source partition has its counterpart."""
    names = {name: topic.targetName or name for name, topic in selected.items()}
    present = target.topics(list(names.values()))
    missing = [name for name in names if names[name] not in present]
    configs = source.topic_configs(missing) if missing and creation.copyConfigs else {}
    for name, targetName in names.items():
        wanted = topology[name].partitions
        facts = present.get(targetName)
        if facts is None:
            settings = _settings_for(configs.get(name, {}), creation)
            if target.create_topic(targetName, wanted, settings, creation.replicationFactor):
                logger.info("created topic {} with {} partitions at the target {}", targetName, wanted, settings or "")
        elif facts.partitions < wanted:
            target.grow_topic(targetName, wanted)
            logger.info("grew topic {} from {} to {} partitions at the target", targetName, facts.partitions, wanted)


def ensure_positions_topic(target: TargetTopics, topic: str, lanes: int) -> int:
    """Create the bridge's own topic, or check the one that is there; its number of partitions.

    TerminalError PositionsTopicMismatch where it is not compacted, since it would forget positions.
    """
    if target.create_topic(topic, lanes, {"cleanup.policy": "compact"}):
        logger.info("created topic {} for positions, {} lanes", topic, lanes)
    facts = target.topics([topic]).get(topic)
    if facts is None:
        # The controller has it, the broker that answered has not heard of it yet.
        raise TransientError("PositionsTopicPending", f"topic {topic} has been created and is not visible yet")
    policy = target.topic_configs([topic])[topic].get("cleanup.policy")
    if policy is None or policy.value != "compact":
        raise TerminalError(
            "PositionsTopicMismatch",
            f"topic {topic} has cleanup.policy {policy and policy.value}, expected compact: it would forget positions",
        )
    return facts.partitions


def ensure_dead_letter_topic(target: TargetTopics, topic: str, lanes: int) -> int:
    """Create the topic for records that fail their check, where there is none; its number of partitions."""
    if target.create_topic(topic, lanes, {"max.message.bytes": str(DEAD_LETTER_BYTES)}):
        logger.info("created topic {} for dead letters", topic)
    facts = target.topics([topic]).get(topic)
    if facts is None:
        raise TransientError("DeadLetterTopicPending", f"topic {topic} has been created and is not visible yet")
    return facts.partitions


def ensure_offsets_topic(target: TargetTopics, topic: str, lanes: int) -> None:
    """Create or grow the topic for offsets at both sides; it has a partition for each lane at least."""
    if target.create_topic(topic, lanes, {"cleanup.policy": "delete", "retention.ms": str(OFFSETS_RETENTION_MS)}):
        logger.info("created topic {} for offsets", topic)
        return
    facts = target.topics([topic]).get(topic)
    if facts is not None and facts.partitions < lanes:
        target.grow_topic(topic, lanes)


def message_limits(admin: SourceTopics, topics: Iterable[str]) -> list[int]:
    """The bytes that a batch may have in each of the topics, as far as their cluster tells."""
    found = admin.topic_configs(topics).values()
    return [int(configs["max.message.bytes"].value) for configs in found if "max.message.bytes" in configs]


def _settings_for(configs: Mapping[str, ConfigValue], creation: TopicCreation) -> dict[str, str]:
    copied = {name: configs[name].value for name in creation.copyConfigs if name in configs and configs[name].isOwn}
    return copied | creation.configs
