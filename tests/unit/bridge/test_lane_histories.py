"""Random histories: whatever fails, and whenever, the target ends with every record once and in order."""

from __future__ import annotations

from typing import Literal

from hypothesis import given, settings
from hypothesis import strategies as st

from kafka_bridge.errors import AbortNeeded, FencedError, TransientError
from kafka_bridge.lane import Lane
from support.lane_world import LaneWorld

CALLS = (
    "makeProducer",
    "init_transactions",
    "readMemory",
    "glance",
    "findHanging",
    "resolveOffsets",
    "assign",
    "poll",
    "begin",
    "send",
    "commit",
    "commit",
    "abort",
    "serve",
)
ERRORS = {
    "away": TransientError("Transport", "away"),
    "abort": AbortNeeded("TimedOut", "abort"),
    "fence": FencedError("Fenced", "a newer epoch is in force"),
    "mistake": RuntimeError("a mistake"),
}
# Records, markers and the end of a process (a new lane takes over), in any order.
Event = Literal["record", "marker", "newLane"]
faults = st.lists(
    st.tuples(
        st.sampled_from(CALLS), st.sampled_from(sorted(ERRORS)), st.sampled_from(["before", "after"]), st.integers(0, 9)
    ),
    max_size=12,
)
events = st.lists(
    st.tuples(st.sampled_from(["record", "record", "record", "marker", "newLane"]), st.integers(0, 2)), max_size=30
)


@settings(max_examples=400, deadline=None)
@given(events, faults, st.sampled_from([0, 1, 1_000]), st.sets(st.integers(0, 20), max_size=6))
def test_every_record_arrives_once_and_in_order(
    history: list[tuple[Event, int]],
    planned: list[tuple[str, str, Literal["before", "after"], int]],
    lateTransactions: int,
    endsWithoutMarkers: set[int],
) -> None:
    world = LaneWorld()
    world.target.lateTransactions = lateTransactions
    world.target.endsWithoutMarkers = endsWithoutMarkers
    for call, error, when, afterCalls in planned:
        world.faults.fail(call, ERRORS[error], when, afterCalls)
    for number, (event, partition) in enumerate(history):
        place = ("orders", partition)
        if event == "record":
            world.source.append(place, b"%d" % number)
        elif event == "marker" and place in world.source.logs:
            world.source.append_marker(place)
        elif event == "newLane":
            expect_no_end(world.run())
    expect_no_end(world.run())
    # A last lane without faults finishes what the ones before were stopped in.
    world.faults.forget()
    world.target.endsWithoutMarkers = set()
    lane = world.run()
    assert lane.status().state == "Copying"
    for place, log in world.source.logs.items():
        assert world.target.values(place) == world.source.values(place)
        # Markers that came when everything had been copied are passed, and stored with the next record.
        assert [one.position for one in lane.partition_status() if one.partition == place[1]] == [len(log)]


def expect_no_end(lane: Lane) -> None:
    """Nobody else has ever taken the lane over, nor has anything been lost."""
    assert lane.status().reason not in ("Fenced", "PositionsLost")
    assert lane.counters().fences == 0
