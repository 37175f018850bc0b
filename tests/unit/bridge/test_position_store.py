"""Positions are read to the very end of what was committed, however late its markers come."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pytest

from kafka_bridge import position_store
from kafka_bridge.errors import TerminalError, TransientError
from kafka_bridge.kafka import Batch, Partition, Progress
from kafka_bridge.position_store import read_memory
from kafka_bridge.positions import (
    LaneMemory,
    LaneRecord,
    Position,
    encode_key,
    encode_lane_key,
    encode_lane_record,
    encode_value,
)
from support.fake_kafka import FakeClock, FakeRecord

PLACE = ("_bridge-positions.plant.orders.c", 2)


class Log:
    """The positions partition: its offsets for an admin, its batches for a consumer."""

    def __init__(self, start: int, end: int, stable: list[int], batches: list[Batch]) -> None:
        self.start, self.end, self.stable, self.batches = start, end, stable, batches
        self.assigned: dict[Partition, int] | None = None
        self.isGlance = False

    def earliest(self, partitions: Iterable[Partition]) -> dict[Partition, int]:
        return dict.fromkeys(partitions, self.start)

    def high_watermarks(self, partitions: Iterable[Partition]) -> dict[Partition, int]:
        return dict.fromkeys(partitions, self.end)

    def last_stable(self, partitions: Iterable[Partition]) -> dict[Partition, int]:
        return dict.fromkeys(partitions, self.stable.pop(0) if len(self.stable) > 1 else self.stable[0])

    def assign(self, places: Mapping[Partition, Progress]) -> None:
        assert self.isGlance or self.stable == [self.end], "reads before the last stable offset has reached the end"
        self.assigned = {place: at.offset for place, at in places.items()}

    def poll(self, limit: int, timeoutSeconds: float) -> Batch:
        return self.batches.pop(0) if self.batches else Batch([], {})


@pytest.fixture(name="clock", autouse=True)
def fake_clock(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    clock = FakeClock()
    monkeypatch.setattr(position_store, "time", clock)
    return clock


def record(at: int, partition: int, offset: int, clusterId: str = "c") -> FakeRecord:
    return FakeRecord(PLACE, at, encode_key(clusterId, "orders", partition), encode_value(Position(offset, "t")))


def read(log: Log, clock: FakeClock, beats: list[float] | None = None) -> dict[Partition, Position]:
    def beat() -> None:
        clock.now += 1.0
        if beats is not None:
            beats.append(clock.now)

    return dict(read_memory(log, log, PLACE, "c", beat).positions)


def test_the_last_position_of_each_partition_counts(clock: FakeClock) -> None:
    batches = [Batch([record(0, 1, 5), record(1, 2, 8)], {}), Batch([record(3, 1, 9)], {})]
    log = Log(0, 4, [4], batches)
    assert read(log, clock) == {("orders", 1): Position(9, "t"), ("orders", 2): Position(8, "t")}


def test_reading_starts_where_the_log_does(clock: FakeClock) -> None:
    log = Log(40, 41, [41], [Batch([record(40, 0, 5)], {})])
    assert read(log, clock) == {("orders", 0): Position(5, "t")}
    assert log.assigned == {PLACE: 40}


def test_reading_goes_on_behind_an_empty_poll_until_the_end(clock: FakeClock) -> None:
    batches = [Batch([record(0, 1, 5)], {}), Batch([], {}), Batch([], {}), Batch([record(3, 1, 9)], {})]
    assert read(Log(0, 4, [4], batches), clock)["orders", 1].offset == 9


def test_markers_at_the_end_are_passed_by_the_end_of_the_partition(clock: FakeClock) -> None:
    batches = [Batch([record(0, 1, 5)], {}), Batch([], {PLACE: 7})]
    assert read(Log(0, 7, [7], batches), clock)["orders", 1].offset == 5


def test_an_empty_log_is_not_read(clock: FakeClock) -> None:
    log = Log(6, 6, [6], [])
    assert read(log, clock) == {}
    assert log.assigned is None


def test_an_unsettled_transaction_is_waited_for_with_a_heartbeat(clock: FakeClock) -> None:
    beats: list[float] = []
    log = Log(0, 3, [1, 1, 2, 3], [Batch([record(2, 1, 9)], {})])
    assert read(log, clock, beats)["orders", 1].offset == 9
    assert len(clock.pauses) == 3
    assert len(beats) >= 4


def test_a_transaction_that_never_settles_is_named(clock: FakeClock) -> None:
    with pytest.raises(TransientError, match=r"_bridge-positions\.plant\.orders\.c-2 is still open") as late:
        read(Log(0, 3, [1], []), clock)
    assert late.value.reason == "PositionsUnsettled"


def test_a_log_that_cannot_be_read_to_its_end_is_named(clock: FakeClock) -> None:
    with pytest.raises(TransientError, match="could not be read to offset 3") as late:
        read(Log(0, 3, [3], [Batch([record(0, 1, 5)], {})]), clock)
    assert late.value.reason == "PositionsUnread"


def test_positions_of_another_source_cluster_are_left_alone(clock: FakeClock) -> None:
    log = Log(0, 2, [2], [Batch([record(0, 1, 5), record(1, 1, 99, "another")], {})])
    assert read(log, clock) == {("orders", 1): Position(5, "t")}


def test_a_foreign_record_stops_the_lane_and_is_shown(clock: FakeClock) -> None:
    log = Log(0, 1, [1], [Batch([FakeRecord(PLACE, 0, b"key", b"text")], {})])
    with pytest.raises(TerminalError, match=r"plant\.orders\.c-2.*b'text'") as fault:
        read(log, clock)
    assert fault.value.reason == "PositionsTopicMismatch"


def test_the_lane_s_own_record_is_read_beside_the_positions(clock: FakeClock) -> None:
    own = FakeRecord(PLACE, 1, encode_lane_key(2), encode_lane_record(LaneRecord(6, ("again",))))
    log = Log(0, 3, [3], [Batch([record(0, 1, 5), own, record(2, 1, 6)], {})])
    memory = read_memory(log, log, PLACE, "c", lambda: None)
    assert memory == LaneMemory({("orders", 1): Position(6, "t")}, LaneRecord(6, ("again",)), 3)


def test_a_glance_does_not_wait_for_a_transaction_that_is_open(clock: FakeClock) -> None:
    """Of a crashed lane it stays open for a minute, unless somebody fences the lane."""
    log = Log(0, 9, [2], [Batch([record(0, 1, 5), record(1, 1, 6)], {})])
    log.isGlance = True
    memory = read_memory(log, log, PLACE, "c", lambda: None, toTheEnd=False)
    assert memory.positions == {("orders", 1): Position(6, "t")}
    assert clock.pauses == []
