"""A transaction is never larger than what its target has been seen to take."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kafka_bridge.kafka import CALL_BOUND_SECONDS
from kafka_bridge.transaction_limit import FEWEST_RECORDS, FIRST_RECORDS, TransactionLimit


def test_the_limit_grows_while_full_transactions_are_quick() -> None:
    limit = TransactionLimit()
    for _ in range(4):
        limit.note_commit(limit.records, 0.1)
    assert limit.records == 16 * FIRST_RECORDS


def test_small_transactions_say_nothing_about_large_ones() -> None:
    limit = TransactionLimit()
    limit.note_commit(limit.records - 1, 0.1)
    limit.note_commit(limit.records, 3.0)
    limit.note_loss(0)
    assert limit.records == FIRST_RECORDS


def test_what_came_to_nothing_is_tried_again_in_smaller_parts() -> None:
    limit = TransactionLimit()
    limit.note_loss(4_000)
    assert limit.records == 1_000
    limit.note_commit(1_000, 20.0)
    assert limit.records == 500


@given(st.integers(FEWEST_RECORDS // 20, 1_000_000))
def test_commits_stay_below_their_bound_for_any_speed_of_the_target(recordsPerSecond: int) -> None:
    """What is queued goes at this speed once the commit begins; the first ones may fail."""
    limit = TransactionLimit()
    seconds = []
    for _ in range(40):
        records = limit.records
        took = records / recordsPerSecond
        seconds.append(took)
        if took > CALL_BOUND_SECONDS:
            limit.note_loss(records)
        else:
            limit.note_commit(records, took)
    assert max(seconds[-20:]) <= CALL_BOUND_SECONDS / 2
