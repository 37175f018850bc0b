"""The copier that opens every record: checks it, and produces it with partition, key, headers and timestamp kept.

A record that fails its check stops the lane, or goes to the dead-letter topic in the same transaction, with headers
that say where it came from and what is wrong with it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from kafka_bridge.avro import Codec, build_codec
from kafka_bridge.copier import CopyStep, Transaction
from kafka_bridge.errors import InvalidRecord, OversizedRecord
from kafka_bridge.kafka import AssignedConsumer, Headers, Partition, Progress, SourceRecord, TransactionalProducer
from kafka_bridge.offset_map import Run
from kafka_bridge.topic_config import TopicConfig

# Headers of a dead letter, after its own.
HEADER_PREFIX = "kafka-bridge."


@dataclass(frozen=True, slots=True)
class DeadLetters:
    """Where records go that fail their check: one partition of a topic, so that a lane's order is kept."""

    topic: str
    partition: int


@dataclass(frozen=True, slots=True)
class Route:
    """Where a source topic's records go and what they must be; a codec of None forwards anything as it is."""

    targetName: str
    key: Codec | None = None
    value: Codec | None = None
    usesDeadLetters: bool = False


def build_routes(topics: Mapping[str, TopicConfig], schemaFolder: str) -> dict[str, Route]:
    """The routes of selected topics by source topic; TerminalError where a schema is unusable."""
    return {
        name: Route(
            topic.targetName or name,
            build_codec(topic.key, schemaFolder),
            build_codec(topic.value, schemaFolder),
            topic.onInvalid == "deadLetter",
        )
        for name, topic in topics.items()
    }


class RecordsCopier:
    """One lane's consumer feeding the lane's producer."""

    def __init__(
        self,
        consumer: AssignedConsumer,
        producer: TransactionalProducer,
        routes: Mapping[str, Route],
        bridge: str,
        deadLetters: DeadLetters | None,
        notesOffsets: bool = False,
    ) -> None:
        """`bridge` is its name, for the headers of dead letters; `notesOffsets`: `take_runs` has something to tell."""
        self._consumer = consumer
        self._producer = producer
        self._routes = routes
        self._bridge = bridge
        self._deadLetters = deadLetters
        self._notesOffsets = notesOffsets
        self._runs: dict[Partition, list[Run]] = {}
        self._refused: dict[tuple[Partition, int], str] = {}

    def assign(self, places: Mapping[Partition, Progress]) -> None:
        self._runs = {}
        self._consumer.assign(places)

    def take_runs(self) -> Mapping[Partition, Sequence[Run]]:
        runs, self._runs = self._runs, {}
        return runs

    def refuse(self, partition: Partition, offset: int, why: str) -> None:
        self._refused[partition, offset] = why

    def end_offset(self, partition: Partition) -> int | None:
        return self._consumer.end_offset(partition)

    def close(self) -> None:
        self._consumer.close()

    def step(self, transaction: Transaction, timeoutSeconds: float, limit: int) -> CopyStep:
        batch = self._consumer.poll(limit, timeoutSeconds)
        if not batch.records:
            return CopyStep(ends=batch.ends)
        transaction.ensure_open()
        last: dict[Partition, SourceRecord] = {}
        timestamps: list[int] = []
        byteCount = deadLetters = 0
        failure: InvalidRecord | None = None
        send, routes, refused = self._producer.send, self._routes, self._refused
        for record in batch.records:
            place = (record.topic() or "", record.partition() or 0)
            route = routes[place[0]]
            key, value, timestampMs = record.key(), record.value(), record.timestamp()[1]
            try:
                if refused:
                    self._raise_if_refused(place, record)
                newKey = key if route.key is None else _coded("key", route.key, key)
                newValue = value if route.value is None else _coded("value", route.value, value)
                send(
                    route.targetName, place[1], newKey, newValue, record.headers(),
                    timestampMs if timestampMs > 0 else 0, self._note(place, record) if self._notesOffsets else None,
                )  # fmt: skip
            except (ValueError, OversizedRecord) as error:
                why = f"{place[0]}-{place[1]} at offset {record.offset()}: {error}"
                if not route.usesDeadLetters or self._deadLetters is None:
                    failure = InvalidRecord(why)
                    break
                failure = self._send_dead_letter(self._deadLetters, place, record, str(error))
                if failure is not None:
                    break
                deadLetters += 1
            last[place] = record
            timestamps.append(timestampMs)
            byteCount += len(key or b"") + len(value or b"")
        progress = {
            place: Progress((record.offset() or 0) + 1, record.leader_epoch()) for place, record in last.items()
        }
        # Ends seen in the same poll lie behind records that a failure left uncopied.
        ends = batch.ends if failure is None else {}
        return CopyStep(len(timestamps), byteCount, deadLetters, progress, ends, tuple(timestamps), failure)

    def _note(self, place: Partition, record: SourceRecord) -> Callable[[int], None] | None:
        """Count the record into its run; the first of a run wants to be told its offset at the target."""
        offset = record.offset() or 0
        runs = self._runs.setdefault(place, [])
        if runs and runs[-1].source + runs[-1].count == offset:
            runs[-1].count += 1
            return None
        run = Run(offset, None)
        runs.append(run)

        def tell(target: int) -> None:
            run.target = target

        return tell

    def _raise_if_refused(self, place: Partition, record: SourceRecord) -> None:
        why = self._refused.get((place, record.offset() or 0))
        if why is not None:
            raise ValueError(why)

    def _send_dead_letter(
        self, letters: DeadLetters, place: Partition, record: SourceRecord, reason: str
    ) -> InvalidRecord | None:
        """The record as it was, and where it came from; the failure where not even the dead-letter topic takes it."""
        headers: Headers = list(record.headers() or [])
        for name, text in (
            ("bridge", self._bridge),
            ("topic", place[0]),
            ("partition", str(place[1])),
            ("offset", str(record.offset())),
            ("reason", reason),
        ):
            headers.append((HEADER_PREFIX + name, text.encode()))
        timestampMs = max(record.timestamp()[1], 0)
        try:
            self._producer.send(letters.topic, letters.partition, record.key(), record.value(), headers, timestampMs)
        except OversizedRecord as error:
            return InvalidRecord(f"{place[0]}-{place[1]} at offset {record.offset()}: {reason}; {error}")
        return None


def _coded(part: str, codec: Codec, payload: bytes | None) -> bytes | None:
    try:
        return codec(payload)
    except ValueError as error:
        raise ValueError(f"its {part}: {error}") from error
