"""The copier that opens every record: checks it, and produces it with partition, key, headers and timestamp kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kafka_bridge.avro import Check, build_check
from kafka_bridge.config import BridgeConfig
from kafka_bridge.copier import CopyStep, Progress, Transaction
from kafka_bridge.errors import InvalidRecord
from kafka_bridge.kafka import AssignedConsumer, Partition, SourceRecord, TransactionalProducer

# Records to take from the client at once: enough that a Python call is shared by many, few enough to stay responsive.
POLL_LIMIT = 2_000


@dataclass(frozen=True, slots=True)
class Route:
    """Where a source topic's records go and what they must be; a check of None lets anything through."""

    targetName: str
    checkKey: Check | None = None
    checkValue: Check | None = None


def build_routes(config: BridgeConfig) -> dict[str, Route]:
    """The routes of a bridge by source topic; TerminalError where a schema is unusable."""
    return {
        topic.name: Route(
            topic.targetName,
            build_check(topic.key, config.schemaFolder),
            build_check(topic.value, config.schemaFolder),
        )
        for topic in config.topics
    }


class RecordsCopier:
    """One lane's consumer feeding the lane's producer."""

    def __init__(
        self, consumer: AssignedConsumer, producer: TransactionalProducer, routes: Mapping[str, Route]
    ) -> None:
        self._consumer = consumer
        self._producer = producer
        self._routes = routes

    def assign(self, offsets: Mapping[Partition, int]) -> None:
        self._consumer.assign(offsets)

    def end_offset(self, partition: Partition) -> int | None:
        return self._consumer.end_offset(partition)

    def close(self) -> None:
        self._consumer.close()

    def step(self, transaction: Transaction, timeoutSeconds: float) -> CopyStep:
        batch = self._consumer.poll(POLL_LIMIT, timeoutSeconds)
        if not batch.records:
            return CopyStep(ends=batch.ends)
        transaction.ensure_open()
        progress: dict[Partition, Progress] = {}
        timestamps: list[int] = []
        byteCount = 0
        failure: InvalidRecord | None = None
        for record in batch.records:
            topic, partition, offset = str(record.topic()), int(record.partition() or 0), int(record.offset() or 0)
            key, value = record.key(), record.value()
            route = self._routes[topic]
            failure = _failure_of(record, route, topic, partition, offset, key, value)
            if failure is not None:
                break
            timestampMs = record.timestamp()[1]
            self._producer.send(
                route.targetName, partition, key, value, record.headers(), timestampMs if timestampMs > 0 else 0
            )
            progress[topic, partition] = Progress(offset + 1, record.leader_epoch())
            timestamps.append(timestampMs)
            byteCount += len(key or b"") + len(value or b"")
        # Ends seen in the same poll lie behind records that a failure left uncopied.
        ends = batch.ends if failure is None else {}
        return CopyStep(len(timestamps), byteCount, progress, ends, tuple(timestamps), failure)


def _failure_of(
    record: SourceRecord, route: Route, topic: str, partition: int, offset: int, key: bytes | None, value: bytes | None
) -> InvalidRecord | None:
    for part, check, payload in (("key", route.checkKey, key), ("value", route.checkValue, value)):
        if check is None:
            continue
        try:
            check(payload)
        except ValueError as error:
            return InvalidRecord(f"{part} of {topic}-{partition} at offset {offset}: {error}")
    return None
