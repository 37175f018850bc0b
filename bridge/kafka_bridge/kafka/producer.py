"""A lane's producer, with a bound on everything that waits."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from itertools import repeat
from operator import length_hint

from confluent_kafka import KafkaError, KafkaException, Message, Producer
from loguru import logger

from kafka_bridge.client_settings import Settings
from kafka_bridge.errors import OversizedRecord
from kafka_bridge.kafka.failures import ErrorLog, bounded, classify, error_of, reason_of
from kafka_bridge.kafka.types import Headers, Heartbeat

# What produce() answers once the producer is in a failed state: the error that put it there is told by other calls.
_FAILED_BEFORE = {KafkaError._FATAL, KafkaError._STATE}


class TransactionalProducer:
    """One lane's producer. After anything but AbortNeeded it is to be closed and replaced."""

    def __init__(self, settings: Settings, heartbeat: Heartbeat) -> None:
        self._heartbeat = heartbeat
        self._producer = Producer({**settings, "error_cb": ErrorLog(str(settings["client.id"]))})

    def init_transactions(self) -> None:
        """Fence whoever held the transactional id, and settle what it left."""
        bounded(self._producer.init_transactions, "init_transactions", self._heartbeat)

    def begin(self) -> None:
        self._now(self._producer.begin_transaction, "begin_transaction")

    def commit(self) -> None:
        """Flush and commit. After an error nobody knows whether it was committed: read the positions."""
        bounded(self._producer.commit_transaction, "commit_transaction", self._heartbeat)

    def flush(self) -> None:
        """Wait until everything sent is delivered. A delivery that failed is told by the commit."""

        def wait(seconds: float) -> None:
            if self._producer.flush(seconds) > 0:
                raise KafkaException(KafkaError(KafkaError._TIMED_OUT, "records are not delivered", retriable=True))

        bounded(wait, "flush", self._heartbeat)

    def abort(self) -> None:
        bounded(self._producer.abort_transaction, "abort_transaction", self._heartbeat)

    def send(
        self,
        topic: str,
        partition: int,
        key: bytes | None,
        value: bytes | None,
        headers: Headers | None = None,
        timestampMs: int = 0,
        onDelivered: Callable[[int], None] | None = None,
    ) -> None:
        """Queue a record; waits while the queue is full. `timestampMs` 0 means now.

        `onDelivered` is told the record's offset, before `flush` returns at the latest.
        """
        # By place, not by name, and never an empty list of headers: together they would cost a third of the copying.
        tell = None if onDelivered is None else _offset_teller(onDelivered)
        while True:
            try:
                self._producer.produce(topic, value, key, partition, tell, None, timestampMs, headers or None)
                return
            except BufferError:
                if len(self._producer) == 0:
                    size = len(key or b"") + len(value or b"")
                    raise OversizedRecord("QueueTooSmall", f"{size} bytes do not fit into an empty queue") from None
                self._heartbeat()
                self._poll(0.1)
            except KafkaException as failure:
                error = error_of(failure)
                if error.code() in _FAILED_BEFORE:
                    self.begin()
                if error.code() == KafkaError.MSG_SIZE_TOO_LARGE:
                    size = len(key or b"") + len(value or b"")
                    raise OversizedRecord(reason_of(error), f"{size} bytes of key and value are too many") from failure
                raise classify(error, f"produce to {topic}-{partition}") from failure

    def send_many(
        self,
        topic: str,
        partition: int,
        keys: Sequence[bytes | None],
        values: Sequence[bytes | None],
        headers: Sequence[Headers | None],
        timestampsMs: Sequence[int],
    ) -> int:
        """Queue records in their order, as `send` does; how many were. All were, unless the next one is too large."""
        # `map` makes the calls: a loop in Python took a tenth of the CPU of all copying.
        topics = repeat(topic, len(values))
        nothing = repeat(None)
        calls = map(
            self._producer.produce, topics, values, keys, repeat(partition), nothing, nothing, timestampsMs, headers
        )
        while True:
            try:
                deque(calls, maxlen=0)
                return len(values)
            except (BufferError, KafkaException):
                # Nothing was queued for the record of this call; what has to be done about it is for `send` to know.
                at = len(values) - length_hint(topics) - 1
                try:
                    self.send(topic, partition, keys[at], values[at], headers[at], timestampsMs[at])
                except OversizedRecord:
                    return at

    def serve(self) -> None:
        """Let librdkafka hand over what it has to say."""
        self._poll(0)

    def close(self) -> None:
        """Let go without waiting for anything: an open transaction is settled by the next init_transactions."""
        try:
            self._producer.purge(in_queue=True, in_flight=True, blocking=False)
            self._producer.poll(0)
        except KafkaException as failure:
            logger.debug("while closing a producer: {}", failure)

    def _poll(self, seconds: float) -> None:
        """A fatal error, such as having been fenced, is told here first where nothing was sent meanwhile."""
        try:
            self._producer.poll(seconds)
        except KafkaException as failure:
            raise classify(error_of(failure), "poll") from failure

    def _now(self, call: Callable[[], None], doing: str) -> None:
        try:
            call()
        except KafkaException as failure:
            raise classify(error_of(failure), doing) from failure


def _offset_teller(tell: Callable[[int], None]) -> Callable[[KafkaError | None, Message], None]:
    def on_delivery(error: KafkaError | None, message: Message) -> None:
        offset = message.offset()
        if error is None and offset is not None:
            tell(offset)

    return on_delivery
