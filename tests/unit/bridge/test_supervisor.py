"""One replica: what it takes up when, what it says of itself, and how it ends."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from kafka_bridge import lane_factory as factory
from kafka_bridge import supervisor as module
from kafka_bridge.errors import TransientError
from kafka_bridge.kafka import Heartbeat, Partition, TopicFacts
from kafka_bridge.ledger import CommitRhythm
from kafka_bridge.metrics import LatencyHistogram
from kafka_bridge.positions import (
    LaneMemory,
    LaneRecord,
    Position,
    bridge_id,
    offsets_topic,
    positions_topic,
    transactional_id,
)
from kafka_bridge.supervisor import HANG_EXIT_CODE, HANG_SECONDS, STOP_SECONDS, UNHEALTHY_SECONDS, Supervisor
from support.bridge_config import make_config
from support.fake_kafka import FakeAdmin, FakeClock

POSITIONS = positions_topic("plant.orders.source-id")


class Cluster(FakeAdmin):
    """A cluster that can be away."""

    def __init__(self, clusterId: str, topics: dict[str, int] | None = None) -> None:
        super().__init__(topics)
        self.clusterId = clusterId
        self.fault: Exception | None = None

    def cluster_id(self) -> str:
        if self.fault is not None:
            raise self.fault
        return self.clusterId

    def topics(self, names: Any) -> dict[str, TopicFacts]:
        if self.fault is not None:
            raise self.fault
        return super().topics(list(names))

    def earliest(self, places: Iterable[Partition]) -> dict[Partition, int]:
        return dict.fromkeys(places, 0)

    def resolve(self, wheres: Any) -> dict[Partition, int]:
        return self.earliest(wheres)


class HeldThread(threading.Thread):
    """A thread that is started and never runs: the test looks at what it would have run."""

    clock: FakeClock
    endsWhenJoined = True

    def start(self) -> None:
        self.isRunning = True

    def is_alive(self) -> bool:
        return getattr(self, "isRunning", False)

    def join(self, timeout: float | None = None) -> None:
        if self.is_alive():
            if self.endsWhenJoined:
                self.isRunning = False
            else:
                self.clock.now += timeout or 0.0


class Turns(threading.Event):
    """The pause of the supervisor's loop: looks at both clusters, then ends the loop after so many turns."""

    def __init__(self, look: Callable[[], None], count: int) -> None:
        super().__init__()
        self._look = look
        self._left = count
        self.pauses: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.pauses.append(timeout or 0.0)
        self._left -= 1
        self._look()
        return self._left < 0


@dataclass
class World:
    source: Cluster
    target: Cluster
    clock: FakeClock
    memories: dict[int, LaneMemory] = field(default_factory=dict)
    """What lanes have stored."""
    askedForHanging: list[tuple[Any, ...]] = field(default_factory=list)

    def replica(self, **config: Any) -> Supervisor:
        return Supervisor(make_config(**config), LatencyHistogram())

    def turn(self, replica: Supervisor, count: int = 1) -> Turns:
        """Let the supervisor's own loop go round, each time after both clusters were asked."""

        def look() -> None:
            replica._source.look()
            replica._target.look()

        turns = Turns(look, count)
        before, replica._stopping = replica._stopping, turns
        replica._run()
        replica._stopping = before
        return turns


@pytest.fixture(name="world")
def replica_world(monkeypatch: pytest.MonkeyPatch) -> World:
    world = World(Cluster("source-id", {"orders": 6}), Cluster("target-id"), FakeClock())

    def make_admin(settings: dict[str, Any]) -> Cluster:
        return world.source if "source" in settings["bootstrap.servers"] else world.target

    class Thread(HeldThread):
        clock = world.clock

    def read_memory(admin: Cluster, consumer: object, place: Partition, *rest: object) -> LaneMemory:
        assert admin is world.target
        return world.memories.get(place[1], LaneMemory())

    monkeypatch.setattr(module, "ClusterAdmin", make_admin)
    for one in (module, factory):
        monkeypatch.setattr(one, "AssignedConsumer", lambda settings: SimpleNamespace(close=lambda: None))
    monkeypatch.setattr(factory, "read_memory", read_memory)
    monkeypatch.setattr(module, "read_runs", lambda *asked: ())
    monkeypatch.setattr(factory, "find_hanging", lambda brokers, *asked: world.askedForHanging.append(asked))
    monkeypatch.setattr(module, "time", world.clock)
    monkeypatch.setattr(module, "threading", SimpleNamespace(Thread=Thread, Event=threading.Event))
    return world


