"""Changes the number of lanes of a bridge: all old lanes are taken, then their positions move in one transaction.

To take a lane is to fence it and to write into its record, under its own transactional id, that it is being moved:
its former owner finds that it is not the owner any more, and nobody else may become it. Whoever holds the
transactional id of the migration may do so; the others wait until it is done. A lane of the old number that starts
later reads in its own partition that it is one of another number, and stops.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from loguru import logger

from kafka_bridge.errors import TerminalError, TransientError
from kafka_bridge.kafka import Partition
from kafka_bridge.lane_parts import LaneProducer
from kafka_bridge.lanes import lane_of
from kafka_bridge.positions import (
    LaneMemory,
    LaneRecord,
    Position,
    encode_key,
    encode_lane_key,
    encode_lane_record,
    encode_value,
    migration_id,
    positions_topic,
    transactional_id,
)
from kafka_bridge.resume import lanes_mismatch


@dataclass(frozen=True, slots=True)
class MigrationParts:
    """What a migration needs. All callables may raise `errors`."""

    bridgeId: str
    sourceClusterId: str
    lanes: int
    migrateFrom: int | None
    mayMigrate: bool
    """One replica alone does it, so that replicas that start together do not fence each other for ever."""
    makeProducer: Callable[[str], LaneProducer]
    """Takes a transactional id."""
    readMemory: Callable[[int], LaneMemory]
    """Takes a lane that has been fenced; to the end of what has been committed."""
    glance: Callable[[], LaneMemory]
    """What lane 0 has committed so far, without waiting for what it has begun: its number of lanes is older."""
    growTopic: Callable[[str, int], None]


def ensure_lanes(parts: MigrationParts, partitions: int) -> None:
    """Make the stored positions fit the number of lanes; `partitions` is what the positions topic has.

    TerminalError LanesMismatch where the stored number is another one that nobody asked to migrate from.
    """
    stored = _stored_lanes(parts.glance(), partitions)
    if stored == parts.lanes:
        return
    if parts.migrateFrom != stored:
        raise TerminalError("LanesMismatch", lanes_mismatch(stored, parts.lanes))
    if not parts.mayMigrate:
        raise TransientError("LanesMigrating", f"replica 0 changes the number of lanes from {stored} to {parts.lanes}")
    _migrate(parts, partitions)


def _stored_lanes(memory: LaneMemory, partitions: int) -> int:
    """The number of lanes that positions are arranged for.

    The topic is created with a partition for each lane, and a migration leaves a record in every one: without a
    record in the first there has been none.
    """
    return partitions if memory.record is None else memory.record.lanes


def _migrate(parts: MigrationParts, partitions: int) -> None:
    producer = parts.makeProducer(migration_id(parts.bridgeId))
    try:
        producer.init_transactions()
        # Another one may have finished just before it was fenced.
        old = _stored_lanes(parts.glance(), partitions)
        if old == parts.lanes:
            return
        logger.info("changing the number of lanes from {} to {}", old, parts.lanes)
        memories = {lane: _take(parts, lane, old) for lane in range(old)}
        if parts.lanes > partitions:
            parts.growTopic(positions_topic(parts.bridgeId), parts.lanes)
        producer.begin()
        for lane, key, value in rearranged(memories, old, parts.lanes, parts.sourceClusterId):
            producer.send(positions_topic(parts.bridgeId), lane, key, value)
        producer.commit()
        logger.info("the number of lanes is {}", parts.lanes)
    finally:
        producer.close()


def _take(parts: MigrationParts, lane: int, old: int) -> LaneMemory:
    """What the lane has stored, once for all. FencedError where its owner has come back in between."""
    holder = parts.makeProducer(transactional_id(parts.bridgeId, lane))
    try:
        holder.init_transactions()
        memory = parts.readMemory(lane)
        rewinds = memory.record.rewinds if memory.record is not None else ()
        record = encode_lane_record(LaneRecord(old, rewinds, migratingTo=parts.lanes))
        holder.begin()
        holder.send(positions_topic(parts.bridgeId), lane, encode_lane_key(lane), record)
        holder.commit()
        return memory
    finally:
        holder.close()


def rearranged(
    memories: Mapping[int, LaneMemory], old: int, new: int, sourceClusterId: str
) -> Iterable[tuple[int, bytes, bytes | None]]:
    """The records (lane, key, value) that turn what `old` lanes have stored into what `new` lanes go on from. Pure.

    Every lane of either number gets its record, so that a late one of the old number learns that it is none any more.
    """
    rewinds = {memory.record.rewinds for memory in memories.values() if memory.record is not None}
    if len(rewinds) > 1:
        raise TerminalError("RewindUnfinished", "some lanes have still to carry out a rewind: migrate afterwards")
    for lane, memory in memories.items():
        for place, position in memory.positions.items():
            moved = lane_of(*place, new)
            if lane_of(*place, old) != lane or moved == lane:
                # Left behind by an earlier migration, or in its place already.
                continue
            yield moved, *_record(sourceClusterId, place, position)
            yield lane, encode_key(sourceClusterId, *place), None
    record = encode_lane_record(LaneRecord(new, next(iter(rewinds), ())))
    for lane in range(max(old, new)):
        yield lane, encode_lane_key(lane), record


def _record(sourceClusterId: str, place: Partition, position: Position) -> tuple[bytes, bytes]:
    return encode_key(sourceClusterId, *place), encode_value(position)
