"""What a lane does about transactions of its own that have lost their markers; see `hanging`."""

from __future__ import annotations

from loguru import logger

from kafka_bridge.errors import TerminalError, TransientError
from kafka_bridge.kafka import Heartbeat
from kafka_bridge.lane_parts import LaneParts, LaneProducer


def abort_what_hangs(parts: LaneParts, producer: LaneProducer, heartbeat: Heartbeat) -> None:
    """Abort what a former transaction of this lane has left without markers; none may be under way.

    A broker that loses one marker of a transaction loses all that it should have written then. Where it is the only
    one, nothing of the transaction can be seen, its positions included: to abort it is true, whatever had been
    decided. With more brokers some of it may be in force: TerminalError HangingTransaction.
    """
    hanging = parts.findHanging(heartbeat)
    if not hanging.partitions:
        return
    places = sorted(hanging.partitions)
    where = ", ".join(f"{topic}-{partition}" for topic, partition in places)
    if hanging.brokers > 1:
        raise TerminalError(
            "HangingTransaction",
            f"the target has not finished a transaction in {where}: end it there with kafka-transactions.sh",
        )
    logger.bind(lane=parts.identity.lane).warning("aborting a transaction that has lost its markers in {}", where)
    producer.begin()
    for topic, partition in places:
        # Never to be seen; a compacted topic wants a key.
        producer.send(topic, partition, b"aborted", None)
    producer.flush()
    producer.abort()
    expect_markers(parts, heartbeat)


def expect_markers(parts: LaneParts, heartbeat: Heartbeat) -> None:
    """TransientError where something hangs: the way through the start-up order ends it."""
    hanging = parts.findHanging(heartbeat).partitions
    if hanging:
        where = ", ".join(f"{topic}-{partition}" for topic, partition in sorted(hanging))
        raise TransientError("HangingTransaction", f"the target has lost the markers of a transaction in {where}")
