"""Two Kafka clusters in memory, as far as a lane can tell: a source with logs, a target with transactions.

Faults are put in by hand: `fail` names a call, and the error that it shall raise before it does anything or after it
has done everything, so that a test can have a commit whose outcome nobody knows.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from threading import Event
from typing import Literal

from kafka_bridge.errors import FencedError, OversizedRecord, RecordRefused, TerminalError, TransientError
from kafka_bridge.hanging import Hanging
from kafka_bridge.kafka import Batch, ConfigValue, Headers, Heartbeat, Partition, Progress, TopicFacts
from kafka_bridge.positions import LaneMemory, MemoryReader, Position
from kafka_bridge.resume import Where
from kafka_bridge.topic_config import point_in_time

When = Literal["before", "after"]


class FakeClock:
    """A monotonic clock that moves when it is told to; it stands in for the module `time` as well."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.pauses: list[float] = []

    def __call__(self) -> float:
        return self.now

    monotonic = __call__

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds


class FakeEvent(Event):
    """An event whose `wait` moves the clock instead of waiting, and remembers for how long."""

    def __init__(self, clock: FakeClock, onWait: Callable[[], None] = lambda: None) -> None:
        super().__init__()
        self._clock = clock
        self._onWait = onWait

    def wait(self, timeout: float | None = None) -> bool:
        if not self.is_set():
            self._clock.sleep(timeout or 0.0)
            self._onWait()
        return self.is_set()


@dataclass(frozen=True)
class FakeRecord:
    """A record at the source or at the target; readable like confluent_kafka's Message."""

    place: Partition
    at: int = 0
    keyBytes: bytes | None = None
    valueBytes: bytes | None = None
    headerList: Headers | None = None
    timestampMs: int = 1_700_000_000_000
    epoch: int | None = 3

    def topic(self) -> str:
        return self.place[0]

    def partition(self) -> int:
        return self.place[1]

    def offset(self) -> int:
        return self.at

    def leader_epoch(self) -> int | None:
        return self.epoch

    def key(self) -> bytes | None:
        return self.keyBytes

    def value(self) -> bytes | None:
        return self.valueBytes

    def headers(self) -> Headers | None:
        return self.headerList

    def timestamp(self) -> tuple[int, int]:
        return 1, self.timestampMs


class Faults:
    """Errors to raise at the n-th next call of a name."""

    def __init__(self) -> None:
        self._planned: defaultdict[str, deque[tuple[When, BaseException] | None]] = defaultdict(deque)
        self.calls: list[str] = []

    def fail(self, call: str, error: BaseException, when: When = "before", afterCalls: int = 0) -> None:
        """The call after `afterCalls` good ones (counted from those planned already) raises `error`."""
        self._planned[call].extend([None] * afterCalls)
        self._planned[call].append((when, error))

    def is_due(self, call: str) -> bool:
        """Whether the next call of this name fails."""
        return bool(self._planned[call]) and self._planned[call][0] is not None

    def forget(self) -> None:
        """From here on everything works."""
        self._planned.clear()

    def run(self, call: str, effect: Callable[[], None] = lambda: None) -> None:
        self.calls.append(call)
        planned = self._planned[call].popleft() if self._planned[call] else None
        if planned is not None and planned[0] == "before":
            raise planned[1]
        effect()
        if planned is not None:
            raise planned[1]


class FakeSource:
    """Logs by partition; None in a log is a transaction marker, which takes an offset and is never seen."""

    def __init__(self, clock: FakeClock, faults: Faults) -> None:
        self.clock = clock
        self.faults = faults
        self.logs: dict[Partition, list[FakeRecord | None]] = {}
        self.firstOffsets: dict[Partition, int] = {}
        self.topicIds: dict[str, str] = {}
        self.assigned: list[dict[Partition, Progress]] = []
        self.onDry: Callable[[], None] = lambda: None
        """Called at each poll of a dry source; usually stops the lane."""

    def append(self, place: Partition, value: bytes | None, **fields: object) -> FakeRecord:
        """Add a record to a partition, made on first use."""
        log = self.logs.setdefault(place, [])
        self.topicIds.setdefault(place[0], f"id-of-{place[0]}")
        record = replace(FakeRecord(place, len(log), None, value), **fields)  # type: ignore[arg-type]
        log.append(record)
        return record

    def append_marker(self, place: Partition) -> None:
        self.logs[place].append(None)

    def partitions(self) -> dict[Partition, str]:
        return {place: self.topicIds[place[0]] for place in self.logs}

    def resolve(self, wheres: Mapping[Partition, Where]) -> dict[Partition, int]:
        """A time is the first record whose timestamp is not before it."""
        self.faults.run("resolveOffsets")
        return {place: self._resolved(place, where) for place, where in wheres.items()}

    def _resolved(self, place: Partition, where: Where) -> int:
        log = self.logs[place]
        if where == "earliest":
            return self.firstOffsets.get(place, 0)
        if where == "latest":
            return len(log)
        if isinstance(where, int):
            return where
        moment = point_in_time(where) or 0
        late = (one.at for one in log if one is not None and one.timestampMs >= moment)
        return next(late, len(log))

    def values(self, place: Partition) -> list[bytes | None]:
        return [record.valueBytes for record in self.logs[place] if record is not None]


