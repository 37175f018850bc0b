"""A lane between a fake source and a fake target, run in the test's own thread on a clock of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

from kafka_bridge.kafka import AssignedConsumer, Batch, Heartbeat, Partition, TransactionalProducer
from kafka_bridge.lane import Lane
from kafka_bridge.lane_parts import LaneParts, LaneProducer
from kafka_bridge.ledger import CommitRhythm
from kafka_bridge.records_copier import DeadLetters, RecordsCopier, Route
from kafka_bridge.resume import LaneIdentity
from kafka_bridge.topic_config import Rewind
from support.fake_kafka import FakeClock, FakeConsumer, FakeEvent, FakeProducer, FakeSource, FakeTarget, Faults

POSITIONS = "_bridge-positions.plant.orders.cluster"
DEAD_LETTERS = "orders.dead-letters"


class _Consumer(FakeConsumer):
    def __init__(self, world: LaneWorld) -> None:
        super().__init__(world.source)
        self._world = world
        self._isStuck = world.stuckConsumers > 0
        world.stuckConsumers -= self._isStuck

    def poll(self, limit: int, timeoutSeconds: float) -> Batch:
        batch = Batch([], {}) if self._isStuck else super().poll(limit, timeoutSeconds)
        world = self._world
        world.clock.now += world.pollSeconds
        world.polls += 1
        world.onPoll(world.polls)
        return batch


class LaneWorld:
    """Makes lanes over one source and one target; the hooks let a test step in at a moment of its choice."""

    lane = 2
    lanes = 6
    startFrom = "earliest"
    rewinds: Sequence[Rewind] = ()
    usesDeadLetters = False
    offsetsTopic: str | None = None

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.faults = Faults()
        self.source = FakeSource(self.clock, self.faults)
        self.target = FakeTarget(self.faults, POSITIONS)
        # A broker that loses markers has slept for longer than its session lasts.
        self.target.onLostMarkers = lambda: self.clock.sleep(10.0)
        self.refused: set[bytes] = set()
        """Values that are invalid."""
        self.latencies: list[float] = []
        self.commitTimes: list[float] = []
        self.runs: dict[Partition, list[tuple[int, int, int]]] = {}
        """What was noted after commits: source, target, count."""
        self.pollSeconds = 0.0
        self.polls = 0
        self.processes = 0
        """How many lanes have been made; the n-th is that of process-n."""
        self.stuckConsumers = 0
        """So many of the next consumers never get anything, and say nothing about it."""
        self.stuckCommits = False
        """Commits wait, with a heartbeat each two seconds, and never succeed."""
        self.onPoll: Callable[[int], None] = lambda polls: None
        self.retryPauses: list[float] = []
        """How long lanes have waited after an error."""
        self.onWait: Callable[[], None] = lambda: None
        self._clients: list[FakeConsumer | FakeProducer] = []

    def open_clients(self) -> list[FakeConsumer | FakeProducer]:
        return [client for client in self._clients if not client.closed]

    def make(self, commitIntervalSeconds: float = 0.2) -> Lane:
        """The lane of another process than any before."""
        self.processes += 1
        lane = Lane(
            LaneParts(
                identity=LaneIdentity(self.lane, self.lanes, f"process-{self.processes}"),
                sourceClusterId="cluster",
                positionsTopic=POSITIONS,
                rhythm=CommitRhythm(commitIntervalSeconds, commitIntervalSeconds / 8),
                partitions=self.source.partitions,
                makeProducer=self._make_producer,
                makeCopier=self._make_copier,
                startFrom=self.startFrom,
                rewinds=self.rewinds,
                readMemory=self.target.read_memory,
                glance=self.target.glance,
                findHanging=self.target.find_hanging,
                resolveOffsets=self.source.resolve,
                askTopicIds=lambda topics: {topic: self.source.topicIds[topic] for topic in topics},
                offsetsTopic=self.offsetsTopic,
                noteRuns=lambda partition, runs: self.runs.setdefault(partition, []).extend(runs),
                observeLatency=self._observe,
                clock=self.clock,
                wallClock=self.clock,
            )
        )
        # While it copies it waits only for its next commit.
        lane._stopping = FakeEvent(
            self.clock, lambda: None if lane.status().state == "Copying" else self._wait_for_retry()
        )
        return lane

    def _wait_for_retry(self) -> None:
        self.retryPauses.append(self.clock.pauses[-1])
        self.onWait()

    def start(self, lane: Lane) -> None:
        """Run a lane until it ends."""
        lane.run()

    def run(self, **parts: Any) -> Lane:
        """Make a lane and run it until the source is dry, or it ends by itself."""
        lane = self.make(**parts)
        self.source.onDry = lane.stop
        self.start(lane)
        return lane

    def _make_producer(self, heartbeat: Heartbeat) -> LaneProducer:
        def beat() -> None:
            while self.stuckCommits and self.source.logs and self.polls:
                self.clock.now += 2.0
                heartbeat()
            heartbeat()

        producer = self.target.make_producer(beat)
        self._clients.append(producer)
        return producer

    def _make_copier(self, producer: LaneProducer) -> RecordsCopier:
        consumer = _Consumer(self)
        self._clients.append(consumer)
        routes = {topic: Route(topic, None, self._check, self.usesDeadLetters) for topic in self.source.topicIds}
        return RecordsCopier(
            cast(AssignedConsumer, consumer),
            cast(TransactionalProducer, producer),
            routes,
            "orders",
            DeadLetters(DEAD_LETTERS, self.lane),
            self.offsetsTopic is not None,
        )

    def _check(self, payload: bytes | None) -> bytes | None:
        if payload in self.refused:
            raise ValueError("it is refused")
        return payload

    def _observe(self, timestamps: tuple[int, ...], now: float) -> None:
        self.latencies += timestamps
        self.commitTimes.append(now)
