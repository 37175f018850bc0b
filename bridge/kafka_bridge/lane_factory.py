"""Makes lanes out of the real thing: clients of both clusters, and what was last found out about the topics."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast
from uuid import uuid4

from kafka_bridge import client_settings
from kafka_bridge.config import BridgeConfig
from kafka_bridge.copier import Copier
from kafka_bridge.group_sync import GroupSync
from kafka_bridge.hanging import Hanging, find_hanging
from kafka_bridge.kafka import (
    AssignedConsumer,
    ClusterAdmin,
    Heartbeat,
    Partition,
    TopicFacts,
    TransactionalProducer,
)
from kafka_bridge.lane import Lane
from kafka_bridge.lane_parts import LaneParts, LaneProducer
from kafka_bridge.lanes import lanes_of_replica, partitions_of_lane
from kafka_bridge.ledger import CommitRhythm
from kafka_bridge.metrics import LatencyHistogram
from kafka_bridge.position_store import read_memory
from kafka_bridge.positions import LaneMemory, offsets_topic, positions_topic, transactional_id
from kafka_bridge.records_copier import DeadLetters, RecordsCopier, Route
from kafka_bridge.resume import LaneIdentity
from kafka_bridge.wire import Brokers

# The lanes of a replica that has caught up commit so often together in one commit interval, at the most. At 1,000
# records/s and the default of 200 ms, this gave the target's broker the least to do for a delay of 100 ms at p99.
CAUGHT_UP_COMMITS = 8

Topology = Mapping[str, TopicFacts]


@dataclass(frozen=True, slots=True)
class Work:
    """What lanes share, as of the topics that were last taken up."""

    topology: Topology
    bridgeId: str
    sourceClusterId: str
    routes: Mapping[str, Route]
    deadLetterTopic: str | None
    deadLetterPartitions: int
    targetLimits: Sequence[int]
    sourceLimits: Sequence[int]


class LaneFactory:
    """One for each replica. `work` is renewed by whoever takes topics up; lanes ask for what it is by then."""

    def __init__(
        self,
        config: BridgeConfig,
        clientId: str,
        sourceAdmin: ClusterAdmin,
        targetAdmin: ClusterAdmin,
        latency: LatencyHistogram,
        groups: GroupSync | None,
    ) -> None:
        self._config = config
        self._clientId = clientId
        self._owner = uuid4().hex
        self._sourceAdmin = sourceAdmin
        self._targetAdmin = targetAdmin
        self._latency = latency
        self._groups = groups
        self.work: Work | None = None

    @property
    def topology(self) -> Topology | None:
        """The source's topics as they were last taken up; None before."""
        return self.work.topology if self.work is not None else None

    def make_lane(self, number: int) -> Lane:
        """Ready to be run."""
        config, work = self._config, self._the_work()
        bridgeId, clusterId = work.bridgeId, work.sourceClusterId
        transactionalId = transactional_id(bridgeId, number)

        def make_producer(heartbeat: Heartbeat) -> LaneProducer:
            return self.make_producer(transactionalId, f"lane.{number}", heartbeat)

        def find_own_hanging(heartbeat: Heartbeat) -> Hanging:
            def connect() -> Brokers:
                return Brokers(config.target, f"{self._clientId}.lane.{number}")

            return find_hanging(connect, transactionalId, self._written_by(number), heartbeat)

        return Lane(
            LaneParts(
                identity=LaneIdentity(number, config.lanes, self._owner),
                sourceClusterId=clusterId,
                positionsTopic=positions_topic(bridgeId),
                rhythm=self._rhythm(),
                startFrom=config.startFrom,
                rewinds=config.rewind,
                partitions=lambda: self.partitions_of(number),
                makeProducer=make_producer,
                makeCopier=lambda producer: self._make_copier(producer, number),
                readMemory=lambda heartbeat: self.read_memory(bridgeId, clusterId, number, heartbeat),
                glance=lambda heartbeat: self.read_memory(bridgeId, clusterId, number, heartbeat, toTheEnd=False),
                findHanging=find_own_hanging,
                resolveOffsets=self._sourceAdmin.resolve,
                askTopicIds=self._topic_ids,
                offsetsTopic=offsets_topic(bridgeId) if self._groups is not None else None,
                noteRuns=self._groups.add if self._groups is not None else lambda partition, runs: None,
                observeLatency=self._latency.observe,
                clock=time.monotonic,
            )
        )

    def make_producer(self, transactionalId: str, name: str, heartbeat: Heartbeat) -> LaneProducer:
        settings = client_settings.producer(
            self._config.target,
            f"{self._clientId}.{name}",
            transactionalId,
            targetLimits=self.work.targetLimits if self.work is not None else (),
            sourceLimits=self.work.sourceLimits if self.work is not None else (),
            tellsOffsets=self._groups is not None,
        )
        return TransactionalProducer(settings, heartbeat)

    def read_memory(
        self, bridgeId: str, clusterId: str, lane: int, heartbeat: Heartbeat, toTheEnd: bool = True
    ) -> LaneMemory:
        """What the lane has stored; all of it where `toTheEnd`, else without waiting for what somebody has begun."""
        settings = client_settings.reader(self._config.target, f"{self._clientId}.lane.{lane}", bridgeId)
        consumer = AssignedConsumer(settings)
        try:
            place = (positions_topic(bridgeId), lane)
            return read_memory(self._targetAdmin, consumer, place, clusterId, heartbeat, toTheEnd)
        finally:
            consumer.close()

    def partitions_of(self, lane: int) -> dict[Partition, str]:
        """The source partitions of a lane, each with its topic's id."""
        topology = self._the_work().topology
        counts = {name: facts.partitions for name, facts in topology.items()}
        return {
            (topic, partition): topology[topic].topicId
            for topic, partition in sorted(partitions_of_lane(lane, self._config.lanes, counts))
        }

    def _rhythm(self) -> CommitRhythm:
        """Each commit costs the target's broker time, whosever it is: more lanes are each to wait longer."""
        lanes = len(lanes_of_replica(self._config.ordinal, self._config.replicas, self._config.lanes))
        interval = self._config.commitIntervalMs / 1000
        return CommitRhythm(interval, min(interval, lanes * interval / CAUGHT_UP_COMMITS))

    def _topic_ids(self, topics: Iterable[str]) -> dict[str, str]:
        return {name: facts.topicId for name, facts in self._sourceAdmin.topics(topics).items()}

    def _make_copier(self, producer: LaneProducer, lane: int) -> Copier:
        """A copier for the topics as they are now; a lane whose partitions change asks for a new one."""
        work = self._the_work()
        settings = client_settings.consumer(self._config.source, f"{self._clientId}.lane.{lane}", work.bridgeId)
        letters = DeadLetters(work.deadLetterTopic, lane % work.deadLetterPartitions) if work.deadLetterTopic else None
        return RecordsCopier(
            AssignedConsumer(settings),
            cast(TransactionalProducer, producer),
            work.routes,
            self._config.bridge,
            letters,
            notesOffsets=self._groups is not None,
        )

    def _written_by(self, lane: int) -> set[Partition]:
        """All partitions of the target that the lane writes to."""
        work = self._the_work()
        written = {(work.routes[topic].targetName, partition) for topic, partition in self.partitions_of(lane)}
        written.add((positions_topic(work.bridgeId), lane))
        if self._groups is not None:
            written.add((offsets_topic(work.bridgeId), lane))
        if work.deadLetterTopic:
            written.add((work.deadLetterTopic, lane % work.deadLetterPartitions))
        return written

    def _the_work(self) -> Work:
        assert self.work is not None, "lanes are made after the topics have been taken up"
        return self.work
