"""Reads a lane's memory back, to the very end of what was committed."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol

from kafka_bridge.errors import TerminalError, TransientError
from kafka_bridge.kafka import Batch, Heartbeat, Partition, Progress, SourceRecord
from kafka_bridge.offset_map import decode_runs
from kafka_bridge.positions import LaneMemory, MemoryReader, decode_key

# How long an unfinished transaction may hide the end: the coordinator settles it within its transaction time-out.
SETTLE_SECONDS = 90.0
# Of the offsets written down, so many records of each partition are read at a start.
NEWEST_RUNS = 50_000


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
    admin: OffsetAdmin,
    consumer: PositionsConsumer,
    partition: Partition,
    sourceClusterId: str,
    heartbeat: Heartbeat,
    toTheEnd: bool = True,
) -> LaneMemory:
    """What was last committed to one lane's partition of the positions topic.

    The end is asked for read_uncommitted, and the last stable offset awaited there: markers of a transaction that
    was just settled may come a moment late, and a reader that stopped before them would go back too far. Only who has
    fenced the lane may wait so: a crashed one's transaction stays open until it is fenced, or until its time is over.
    With `toTheEnd` False nothing is waited for.
    """
    ask = admin.high_watermarks if toTheEnd else admin.last_stable
    end = ask([partition])[partition]
    deadline = time.monotonic() + SETTLE_SECONDS
    while admin.last_stable([partition])[partition] < end:
        heartbeat()
        if time.monotonic() > deadline:
            raise TransientError("PositionsUnsettled", f"a transaction in {partition[0]}-{partition[1]} is still open")
        time.sleep(0.1)
    start = admin.earliest([partition])[partition]
    reader = MemoryReader(sourceClusterId)
    for record in _read(consumer, partition, start, end, deadline, heartbeat):
        try:
            reader.take(record.key(), record.value())
        except ValueError as error:
            raise TerminalError("PositionsTopicMismatch", f"in {partition[0]}-{partition[1]}: {error}") from error
    return reader.memory(end)


def read_runs(
    admin: OffsetAdmin, consumer: PositionsConsumer, topic: str, partitions: int, sourceClusterId: str
) -> Iterator[tuple[Partition, list[tuple[int, int, int]]]]:
    """The newest of what was written down about offsets: source partition and its runs, each partition's in order."""
    places = [(topic, number) for number in range(partitions)]
    starts, ends = admin.earliest(places), admin.last_stable(places)
    deadline = time.monotonic() + SETTLE_SECONDS
    for place in places:
        start = max(starts[place], ends[place] - NEWEST_RUNS)
        for record in _read(consumer, place, start, ends[place], deadline, lambda: None):
            try:
                (clusterId, sourceTopic, number), runs = decode_key(record.key()), decode_runs(record.value())
            except ValueError:
                # Nothing rests on these records but how far back a group can be carried over.
                continue
            if clusterId == sourceClusterId:
                yield (sourceTopic, number), runs


def _read(
    consumer: PositionsConsumer, partition: Partition, start: int, end: int, deadline: float, heartbeat: Heartbeat
) -> Iterator[SourceRecord]:
    """The committed records of a partition from one offset to another."""
    if start >= end:
        return
    consumer.assign({partition: Progress(start)})
    reached = start
    while reached < end:
        heartbeat()
        if time.monotonic() > deadline:
            raise TransientError("PositionsUnread", f"{partition[0]}-{partition[1]} could not be read to offset {end}")
        batch = consumer.poll(1_000, 1.0)
        for record in batch.records:
            reached = max(reached, int(record.offset() or 0) + 1)
            yield record
        reached = max(reached, batch.ends.get(partition, reached))
