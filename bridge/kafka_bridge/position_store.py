"""Reads a lane's memory back, to the very end of what was committed."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Protocol

from kafka_bridge.errors import TerminalError, TransientError
from kafka_bridge.kafka import Batch, Heartbeat, Partition, Progress
from kafka_bridge.positions import LaneMemory, MemoryReader

# How long an unfinished transaction may hide the end: the coordinator settles it within its transaction time-out.
SETTLE_SECONDS = 90.0


class OffsetAdmin(Protocol):
    """What this module needs of `kafka.ClusterAdmin`."""

    def earliest(self, partitions: Iterable[Partition]) -> dict[Partition, int]: ...
    def high_watermarks(self, partitions: Iterable[Partition]) -> dict[Partition, int]: ...
    def last_stable(self, partitions: Iterable[Partition]) -> dict[Partition, int]: ...


class PositionsConsumer(Protocol):
    """What this module needs of `kafka.AssignedConsumer`."""

    def assign(self, places: Mapping[Partition, Progress]) -> None: ...
    def poll(self, limit: int, timeoutSeconds: float) -> Batch: ...


def read_memory(
    admin: OffsetAdmin, consumer: PositionsConsumer, partition: Partition, sourceClusterId: str, heartbeat: Heartbeat
) -> LaneMemory:
    """What was last committed to one lane's partition of the positions topic.

    The end is asked for read_uncommitted, and the last stable offset awaited there: markers of a transaction that
    was just settled may come a moment late, and a reader that stopped before them would go back too far.
    """
    end = admin.high_watermarks([partition])[partition]
    deadline = time.monotonic() + SETTLE_SECONDS
    while admin.last_stable([partition])[partition] < end:
        heartbeat()
        if time.monotonic() > deadline:
            raise TransientError("PositionsUnsettled", f"a transaction in {partition[0]}-{partition[1]} is still open")
        time.sleep(0.1)
    start = admin.earliest([partition])[partition]
    reader = MemoryReader(sourceClusterId)
    if start >= end:
        return reader.memory()
    consumer.assign({partition: Progress(start)})
    reached = start
    while reached < end:
        heartbeat()
        if time.monotonic() > deadline:
            raise TransientError("PositionsUnread", f"{partition[0]}-{partition[1]} could not be read to offset {end}")
        batch = consumer.poll(1_000, 1.0)
        for record in batch.records:
            reached = max(reached, int(record.offset() or 0) + 1)
            try:
                reader.take(record.key(), record.value())
            except ValueError as error:
                raise TerminalError("PositionsTopicMismatch", f"in {partition[0]}-{partition[1]}: {error}") from error
        reached = max(reached, batch.ends.get(partition, reached))
    return reader.memory()
