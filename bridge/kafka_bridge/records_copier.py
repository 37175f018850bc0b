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
        self._next: dict[Partition, int] = {}
        self._refused: dict[tuple[Partition, int], str] = {}

    def assign(self, places: Mapping[Partition, Progress]) -> None:
        self._runs = {}
        self._next = {place: at.offset for place, at in places.items()}
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
            return CopyStep(ends=batch.ends, isCaughtUp=self._is_caught_up({}, batch.ends))
        transaction.ensure_open()
        last: dict[Partition, SourceRecord] = {}
        timestamps: list[int] = []
        byteCount = deadLetters = 0
        failure: InvalidRecord | None = None
        # Every microsecond in this loop is a second for a million records: what it needs is looked up before, or once
        # for the records of one partition, which mostly stand together.
        produce, send, routes = self._producer.produce, self._producer.send, self._routes
        isPlain = not (self._refused or self._notesOffsets)
        topic, partition, place = "", -1, ("", -1)
        for record in batch.records:
            if record.partition() != partition or record.topic() != topic:
                topic, partition = place = (record.topic() or "", record.partition() or 0)
                route = routes[topic]
                targetName, codeKey, codeValue = route.targetName, route.key, route.value
            key, value, timestampMs = record.key(), record.value(), record.timestamp()[1]
            sentAt = timestampMs if timestampMs > 0 else 0
            try:
                newKey = key if codeKey is None else _coded("key", codeKey, key)
                newValue = value if codeValue is None else _coded("value", codeValue, value)
                if isPlain:
                    try:
                        produce(targetName, newValue, newKey, partition, None, None, sentAt, record.headers() or None)
                    except Exception:  # nothing was queued, and whatever it is: `send` knows what to do about it
                        send(targetName, partition, newKey, newValue, record.headers(), sentAt)
                else:
                    self._send_watched(targetName, newKey, newValue, record, sentAt)
            except (ValueError, OversizedRecord) as error:
                failure = self._refuse(route, place, record, str(error))
                if failure is not None:
                    break
                deadLetters += 1
            last[place] = record
            timestamps.append(timestampMs)
            byteCount += (len(key) if key else 0) + (len(value) if value else 0)
        progress = {
            place: Progress((record.offset() or 0) + 1, record.leader_epoch()) for place, record in last.items()
        }
        # Ends seen in the same poll lie behind records that a failure left uncopied.
        ends = batch.ends if failure is None else {}
        isCaughtUp = self._is_caught_up(progress, ends)
        return CopyStep(len(timestamps), byteCount, deadLetters, progress, ends, tuple(timestamps), isCaughtUp, failure)

    def _send_watched(
        self, targetName: str, key: bytes | None, value: bytes | None, record: SourceRecord, timestampMs: int
    ) -> None:
        """Send a record that may have been refused before, or whose offset at the target is wanted."""
        place = (record.topic() or "", record.partition() or 0)
        why = self._refused.get((place, record.offset() or 0))
        if why is not None:
            raise ValueError(why)
        tell = self._note(place, record) if self._notesOffsets else None
        try:
            self._producer.send(targetName, place[1], key, value, record.headers(), timestampMs, tell)
        except OversizedRecord:
            if self._notesOffsets:
                self._take_back_note(place)
            raise

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

    def _take_back_note(self, place: Partition) -> None:
        """The last record noted has not gone there after all."""
        runs = self._runs[place]
        runs[-1].count -= 1
        if runs[-1].count == 0:
            runs.pop()

    def _is_caught_up(self, progress: Mapping[Partition, Progress], ends: Mapping[Partition, int]) -> bool:
        """Whether all that the source was known to have at the last fetch has been moved."""
        self._next |= {place: at.offset for place, at in progress.items()}
        self._next |= ends
        for place, following in self._next.items():
            end = self._consumer.end_offset(place)
            if end is None or following < end:
                return False
        return True

    def _refuse(self, route: Route, place: Partition, record: SourceRecord, reason: str) -> InvalidRecord | None:
        """Make a dead letter of a record that failed its check; the failure where it cannot be one."""
        if not route.usesDeadLetters or self._deadLetters is None:
            return InvalidRecord(f"{place[0]}-{place[1]} at offset {record.offset()}: {reason}")
        return self._send_dead_letter(self._deadLetters, place, record, reason)

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
