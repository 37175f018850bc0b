"""Which topics of a source a bridge copies, and under which names. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from kafka_bridge.errors import TerminalError
from kafka_bridge.positions import OFFSETS_PREFIX, POSITIONS_PREFIX
from kafka_bridge.topic_config import GROUP, TopicConfig

# Kafka's own topics and ours are never found by a pattern; who wants one names it.
_RESERVED = ("__", POSITIONS_PREFIX, OFFSETS_PREFIX)


def has_patterns(topics: Sequence[TopicConfig]) -> bool:
    return any(topic.pattern is not None for topic in topics)


def named_topics(topics: Sequence[TopicConfig]) -> list[str]:
    """Those given by name, which are missed where they are not there."""
    return [topic.name for topic in topics if topic.name is not None]


def wanted_topics(topics: Sequence[TopicConfig], present: Iterable[str]) -> list[str]:
    """Those of the topics `present` that are to be copied."""
    return sorted(name for name in present if _entry_for(topics, name) is not None)


def select_topics(topics: Sequence[TopicConfig], present: Iterable[str]) -> dict[str, TopicConfig]:
    """The entry for each of the topics `present` that is to be copied, with `name` and `targetName` filled in.

    TerminalError TargetTopicConflict where two of them would be written into one.
    """
    selected: dict[str, TopicConfig] = {}
    sourceOf: dict[str, str] = {}
    for name in sorted(present):
        entry = _entry_for(topics, name)
        if entry is None:
            continue
        target = _target_name(entry, name)
        if target in sourceOf:
            raise TerminalError(
                "TargetTopicConflict", f"source topics {sourceOf[target]} and {name} would both become {target}"
            )
        sourceOf[target] = name
        selected[name] = entry.model_copy(update={"name": name, "pattern": None, "exclude": (), "targetName": target})
    return selected


def _entry_for(topics: Sequence[TopicConfig], name: str) -> TopicConfig | None:
    """Names come before patterns, then the order counts."""
    for topic in topics:
        if topic.name == name:
            return topic
    if name.startswith(_RESERVED):
        return None
    for topic in topics:
        if topic.pattern is not None and re.fullmatch(topic.pattern, name):
            isExcluded = any(re.fullmatch(pattern, name) for pattern in topic.exclude)
            return None if isExcluded else topic
    return None


def _target_name(entry: TopicConfig, name: str) -> str:
    if entry.targetName is None or entry.pattern is None:
        return entry.targetName or name
    match = re.fullmatch(entry.pattern, name)
    assert match is not None, "the entry was chosen because it matches"
    target = GROUP.sub(lambda group: match[int(group[1]) if group[1] else group[2]] or "", entry.targetName)
    if not target or len(target) > 249:
        raise TerminalError("TargetTopicInvalid", f"source topic {name} would become {target!r}, no topic name")
    return target
