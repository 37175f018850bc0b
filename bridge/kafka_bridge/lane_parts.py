"""What a lane is made of: who it is, and everything that it reaches the two clusters by.

All of it is handed in, so that a lane can be run between clusters in memory, on a clock of the test's own.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from kafka_bridge.copier import Copier
from kafka_bridge.hanging import Hanging
from kafka_bridge.kafka import Headers, Heartbeat, Partition
from kafka_bridge.ledger import CommitRhythm
from kafka_bridge.positions import LaneMemory
from kafka_bridge.resume import LaneIdentity, Where
from kafka_bridge.topic_config import Rewind


class LaneProducer(Protocol):
    """What a lane needs of `kafka.TransactionalProducer`."""

    def init_transactions(self) -> None: ...
    def begin(self) -> None: ...
    def flush(self) -> None: ...
    def commit(self) -> None: ...
    def abort(self) -> None: ...
    def send(
        self,
        topic: str,
        partition: int,
        key: bytes | None,
        value: bytes | None,
        headers: Headers | None = None,
        timestampMs: int = 0,
    ) -> None: ...
    def serve(self) -> None: ...
    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class LaneParts:
    """What a lane is given: its identity, and how it gets its clients. All callables may raise `errors`."""

    identity: LaneIdentity
    sourceClusterId: str
    positionsTopic: str
    rhythm: CommitRhythm
    startFrom: str
    rewinds: Sequence[Rewind]
    partitions: Callable[[], Mapping[Partition, str]]
    """The source partitions of this lane, each with its topic's id."""
    makeProducer: Callable[[Heartbeat], LaneProducer]
    makeCopier: Callable[[LaneProducer], Copier]
    readMemory: Callable[[Heartbeat], LaneMemory]
    """All that the lane has stored; for who has fenced everybody else."""
    glance: Callable[[Heartbeat], LaneMemory]
    """What it has stored so far, without waiting for what somebody has begun."""
    findHanging: Callable[[Heartbeat], Hanging]
    """Of all partitions that the lane writes to, those with a transaction of its own that has lost its markers; for
    who has none under way."""
    resolveOffsets: Callable[[Mapping[Partition, Where]], dict[Partition, int]]
    askTopicIds: Callable[[Iterable[str]], Mapping[str, str]]
    """The ids of topics as the source has them now."""
    offsetsTopic: str | None = None
    """Where to write down which offset stands for which; None where nobody asks."""
    noteRuns: Callable[[Partition, Iterable[tuple[int, int, int]]], None] = lambda partition, runs: None
    """Called after a commit with its runs: source, target, count."""
    observeLatency: Callable[[tuple[int, ...], float], None] = lambda timestamps, now: None
    """Called after a commit with the source timestamps (ms) of its records and the time (s)."""
    clock: Callable[[], float] = time.monotonic
    wallClock: Callable[[], float] = time.time