class FakeConsumer:
    """Reads a FakeSource, `batchSize` records of a partition at a time."""

    batchSize = 3
    # So many polls in a row find nothing before the source counts as dry: time enough to commit what was there.
    dryPolls = 3

    def __init__(self, source: FakeSource) -> None:
        self._source = source
        self._next: dict[Partition, int] = {}
        self._told: set[Partition] = set()
        self._dryPolls = 0
        self.closed = False

    def assign(self, places: Mapping[Partition, Progress]) -> None:
        self._source.faults.run("assign")
        self._source.assigned.append(dict(places))
        self._next = {place: at.offset for place, at in places.items()}
        self._told = set()

    def poll(self, limit: int, timeoutSeconds: float) -> Batch:
        source = self._source
        source.faults.run("poll")
        records: list[FakeRecord] = []
        ends: dict[Partition, int] = {}
        for place, at in self._next.items():
            log = source.logs.get(place, [])
            if not source.firstOffsets.get(place, 0) <= at <= len(log):
                raise TerminalError("SourceOffsetOutOfRange", f"reading {place[0]}-{place[1]} at offset {at}")
            taken = log[at : at + min(limit - len(records), self.batchSize)]
            records += [record for record in taken if record is not None]
            self._next[place] = at + len(taken)
            if taken:
                self._told.discard(place)
            if self._next[place] == len(log) and place not in self._told:
                self._told.add(place)
                ends[place] = len(log)
        if not records:
            # Time passes also in a poll that does not wait.
            source.clock.now += max(timeoutSeconds, 0.001)
        self._dryPolls = 0 if records or ends else self._dryPolls + 1
        if self._dryPolls >= self.dryPolls:
            source.onDry()
        return Batch(records, ends)

    def end_offset(self, partition: Partition) -> int | None:
        return len(self._source.logs[partition])

    def close(self) -> None:
        self._source.faults.run("closeConsumer")
        self.closed = True


class FakeTarget:
    """Committed records by partition, and one transactional id: the last producer to initialise holds it."""

    def __init__(self, faults: Faults, positionsTopic: str) -> None:
        self.faults = faults
        self.positionsTopic = positionsTopic
        self.committed: dict[Partition, list[FakeRecord]] = {}
        self.transactions: list[list[FakeRecord]] = []
        """Every committed transaction, in order."""
        self.holder: FakeProducer | None = None
        self.refusals: dict[str, set[bytes]] = {}
        """Values that a topic does not take, by topic."""
        self.lateTransactions = 0
        """So many of the last ones have no markers yet: whoever does not wait for them sees none of their records."""
        self.brokers = 1
        self.hung: list[FakeRecord] = []
        """Records of transactions that have been decided and never got their markers."""
        self.endsWithoutMarkers: set[int] = set()
        """Which ends of transactions, counted from 0, lose theirs: the broker slept, and was fenced for a moment."""
        self.onLostMarkers: Callable[[], None] = lambda: None
        self._ends = 0

    def make_producer(self, heartbeat: Heartbeat) -> FakeProducer:
        self.faults.run("makeProducer")
        return FakeProducer(self, heartbeat)

    def end(self, records: list[FakeRecord], isCommit: bool) -> None:
        """Decide a transaction. Its markers decide all that its producer has open in their partitions."""
        for record in records if isCommit else ():
            if record.valueBytes in self.refusals.get(record.place[0], ()):
                raise RecordRefused("MsgSizeTooLarge", "commit_transaction: message too large")
        self._ends += 1
        if self._ends - 1 in self.endsWithoutMarkers:
            self.hung += records
            self.onLostMarkers()
            return
        places = {record.place for record in records}
        swept = [record for record in self.hung if record.place in places]
        self.hung = [record for record in self.hung if record.place not in places]
        if isCommit:
            self._take(swept + records)

    def find_hanging(self, heartbeat: Heartbeat) -> Hanging:
        found: list[Hanging] = []
        self.faults.run(
            "findHanging",
            lambda: found.append(Hanging(frozenset(record.place for record in self.hung), self.brokers)),
        )
        heartbeat()
        return found[0]

    def _take(self, records: list[FakeRecord]) -> None:
        self.transactions.append(records)
        for record in records:
            self.committed.setdefault(record.place, []).append(record)

    def memory(self, late: int = 0) -> LaneMemory:
        """What the lane has stored, but for the last `late` transactions."""
        hidden = [id(record) for transaction in self.transactions[-late:] for record in transaction] if late else []
        reader, end = MemoryReader("cluster"), 0
        for place, records in self.committed.items():
            if place[0] == self.positionsTopic:
                for record in records:
                    if id(record) not in hidden:
                        reader.take(record.keyBytes, record.valueBytes)
                        end += 1
        return reader.memory(end)

    def positions(self) -> dict[Partition, Position]:
        """The last committed position of each source partition."""
        return dict(self.memory().positions)

    def read_memory(self, heartbeat: Heartbeat) -> LaneMemory:
        self.faults.run("readMemory")
        heartbeat()
        if any(record.place[0] == self.positionsTopic for record in self.hung):
            raise TransientError("PositionsUnsettled", "a transaction is still open")
        return self.memory()

    def glance(self, heartbeat: Heartbeat) -> LaneMemory:
        self.faults.run("glance")
        return self.memory(self.lateTransactions)

    def values(self, place: Partition) -> list[bytes | None]:
        return [record.valueBytes for record in self.committed.get(place, [])]


