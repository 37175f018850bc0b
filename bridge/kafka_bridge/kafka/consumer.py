"""A consumer of given partitions, in which every error has a name and no offset is skipped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from kafka_bridge.client_settings import Settings
from kafka_bridge.errors import TransientError
from kafka_bridge.kafka.failures import OFFSET_LOST, TRUNCATED, ErrorLog, classify, error_of, reason_of
from kafka_bridge.kafka.types import Batch, Partition, Progress


class AssignedConsumer:
    """A consumer of given partitions from given offsets; it belongs to no group."""

    def __init__(self, settings: Settings) -> None:
        self._consumer = Consumer({**settings, "error_cb": ErrorLog(str(settings["client.id"]))})

    def assign(self, places: Mapping[Partition, Progress]) -> None:
        """Read from these offsets on; a leader epoch lets the broker tell that its history has changed before it."""
        self._consumer.assign(
            [
                TopicPartition(topic, partition, at.offset)
                if at.leaderEpoch is None
                else TopicPartition(topic, partition, at.offset, leader_epoch=at.leaderEpoch)
                for (topic, partition), at in places.items()
            ]
        )

    def poll(self, limit: int, timeoutSeconds: float) -> Batch:
        """Up to `limit` records. Raises TerminalError where an offset is lost, TransientError otherwise."""
        try:
            messages = self._consumer.consume(limit, 0)
            if not messages and timeoutSeconds > 0:
                # Waits for the first one alone; asked for many, it would wait for all of them.
                messages = self._consumer.consume(1, timeoutSeconds)
                if messages and limit > 1:
                    messages += self._consumer.consume(limit - 1, 0)
        except KafkaException as failure:
            raise classify(error_of(failure), "consume") from failure
        records = [message for message in messages if message.error() is None]
        # Mostly there is nothing else, and nothing else is looked for then.
        ends = self._take_events(messages) if len(records) < len(messages) else {}
        return Batch(records, ends)

    def _take_events(self, messages: Iterable[Message]) -> dict[Partition, int]:
        """Ends of partitions that no record follows. Raises the errors among the messages."""
        ends: dict[Partition, int] = {}
        for message in messages:
            error = message.error()
            topic, partition, offset = str(message.topic()), message.partition(), message.offset()
            if error is None:
                ends.pop((topic, partition or 0), None)
            elif error.code() == KafkaError._PARTITION_EOF:
                if partition is not None and offset is not None:
                    ends[topic, partition] = offset
            elif error.code() in OFFSET_LOST | TRUNCATED:
                raise classify(error, f"reading {topic}-{partition} at offset {offset}")
            elif error.fatal() or not error.retriable():
                raise TransientError(reason_of(error), f"reading {topic}-{partition}: {error.str()}")
        return ends

    def end_offset(self, partition: Partition) -> int | None:
        """The last stable offset as of the last fetch, without asking anybody; None before the first."""
        _low, high = self._consumer.get_watermark_offsets(TopicPartition(*partition), cached=True) or (-1, -1)
        return high if high >= 0 else None

    def close(self) -> None:
        self._consumer.close()
