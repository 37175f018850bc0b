"""The copier that opens every record: checks it, and produces it with partition, key, headers and timestamp kept.

A record that fails its check stops the lane, or goes to the dead-letter topic in the same transaction, with headers
that say where it came from and what is wrong with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import methodcaller

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


@dataclass(slots=True)
class _Taken:
    """What a step has put into the transaction so far."""

    progress: dict[Partition, Progress] = field(default_factory=dict)
    timestamps: list[int] = field(default_factory=list)
    bytes: int = 0
    deadLetters: int = 0

    def note(self, place: Partition, last: SourceRecord) -> None:
        self.progress[place] = Progress((last.offset() or 0) + 1, last.leader_epoch())


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
        taken = _Taken()
        failure: InvalidRecord | None = None
        for place, records in _by_place(batch.records):
            queued = self._copy_at_once(place, records, taken)
            failure = self._copy_one_by_one(place, records[queued:], taken)
            if failure is not None:
                break
        # Ends seen in the same poll lie behind records that a failure left uncopied.
        ends = batch.ends if failure is None else {}
        isCaughtUp = self._is_caught_up(taken.progress, ends)
        return CopyStep(
            len(taken.timestamps),
            taken.bytes,
            taken.deadLetters,
            taken.progress,
            ends,
            tuple(taken.timestamps),
            isCaughtUp,
            failure,
        )

    def _copy_at_once(self, place: Partition, records: Sequence[SourceRecord], taken: _Taken) -> int:
        """Send the first of these records of one partition; how many, none where each needs to be looked at.

        Every microsecond that a record costs here is a second for a million of them.
        """
        if self._refused or self._notesOffsets:
            return 0
        route = self._routes[place[0]]
        keys, values = [record.key() for record in records], [record.value() for record in records]
        try:
            newKeys = keys if route.key is None else [*map(route.key, keys)]
            newValues = values if route.value is None else [*map(route.value, values)]
        except ValueError:
            return 0
        headers = [record.headers() or None for record in records]
        timestamps = [record.timestamp()[1] for record in records]
        sentAt = timestamps if min(timestamps) >= 0 else [max(one, 0) for one in timestamps]
        queued = self._producer.send_many(route.targetName, place[1], newKeys, newValues, headers, sentAt)
        if queued:
            taken.timestamps += timestamps[:queued]
            taken.bytes += sum(map(len, filter(None, keys[:queued]))) + sum(map(len, filter(None, values[:queued])))
            taken.note(place, records[queued - 1])
        return queued

    def _copy_one_by_one(
        self, place: Partition, records: Iterable[SourceRecord], taken: _Taken
    ) -> InvalidRecord | None:
        """Send these records of one partition, or make dead letters of them; the failure where one can be neither."""
        route = self._routes[place[0]]
        for record in records:
            key, value, timestampMs = record.key(), record.value(), record.timestamp()[1]
            try:
                newKey = key if route.key is None else _coded("key", route.key, key)
                newValue = value if route.value is None else _coded("value", route.value, value)
                self._send_watched(place, route.targetName, newKey, newValue, record, max(timestampMs, 0))
            except (ValueError, OversizedRecord) as error:
                failure = self._refuse(route, place, record, str(error))
                if failure is not None:
                    return failure
                taken.deadLetters += 1
            taken.timestamps.append(timestampMs)
            taken.bytes += (len(key) if key else 0) + (len(value) if value else 0)
            taken.note(place, record)
        return None

    def _send_watched(
        self,
        place: Partition,
        targetName: str,
        key: bytes | None,
        value: bytes | None,
        record: SourceRecord,
        timestampMs: int,
    ) -> None:
        """Send a record that may have been refused before, or whose offset at the target is wanted."""
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


def _by_place(records: Iterable[SourceRecord]) -> Iterator[tuple[Partition, list[SourceRecord]]]:
    """Records as they stand next to each other: those of one partition mostly do."""
    for partition, neighbours in groupby(records, methodcaller("partition")):
        for topic, alike in groupby(neighbours, methodcaller("topic")):
            yield (topic or "", partition or 0), list(alike)