@dataclass
class FakeProducer:
    """A transactional producer that keeps to the rules: a call in the wrong state is a mistake of the lane."""

    target: FakeTarget
    heartbeat: Heartbeat
    pending: list[FakeRecord] | None = None
    isReady: bool = False
    closed: bool = False
    sent: list[FakeRecord] = field(default_factory=list)

    def _call(self, name: str, effect: Callable[[], None]) -> None:
        assert not self.closed, f"{name} on a closed producer"
        if name != "init_transactions":
            assert self.isReady, f"{name} before init_transactions"
            if self.target.holder is not self:
                self.target.faults.calls.append(name)
                raise FencedError("Fenced", f"{name}: another producer holds the transactional id")
        self.target.faults.run(name, effect)

    def init_transactions(self) -> None:
        def hold() -> None:
            former = self.target.holder
            if former is not None and former is not self and former.pending:
                # What was never sent off is nothing to be decided.
                self.target.end(former.pending, isCommit=False)
                former.pending = []
            self.target.holder, self.isReady = self, True

        self._call("init_transactions", hold)

    def begin(self) -> None:
        assert self.pending is None, "begin inside a transaction"

        def start() -> None:
            self.pending = []

        self._call("begin", start)

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
        def add() -> None:
            assert self.pending is not None, "send outside of a transaction"
            if onDelivered is not None:
                place = (topic, partition)
                ahead = len([one for one in self.pending if one.place == place])
                # Every transaction that wrote to a partition has left a marker there.
                markers = sum(any(one.place == place for one in done) for done in self.target.transactions)
                onDelivered(len(self.target.committed.get(place, [])) + ahead + markers)
            self.pending.append(FakeRecord((topic, partition), 0, key, value, headers, timestampMs, None))

        self._call("send", add)

    def send_many(
        self,
        topic: str,
        partition: int,
        keys: Sequence[bytes | None],
        values: Sequence[bytes | None],
        headers: Sequence[Headers | None],
        timestampsMs: Sequence[int],
    ) -> int:
        for at, record in enumerate(zip(keys, values, headers, timestampsMs, strict=True)):
            try:
                self.send(topic, partition, *record)
            except OversizedRecord:
                return at
        return len(values)

    def flush(self) -> None:
        self._call("flush", lambda: None)

    def commit(self) -> None:
        def settle() -> None:
            assert self.pending is not None, "commit outside of a transaction"
            self.target.end(self.pending, isCommit=True)
            self.pending = None

        self.heartbeat()
        self._call("commit", settle)

    def abort(self) -> None:
        def forget() -> None:
            pending, self.pending = self.pending or [], None
            self.target.end(pending, isCommit=False)

        self._call("abort", forget)

    def serve(self) -> None:
        self._call("serve", lambda: None)

    def close(self) -> None:
        self.target.faults.calls.append("closeProducer")
        self.closed = True


class FakeAdmin:
    """Topics of a target, for those who create and verify them."""

    def __init__(self, topics: Mapping[str, int] | None = None) -> None:
        self.facts = {name: TopicFacts(f"id-of-{name}", count) for name, count in (topics or {}).items()}
        self.configs: dict[str, dict[str, str]] = {}
        self.replication: dict[str, int | None] = {}
        self.hidden: set[str] = set()
        """Topics that exist and that the broker asked has not heard of yet."""

    def renew(self) -> None:
        pass

    def topics(self, names: Iterable[str]) -> dict[str, TopicFacts]:
        return {name: self.facts[name] for name in names if name in self.facts and name not in self.hidden}

    def topic_names(self) -> list[str]:
        return list(self.facts)

    def last_stable(self, partitions: Iterable[Partition]) -> dict[Partition, int]:
        return dict.fromkeys(partitions, 0)

    def knock(self, topic: str) -> None:
        self.topics([topic])

    def topic_configs(self, topics: Iterable[str]) -> dict[str, dict[str, ConfigValue]]:
        inherited = {"cleanup.policy": ConfigValue("delete", False), "max.message.bytes": ConfigValue("1048588", False)}
        return {
            topic: inherited | {name: ConfigValue(value, True) for name, value in self.configs.get(topic, {}).items()}
            for topic in topics
        }

    def create_topic(
        self, topic: str, partitions: int, configs: Mapping[str, str], replicationFactor: int | None = None
    ) -> bool:
        if topic in self.facts:
            return False
        self.facts[topic] = TopicFacts(f"id-of-{topic}", partitions)
        self.configs[topic] = dict(configs)
        self.replication[topic] = replicationFactor
        return True

    def grow_topic(self, topic: str, partitions: int) -> None:
        self.facts[topic] = replace(self.facts[topic], partitions=partitions)
