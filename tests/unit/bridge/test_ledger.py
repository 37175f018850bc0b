"""The ledger: when a commit is due, what it stores, and what is forgotten."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from kafka_bridge.copier import CopyStep
from kafka_bridge.kafka import Progress
from kafka_bridge.ledger import CommitRhythm, Ledger
from kafka_bridge.positions import Position

P0, P1 = ("orders", 0), ("orders", 1)
INTERVAL, SHORTEST = 0.8, 0.1
NOON = datetime(2030, 1, 2, 12, tzinfo=UTC)


def ledger_at(**offsets: int) -> Ledger:
    ledger = Ledger(CommitRhythm(INTERVAL, SHORTEST))
    ledger.start_from({("orders", int(name[1:])): Position(offset, "t") for name, offset in offsets.items()})
    return ledger


def test_a_commit_is_due_after_the_interval() -> None:
    ledger = ledger_at(p0=5, p1=7)
    assert not ledger.is_due(100.0)
    assert ledger.seconds_until_due(100.0) is None
    ledger.begin(100.0)
    assert not ledger.is_due(100.0 + INTERVAL - 0.1)
    assert ledger.seconds_until_due(100.5) == 100.0 + INTERVAL - 100.5
    assert ledger.is_due(100.0 + INTERVAL)
    assert ledger.seconds_until_due(200.0) == 0.0


def test_who_has_caught_up_commits_at_once_but_not_all_the_time() -> None:
    ledger = ledger_at(p0=5, p1=7)
    ledger.begin(100.0)
    ledger.take(CopyStep(records=1, progress={P0: Progress(6)}))
    assert not ledger.is_due(100.0), "more is there"
    ledger.take(CopyStep(records=1, progress={P1: Progress(8)}, isCaughtUp=True))
    assert ledger.is_due(100.0)
    ledger.commit(ledger.due_positions(), 100.0, 100.0, NOON)
    ledger.begin(100.01)
    ledger.take(CopyStep(records=1, progress={P0: Progress(7)}, isCaughtUp=True))
    assert not ledger.is_due(100.01)
    assert ledger.is_due(100.0 + SHORTEST)


@pytest.mark.parametrize(("took", "rest"), [(0.4, SHORTEST), (0.6, 0.6), (10.0, INTERVAL)])
def test_a_slow_target_is_left_in_peace_for_as_long_as_it_took(took: float, rest: float) -> None:
    ledger = ledger_at(p0=5)
    ledger.begin(100.0)
    ledger.take(CopyStep(records=1, progress={P0: Progress(6)}, isCaughtUp=True))
    ledger.commit(ledger.due_positions(), 110.0 - took, 110.0, NOON)
    ledger.begin(110.0)
    ledger.take(CopyStep(records=1, progress={P0: Progress(7)}, isCaughtUp=True))
    assert not ledger.is_due(110.0 + rest - 0.01)
    assert ledger.is_due(110.0 + rest + 0.01)


def test_a_position_lies_behind_what_is_no_record() -> None:
    ledger = ledger_at(p0=5)
    ledger.begin(100.0)
    ledger.take(CopyStep(records=1, progress={P0: Progress(6, 3)}))
    assert ledger.due_positions() == {P0: Position(6, "t", 3)}
    ledger.take(CopyStep(ends={P0: 9}))
    assert ledger.due_positions() == {P0: Position(9, "t", 3)}


def test_what_was_reached_and_not_stored_is_forgotten() -> None:
    ledger = ledger_at(p0=5)
    ledger.begin(100.0)
    ledger.take(CopyStep(records=3, bytes=30, deadLetters=1, progress={P0: Progress(8)}, timestamps=(1, 2, 3)))
    lost = ledger.lose()
    assert lost is not None
    assert (lost.records, lost.bytes, lost.deadLetters, lost.timestamps) == (3, 30, 1, [1, 2, 3])
    assert ledger.lose() is None
    ledger.start_from(ledger.stored)
    assert ledger.copied() == {P0: 5}
    assert [one.position for one in ledger.statuses(0)] == [5]


def test_lag_is_never_below_zero_and_unknown_until_an_end_was_seen() -> None:
    ledger = ledger_at(p0=5, p1=7)
    ledger.see_ends({P1: 9})
    first, second = ledger.statuses(2)
    assert (first.lag, first.endOffset, first.lastProgress) == (None, None, None)
    assert (second.lag, second.endOffset, second.lane) == (2, 9, 2)
    ledger.begin(100.0)
    ledger.take(CopyStep(records=5, progress={P1: Progress(12)}))
    ledger.commit(ledger.due_positions(), 100.0, 100.0, NOON)
    assert [(one.lag, one.lastProgress) for one in ledger.statuses(2)] == [(None, None), (0, NOON)]


def test_a_full_transaction_is_due_whatever_the_time() -> None:
    ledger = ledger_at(p0=0)
    room = ledger.room()
    ledger.begin(100.0)
    ledger.take(CopyStep(records=room - 1, progress={P0: Progress(room - 1)}))
    assert ledger.room() == 1
    assert not ledger.is_due(100.0)
    ledger.take(CopyStep(records=1, progress={P0: Progress(room)}))
    assert ledger.is_due(100.0)
    assert ledger.room() == 1, "a step always may move something"


def test_after_a_loss_and_after_a_slow_commit_transactions_are_smaller() -> None:
    ledger = ledger_at(p0=0)
    ledger.begin(100.0)
    before = ledger.room()
    ledger.take(CopyStep(records=before, progress={P0: Progress(before)}))
    ledger.lose()
    afterLoss = ledger.room()
    assert afterLoss < before
    ledger.begin(100.0)
    ledger.take(CopyStep(records=afterLoss, progress={P0: Progress(afterLoss)}))
    ledger.commit(ledger.due_positions(), 100.0, 120.0, NOON)
    assert ledger.room() < afterLoss
