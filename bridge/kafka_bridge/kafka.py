"""Kafka as the bridge sees it: the only module that knows confluent_kafka.

Each class wraps one client in the few calls that a lane makes, with a bound on everything that waits, and turns
librdkafka's errors into `errors`. Flags decide, not codes: fatal and unflagged errors want a new producer, some
want an abort, retriable ones the same call again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, TypeVar

from confluent_kafka import (
    OFFSET_INVALID,
    Consumer,
    ConsumerGroupTopicPartitions,
    IsolationLevel,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # exported, without saying so to type checkers
    AdminClient,
    ConfigResource,
    ConfigSource,
    NewPartitions,
    NewTopic,
    OffsetSpec,
    ResourceType,
)
from loguru import logger

from kafka_bridge.client_settings import Settings
from kafka_bridge.errors import (
    AbortNeeded,
    BridgeError,
    FencedError,
    OversizedRecord,
    RecordRefused,
    TerminalError,
    TransientError,
)
from kafka_bridge.resume import WAYS_OUT, Where
from kafka_bridge.topic_config import point_in_time

Partition = tuple[str, int]
Headers = list[tuple[str, str | bytes | None]]
Value = TypeVar("Value")

# One wait inside a longer bounded call: short enough that the caller's heartbeat goes on.
SLICE_SECONDS = 2.0
# A transactional call that has not succeeded after so long wants a new producer.
CALL_BOUND_SECONDS = 60.0
# Nothing more comes from a broker that was asked for metadata after so long.
REQUEST_SECONDS = 5.0

# A source that answers like this has lost the offset: deleted by retention, or never reached.
_OFFSET_LOST = {KafkaError.OFFSET_OUT_OF_RANGE, KafkaError._AUTO_OFFSET_RESET}
# It has the offset, and another history before it: an election lost records that have been copied.
_TRUNCATED = {KafkaError._LOG_TRUNCATION}
# The target refuses the record itself, and will refuse it again.
_RECORD_REFUSED = {KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.RECORD_LIST_TOO_LARGE, KafkaError.INVALID_RECORD}
# What produce() answers once the producer is in a failed state: the error that put it there is told by other calls.
_FAILED_BEFORE = {KafkaError._FATAL, KafkaError._STATE}
# What a broker answers to whoever has missed an election.
_STALE = {"FencedLeaderEpoch", "NotLeaderForPartition", "UnknownLeaderEpoch"}
_EARLIEST: Any = OffsetSpec.earliest()  # type: ignore[no-untyped-call]
_LATEST: Any = OffsetSpec.latest()  # type: ignore[no-untyped-call]
_FENCED = {KafkaError._FENCED, KafkaError.PRODUCER_FENCED, KafkaError.INVALID_PRODUCER_EPOCH}


class Heartbeat(Protocol):
    """Called whenever a wait has come back, so that a watchdog can tell a wait from a hang."""

    def __call__(self) -> None: ...


class SourceRecord(Protocol):
    """What a copier reads from a consumed record; confluent_kafka's Message is one."""

    def topic(self) -> str | None: ...
    def partition(self) -> int | None: ...
    def offset(self) -> int | None: ...
    def leader_epoch(self) -> int | None: ...
    def key(self) -> Any: ...
    def value(self) -> Any: ...
    def headers(self) -> Any: ...
    def timestamp(self) -> tuple[int, int]: ...


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a partition has come: the next offset to copy and the leader epoch of the last record."""

    offset: int
    leaderEpoch: int | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """One poll: records in order per partition, and for partitions that ran dry the offset of their end."""

    records: Sequence[SourceRecord]
    ends: Mapping[Partition, int]


@dataclass(frozen=True, slots=True)
class TopicFacts:
    """A topic as its cluster tells it. `partitions` is their number."""

    topicId: str
    partitions: int


class ConfigValue(NamedTuple):
    """A topic's setting; `isOwn` where it was made for this topic, not inherited from the broker."""

    value: str
    isOwn: bool


def _error_of(failure: KafkaException) -> KafkaError:
    first = failure.args[0] if failure.args else None
    return first if isinstance(first, KafkaError) else KafkaError(KafkaError._FAIL, str(failure))


def _reason_of(error: KafkaError) -> str:
    """librdkafka's name of the error in CamelCase: _TIMED_OUT is TimedOut."""
    return "".join(word.capitalize() for word in error.name().split("_"))


