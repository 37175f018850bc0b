"""Topics at the target are made to fit; the positions topic is verified before a record is copied."""

from __future__ import annotations

import pytest

from kafka_bridge.errors import TerminalError, TransientError
from kafka_bridge.topics import ensure_positions_topic, ensure_target_topics
from support.fake_kafka import FakeAdmin

POSITIONS = "_bridge-positions.plant.orders.c"


def counts(admin: FakeAdmin) -> dict[str, int]:
    return {name: facts.partitions for name, facts in admin.facts.items()}


def test_target_topics_get_the_source_s_partition_count() -> None:
    admin = FakeAdmin({"small": 2, "fitting": 3, "large": 9})
    ensure_target_topics(admin, {"new": 6, "small": 4, "fitting": 3, "large": 3})
    assert counts(admin) == {"new": 6, "small": 4, "fitting": 3, "large": 9}
    assert admin.configs == {"new": {}}, "the broker's defaults apply"


def test_the_positions_topic_is_created_compacted_with_a_partition_for_each_lane() -> None:
    admin = FakeAdmin()
    ensure_positions_topic(admin, POSITIONS, 8)
    assert counts(admin) == {POSITIONS: 8}
    assert admin.configs[POSITIONS] == {"cleanup.policy": "compact"}
    ensure_positions_topic(admin, POSITIONS, 8)


def test_another_number_of_lanes_is_refused() -> None:
    admin = FakeAdmin()
    ensure_positions_topic(admin, POSITIONS, 8)
    with pytest.raises(TerminalError, match=r"has 8 partitions, expected 4.*set lanes back to 8") as fault:
        ensure_positions_topic(admin, POSITIONS, 4)
    assert fault.value.reason == "PositionsTopicMismatch"
    assert counts(admin) == {POSITIONS: 8}


@pytest.mark.parametrize("policy", ["delete", "compact,delete"])
def test_a_positions_topic_that_forgets_is_refused(policy: str) -> None:
    admin = FakeAdmin({POSITIONS: 8})
    admin.configs[POSITIONS] = {"cleanup.policy": policy}
    with pytest.raises(TerminalError, match=f"cleanup.policy {policy}, expected compact") as fault:
        ensure_positions_topic(admin, POSITIONS, 8)
    assert fault.value.reason == "PositionsTopicMismatch"
    assert POSITIONS in str(fault.value)


def test_a_topic_that_is_not_visible_yet_is_tried_again() -> None:
    admin = FakeAdmin()
    admin.hidden.add(POSITIONS)
    with pytest.raises(TransientError, match="not visible yet") as fault:
        ensure_positions_topic(admin, POSITIONS, 8)
    assert fault.value.reason == "PositionsTopicPending"