def states(replica: Supervisor) -> list[tuple[int, str, str]]:
    return [(one.lane, one.state, one.reason) for one in replica.status().lanes]


def let_copy(replica: Supervisor) -> None:
    """As if every lane had gone through its start-up."""
    for lane, _ in replica._running():
        lane._become("Copying")


def test_a_lane_looks_for_what_hangs_wherever_it_writes(world: World) -> None:
    topics = [{"name": "orders", "targetName": "plant.orders", "onInvalid": "deadLetter"}]
    replica = world.replica(lanes=2, topics=topics, consumerGroups={"include": ["billing"]})
    world.turn(replica)
    for lane, _ in replica._running():
        lane._parts.findHanging(lambda: None)
    [(name, written, _), (otherName, others, _)] = world.askedForHanging
    bridgeId = bridge_id("plant", "orders", "source-id")
    assert [name, otherName] == [transactional_id(bridgeId, lane) for lane in (0, 1)]
    letters = "orders.dead-letters"
    assert {topic for topic, _ in written} == {"plant.orders", POSITIONS, offsets_topic(bridgeId), letters}
    assert not set(written) & set(others)
    assert {place for place in {*written, *others} if place[0] == "plant.orders"} == {
        ("plant.orders", partition) for partition in range(6)
    }


def test_a_replica_prepares_the_target_and_starts_its_own_lanes(world: World) -> None:
    replica = world.replica(ordinal=1, replicas=3, lanes=8, topics=[{"name": "orders", "targetName": "plant.orders"}])
    world.turn(replica)
    assert {name: facts.partitions for name, facts in world.target.facts.items()} == {POSITIONS: 8, "plant.orders": 6}
    assert states(replica) == [(1, "Starting", ""), (4, "Starting", ""), (7, "Starting", "")]
    assert all(thread.is_alive() for _, thread in replica._running())


def test_a_lane_is_given_its_partitions_identity_and_topic(world: World) -> None:
    replica = world.replica(lanes=2)
    world.turn(replica)
    parts = [lane._parts for lane, _ in replica._running()]
    places = [place for one in parts for place in one.partitions()]
    assert sorted(places) == [("orders", number) for number in range(6)]
    assert all(one.partitions()[place] == "id-of-orders" for one in parts for place in one.partitions())
    assert {(one.identity.lane, one.sourceClusterId, one.positionsTopic) for one in parts} == {
        (0, "source-id", POSITIONS),
        (1, "source-id", POSITIONS),
    }
    assert parts[0].rhythm == CommitRhythm(0.2, 0.05), "two lanes share eight commits an interval"