def classify(error: KafkaError, doing: str) -> BridgeError:
    """The error that says what is to be done; `doing` begins the sentence."""
    message = f"{doing}: {error.str()}"
    if error.code() in _FENCED:
        return FencedError("Fenced", message)
    if error.code() in _OFFSET_LOST:
        return TerminalError("SourceOffsetOutOfRange", f"{message}: {WAYS_OUT}")
    if error.code() in _TRUNCATED:
        return TerminalError("SourceTruncated", f"{message}: {WAYS_OUT}")
    if error.code() in _RECORD_REFUSED:
        return RecordRefused(_reason_of(error), message)
    if error.txn_requires_abort() and not error.fatal():
        return AbortNeeded(_reason_of(error), message)
    return TransientError(_reason_of(error), message)


def _bounded(call: Callable[[float], Value], doing: str, heartbeat: Heartbeat) -> Value:
    """Repeat a resumable call while its error is retriable, CALL_BOUND_SECONDS at most."""
    deadline = time.monotonic() + CALL_BOUND_SECONDS
    while True:
        heartbeat()
        try:
            return call(SLICE_SECONDS)
        except KafkaException as failure:
            error = _error_of(failure)
            if not error.retriable() or error.fatal() or time.monotonic() > deadline:
                raise classify(error, doing) from failure
            if error.code() != KafkaError._TIMED_OUT:
                time.sleep(0.1)


class _ErrorLog:
    """librdkafka repeats itself while a broker is away: each sentence is logged once in a while."""

    EVERY_SECONDS = 30.0

    def __init__(self, who: str) -> None:
        self._who = who
        self._lastLogged: dict[str, float] = {}

    def __call__(self, error: KafkaError) -> None:
        now = time.monotonic()
        # Ports and timings differ from line to line; what comes before them is the same.
        subject = error.str().split(" (after")[0]
        if now - self._lastLogged.get(subject, -self.EVERY_SECONDS) < self.EVERY_SECONDS:
            return
        if len(self._lastLogged) > 100:
            self._lastLogged.clear()
        self._lastLogged[subject] = now
        logger.debug("{}: {}", self._who, error.str())


class TransactionalProducer:
    """One lane's producer. After anything but AbortNeeded it is to be closed and replaced."""

    def __init__(self, settings: Settings, heartbeat: Heartbeat) -> None:
        self._heartbeat = heartbeat
        self._producer = Producer({**settings, "error_cb": _ErrorLog(str(settings["client.id"]))})

    def init_transactions(self) -> None:
        """Fence whoever held the transactional id, and settle what it left."""
        _bounded(self._producer.init_transactions, "init_transactions", self._heartbeat)

    def begin(self) -> None:
        self._now(self._producer.begin_transaction, "begin_transaction")

    def commit(self) -> None:
        """Flush and commit. After an error nobody knows whether it was committed: read the positions."""
        _bounded(self._producer.commit_transaction, "commit_transaction", self._heartbeat)

    def flush(self) -> None:
        """Wait until everything sent is delivered. A delivery that failed is told by the commit."""

        def wait(seconds: float) -> None:
            if self._producer.flush(seconds) > 0:
                raise KafkaException(KafkaError(KafkaError._TIMED_OUT, "records are not delivered", retriable=True))

        _bounded(wait, "flush", self._heartbeat)

    def abort(self) -> None:
        _bounded(self._producer.abort_transaction, "abort_transaction", self._heartbeat)

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
                error = _error_of(failure)
                if error.code() in _FAILED_BEFORE:
                    self.begin()
                if error.code() == KafkaError.MSG_SIZE_TOO_LARGE:
                    size = len(key or b"") + len(value or b"")
                    raise OversizedRecord(_reason_of(error), f"{size} bytes of key and value are too many") from failure
                raise classify(error, f"produce to {topic}-{partition}") from failure

    @property
    def produce(self) -> Callable[..., None]:
        """librdkafka's own call, for who makes it a million times: topic, value, key, partition, None, None, timestamp
        in milliseconds, headers, each by its place. Whatever it raises, it has queued nothing then.
        """
        return self._producer.produce

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
            raise classify(_error_of(failure), "poll") from failure

    def _now(self, call: Callable[[], None], doing: str) -> None:
        try:
            call()
        except KafkaException as failure:
            raise classify(_error_of(failure), doing) from failure


def _offset_teller(tell: Callable[[int], None]) -> Callable[[KafkaError | None, Message], None]:
    def on_delivery(error: KafkaError | None, message: Message) -> None:
        offset = message.offset()
        if error is None and offset is not None:
            tell(offset)

    return on_delivery


