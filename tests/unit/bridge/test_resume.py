"""Where a lane goes on, from what it has stored and what it is asked for."""

from __future__ import annotations

import pytest

from kafka_bridge.errors import TerminalError
from kafka_bridge.positions import LaneMemory, LaneRecord, Position
from kafka_bridge.resume import LaneIdentity, Resume, plan_resume
from kafka_bridge.topic_config import Rewind

P0, P1 = ("orders", 0), ("orders", 1)
IDS = {P0: "t", P1: "t"}
STORED = Position(7, "t", 3)
BEGUN = LaneMemory({P0: STORED}, LaneRecord(6))
NOON = "2026-11-24T12:00:00Z"


def plan(memory: LaneMemory, startFrom: str = "earliest", rewinds: tuple[Rewind, ...] = (), lanes: int = 6) -> Resume:
    return plan_resume(memory, IDS, LaneIdentity(2, lanes, ""), startFrom, rewinds)


@pytest.mark.parametrize("start", ["earliest", "latest", NOON])
def test_the_first_start_of_all_begins_where_it_is_told(start: str) -> None:
    assert plan(LaneMemory(), start) == Resume({}, {P0: start, P1: start}, LaneRecord(6))


@pytest.mark.parametrize(("start", "fresh"), [("earliest", "earliest"), ("latest", "earliest"), (NOON, NOON)])
def test_what_appears_later_is_not_skipped(start: str, fresh: str) -> None:
    assert plan(BEGUN, start) == Resume({P0: STORED}, {P1: fresh}, None)
    onlyRecord = LaneMemory({}, LaneRecord(6))
    assert plan(onlyRecord, start).asked == {P0: fresh, P1: fresh}


def test_positions_of_the_first_version_count_as_begun() -> None:
    assert plan(LaneMemory({P0: STORED}), "latest") == Resume({P0: STORED}, {P1: "earliest"}, LaneRecord(6))


def test_a_topic_made_anew_is_named_with_the_way_out() -> None:
    memory = LaneMemory({P0: Position(7, "former")}, LaneRecord(6))
    with pytest.raises(TerminalError, match=r"orders-0 was copied to offset 7 of topic id former.*rewind") as fault:
        plan(memory)
    assert fault.value.reason == "SourceTopicRecreated"
    resumed = plan(memory, rewinds=(Rewind(id="anew", topic="orders", to="earliest"),))
    assert resumed == Resume({}, {P0: "earliest", P1: "earliest"}, LaneRecord(6, ("anew",)))


def test_another_number_of_lanes_stops_a_late_one() -> None:
    with pytest.raises(TerminalError, match=r"copied with 6 lanes and is asked for 12.*migrateLanesFrom to 6") as fault:
        plan(BEGUN, lanes=12)
    assert fault.value.reason == "LanesMismatch"


def test_a_rewind_is_carried_out_once() -> None:
    rewinds = (Rewind(id="again", to=NOON),)
    first = plan(BEGUN, rewinds=rewinds)
    assert first == Resume({}, {P0: NOON, P1: NOON}, LaneRecord(6, ("again",)))
    after = LaneMemory({P0: STORED, P1: STORED}, first.record)
    assert plan(after, rewinds=rewinds) == Resume({P0: STORED, P1: STORED}, {}, None)


def test_a_rewind_concerns_what_it_names_and_the_last_one_wins() -> None:
    memory = LaneMemory({P0: STORED, P1: STORED}, LaneRecord(6, ("done",)))
    rewinds = (
        Rewind(id="done", to="earliest"),
        Rewind(id="a", topic="orders", partition=1, to=5),
        Rewind(id="b", topic="other", to="latest"),
        Rewind(id="c", topic="orders", partition=1, to=6),
    )
    assert plan(memory, rewinds=rewinds) == Resume({P0: STORED}, {P1: 6}, LaneRecord(6, ("done", "a", "b", "c")))


def test_a_bridge_that_begins_has_nothing_to_rewind() -> None:
    rewinds = (Rewind(id="old", to="latest"),)
    assert plan(LaneMemory(), "earliest", rewinds) == Resume(
        {}, {P0: "earliest", P1: "earliest"}, LaneRecord(6, ("old",))
    )


def test_whoever_takes_a_lane_over_stores_its_name() -> None:
    memory = LaneMemory({P0: STORED, P1: STORED}, LaneRecord(6, ("done",), "former"))
    taken = plan_resume(memory, IDS, LaneIdentity(2, 6, "successor"), "earliest", ())
    assert taken == Resume({P0: STORED, P1: STORED}, {}, LaneRecord(6, ("done",), "successor"))
    kept = plan_resume(memory, IDS, LaneIdentity(2, 6, "former"), "earliest", ())
    assert kept.record is None


def test_a_lane_that_is_being_moved_belongs_to_nobody() -> None:
    memory = LaneMemory({P0: STORED}, LaneRecord(6, migratingTo=4))
    with pytest.raises(TerminalError, match="set lanes to 4 and migrateLanesFrom to 6") as fault:
        plan(memory)
    assert fault.value.reason == "LanesMismatch"
