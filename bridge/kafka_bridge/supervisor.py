"""One replica of a bridge: watches both clusters, prepares the target's topics, runs the lanes it owns.

A lane is never restarted from here for an error: it knows itself what to do about each class. The supervisor only
tells a lane that its partitions have changed, and ends the process where a lane hangs in a call that never returns.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import cast
from uuid import uuid4

from loguru import logger

from kafka_bridge import client_settings
from kafka_bridge.cluster_watch import ClusterWatch
from kafka_bridge.config import BridgeConfig
from kafka_bridge.copier import Copier
from kafka_bridge.errors import BridgeError, TerminalError, TransientError
from kafka_bridge.group_sync import GroupParts, GroupSync
from kafka_bridge.hanging import find_hanging
from kafka_bridge.kafka import (
    AssignedConsumer,
    ClusterAdmin,
    Heartbeat,
    Partition,
    TopicFacts,
    TransactionalProducer,
)
from kafka_bridge.lane import Lane
from kafka_bridge.lane_migration import MigrationParts, ensure_lanes
from kafka_bridge.lane_parts import LaneParts, LaneProducer
from kafka_bridge.lanes import lanes_of_replica, partitions_of_lane
from kafka_bridge.ledger import CommitRhythm
from kafka_bridge.metrics import LatencyHistogram
from kafka_bridge.position_store import read_memory, read_runs
from kafka_bridge.positions import LaneMemory, bridge_id, offsets_topic, positions_topic, transactional_id
from kafka_bridge.records_copier import DeadLetters, RecordsCopier, Route, build_routes
from kafka_bridge.resume import LaneIdentity
from kafka_bridge.status import BridgeStatus, Counters, Fault, LaneStatus
from kafka_bridge.topic_selection import has_patterns, named_topics, select_topics, wanted_topics
from kafka_bridge.topics import (
    ensure_dead_letter_topic,
    ensure_offsets_topic,
    ensure_positions_topic,
    ensure_target_topics,
    message_limits,
)
from kafka_bridge.wire import Brokers

TURN_SECONDS = 0.5
# Until there is something to take up for the first time: whoever starts after a crash is waited for.
FIRST_TURN_SECONDS = 0.05
# Lanes are told the source's ends so often.
ENDS_SECONDS = 10.0
# Between tries to make the target's topics fit.
FAULT_PAUSE_SECONDS = 2.0
# A lane without a heartbeat for so long makes the replica unhealthy...
UNHEALTHY_SECONDS = 60.0
# ...and for so long ends the process: the operator starts it again, and the start-up order makes that safe.
HANG_SECONDS = 120.0
HANG_EXIT_CODE = 70
# The lanes of a replica that has caught up commit so often together in one commit interval, at the most. At 1,000
# records/s and the default of 200 ms, this gave the target's broker the least to do for a delay of 100 ms at p99.
CAUGHT_UP_COMMITS = 8
# All lanes together are given this long to end.
STOP_SECONDS = 8.0

Topology = Mapping[str, TopicFacts]


@dataclass(frozen=True, slots=True)
class _Work:
    """What lanes share, as of the topics that were last taken up."""

    bridgeId: str
    sourceClusterId: str
    routes: Mapping[str, Route]
    deadLetterTopic: str | None
    deadLetterPartitions: int
    targetLimits: Sequence[int]
    sourceLimits: Sequence[int]


class Supervisor:
    """`start`, then ask `status` and `is_alive` from any thread, then `stop`."""

    def __init__(self, config: BridgeConfig, latency: LatencyHistogram) -> None:
        self._config = config
        self._latency = latency
        self._startedAt = datetime.now(UTC)
        self._owner = uuid4().hex
        self._clientId = f"{config.instance}-{config.bridge}-{config.ordinal}"
        self._sourceAdmin = ClusterAdmin(client_settings.admin(config.source, self._clientId))
        self._targetAdmin = ClusterAdmin(client_settings.admin(config.target, self._clientId))
        self._source: ClusterWatch[Topology] = ClusterWatch(
            config.source.name, self._ask_source, self._sourceAdmin.renew
        )
        self._target: ClusterWatch[None] = ClusterWatch(config.target.name, self._ask_target, self._targetAdmin.renew)
        self._topology: Topology | None = None
        self._work: _Work | None = None
        self._lanes: dict[int, tuple[Lane, threading.Thread]] = {}
        self._groups: GroupSync | None = None
        if config.consumerGroups is not None:
            self._groups = GroupSync(
                GroupParts(
                    config.consumerGroups, self._sourceAdmin, self._targetAdmin, self._target_names, self._copied
                )
            )
        self._fault: BridgeError | None = None
        self._endsToldAt = float("-inf")
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="supervisor", daemon=True)

    # ---- from other threads

    def start(self) -> None:
        self._source.start()
        self._target.start()
        self._thread.start()

    def stop(self) -> bool:
        """End all lanes within STOP_SECONDS; True where all of them finished their work."""
        deadline = time.monotonic() + STOP_SECONDS
        self._stopping.set()
        self._source.stop()
        self._target.stop()
        if self._groups is not None:
            self._groups.stop()
        for lane, _ in self._running():
            lane.stop()
        # No lane is started any more, so a supervisor that still waits for a cluster is not waited for.
        for _, thread in self._running():
            thread.join(max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for _, thread in self._running())

    def is_alive(self) -> bool:
        """Whether every lane's thread turns. A lane that waits or has failed is alive: a restart would not mend it."""
        return self._longest_silence() < UNHEALTHY_SECONDS

    def status(self) -> BridgeStatus:
        lanes = self._lane_statuses()
        source, target = self._source.status, self._target.status
        topology = self._source.answer
        named = named_topics(self._config.topics)
        missing = tuple(sorted(set(named) - topology.keys())) if topology is not None else ()
        fault = self._fault
        counters = [lane.counters() for lane, _ in self._running()]
        ready = (
            bool(source.reachable and target.reachable)
            and not missing
            and topology == self._topology
            and fault is None
            and all(lane.state == "Copying" for lane in lanes)
        )
        return BridgeStatus(
            instance=self._config.instance,
            bridge=self._config.bridge,
            ordinal=self._config.ordinal,
            startedAt=self._startedAt,
            ready=ready,
            source=source,
            target=target,
            missingTopics=missing,
            fault=Fault(reason=fault.reason, message=str(fault)) if fault is not None else None,
            lanes=lanes,
            partitions=tuple(one for lane, _ in self._running() for one in lane.partition_status()),
            consumerGroups=self._groups.status() if self._groups is not None else (),
            counters=Counters(**{name: sum(getattr(one, name) for one in counters) for name in Counters.model_fields}),
        )

    # ---- the thread

    def _run(self) -> None:
        pause = FIRST_TURN_SECONDS
        while not self._stopping.wait(pause):
            pause = TURN_SECONDS if self._lanes else FIRST_TURN_SECONDS
            self._end_if_hung()
            topology = self._source.answer
            isTakenUp = topology == self._topology and self._fault is None
            if topology is None or isTakenUp or not self._target.status.reachable:
                continue
            try:
                self._take_up(topology)
                self._fault = None
            except BridgeError as error:
                if self._fault is None or str(self._fault) != str(error):
                    logger.warning("{}: {}", error.reason, error)
                self._fault = error
                pause = FAULT_PAUSE_SECONDS
            except Exception as error:
                # This thread must not die: nobody else takes up topics, or notices a lane that hangs.
                logger.exception("unexpected error")
                self._fault = BridgeError("UnexpectedError", f"{type(error).__name__}: {error}")
                pause = FAULT_PAUSE_SECONDS

    def _take_up(self, topology: Topology) -> None:
        """Make the target fit the source's topics, then start the lanes or tell them what has changed."""
        config = self._config
        clusterId = self._source.status.clusterId
        assert clusterId is not None, "the source has answered"
        selected = select_topics(config.topics, topology)
        bridgeId = bridge_id(config.instance, config.bridge, clusterId)
        positions = positions_topic(bridgeId)
        partitions = ensure_positions_topic(self._targetAdmin, positions, config.lanes)
        ensure_lanes(self._migration_parts(bridgeId, clusterId), partitions)
        ensure_target_topics(self._sourceAdmin, self._targetAdmin, selected, topology, config.topicCreation)
        letters = None
        if any(topic.onInvalid == "deadLetter" for topic in selected.values()):
            letters = config.deadLetterTopic or f"{config.bridge}.dead-letters"
        self._work = _Work(
            bridgeId,
            clusterId,
            build_routes(selected, config.schemaFolder),
            letters,
            ensure_dead_letter_topic(self._targetAdmin, letters, config.lanes) if letters else 0,
            message_limits(self._targetAdmin, [one.targetName or "" for one in selected.values()]),
            message_limits(self._sourceAdmin, selected),
        )
        if self._groups is not None and self._topology is None:
            self._recall_runs(self._groups, bridgeId, clusterId)
        before, self._topology = self._topology or {}, topology
        for number in lanes_of_replica(config.ordinal, config.replicas, config.lanes):
            if self._stopping.is_set():
                return
            if number not in self._lanes:
                self._start_lane(number, self._work)
            elif self._partitions_in(before, number) != self._partitions_in(topology, number):
                logger.info("the partitions of lane {} have changed", number)
                self._lanes[number][0].reassign()

    def _start_lane(self, number: int, work: _Work) -> None:
        config = self._config
        lane = Lane(
            LaneParts(
                identity=LaneIdentity(number, config.lanes, self._owner),
                sourceClusterId=work.sourceClusterId,
                positionsTopic=positions_topic(work.bridgeId),
                rhythm=self._rhythm(),
                startFrom=config.startFrom,
                rewinds=config.rewind,
                partitions=lambda: self._partitions_in(self._topology or {}, number),
                makeProducer=lambda heartbeat: self._make_producer(
                    transactional_id(work.bridgeId, number), f"lane.{number}", heartbeat
                ),
                makeCopier=lambda producer: self._make_copier(producer, number),
                readMemory=lambda heartbeat: self._read_memory(work.bridgeId, work.sourceClusterId, number, heartbeat),
                glance=lambda heartbeat: self._read_memory(
                    work.bridgeId, work.sourceClusterId, number, heartbeat, toTheEnd=False
                ),
                findHanging=lambda heartbeat: find_hanging(
                    lambda: Brokers(config.target, f"{self._clientId}.lane.{number}"),
                    transactional_id(work.bridgeId, number),
                    self._written_by(number),
                    heartbeat,
                ),
                resolveOffsets=self._sourceAdmin.resolve,
                askTopicIds=self._topic_ids,
                offsetsTopic=offsets_topic(work.bridgeId) if self._groups is not None else None,
                noteRuns=self._groups.add if self._groups is not None else lambda partition, runs: None,
                observeLatency=self._latency.observe,
                clock=time.monotonic,
            )
        )
        thread = threading.Thread(target=lane.run, name=f"lane-{number}", daemon=True)
        thread.start()
        self._lanes[number] = (lane, thread)

    def _rhythm(self) -> CommitRhythm:
        """Each commit costs the target's broker time, whosever it is: more lanes are each to wait longer."""
        lanes = len(lanes_of_replica(self._config.ordinal, self._config.replicas, self._config.lanes))
        interval = self._config.commitIntervalMs / 1000
        return CommitRhythm(interval, min(interval, lanes * interval / CAUGHT_UP_COMMITS))

    def _topic_ids(self, topics: Iterable[str]) -> dict[str, str]:
        return {name: facts.topicId for name, facts in self._sourceAdmin.topics(topics).items()}

    def _make_producer(self, transactionalId: str, name: str, heartbeat: Heartbeat) -> LaneProducer:
        settings = client_settings.producer(
            self._config.target,
            f"{self._clientId}.{name}",
            transactionalId,
            targetLimits=self._work.targetLimits if self._work is not None else (),
            sourceLimits=self._work.sourceLimits if self._work is not None else (),
            tellsOffsets=self._groups is not None,
        )
        return TransactionalProducer(settings, heartbeat)

    def _make_copier(self, producer: LaneProducer, lane: int) -> Copier:
        """A copier for the topics as they are now; a lane whose partitions change asks for a new one."""
        work = self._work
        assert work is not None, "lanes are started after the topics have been taken up"
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
        work = self._work
        assert work is not None, "lanes are started after the topics have been taken up"
        mine = self._partitions_in(self._topology or {}, lane)
        written = {(work.routes[topic].targetName, partition) for topic, partition in mine}
        written.add((positions_topic(work.bridgeId), lane))
        if self._groups is not None:
            written.add((offsets_topic(work.bridgeId), lane))
        if work.deadLetterTopic:
            written.add((work.deadLetterTopic, lane % work.deadLetterPartitions))
        return written

    def _read_memory(
        self, bridgeId: str, clusterId: str, lane: int, heartbeat: Heartbeat, toTheEnd: bool = True
    ) -> LaneMemory:
        settings = client_settings.reader(self._config.target, f"{self._clientId}.lane.{lane}", bridgeId)
        consumer = AssignedConsumer(settings)
        try:
            place = (positions_topic(bridgeId), lane)
            return read_memory(self._targetAdmin, consumer, place, clusterId, heartbeat, toTheEnd)
        finally:
            consumer.close()

    def _recall_runs(self, groups: GroupSync, bridgeId: str, clusterId: str) -> None:
        """Take in what earlier processes have written down, then begin to carry groups over."""
        topic = offsets_topic(bridgeId)
        ensure_offsets_topic(self._targetAdmin, topic, self._config.lanes)
        facts = self._targetAdmin.topics([topic]).get(topic)
        if facts is None:
            raise TransientError("OffsetsTopicPending", f"topic {topic} has been created and is not visible yet")
        consumer = AssignedConsumer(client_settings.reader(self._config.target, f"{self._clientId}.groups", bridgeId))
        try:
            for partition, runs in read_runs(self._targetAdmin, consumer, topic, facts.partitions, clusterId):
                groups.add(partition, runs)
        finally:
            consumer.close()
        groups.start()

    def _target_names(self) -> dict[str, str]:
        work = self._work
        return {name: route.targetName for name, route in work.routes.items()} if work is not None else {}

    def _copied(self) -> dict[Partition, int]:
        return {place: offset for lane, _ in self._running() for place, offset in lane.copied().items()}

    def _migration_parts(self, bridgeId: str, clusterId: str) -> MigrationParts:
        def beat() -> None:
            """Nobody watches: a migration that hangs shows as lanes that do not start."""

        return MigrationParts(
            bridgeId=bridgeId,
            sourceClusterId=clusterId,
            lanes=self._config.lanes,
            migrateFrom=self._config.migrateLanesFrom,
            mayMigrate=self._config.ordinal == 0,
            makeProducer=lambda transactionalId: self._make_producer(transactionalId, "lanes", beat),
            readMemory=lambda lane: self._read_memory(bridgeId, clusterId, lane, beat),
            glance=lambda: self._read_memory(bridgeId, clusterId, 0, beat, toTheEnd=False),
            growTopic=self._targetAdmin.grow_topic,
        )

    def _partitions_in(self, topology: Topology, lane: int) -> dict[Partition, str]:
        counts = {name: facts.partitions for name, facts in topology.items()}
        return {
            (topic, partition): topology[topic].topicId
            for topic, partition in sorted(partitions_of_lane(lane, self._config.lanes, counts))
        }

    def _ask_source(self) -> tuple[str, Topology]:
        clusterId = self._source.status.clusterId or self._sourceAdmin.cluster_id()
        topics = self._config.topics
        # Who may read only some topics need not be able to list them all.
        names = wanted_topics(topics, self._sourceAdmin.topic_names()) if has_patterns(topics) else named_topics(topics)
        topology = self._sourceAdmin.topics(names)
        self._tell_ends(topology)
        return clusterId, topology

    def _tell_ends(self, topology: Topology) -> None:
        """Now and then: a client that copies and has stalled goes on showing the end that it saw last."""
        now = time.monotonic()
        if now - self._endsToldAt < ENDS_SECONDS:
            return
        self._endsToldAt = now
        ends = self._sourceAdmin.last_stable([place for place in self._copied() if place[0] in topology])
        for lane, _ in self._running():
            lane.tell_ends(ends)

    def _ask_target(self) -> tuple[str, None]:
        known, work = self._target.status.clusterId, self._work
        if known is None or work is None:
            return self._targetAdmin.cluster_id(), None
        self._targetAdmin.knock((positions_topic(work.bridgeId), 0))
        return known, None

    def _lane_statuses(self) -> tuple[LaneStatus, ...]:
        statuses = []
        for number in lanes_of_replica(self._config.ordinal, self._config.replicas, self._config.lanes):
            entry = self._lanes.get(number)
            if entry is not None:
                statuses.append(entry[0].status())
                continue
            fault = self._fault
            statuses.append(
                LaneStatus(
                    lane=number,
                    state="Failed" if isinstance(fault, TerminalError) else "Waiting" if fault else "Starting",
                    since=self._startedAt,
                    reason=fault.reason if fault else "",
                    message=str(fault) if fault else "",
                )
            )
        return tuple(statuses)

    def _running(self) -> list[tuple[Lane, threading.Thread]]:
        """The lanes started so far, in a copy: this process's own thread may start more meanwhile."""
        return list(self._lanes.values())

    def _longest_silence(self) -> float:
        now = time.monotonic()
        return max((now - lane.lastBeat for lane, thread in self._running() if thread.is_alive()), default=0.0)

    def _end_if_hung(self, end: Callable[[int], None] = os._exit) -> None:
        silence = self._longest_silence()
        if silence > HANG_SECONDS:
            logger.critical("a lane has been in one call for {:.0f} s: ending the process", silence)
            end(HANG_EXIT_CODE)
