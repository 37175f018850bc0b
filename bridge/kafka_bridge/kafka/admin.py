"""Questions to a cluster, and the few changes that a bridge makes at its target."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from confluent_kafka import (
    OFFSET_INVALID,
    ConsumerGroupTopicPartitions,
    IsolationLevel,
    KafkaError,
    KafkaException,
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

from kafka_bridge.client_settings import Settings
from kafka_bridge.errors import BridgeError, TerminalError, TransientError
from kafka_bridge.kafka.failures import SLICE_SECONDS, ErrorLog, classify, error_of
from kafka_bridge.kafka.types import ConfigValue, Partition, TopicFacts
from kafka_bridge.resume import Where
from kafka_bridge.topic_config import point_in_time

# Nothing more comes from a broker that was asked for metadata after so long.
REQUEST_SECONDS = 5.0
# Whether a cluster answers is asked all the time, and asked again by a new client where it does not.
KNOCK_SECONDS = 3.0
# What a broker answers to whoever has missed an election.
_STALE = {"FencedLeaderEpoch", "NotLeaderForPartition", "UnknownLeaderEpoch"}
_EARLIEST: Any = OffsetSpec.earliest()  # type: ignore[no-untyped-call]
_LATEST: Any = OffsetSpec.latest()  # type: ignore[no-untyped-call]


class ClusterAdmin:
    """Questions to a cluster, and the few changes that a bridge makes at its target."""

    def __init__(self, settings: Settings) -> None:
        self._config: dict[str, Any] = {**settings, "error_cb": ErrorLog(str(settings["client.id"]))}
        self._admin = AdminClient(self._config)

    def renew(self) -> None:
        """Go on with a new client; calls under way in other threads end with the old one."""
        self._admin = AdminClient(self._config)

    def knock(self, topic: str) -> None:
        """Raises TransientError unless a broker answers, whichever it is: a cluster of three that lacks one is there.

        For a question that is asked all the time: librdkafka 2.16 has been seen to end the process by an assertion
        about an admin's answer just as a lone broker woke up from a pause of 20 s. Of the calls made here, that of
        `cluster_id` is the one whose answer can then be empty. This one is no admin's.
        """
        try:
            self._admin.list_topics(topic, timeout=KNOCK_SECONDS)
        except KafkaException as failure:
            raise classify(error_of(failure), "ask the cluster") from failure

    def cluster_id(self) -> str:
        description = self._answer(
            self._admin.describe_cluster(request_timeout=REQUEST_SECONDS), "describe the cluster"
        )
        return str(description.cluster_id)

    def topics(self, names: Iterable[str]) -> dict[str, TopicFacts]:
        """Facts of those of `names` that exist. Asked all the time at the source: it has the patience of a knock."""
        found: dict[str, TopicFacts] = {}
        wanted = list(names)
        futures = self._admin.describe_topics(TopicCollection(wanted), request_timeout=KNOCK_SECONDS)
        for name, future in futures.items():
            try:
                description = future.result(KNOCK_SECONDS + SLICE_SECONDS)
            except TimeoutError as late:
                raise TransientError("TimedOut", f"describe topic {name}: no answer") from late
            except KafkaException as failure:
                error = error_of(failure)
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
            raise classify(error_of(failure), "list the topics") from failure

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
            if isinstance(cause, KafkaException) and error_of(cause).code() == doneBefore:
                return False
            raise
        return True

    @staticmethod
    def _answer(future: Any, doing: str) -> Any:
        try:
            return future.result(REQUEST_SECONDS + SLICE_SECONDS)
        except KafkaException as failure:
            raise classify(error_of(failure), doing) from failure
        except TimeoutError as late:
            raise TransientError("TimedOut", f"{doing}: no answer in {REQUEST_SECONDS:.0f} s") from late
