"""The search for the one record that a target refuses."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kafka_bridge.errors import RecordRefused, TerminalError
from kafka_bridge.kafka import Progress
from kafka_bridge.ledger import OpenTransaction
from kafka_bridge.refusal_search import GIVE_UP_COMMITS, STEP_LIMIT, RefusalSearch

P0 = ("orders", 0)
REFUSED = RecordRefused("MsgSizeTooLarge", "commit_transaction: message too large")


def lost(records: int, offset: int = 0) -> OpenTransaction:
    return OpenTransaction(0.0, {P0: Progress(offset)} if records else {}, records)


@given(st.sets(st.integers(0, 9_999), max_size=6), st.integers(1, 3))
def test_every_record_that_is_refused_is_found_and_no_other(refused: set[int], stepsPerCommit: int) -> None:
    search, at = RefusalSearch(), 0
    for _ in range(20_000):
        if at >= 10_000:
            break
        steps = 1 if search.isUnderWay else stepsPerCommit
        end = min(at + steps * search.limit, 10_000)
        if any(at <= one < end and (P0, one) not in search.found for one in refused):
            search.narrow(REFUSED, lost(end - at, end))
            continue
        search.note_commit()
        at = end
    assert at == 10_000
    assert {offset for _, offset in search.found} == refused


def test_a_search_that_finds_nothing_ends() -> None:
    search = RefusalSearch()
    search.narrow(REFUSED, lost(STEP_LIMIT))
    assert search.isUnderWay
    for _ in range(GIVE_UP_COMMITS + 1):
        search.note_commit()
    assert not search.isUnderWay


def test_a_refusal_of_what_the_lane_itself_stores_is_no_record_s_fault() -> None:
    search = RefusalSearch()
    while search.limit > 1:
        search.narrow(REFUSED, lost(0))
    with pytest.raises(RecordRefused):
        search.narrow(REFUSED, lost(0))
    assert search.found == {}


def test_a_record_that_is_refused_as_a_dead_letter_too_stops_the_lane() -> None:
    search = RefusalSearch()

    def find() -> None:
        search.narrow(REFUSED, lost(8))
        while search.isUnderWay:
            search.narrow(REFUSED, lost(1, 5))

    find()
    assert list(search.found) == [(P0, 4)]
    with pytest.raises(TerminalError, match="orders-0 at offset 4"):
        find()
