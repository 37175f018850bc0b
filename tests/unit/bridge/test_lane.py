"""The lane: its start-up order, its transactions, and what it does about each class of error."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime

import pytest

from kafka_bridge.errors import AbortNeeded, FencedError, TerminalError, TransientError
from kafka_bridge.kafka import Partition, Progress
from kafka_bridge.lane import RETRY_FIRST_SECONDS, YIELD_SECONDS
from kafka_bridge.offset_map import decode_runs
from kafka_bridge.positions import (
    LaneMemory,
    LaneRecord,
    Position,
    encode_key,
    encode_lane_key,
    encode_lane_record,
    encode_value,
)
from kafka_bridge.topic_config import Rewind
from support.fake_kafka import FakeRecord
from support.lane_world import DEAD_LETTERS, POSITIONS, LaneWorld

P0, P1 = ("orders", 0), ("orders", 1)
AWAY = TransientError("Transport", "the broker is away")
ABORT = AbortNeeded("TimedOut", "the transaction timed out")
FENCED = FencedError("Fenced", "a newer epoch is in force")


@pytest.fixture(name="world")
def lane_world() -> Iterator[LaneWorld]:
    world = LaneWorld()
    yield world
    assert not world.open_clients(), "the lane ended and left clients open"


def fill(world: LaneWorld, place: Partition = P0, count: int = 7, first: int = 0) -> None:
    for number in range(first, first + count):
        world.source.append(place, b"%d" % number)


def expect_exact_copy(world: LaneWorld) -> None:
    for place in world.source.logs:
        assert world.target.values(place) == world.source.values(place)


# ---- start-up


def test_a_lane_fences_before_it_reads_positions_before_it_takes_up_partitions(world: LaneWorld) -> None:
    fill(world)
    world.run()
    order = [call for call in world.faults.calls if call in {"init_transactions", "readMemory", "assign", "poll"}]
    assert order[:4] == ["init_transactions", "readMemory", "assign", "poll"]


def test_a_lane_begins_at_the_earliest_offset_and_says_so_before_its_first_record(world: LaneWorld) -> None:
    fill(world)
    world.source.firstOffsets[P0] = 4
    world.run()
    assert world.target.values(P0) == [b"4", b"5", b"6"]
    begun = world.target.transactions[0]
    assert [(one.place, one.keyBytes, one.valueBytes) for one in begun] == [
        (
            (POSITIONS, world.lane),
            encode_lane_key(world.lane),
            encode_lane_record(LaneRecord(world.lanes, owner="process-1")),
        ),
        ((POSITIONS, world.lane), encode_key("cluster", "orders", 0), encode_value(Position(4, "id-of-orders"))),
    ]


def test_a_lane_goes_on_where_it_stopped(world: LaneWorld) -> None:
    fill(world)
    world.run()
    fill(world, count=5, first=7)
    world.run()
    expect_exact_copy(world)
    assert world.faults.calls.count("resolveOffsets") == 1


def test_a_new_partition_begins_and_the_others_go_on(world: LaneWorld) -> None:
    fill(world)
    world.run()
    fill(world, P1, 3)
    fill(world, P0, 2, 7)
    world.run()
    expect_exact_copy(world)


def test_a_changed_assignment_is_taken_up_while_running(world: LaneWorld) -> None:
    fill(world)

    def grow() -> None:
        fill(world, P1, 3)
        lane.reassign()
        world.source.onDry = lane.stop

    lane = world.make()
    world.source.onDry = grow
    lane.run()
    expect_exact_copy(world)
    assert [one.partition for one in lane.partition_status()] == [0, 1]


# ---- transactions


def test_positions_are_committed_in_the_transaction_of_their_records(world: LaneWorld) -> None:
    fill(world)
    fill(world, P1, 4)
    world.run()
    copied = {P0: 0, P1: 0}
    for transaction in world.target.transactions:
        for place in copied:
            copied[place] += sum(record.place == place for record in transaction)
        stated = {}
        for record in transaction:
            if record.place == (POSITIONS, world.lane):
                stated[record.keyBytes] = record.valueBytes
        for place, count in copied.items():
            if any(record.place == place for record in transaction):
                position = Position(count, "id-of-orders", 3)
                assert stated[encode_key("cluster", *place)] == encode_value(position)
    assert copied == {P0: 7, P1: 4}


def test_a_lane_that_is_behind_commits_on_the_interval(world: LaneWorld) -> None:
    fill(world, count=60)
    world.pollSeconds = 0.1
    world.run(commitIntervalSeconds=1.0)
    sizes = [sum(one.place == P0 for one in transaction) for transaction in world.target.transactions[1:]]
    assert sum(sizes) == 60
    assert all(size >= 27 for size in sizes[:-1]), f"3 records a poll, 10 polls an interval: {sizes}"


def test_low_traffic_commits_at_once(world: LaneWorld) -> None:
    fill(world, count=1)
    lane = world.make(commitIntervalSeconds=30.0)
    world.source.onDry = lane.stop
    began = world.clock.now
    lane.run()
    assert world.target.values(P0) == [b"0"]
    assert world.commitTimes[-1] - began < 5.0


def test_an_idle_lane_does_no_transactions(world: LaneWorld) -> None:
    fill(world)
    world.run()
    before = len(world.target.transactions)
    lane = world.make()
    idle = iter(range(50))
    world.source.onDry = lambda: lane.stop() if next(idle) == 40 else None
    del world.faults.calls[:]
    lane.run()
    assert world.faults.calls.count("poll") > 40
    assert len(world.target.transactions) == before + 1, "its name as the owner, and nothing after that"
    assert {world.faults.calls.count(call) for call in ("begin", "send", "commit")} == {1}


def test_markers_behind_the_last_record_are_part_of_the_position(world: LaneWorld) -> None:
    fill(world, count=2)
    world.source.append_marker(P0)
    fill(world, count=2, first=2)
    world.source.append_marker(P0)
    lane = world.run()
    assert world.target.positions()[P0].offset == 6
    (status,) = lane.partition_status()
    assert (status.position, status.endOffset, status.lag) == (6, 6, 0)


def test_what_was_committed_is_counted_and_timed(world: LaneWorld) -> None:
    fill(world)
    lane = world.run()
    counters = lane.counters()
    assert (counters.records, counters.bytes, counters.transactionsAborted, counters.fences) == (7, 7, 0, 0)
    assert counters.transactionsCommitted == len(world.target.transactions)
    assert len(world.latencies) == 7
    assert lane.partition_status()[0].lastProgress is not None


def test_a_lane_with_no_partitions_waits(world: LaneWorld) -> None:
    lane = world.run()
    assert lane.status().state == "Copying"
    assert world.target.memory() == LaneMemory({}, LaneRecord(world.lanes, owner="process-1"), 1), (
        "it says that it has begun, and no more"
    )


# ---- errors


@pytest.mark.parametrize(("call", "earlier"), [("commit", 1), ("send", 2), ("send", 6), ("begin", 1), ("poll", 2)])
def test_an_abort_goes_back_to_the_stored_positions_with_the_same_producer(
    world: LaneWorld, call: str, earlier: int
) -> None:
    fill(world)
    world.faults.fail(call, ABORT, afterCalls=earlier)
    lane = world.run()
    expect_exact_copy(world)
    assert world.faults.calls.count("makeProducer") == 1
    after = world.faults.calls[world.faults.calls.index("abort") :]
    assert [one for one in after if one in {"readMemory", "assign", "poll"}][:3] == [
        "readMemory",
        "assign",
        "poll",
    ]
    assert lane.counters().transactionsAborted == 1
    assert lane.status().state == "Copying"


def test_aborts_without_end_are_seen_and_pause(world: LaneWorld) -> None:
    fill(world)
    # The first commit only begins the partition; no other one succeeds until the eighth.
    for number in range(6):
        world.faults.fail("commit", ABORT, afterCalls=1 if number == 0 else 0)
    lane = world.make()
    world.source.onDry = lane.stop
    seen: list[tuple[str, str]] = []
    world.onWait = lambda: seen.append((lane.status().state, lane.status().reason))
    world.start(lane)
    expect_exact_copy(world)
    assert seen == [("Waiting", "TimedOut")] * 3, "one abort is mended in place, the next starts over"


@pytest.mark.parametrize(
    "call", ["makeProducer", "init_transactions", "readMemory", "resolveOffsets", "assign", "poll", "begin", "send"]
)
@pytest.mark.parametrize("error", [AWAY, RuntimeError("a mistake")])
def test_any_other_error_starts_over_with_a_new_producer(world: LaneWorld, call: str, error: Exception) -> None:
    fill(world)
    world.faults.fail(call, error)
    world.run()
    expect_exact_copy(world)
    assert world.faults.calls.count("makeProducer") == 2
    assert "abort" not in world.faults.calls


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("earlier", [0, 1, 2])
def test_a_commit_of_unknown_outcome_is_settled_by_the_positions(world: LaneWorld, when: str, earlier: int) -> None:
    fill(world)
    world.faults.fail("commit", AWAY, "after" if when == "after" else "before", afterCalls=earlier)
    world.run()
    expect_exact_copy(world)


def test_a_fault_is_shown_and_gone_once_mended(world: LaneWorld) -> None:
    fill(world)
    world.faults.fail("init_transactions", AWAY)
    lane = world.make()
    world.source.onDry = lane.stop
    seen = []
    world.onWait = lambda: seen.append(lane.status())
    world.start(lane)
    assert [(one.state, one.reason, one.message) for one in seen] == [("Waiting", "Transport", "the broker is away")]
    assert (lane.status().state, lane.status().reason) == ("Copying", "")


def test_tries_slow_down_while_a_cluster_is_away(world: LaneWorld) -> None:
    fill(world)
    for _ in range(6):
        world.faults.fail("init_transactions", AWAY)
    world.run()
    assert world.retryPauses == [0.5, 1.0, 2.0, 4.0, 4.0, 4.0]


def test_a_failing_abort_leads_to_a_new_producer(world: LaneWorld) -> None:
    fill(world)
    world.faults.fail("commit", ABORT, afterCalls=1)
    world.faults.fail("abort", ABORT)
    world.run()
    expect_exact_copy(world)
    assert world.faults.calls.count("makeProducer") == 2


# ---- transactions that hang


def test_what_hangs_of_a_crashed_process_is_aborted_before_anything_else_is_done(world: LaneWorld) -> None:
    """Its records lie at the target, hidden; to commit others behind them would make them count."""
    fill(world)
    world.target.hung = [FakeRecord(P0, valueBytes=b"0"), FakeRecord((POSITIONS, world.lane), valueBytes=b"{}")]
    lane = world.run()
    assert lane.status().state == "Copying"
    assert world.target.hung == []
    expect_exact_copy(world)
    order = [call for call in world.faults.calls if call in {"init_transactions", "findHanging", "abort", "readMemory"}]
    assert order[:5] == ["init_transactions", "findHanging", "abort", "findHanging", "readMemory"]


@pytest.mark.parametrize("end", range(4))
def test_a_commit_whose_markers_were_lost_is_done_again(world: LaneWorld, end: int) -> None:
    """The target says that it has committed, and nobody can see it, then or ever."""
    fill(world)
    world.target.endsWithoutMarkers = {end}
    lane = world.run(commitIntervalSeconds=0.0)
    assert lane.status().state == "Copying"
    assert lane.counters().records == 7, "only what can be seen is counted"
    expect_exact_copy(world)


def test_an_abort_whose_markers_were_lost_is_done_again(world: LaneWorld) -> None:
    fill(world)
    world.faults.fail("poll", ABORT, afterCalls=2)
    world.target.endsWithoutMarkers = {2}
    world.run(commitIntervalSeconds=30.0)
    assert world.target.hung == []
    expect_exact_copy(world)


def test_where_a_part_may_be_in_force_a_hanging_transaction_stops_the_lane(world: LaneWorld) -> None:
    fill(world)
    world.target.brokers = 3
    world.target.hung = [FakeRecord(P0, valueBytes=b"0")]
    lane = world.run()
    assert (lane.status().state, lane.status().reason) == ("Failed", "HangingTransaction")
    assert "orders-0" in lane.status().message
    assert world.target.committed == {}


def test_what_cannot_be_ended_is_tried_again_and_shown(world: LaneWorld) -> None:
    fill(world)
    world.target.hung = [FakeRecord(P0, valueBytes=b"0")]
    world.target.endsWithoutMarkers = {0}
    lane = world.make()
    reasons: list[str] = []
    world.onWait = lambda: reasons.append(lane.status().reason)
    world.source.onDry = lane.stop
    world.start(lane)
    assert reasons == ["HangingTransaction"]
    expect_exact_copy(world)


# ---- fences, and who owns the lane


@pytest.mark.parametrize(("call", "earlier"), [("init_transactions", 0), ("begin", 1), ("send", 3), ("commit", 1)])
def test_a_fence_without_a_successor_is_no_end(world: LaneWorld, call: str, earlier: int) -> None:
    """The coordinator fences a transaction that took too long, and a request that it met twice."""
    fill(world)
    world.faults.fail(call, FENCED, afterCalls=earlier)
    lane = world.run()
    assert lane.status().state == "Copying"
    assert lane.counters().fences == 0
    expect_exact_copy(world)


def test_an_owner_that_was_fenced_gives_a_successor_time(world: LaneWorld) -> None:
    fill(world)
    world.faults.fail("commit", FENCED, afterCalls=1)
    world.run()
    assert world.retryPauses == [YIELD_SECONDS]
    assert world.faults.calls.count("glance") == 1


def test_who_has_not_owned_the_lane_yet_tries_again_at_once(world: LaneWorld) -> None:
    fill(world)
    world.faults.fail("commit", FENCED)
    world.run()
    assert world.retryPauses == [RETRY_FIRST_SECONDS]
    assert "glance" not in world.faults.calls


def test_a_lane_whose_successor_has_started_copies_nothing_more(world: LaneWorld) -> None:
    fill(world)
    old, new = world.make(), world.make()

    def succeed() -> None:
        fill(world, count=3, first=7)
        world.source.onDry = new.stop
        world.start(new)
        fill(world, count=3, first=10)

    world.source.onDry = succeed
    world.start(old)
    assert (old.status().state, old.status().reason) == ("Fenced", "Fenced")
    assert old.counters().fences == 1
    assert world.target.values(P0) == [b"%d" % number for number in range(10)]


def test_a_lane_that_was_taken_over_never_disturbs_its_successor(world: LaneWorld) -> None:
    """It has slept, its calls have timed out, and it begins anew: what it would fence is none of its own any more."""
    fill(world)
    old, new = world.make(), world.make()

    def sleep() -> None:
        world.source.onDry = new.stop
        world.start(new)
        del world.faults.calls[:]
        raise AWAY

    world.source.onDry = sleep
    world.start(old)
    assert old.status().state == "Fenced"
    assert "glance" in world.faults.calls
    assert "init_transactions" not in world.faults.calls


@pytest.mark.parametrize("before", [0, 1])
def test_a_lane_that_cannot_see_yet_what_it_has_stored_takes_nobody_for_its_successor(
    world: LaneWorld, before: int
) -> None:
    """It begins anew right after its first commit, whose markers are late: none is there, or a former owner's."""
    for _ in range(before):
        world.run()
    fill(world)
    lane = world.make()
    # What it began with, and what it copied until it was told to begin anew.
    world.target.lateTransactions = 2
    again = iter([lane.reassign])
    world.onPoll = lambda polls: next(again, lambda: None)()
    world.source.onDry = lane.stop
    world.start(lane)
    assert "glance" in world.faults.calls
    assert lane.status().state == "Copying"
    expect_exact_copy(world)