class AssignedConsumer:
    """A consumer of given partitions from given offsets; it belongs to no group."""

    def __init__(self, settings: Settings) -> None:
        self._consumer = Consumer({**settings, "error_cb": _ErrorLog(str(settings["client.id"]))})

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
            raise classify(_error_of(failure), "consume") from failure
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
            elif error.code() in _OFFSET_LOST | _TRUNCATED:
                raise classify(error, f"reading {topic}-{partition} at offset {offset}")
            elif error.fatal() or not error.retriable():
                raise TransientError(_reason_of(error), f"reading {topic}-{partition}: {error.str()}")
        return ends

    def end_offset(self, partition: Partition) -> int | None:
        """The last stable offset as of the last fetch, without asking anybody; None before the first."""
        _low, high = self._consumer.get_watermark_offsets(TopicPartition(*partition), cached=True) or (-1, -1)
        return high if high >= 0 else None

    def close(self) -> None:
        self._consumer.close()


class ClusterAdmin:
    """Questions to a cluster, and the few changes that a bridge makes at its target."""

    def __init__(self, settings: Settings) -> None:
        self._config: dict[str, Any] = {**settings, "error_cb": _ErrorLog(str(settings["client.id"]))}
        self._admin = AdminClient(self._config)

    def renew(self) -> None:
        """Go on with a new client; calls under way in other threads end with the old one."""
        self._admin = AdminClient(self._config)

    def knock(self, place: Partition) -> None:
        """Raises TransientError unless a broker answers for the partition.

        For a question that is asked all the time: librdkafka 2.16 has been seen to end the process by an assertion
        about an admin's answer just as a lone broker woke up from a pause of 20 s. Of the calls made here, that of
        `cluster_id` is the one whose answer can then be empty.
        """
        self.high_watermarks([place])

    def cluster_id(self) -> str:
        description = self._answer(
            self._admin.describe_cluster(request_timeout=REQUEST_SECONDS), "describe the cluster"
        )
        return str(description.cluster_id)

    def topics(self, names: Iterable[str]) -> dict[str, TopicFacts]:
        """Facts of those of `names` that exist."""
        found: dict[str, TopicFacts] = {}
        wanted = list(names)
        futures = self._admin.describe_topics(TopicCollection(wanted), request_timeout=REQUEST_SECONDS)
        for name, future in futures.items():
            try:
                description = future.result(REQUEST_SECONDS + SLICE_SECONDS)
            except TimeoutError as late:
                raise TransientError("TimedOut", f"describe topic {name}: no answer") from late
            except KafkaException as failure:
                error = _error_of(failure)
                if error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
                    continue
                raise classify(error, f"describe topic {name}") from failure
            found[name] = TopicFacts(str(description.topic_id), len(description.partitions))
        return found

    def topic_names(self) -> list[str]:
        """All topics that this client may see."""
        try:
            return list(self._admin.list_topics(timeout=REQUEST_SECONDS).topics)
        except KafkaException as failure:
            raise classify(_error_of(failure), "list the topics") from failure

    def topic_configs(self, topics: Iterable[str]) -> dict[str, dict[str, ConfigValue]]:
        """The settings that hold for each topic, wherever they come from."""
        resources = [ConfigResource(ResourceType.TOPIC, topic) for topic in topics]
        if not resources:
            return {}
        own = ConfigSource.DYNAMIC_TOPIC_CONFIG.value
        found: dict[str, dict[str, ConfigValue]] = {}
        for resource, future in self._admin.describe_configs(resources, request_timeout=REQUEST_SECONDS).items():
            entries = self._answer(future, f"describe the configuration of topic {resource.name}")
            found[resource.name] = {
                name: ConfigValue(str(entry.value), entry.source == own) for name, entry in entries.items()
            }
        return found

    def create_topic(
        self, topic: str, partitions: int, configs: Mapping[str, str], replicationFactor: int | None = None
    ) -> bool:
        """True where it was created, False where it was there. None: the broker's default replication."""
        new = NewTopic(
            topic, num_partitions=partitions, replication_factor=replicationFactor or -1, config=dict(configs)
        )
        future = self._admin.create_topics([new], request_timeout=REQUEST_SECONDS)[topic]
        return self._changes(future, f"create topic {topic}", KafkaError.TOPIC_ALREADY_EXISTS)

    def grow_topic(self, topic: str, partitions: int) -> None:
        """Raise a topic's partition count to `partitions`; another replica may have done it already."""
        futures = self._admin.create_partitions([NewPartitions(topic, partitions)], request_timeout=REQUEST_SECONDS)
        self._changes(futures[topic], f"grow topic {topic} to {partitions} partitions", KafkaError.INVALID_PARTITIONS)

    def earliest(self, partitions: Iterable[Partition]) -> dict[Partition, int]:
        return self._offsets(partitions, _EARLIEST, IsolationLevel.READ_UNCOMMITTED)

    def high_watermarks(self, partitions: Iterable[Partition]) -> dict[Partition, int]:
        return self._offsets(partitions, _LATEST, IsolationLevel.READ_UNCOMMITTED)

    def last_stable(self, partitions: Iterable[Partition]) -> dict[Partition, int]:
        return self._offsets(partitions, _LATEST, IsolationLevel.READ_COMMITTED)

    def groups(self) -> list[str]:
        """The consumer groups that the cluster knows."""
        listing = self._answer(self._admin.list_consumer_groups(request_timeout=REQUEST_SECONDS), "list the groups")
        return [one.group_id for one in listing.valid]

    def has_members(self, group: str) -> bool:
        [future] = self._admin.describe_consumer_groups([group], request_timeout=REQUEST_SECONDS).values()
        return bool(self._answer(future, f"describe group {group}").members)

    def group_offsets(self, group: str) -> dict[Partition, int]:
        """The committed offsets of a group; none where it is not known."""
        asked = [ConsumerGroupTopicPartitions(group)]
        [future] = self._admin.list_consumer_group_offsets(asked, request_timeout=REQUEST_SECONDS).values()
        found = self._answer(future, f"offsets of group {group}").topic_partitions
        return {(one.topic, one.partition): one.offset for one in found if one.error is None and one.offset >= 0}

    def set_group_offsets(self, group: str, offsets: Mapping[Partition, int]) -> None:
        places = [TopicPartition(topic, partition, at) for (topic, partition), at in offsets.items()]
        asked = [ConsumerGroupTopicPartitions(group, places)]
        [future] = self._admin.alter_consumer_group_offsets(asked, request_timeout=REQUEST_SECONDS).values()
        for one in self._answer(future, f"set the offsets of group {group}").topic_partitions:
            if one.error is not None:
                raise classify(one.error, f"set the offset of group {group} in {one.topic}-{one.partition}")

    def resolve(self, wheres: Mapping[Partition, Where]) -> dict[Partition, int]:
        """The offsets of places given as an offset, as earliest or latest, or as a time.

        A time is the first record of that time on; where there is none yet, it is the end. TerminalError
        OffsetNotThere for an offset that the partition does not have.
        """
        first, last = self.earliest(wheres), self.last_stable(wheres)
        resolved: dict[Partition, int] = {}
        for place, where in wheres.items():
            if where == "earliest":
                resolved[place] = first[place]
            elif where == "latest":
                resolved[place] = last[place]
            elif isinstance(where, str):
                moment = point_in_time(where)
                assert moment is not None, "the configuration has been checked"
                found = self._offsets([place], OffsetSpec.for_timestamp(moment), IsolationLevel.READ_COMMITTED)[place]
                resolved[place] = found if found >= 0 else last[place]
            elif first[place] <= where <= last[place]:
                resolved[place] = where
            else:
                raise TerminalError(
                    "OffsetNotThere",
                    f"offset {where} of {place[0]}-{place[1]}, expected one from {first[place]} to {last[place]}",
                )
        return resolved

    def _offsets(self, partitions: Iterable[Partition], spec: Any, isolation: Any) -> dict[Partition, int]:
        asked = {TopicPartition(topic, partition): spec for topic, partition in partitions}
        if not asked:
            return {}
        try:
            return self._ask_offsets(asked, isolation)
        except TransientError as error:
            if error.reason not in _STALE:
                raise
            # librdkafka 2.16 goes on asking as before for 15 s and more; a new client has nothing to forget.
            self.renew()
            return self._ask_offsets(asked, isolation)

    def _ask_offsets(self, asked: dict[TopicPartition, Any], isolation: Any) -> dict[Partition, int]:
        futures = self._admin.list_offsets(asked, isolation_level=isolation, request_timeout=REQUEST_SECONDS)
        found: dict[Partition, int] = {}
        for one, future in futures.items():
            doing = f"offsets of {one.topic}-{one.partition}"
            offset = self._answer(future, doing).offset
            if offset == OFFSET_INVALID:
                # How librdkafka 2.16 tells, without an error, that no broker has answered in time.
                raise TransientError("TimedOut", f"{doing}: no answer in {REQUEST_SECONDS:.0f} s")
            found[one.topic, one.partition] = offset
        return found

    @classmethod
    def _changes(cls, future: Any, doing: str, doneBefore: int) -> bool:
        """Whether the change was made now; False where the error `doneBefore` says that it was made already."""
        try:
            cls._answer(future, doing)
        except BridgeError as error:
            cause = error.__cause__
            if isinstance(cause, KafkaException) and _error_of(cause).code() == doneBefore:
                return False
            raise
        return True

    @staticmethod
    def _answer(future: Any, doing: str) -> Any:
        try:
            return future.result(REQUEST_SECONDS + SLICE_SECONDS)
        except KafkaException as failure:
            raise classify(_error_of(failure), doing) from failure
        except TimeoutError as late:
            raise TransientError("TimedOut", f"{doing}: no answer in {REQUEST_SECONDS:.0f} s") from late
