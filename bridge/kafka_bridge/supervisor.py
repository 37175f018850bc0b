"""One replica of a bridge: watches both clusters, prepares the target's topics, runs the lanes it owns.

A lane is never restarted from here for an error: it knows itself what to do about each class. The supervisor only
tells a lane that its partitions have changed, and ends the process where a lane hangs in a call that never returns.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

from loguru import logger

from kafka_bridge import client_settings
from kafka_bridge.cluster_watch import ClusterWatch
from kafka_bridge.config import BridgeConfig
from kafka_bridge.errors import BridgeError, TerminalError, TransientError
from kafka_bridge.group_sync import GroupParts, GroupSync
from kafka_bridge.kafka import (
    AssignedConsumer,
    ClusterAdmin,
    Partition,
)
from kafka_bridge.lane import Lane
from kafka_bridge.lane_factory import LaneFactory, Topology, Work
from kafka_bridge.lane_migration import MigrationParts, ensure_lanes
from kafka_bridge.lanes import lanes_of_replica
from kafka_bridge.metrics import LatencyHistogram
from kafka_bridge.position_store import read_runs
from kafka_bridge.positions import bridge_id, offsets_topic, positions_topic
from kafka_bridge.records_copier import build_routes
from kafka_bridge.status import BridgeStatus, Counters, Fault, LaneStatus
from kafka_bridge.tls_watch import TlsWatch
from kafka_bridge.topic_selection import has_patterns, named_topics, select_topics, wanted_topics
from kafka_bridge.topics import (
    ensure_dead_letter_topic,
    ensure_offsets_topic,
    ensure_positions_topic,
    ensure_target_topics,
    message_limits,
)

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
# All lanes together are given this long to end.
STOP_SECONDS = 8.0


class Supervisor:
    """`start`, then ask `status` and `is_alive` from any thread, then `stop`."""

    def __init__(self, config: BridgeConfig, latency: LatencyHistogram) -> None:
        self._config = config
        self._startedAt = datetime.now(UTC)
        self._certificates = TlsWatch([config.source.tls, config.target.tls])
        self._clientId = f"{config.instance}-{config.bridge}-{config.ordinal}"
        self._sourceAdmin = ClusterAdmin(client_settings.admin(config.source, self._clientId))
        self._targetAdmin = ClusterAdmin(client_settings.admin(config.target, self._clientId))
        self._source: ClusterWatch[Topology] = ClusterWatch(
            config.source.name, self._ask_source, self._sourceAdmin.renew
        )
        self._target: ClusterWatch[None] = ClusterWatch(config.target.name, self._ask_target, self._targetAdmin.renew)
        self._lanes: dict[int, tuple[Lane, threading.Thread]] = {}
        self._groups: GroupSync | None = None
        if config.consumerGroups is not None:
            self._groups = GroupSync(
                GroupParts(
                    config.consumerGroups, self._sourceAdmin, self._targetAdmin, self._target_names, self._copied
                )
            )
        self._factory = LaneFactory(config, self._clientId, self._sourceAdmin, self._targetAdmin, latency, self._groups)
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
        fault = self._fault or self._source.refusal or self._target.refusal
        counters = [lane.counters() for lane, _ in self._running()]
        ready = (
            bool(source.reachable and target.reachable)
            and not missing
            and topology == self._factory.topology
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
            certificatesChanged=self._certificates.has_changed(),
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
            isTakenUp = topology == self._factory.topology and self._fault is None
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
        factory = self._factory
        if self._groups is not None and factory.work is None:
            self._recall_runs(self._groups, bridgeId, clusterId)
        before = {number: factory.partitions_of(number) for number in self._lanes}
        factory.work = Work(
            topology=topology,
            bridgeId=bridgeId,
            sourceClusterId=clusterId,
            routes=build_routes(selected, config.schemaFolder),
            deadLetterTopic=letters,
            deadLetterPartitions=ensure_dead_letter_topic(self._targetAdmin, letters, config.lanes) if letters else 0,
            targetLimits=message_limits(self._targetAdmin, [one.targetName or "" for one in selected.values()]),
            sourceLimits=message_limits(self._sourceAdmin, selected),
        )
        for number in lanes_of_replica(config.ordinal, config.replicas, config.lanes):
            if self._stopping.is_set():
                return
            if number not in self._lanes:
                self._start_lane(number)
            elif before[number] != factory.partitions_of(number):
                logger.info("the partitions of lane {} have changed", number)
                self._lanes[number][0].reassign()

    def _start_lane(self, number: int) -> None:
        lane = self._factory.make_lane(number)
        thread = threading.Thread(target=lane.run, name=f"lane-{number}", daemon=True)
        thread.start()
        self._lanes[number] = (lane, thread)

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
        work = self._factory.work
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
            makeProducer=lambda transactionalId: self._factory.make_producer(transactionalId, "lanes", beat),
            readMemory=lambda lane: self._factory.read_memory(bridgeId, clusterId, lane, beat),
            glance=lambda: self._factory.read_memory(bridgeId, clusterId, 0, beat, toTheEnd=False),
            growTopic=self._targetAdmin.grow_topic,
        )

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
        known, work = self._target.status.clusterId, self._factory.work
        if known is None or work is None:
            return self._targetAdmin.cluster_id(), None
        self._targetAdmin.knock(positions_topic(work.bridgeId))
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