@pytest.mark.parametrize("call", ["glance", "init_transactions"])
def test_a_lane_that_is_taken_over_while_it_starts_again_stops(
    world: LaneWorld, call: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between its look at the owner and its own fence, or between that and its reading, somebody was quicker."""
    fill(world)
    old, new = world.make(), world.make()
    world.faults.fail("commit", AWAY, afterCalls=1)
    run = world.faults.run

    def interrupted(name: str, effect: Callable[[], None] = lambda: None) -> None:
        run(name, effect)
        if name == call and world.faults.calls.count("makeProducer") == (1 if call == "glance" else 2):
            world.source.onDry = new.stop
            world.start(new)

    monkeypatch.setattr(world.faults, "run", interrupted)
    world.start(old)
    assert (old.status().state, new.status().state) == ("Fenced", "Copying")
    expect_exact_copy(world)


def test_a_lost_offset_stops_the_lane_and_skips_nothing(world: LaneWorld) -> None:
    fill(world, count=3)
    world.run()
    fill(world, count=5, first=3)
    world.source.firstOffsets[P0] = 5
    lane = world.run()
    assert (lane.status().state, lane.status().reason) == ("Failed", "SourceOffsetOutOfRange")
    assert "orders-0 at offset 3" in lane.status().message
    assert world.target.values(P0) == [b"0", b"1", b"2"]
    assert world.target.positions()[P0].offset == 3


def test_a_truncated_source_stops_the_lane(world: LaneWorld) -> None:
    fill(world, count=5)
    world.run()
    del world.source.logs[P0][2:]
    lane = world.run()
    assert (lane.status().state, lane.status().reason) == ("Failed", "SourceOffsetOutOfRange")


def test_a_topic_made_anew_stops_the_lane_and_copies_nothing_again(world: LaneWorld) -> None:
    fill(world, count=5)
    world.run()
    world.source.topicIds["orders"] = "another"
    lane = world.run()
    assert (lane.status().state, lane.status().reason) == ("Failed", "SourceTopicRecreated")
    for part in ("orders-0", "offset 5", "id-of-orders", "another"):
        assert part in lane.status().message
    expect_exact_copy(world)


@pytest.mark.parametrize("call", ["makeProducer", "readMemory", "send"])
def test_a_named_fault_fails_the_lane_without_another_try(world: LaneWorld, call: str) -> None:
    fill(world)
    world.faults.fail(call, TerminalError("SchemaNotFound", "schema x cannot be read"))
    lane = world.run()
    assert (lane.status().state, lane.status().reason) == ("Failed", "SchemaNotFound")
    assert world.faults.calls.count("makeProducer") == 1
    assert world.retryPauses == []


def test_an_invalid_record_stops_the_lane_after_the_good_ones_before_it(world: LaneWorld) -> None:
    fill(world, count=4)
    world.source.append(P0, b"bad")
    fill(world, count=2, first=4)
    world.refused.add(b"bad")
    lane = world.run()
    assert (lane.status().state, lane.status().reason) == ("Failed", "InvalidRecord")
    assert "orders-0 at offset 4: its value" in lane.status().message
    assert world.target.values(P0) == [b"0", b"1", b"2", b"3"]
    assert world.target.positions()[P0].offset == 4
    again = world.run()
    assert again.status().reason == "InvalidRecord"
    assert len(world.target.values(P0)) == 4


# ---- a source that goes silent


def test_a_consumer_that_has_stalled_is_replaced(world: LaneWorld) -> None:
    """It shows no error and an end that was true once; what another client was told is what counts."""
    fill(world)
    world.stuckConsumers, world.pollSeconds = 1, 1.0
    lane = world.make()
    reasons: list[str] = []
    world.onPoll = lambda polls: lane.tell_ends({P0: len(world.source.logs[P0])})
    world.onWait = lambda: reasons.append(lane.status().reason)
    world.source.onDry = lane.stop
    world.start(lane)
    assert reasons == ["SourceStalled"]
    assert 30 <= world.polls < 45
    expect_exact_copy(world)


def test_what_was_told_long_ago_stalls_nobody(world: LaneWorld) -> None:
    fill(world)
    world.stuckConsumers, world.pollSeconds = 1, 1.0
    lane = world.make()
    lane.tell_ends({P0: len(world.source.logs[P0])})
    world.onPoll = lambda polls: lane.stop() if polls == 100 else None
    world.start(lane)
    assert world.retryPauses == []


def test_the_lag_is_what_the_brokers_say(world: LaneWorld) -> None:
    fill(world)
    lane = world.make()
    lane.tell_ends({P0: 1_000})
    world.source.onDry = lane.stop
    world.start(lane)
    assert [(one.endOffset, one.lag) for one in lane.partition_status()] == [(1_000, 993)]


def test_an_empty_partition_has_no_lag(world: LaneWorld) -> None:
    world.source.logs[P0], world.source.topicIds["orders"] = [], "id-of-orders"
    lane = world.run()
    assert [(one.endOffset, one.lag) for one in lane.partition_status()] == [(0, 0)]


# ---- stopping


def test_a_stop_finishes_the_open_transaction(world: LaneWorld) -> None:
    fill(world, count=9)
    lane = world.make(commitIntervalSeconds=30.0)
    world.onPoll = lambda polls: lane.stop() if polls == 2 else None
    world.start(lane)
    assert world.target.values(P0) == [b"0", b"1", b"2", b"3", b"4", b"5"]
    assert world.target.positions()[P0].offset == 6
    world.run()
    expect_exact_copy(world)


@pytest.mark.parametrize("error", [AWAY, ABORT, RuntimeError("a mistake")])
def test_a_stop_that_cannot_commit_leaves_nothing_half_done(world: LaneWorld, error: Exception) -> None:
    fill(world, count=9)
    lane = world.make(commitIntervalSeconds=30.0)
    world.onPoll = lambda polls: lane.stop() if polls == 2 else None
    world.faults.fail("commit", error, afterCalls=1)
    world.start(lane)
    assert world.target.values(P0) == []
    assert world.target.positions()[P0].offset == 0
    world.run()
    expect_exact_copy(world)


def test_a_stop_does_not_wait_long_for_a_target_that_is_away(world: LaneWorld) -> None:
    fill(world)
    lane = world.make(commitIntervalSeconds=30.0)
    world.onPoll = lambda polls: lane.stop() if polls == 2 else None
    world.stuckCommits = True
    began = world.clock.now
    world.start(lane)
    assert world.clock.now - began < 10.0
    assert world.target.values(P0) == []


def test_a_stop_ends_the_waiting_for_a_cluster(world: LaneWorld) -> None:
    fill(world)
    for _ in range(100):
        world.faults.fail("init_transactions", AWAY)
    lane = world.make()
    world.onWait = lambda: lane.stop() if len(world.clock.pauses) == 3 else None
    world.start(lane)
    assert len(world.clock.pauses) == 3
    assert lane.status().state == "Waiting"


def test_a_lane_tells_when_it_last_copied(world: LaneWorld) -> None:
    fill(world)
    lane = world.make()
    world.faults.fail("commit", AWAY, afterCalls=1)
    said: dict[str, datetime | None] = {"before": lane.status().lastCopying}
    world.onPoll = lambda polls: said.update({"copying": lane.status().lastCopying} if polls == 1 else {})
    world.onWait = lambda: said.update(waiting=lane.status().lastCopying)
    world.source.onDry = lane.stop
    world.start(lane)
    assert said["before"] is None
    copying, waiting, after = said["copying"], said["waiting"], lane.status().lastCopying
    assert copying is not None
    assert waiting is not None
    assert after is not None
    assert copying <= waiting < after


def test_a_heartbeat_follows_every_turn(world: LaneWorld) -> None:
    fill(world)
    lane = world.make()
    beats: set[float] = set()
    world.onPoll = lambda polls: beats.add(lane.lastBeat)
    idle = iter(range(20))
    world.source.onDry = lambda: lane.stop() if next(idle) == 10 else None
    world.start(lane)
    assert len(beats) >= 10


def test_positions_that_were_lost_meanwhile_stop_the_lane_and_nothing_is_copied_again(world: LaneWorld) -> None:
    fill(world)
    lane = world.make()
    world.faults.fail("poll", AWAY, afterCalls=3)

    def lose_positions() -> None:
        world.target.committed = {
            place: records for place, records in world.target.committed.items() if place[0] != POSITIONS
        }

    world.onWait = lose_positions
    world.start(lane)
    assert (lane.status().state, lane.status().reason) == ("Failed", "PositionsLost")
    assert world.target.values(P0) == world.source.values(P0)[: len(world.target.values(P0))]


# ---- records that cannot go their way


def test_an_invalid_record_becomes_a_dead_letter_in_the_same_transaction(world: LaneWorld) -> None:
    world.usesDeadLetters = True
    world.refused = {b"4"}
    fill(world)
    lane = world.run()
    assert world.target.values(P0) == [b"0", b"1", b"2", b"3", b"5", b"6"]
    [letter] = world.target.committed[DEAD_LETTERS, world.lane]
    assert letter.valueBytes == b"4"
    assert dict(letter.headerList or []) == {
        "kafka-bridge.bridge": b"orders",
        "kafka-bridge.topic": b"orders",
        "kafka-bridge.partition": b"0",
        "kafka-bridge.offset": b"4",
        "kafka-bridge.reason": b"its value: it is refused",
    }
    together = next(one for one in world.target.transactions if letter in one)
    assert any(record.place[0] == POSITIONS for record in together)
    assert (lane.counters().records, lane.counters().deadLetters) == (7, 1)


@pytest.mark.parametrize("place", [0, 1, 50, 199])
def test_the_record_that_the_target_refuses_is_found_and_named(world: LaneWorld, place: int) -> None:
    fill(world, count=200)
    world.target.refusals["orders"] = {b"%d" % place}
    lane = world.run()
    assert (lane.status().state, lane.status().reason) == ("Failed", "InvalidRecord")
    assert (
        f"orders-0 at offset {place}: the target refuses it: commit_transaction: message too" in lane.status().message
    )
    assert world.target.values(P0) == world.source.values(P0)[:place], "all before it has been copied"
    assert world.target.positions()[P0].offset == place


def test_a_record_that_the_target_refuses_becomes_a_dead_letter(world: LaneWorld) -> None:
    world.usesDeadLetters = True
    for number in range(100):
        world.source.append(P0, b"%d" % number)
        world.source.append(P1, b"%d" % number)
    world.target.refusals["orders"] = {b"20", b"77"}
    lane = world.run()
    assert lane.status().state == "Copying"
    wanted = [b"%d" % number for number in range(100) if number not in (20, 77)]
    assert world.target.values(P0) == world.target.values(P1) == wanted
    letters = world.target.values((DEAD_LETTERS, world.lane))
    assert sorted(letters, key=str) == [b"20", b"20", b"77", b"77"]
    assert lane.counters().records == 200


def test_a_record_that_not_even_the_dead_letter_topic_takes_stops_the_lane(world: LaneWorld) -> None:
    world.usesDeadLetters = True
    fill(world)
    world.target.refusals = {"orders": {b"3"}, DEAD_LETTERS: {b"3"}}
    lane = world.run()
    assert (lane.status().state, lane.status().reason) == ("Failed", "MsgSizeTooLarge")
    assert "orders-0 at offset 3" in lane.status().message
    assert world.target.values(P0) == [b"0", b"1", b"2"]


def test_a_lane_whose_own_record_is_refused_says_so(world: LaneWorld) -> None:
    fill(world)
    world.target.refusals[POSITIONS] = {encode_lane_record(LaneRecord(world.lanes, owner="process-1"))}
    lane = world.run()
    assert (lane.status().state, lane.status().reason) == ("Failed", "MsgSizeTooLarge")


# ---- where copying begins


def test_a_lane_may_begin_at_the_end_and_misses_nothing_from_there_on(world: LaneWorld) -> None:
    world.startFrom = "latest"
    fill(world)
    world.run()
    fill(world, P0, 2, 7)
    fill(world, P1, 3)
    world.run()
    assert world.target.values(P0) == [b"7", b"8"]
    assert world.target.values(P1) == [b"0", b"1", b"2"], "it came later, so all of it"


def test_a_rewind_is_stored_with_the_positions_that_it_makes(world: LaneWorld) -> None:
    fill(world)
    world.run()
    world.rewinds = [Rewind(id="again", topic="orders", partition=0, to=5)]
    # The process dies before its first record: what the rewind asked for is agreed on already.
    world.faults.fail("poll", TransientError("Transport", "away"))
    world.run()
    world.run()
    assert world.target.values(P0) == [*world.source.values(P0), b"5", b"6"]
    assert world.target.memory().record == LaneRecord(world.lanes, ("again",), "process-3")


def test_a_topic_made_anew_stops_the_lane_until_it_is_rewound(world: LaneWorld) -> None:
    fill(world)
    world.run()
    world.source.topicIds["orders"] = "another"
    lane = world.run()
    assert (lane.status().state, lane.status().reason) == ("Failed", "SourceTopicRecreated")
    world.rewinds = [Rewind(id="anew", topic="orders", to="earliest")]
    assert world.run().status().state == "Copying"
    assert world.target.values(P0) == world.source.values(P0) * 2
    assert world.target.positions()[P0].topicId == "another"


def test_the_leader_epoch_of_a_position_is_handed_to_the_copier(world: LaneWorld) -> None:
    fill(world)
    world.run()
    world.run()
    assert world.source.assigned[-1] == {P0: Progress(7, 3)}


def test_a_lane_of_a_former_number_of_lanes_stops(world: LaneWorld) -> None:
    fill(world)
    world.run()
    world.lanes = 12
    lane = world.run()
    assert (lane.status().state, lane.status().reason) == ("Failed", "LanesMismatch")
    expect_exact_copy(world)


def test_an_offset_that_belongs_to_a_former_topic_is_named_as_such(world: LaneWorld) -> None:
    fill(world)

    def replace(polls: int) -> None:
        if polls == 2:
            world.source.topicIds["orders"] = "another"
            world.source.logs[P0] = []

    world.onPoll = replace
    lane = world.make()
    world.source.onDry = lane.stop
    lane.run()
    assert (lane.status().state, lane.status().reason) == ("Failed", "SourceTopicRecreated")


def test_an_offset_that_is_lost_is_named(world: LaneWorld) -> None:
    fill(world)
    world.run()
    world.source.firstOffsets[P0] = 9
    lane = world.run()
    assert (lane.status().state, lane.status().reason) == ("Failed", "SourceOffsetOutOfRange")


# ---- offsets at both sides


def test_where_records_stand_is_written_down_in_their_own_transaction(world: LaneWorld) -> None:
    world.offsetsTopic = "_bridge-offsets"
    fill(world, count=3)
    world.source.append_marker(P0)
    fill(world, count=3, first=3)
    world.faults.fail("commit", ABORT, afterCalls=1)
    world.run()
    expect_exact_copy(world)
    written = world.target.committed["_bridge-offsets", world.lane]
    assert [run for record in written for run in decode_runs(record.valueBytes or b"")] == world.runs[P0]
    for record in written:
        together = next(one for one in world.target.transactions if record in one)
        assert any(other.place == P0 for other in together)
    offsets = [source + number for source, _, count in world.runs[P0] for number in range(count)]
    assert offsets == [0, 1, 2, 4, 5, 6], "the marker has no counterpart"


def test_without_anybody_who_asks_nothing_is_flushed_or_written_down(world: LaneWorld) -> None:
    fill(world)
    world.run()
    assert world.runs == {}
    assert "flush" not in world.faults.calls


def test_a_record_that_was_found_out_is_known_to_the_next_producer_too(
    world: LaneWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.usesDeadLetters = True
    fill(world)
    world.target.refusals["orders"] = {b"3"}
    lane = world.make()
    world.source.onDry = lane.stop
    tell = lane._tell_refused

    def fail_afterwards() -> None:
        tell()
        if lane._search.found and lane.counters().transactionsAborted:
            world.faults.fail("abort", TransientError("OutOfOrderSequenceNumber", "skipped sequence numbers"))

    monkeypatch.setattr(lane, "_tell_refused", fail_afterwards)
    lane.run()
    assert world.faults.calls.count("makeProducer") == 2
    assert lane.status().state == "Copying"
    assert world.target.values(P0) == [b"0", b"1", b"2", b"4", b"5", b"6"]
    assert world.target.values((DEAD_LETTERS, world.lane)) == [b"3"]
