"""What crosses the border between Kafka's clients and the bridge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

Partition = tuple[str, int]
Headers = list[tuple[str, str | bytes | None]]


class Heartbeat(Protocol):
    """Called whenever a wait has come back, so that a watchdog can tell a wait from a hang."""

    def __call__(self) -> None: ...


class SourceRecord(Protocol):
    """What a copier reads from a consumed record; confluent_kafka's Message is one."""

    def topic(self) -> str | None: ...
    def partition(self) -> int | None: ...
    def offset(self) -> int | None: ...
    def leader_epoch(self) -> int | None: ...
    def key(self) -> Any: ...
    def value(self) -> Any: ...
    def headers(self) -> Any: ...
    def timestamp(self) -> tuple[int, int]: ...


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a partition has come: the next offset to copy and the leader epoch of the last record."""

    offset: int
    leaderEpoch: int | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """One poll: records in order per partition, and for partitions that ran dry the offset of their end."""

    records: Sequence[SourceRecord]
    ends: Mapping[Partition, int]


@dataclass(frozen=True, slots=True)
class TopicFacts:
    """A topic as its cluster tells it. `partitions` is their number."""

    topicId: str
    partitions: int


class ConfigValue(NamedTuple):
    """A topic's setting; `isOwn` where it was made for this topic, not inherited from the broker."""

    value: str
    isOwn: bool