def test_the_transactional_id_names_instance_bridge_source_and_lane(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[dict[str, Any]] = []

    def make_producer(settings: dict[str, Any], heartbeat: Heartbeat) -> None:
        made.append(settings)

    monkeypatch.setattr(factory, "TransactionalProducer", make_producer)
    replica = world.replica(lanes=2)
    world.turn(replica)
    for lane, _ in replica._running():
        lane._parts.makeProducer(lambda: None)
    assert [one["transactional.id"] for one in made] == [
        "plant.orders.source-id.lane.0",
        "plant.orders.source-id.lane.1",
    ]
    assert {one["bootstrap.servers"] for one in made} == {"target-kafka:9093"}


def test_nothing_starts_before_both_clusters_answer(world: World) -> None:
    replica = world.replica()
    world.target.fault = TransientError("Transport", "the target is away")
    world.turn(replica)
    assert world.target.facts == {}
    status = replica.status()
    assert (status.source.reachable, status.target.reachable, status.ready) == (True, False, False)
    assert status.target.message == "Transport: the target is away"
    world.target.fault = None
    world.turn(replica)
    assert len(replica._running()) == 4
    assert replica.status().target.clusterId == "target-id"


def test_a_target_that_is_known_is_asked_for_the_bridge_s_own_partition(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    replica = world.replica()
    world.turn(replica)
    knocked: list[str] = []
    monkeypatch.setattr(world.target, "knock", knocked.append)
    monkeypatch.setattr(world.target, "cluster_id", lambda: pytest.fail("it is known"))
    replica._target.look()
    assert knocked == [POSITIONS]
    assert (replica.status().target.reachable, replica.status().target.clusterId) == (True, "target-id")


def test_a_cluster_that_refuses_to_tell_is_a_fault_and_no_outage(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    replica = world.replica()
    world.turn(replica)

    def refuse(names: Any) -> dict[str, TopicFacts]:
        raise TransientError("TopicAuthorizationFailed", "describe topic orders: Topic authorization failed")

    monkeypatch.setattr(world.source, "topics", refuse)
    replica._source.look()
    status = replica.status()
    assert (status.ready, status.source.reachable) == (False, True)
    assert status.fault is not None
    assert status.fault.reason == "TopicAuthorizationFailed"


def test_ready_is_every_lane_copying_and_both_clusters_and_no_topic_missing(world: World) -> None:
    replica = world.replica()
    assert not replica.status().ready
    world.turn(replica)
    assert not replica.status().ready
    let_copy(replica)
    assert replica.status().ready
    world.source.fault = TransientError("Transport", "away")
    world.turn(replica)
    assert not replica.status().ready
    world.source.fault = None
    world.turn(replica)
    assert replica.status().ready
    replica._running()[2][0]._become("Failed", "InvalidRecord", "value of orders-1 at offset 2")
    assert not replica.status().ready


def test_a_topic_that_is_known_and_not_taken_up_yet_is_not_ready(world: World) -> None:
    world.source = Cluster("source-id", {})
    replica = world.replica()
    world.turn(replica)
    let_copy(replica)
    world.source.facts["orders"] = TopicFacts("id-of-orders", 6)
    replica._source.look()
    assert not replica.status().ready, "nobody copies it yet"

    world.turn(replica)
    assert not replica.status().ready, "its lanes have not taken it up yet"
    assert {state for _, state, _ in states(replica)} == {"Starting"}
    for lane, _ in replica._running():
        lane._reassign.clear()
    let_copy(replica)
    assert replica.status().ready


def test_a_missing_topic_is_named_and_the_others_are_copied(world: World) -> None:
    topics = [{"name": "orders", "targetName": "orders"}, {"name": "late", "targetName": "late"}]
    replica = world.replica(topics=topics)
    world.turn(replica)
    let_copy(replica)
    assert replica.status().missingTopics == ("late",)
    assert not replica.status().ready
    assert len(replica._running()) == 4
    world.source.facts["late"] = TopicFacts("id-of-late", 2)
    world.turn(replica)
    assert replica.status().missingTopics == ()
    assert world.target.facts["late"].partitions == 2


def test_growth_reaches_the_target_and_only_the_lanes_concerned(world: World) -> None:
    replica = world.replica(lanes=4)
    world.turn(replica)
    before = {lane._parts.identity.lane: set(lane._parts.partitions()) for lane, _ in replica._running()}
    world.source.facts["orders"] = TopicFacts("id-of-orders", 7)
    world.turn(replica)
    after = {lane._parts.identity.lane: set(lane._parts.partitions()) for lane, _ in replica._running()}
    assert world.target.facts["orders"].partitions == 7
    told = {lane._parts.identity.lane for lane, _ in replica._running() if lane._reassign.is_set()}
    assert told == {lane for lane in before if before[lane] != after[lane]}
    assert len(told) == 1


def test_a_topic_made_anew_is_told_to_its_lanes(world: World) -> None:
    replica = world.replica()
    world.turn(replica)
    world.source.facts["orders"] = TopicFacts("another", 6)
    world.turn(replica)
    assert all(lane._reassign.is_set() for lane, _ in replica._running())


def test_a_positions_topic_that_does_not_fit_fails_every_lane_by_name(world: World) -> None:
    world.target.facts[POSITIONS] = TopicFacts("x", 3)
    replica = world.replica(lanes=4)
    turns = world.turn(replica, 3)
    assert {(state, reason) for _, state, reason in states(replica)} == {("Failed", "PositionsTopicMismatch")}
    fault = replica.status().fault
    assert fault is not None
    assert fault.reason == "PositionsTopicMismatch"
    assert "has cleanup.policy delete" in fault.message
    assert turns.pauses == [0.05, 2.0, 2.0, 2.0]
    assert "orders" not in world.target.facts, "nothing else is touched"
    world.target.facts[POSITIONS] = TopicFacts("x", 4)
    world.target.configs[POSITIONS] = {"cleanup.policy": "compact"}
    world.turn(replica)
    assert {(state, reason) for _, state, reason in states(replica)} == {("Starting", "")}


def test_a_mistake_in_the_loop_is_shown_and_does_not_end_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    replica = world.replica()
    with monkeypatch.context() as patch:
        patch.setattr(world.target, "topic_configs", lambda topic: 1 / 0)
        world.turn(replica)
    assert {(state, reason) for _, state, reason in states(replica)} == {("Waiting", "UnexpectedError")}
    world.turn(replica)
    assert {(state, reason) for _, state, reason in states(replica)} == {("Starting", "")}


def test_a_thread_that_cannot_be_started_is_tried_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    replica = world.replica()
    with monkeypatch.context() as patch:

        def refuse(self: HeldThread) -> None:
            raise RuntimeError("can't start new thread")

        patch.setattr(HeldThread, "start", refuse)
        world.turn(replica)
    assert {(state, reason) for _, state, reason in states(replica)} == {("Waiting", "UnexpectedError")}
    world.turn(replica)
    assert len(replica._running()) == 4
    assert {(state, reason) for _, state, reason in states(replica)} == {("Starting", "")}


def test_a_lane_that_does_not_turn_makes_the_replica_unhealthy_then_ends_it(world: World) -> None:
    replica = world.replica()
    world.turn(replica)
    ends: list[int] = []
    for lane, _ in replica._running():
        lane.lastBeat = world.clock.now
    assert replica.is_alive()
    world.clock.now += UNHEALTHY_SECONDS + 1
    for lane, _ in replica._running()[1:]:
        lane.lastBeat = world.clock.now
    assert not replica.is_alive()
    replica._end_if_hung(ends.append)
    assert ends == []
    world.clock.now += HANG_SECONDS
    replica._end_if_hung(ends.append)
    assert ends == [HANG_EXIT_CODE]


def test_a_lane_that_has_ended_is_no_silent_one(world: World) -> None:
    replica = world.replica()
    world.turn(replica)
    for lane, thread in replica._running():
        lane.lastBeat = world.clock.now
        thread.join()
    world.clock.now += HANG_SECONDS + 1
    assert replica.is_alive()


@pytest.mark.parametrize("ends", [True, False])
def test_a_stop_ends_every_lane_within_its_bound(world: World, ends: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(HeldThread, "endsWhenJoined", ends)
    replica = world.replica()
    replica.start()
    world.turn(replica)
    began = world.clock.now
    assert replica.stop() is ends
    assert all(lane._stopping.is_set() for lane, _ in replica._running())
    assert world.clock.now - began <= STOP_SECONDS


def test_no_lane_is_started_after_a_stop(world: World) -> None:
    replica = world.replica()
    world.turn(replica, 0)
    replica.stop()
    topology = replica._source.answer
    assert topology
    replica._take_up(topology)
    assert replica._running() == []


def test_counters_and_partitions_are_those_of_all_lanes(world: World) -> None:
    replica = world.replica(lanes=2)
    world.turn(replica)
    for number, (lane, _) in enumerate(replica._running(), 1):
        lane._count(records=number, bytes=10 * number, transactionsCommitted=1)
        lane._ledger.start_from({place: Position(5, topicId) for place, topicId in lane._parts.partitions().items()})
    status = replica.status()
    assert (status.counters.records, status.counters.bytes, status.counters.transactionsCommitted) == (3, 30, 2)
    assert sorted((one.topic, one.partition) for one in status.partitions) == [("orders", one) for one in range(6)]


def test_a_pattern_is_followed_and_topics_that_appear_are_taken_up(world: World) -> None:
    world.source.facts |= {"plant.a": TopicFacts("id-of-plant.a", 2), "plant.test": TopicFacts("id", 2)}
    topic = {"pattern": r"plant\.(.*)", "exclude": [r".*\.test"], "targetName": "site.$1"}
    replica = world.replica(lanes=2, topics=[topic])
    world.turn(replica)
    assert world.target.facts.keys() == {POSITIONS, "site.a"}
    assert replica.status().missingTopics == ()
    world.source.facts["plant.b"] = TopicFacts("id-of-plant.b", 3)
    world.turn(replica)
    assert world.target.facts["site.b"].partitions == 3
    places = {place for lane, _ in replica._running() for place in lane._parts.partitions()}
    assert places == {("plant.a", 0), ("plant.a", 1), ("plant.b", 0), ("plant.b", 1), ("plant.b", 2)}
    assert replica._factory.work is not None
    assert replica._factory.work.routes["plant.b"].targetName == "site.b"


def test_a_pattern_that_finds_nothing_yet_is_ready(world: World) -> None:
    replica = world.replica(topics=[{"pattern": "nothing.*"}])
    world.turn(replica)
    let_copy(replica)
    assert replica.status().ready


def test_a_topic_that_cannot_be_taken_up_is_told_while_the_others_go_on(world: World) -> None:
    world.source.facts["a.x"] = TopicFacts("id-of-a.x", 1)
    replica = world.replica(topics=[{"pattern": r"[ab]\.(.*)", "targetName": "$1"}])
    world.turn(replica)
    let_copy(replica)
    assert replica.status().ready
    world.source.facts["b.x"] = TopicFacts("id-of-b.x", 1)
    world.turn(replica)
    status = replica.status()
    assert (status.ready, status.fault and status.fault.reason) == (False, "TargetTopicConflict")
    assert {lane.state for lane in status.lanes} == {"Copying"}
    del world.source.facts["b.x"]
    world.turn(replica)
    assert replica.status().ready


def test_the_dead_letter_topic_is_made_where_it_is_asked_for(world: World) -> None:
    replica = world.replica()
    world.turn(replica)
    assert world.target.facts.keys() == {POSITIONS, "orders"}
    replica = world.replica(topics=[{"name": "orders", "onInvalid": "deadLetter"}])
    world.turn(replica)
    assert world.target.facts["orders.dead-letters"].partitions == 4
    replica = world.replica(topics=[{"name": "orders", "onInvalid": "deadLetter"}], deadLetterTopic="bin")
    world.turn(replica)
    assert world.target.facts["bin"].partitions == 4


def test_batches_fit_the_strictest_target_topic(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[dict[str, Any]] = []
    monkeypatch.setattr(factory, "TransactionalProducer", lambda settings, heartbeat: made.append(settings))
    world.target.facts["orders"] = TopicFacts("id", 6)
    world.target.configs["orders"] = {"max.message.bytes": "5000"}
    replica = world.replica()
    world.turn(replica)
    replica._running()[0][0]._parts.makeProducer(lambda: None)
    assert made[0]["batch.size"] == 5000


def test_another_number_of_lanes_starts_none(world: World) -> None:
    world.target.create_topic(POSITIONS, 6, {"cleanup.policy": "compact"})
    world.memories[0] = LaneMemory({}, LaneRecord(6))
    replica = world.replica(lanes=4)
    world.turn(replica)
    assert {(state, reason) for _, state, reason in states(replica)} == {("Failed", "LanesMismatch")}
    assert "orders" not in world.target.facts


def test_a_migration_of_lanes_comes_before_the_first_lane(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.target.create_topic(POSITIONS, 6, {"cleanup.policy": "compact"})
    fenced: list[str] = []

    class Producer:
        def __init__(self, settings: dict[str, Any], heartbeat: Heartbeat) -> None:
            fenced.append(settings["transactional.id"])

        def __getattr__(self, name: str) -> Callable[..., None]:
            return lambda *rest: None

    monkeypatch.setattr(factory, "TransactionalProducer", Producer)
    second = world.replica(lanes=8, migrateLanesFrom=6, ordinal=1, replicas=2)
    world.turn(second)
    assert {(state, reason) for _, state, reason in states(second)} == {("Waiting", "LanesMigrating")}
    assert fenced == []
    first = world.replica(lanes=8, migrateLanesFrom=6, ordinal=0, replicas=2)
    world.turn(first)
    assert fenced == ["plant.orders.source-id.lanes", *(f"plant.orders.source-id.lane.{lane}" for lane in range(6))]
    assert world.target.facts[POSITIONS].partitions == 8
    assert len(first._running()) == 4
