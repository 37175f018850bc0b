"""Changing the number of lanes: every position keeps its place, and whoever comes late learns of it."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kafka_bridge.errors import FencedError, TerminalError, TransientError
from kafka_bridge.lane_migration import MigrationParts, ensure_lanes, rearranged
from kafka_bridge.lanes import lane_of
from kafka_bridge.positions import LaneMemory, LaneRecord, MemoryReader, Position
from kafka_bridge.resume import LaneIdentity, plan_resume

PLACES = [(topic, partition) for topic in ("orders", "a", "bb") for partition in range(9)]


class Store:
    """The positions topic, with producers that note what they did."""

    def __init__(self, lanes: int, places: list[tuple[str, int]], records: bool = True) -> None:
        self.partitions = lanes
        self.readers = {lane: MemoryReader("c") for lane in range(64)}
        self.calls: list[str] = []
        self.pending: list[tuple[int, bytes, bytes | None]] = []
        self.commitErrors: dict[str, Exception] = {}
        """By transactional id."""
        for number, place in enumerate(places):
            self.readers[lane_of(*place, lanes)].positions[place] = Position(number, "t", 1)
        for lane in range(lanes if records else 0):
            self.readers[lane].record = LaneRecord(lanes, ("again",))

    def parts(self, lanes: int, migrateFrom: int | None = None, mayMigrate: bool = True) -> MigrationParts:
        return MigrationParts(
            "plant", "c", lanes, migrateFrom, mayMigrate, self.producer, self.memory, self.glance, self.grow
        )

    def memory(self, lane: int) -> LaneMemory:
        self.calls.append(f"read {lane}")
        return self.readers[lane].memory(0)

    def glance(self) -> LaneMemory:
        self.calls.append("glance")
        return self.readers[0].memory(0)

    def memories(self) -> dict[int, LaneMemory]:
        return {lane: reader.memory(0) for lane, reader in self.readers.items() if lane < self.partitions}

    def grow(self, topic: str, partitions: int) -> None:
        assert topic == "_bridge-positions.plant"
        self.calls.append(f"grow {partitions}")
        self.partitions = partitions

    def producer(self, transactionalId: str) -> Any:
        return StoreProducer(self, transactionalId)


class StoreProducer:
    def __init__(self, store: Store, transactionalId: str) -> None:
        self.store, self.transactionalId = store, transactionalId

    def init_transactions(self) -> None:
        self.store.calls.append(f"fence {self.transactionalId}")

    def begin(self) -> None:
        self.store.pending = []

    def send(self, topic: str, partition: int, key: bytes, value: bytes | None) -> None:
        assert partition < self.store.partitions
        self.store.pending.append((partition, key, value))

    def commit(self) -> None:
        self.store.calls.append("commit")
        if self.transactionalId in self.store.commitErrors:
            raise self.store.commitErrors[self.transactionalId]
        for lane, key, value in self.store.pending:
            self.store.readers[lane].take(key, value)

    def close(self) -> None:
        self.store.calls.append("close")


def positions_by_lane(memories: Mapping[int, LaneMemory], lanes: int) -> dict[tuple[str, int], Position]:
    """What the lanes of that number find; every position must be in its own lane and nowhere else."""
    found: dict[tuple[str, int], Position] = {}
    for lane, memory in memories.items():
        for place, position in memory.positions.items():
            assert lane_of(*place, lanes) == lane
            found[place] = position
    return found


@given(st.lists(st.integers(1, 16), min_size=2, max_size=5), st.sets(st.sampled_from(PLACES)))
def test_any_number_of_migrations_keeps_every_position(numbers: list[int], places: set[tuple[str, int]]) -> None:
    store = Store(numbers[0], sorted(places))
    before = positions_by_lane(store.memories(), numbers[0])
    for old, new in pairwise(numbers):
        ensure_lanes(store.parts(new, old), store.partitions)
        assert positions_by_lane(store.memories(), new) == before
        for lane in range(new):
            plan = plan_resume(store.readers[lane].memory(0), {}, LaneIdentity(lane, new, ""), "latest", ())
            assert plan.record is None, "nothing is to be stored again"
    assert before.keys() == places


def test_all_old_lanes_are_fenced_before_a_position_is_read_for_good() -> None:
    store = Store(2, PLACES)
    ensure_lanes(store.parts(4, 2), 2)
    assert store.calls == [
        *["glance", "fence plant.lanes", "glance"],
        *["fence plant.lane.0", "read 0", "commit", "close"],
        *["fence plant.lane.1", "read 1", "commit", "close"],
        *["grow 4", "commit", "close"],
    ]


def test_a_former_owner_that_comes_back_between_finds_its_lane_taken() -> None:
    store = Store(4, PLACES)
    for lane in range(4):
        store.readers[lane].record = LaneRecord(4, ("again",), "former")
    store.commitErrors = {"plant.lanes": TransientError("Transport", "away")}
    with pytest.raises(TransientError):
        ensure_lanes(store.parts(6, 4), 4)
    for lane in range(4):
        record = store.readers[lane].record
        assert record == LaneRecord(4, ("again",), "", 6), "it is nobody's, and not arranged anew yet"
    # The next try goes on from there.
    before = positions_by_lane(store.memories(), 4)
    store.commitErrors = {}
    ensure_lanes(store.parts(6, 4), store.partitions)
    assert positions_by_lane(store.memories(), 6) == before
    assert {reader.record for lane, reader in store.readers.items() if lane < 6} == {LaneRecord(6, ("again",))}


def test_a_lane_whose_owner_is_quicker_is_not_moved() -> None:
    store = Store(4, PLACES)
    before = store.memories()
    store.commitErrors = {"plant.lane.0": FencedError("Fenced", "its owner came back")}
    with pytest.raises(FencedError):
        ensure_lanes(store.parts(6, 4), 4)
    assert store.memories() == before


def test_nothing_is_done_where_the_number_fits() -> None:
    store = Store(4, PLACES)
    ensure_lanes(store.parts(4, 2), 4)
    assert store.calls == ["glance"]


@pytest.mark.parametrize("migrateFrom", [None, 3])
def test_another_number_is_refused_unless_it_is_named(migrateFrom: int | None) -> None:
    store = Store(4, PLACES)
    with pytest.raises(TerminalError, match="has copied with 4 lanes and is asked for 6") as fault:
        ensure_lanes(store.parts(6, migrateFrom), 4)
    assert fault.value.reason == "LanesMismatch"
    assert store.calls == ["glance"]


def test_the_other_replicas_wait() -> None:
    store = Store(4, PLACES)
    with pytest.raises(TransientError, match="replica 0 changes the number of lanes from 4 to 6") as fault:
        ensure_lanes(store.parts(6, 4, mayMigrate=False), 4)
    assert fault.value.reason == "LanesMigrating"


def test_positions_of_the_first_version_are_arranged_by_the_topic_s_partitions() -> None:
    store = Store(4, PLACES, records=False)
    before = positions_by_lane(store.memories(), 4)
    ensure_lanes(store.parts(3, 4), 4)
    assert positions_by_lane({lane: one for lane, one in store.memories().items() if lane < 3}, 3) == before
    assert store.readers[3].record == LaneRecord(3, ()), "a late lane 3 learns that it is none any more"


def test_a_migration_that_fails_has_moved_nothing_and_is_tried_again() -> None:
    store = Store(4, PLACES)
    before = store.memories()
    store.commitErrors = {"plant.lanes": FencedError("Fenced", "another one does it")}
    with pytest.raises(FencedError):
        ensure_lanes(store.parts(6, 4), 4)
    assert {lane: store.memories()[lane].positions for lane in before} == {
        lane: memory.positions for lane, memory in before.items()
    }
    store.commitErrors = {}
    ensure_lanes(store.parts(6, 4), store.partitions)
    assert store.readers[5].record == LaneRecord(6, ("again",))


def test_a_rewind_half_done_comes_first() -> None:
    memories = {0: LaneMemory({}, LaneRecord(2, ("again",))), 1: LaneMemory({}, LaneRecord(2, ()))}
    with pytest.raises(TerminalError, match="carry out a rewind") as fault:
        list(rearranged(memories, 2, 3, "c"))
    assert fault.value.reason == "RewindUnfinished"
