"""The judge of the target: a clean stream is never blamed, and no loss, repetition or reordering passes."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sequence_check import GAPS_PER_KEY, SequenceCheck

Reading = tuple[str, int]


def judge(sequences: list[int], partition: int = 0) -> SequenceCheck:
    check = SequenceCheck()
    for sequence in sequences:
        check.take("run", "key", sequence, partition)
    return check


def faults(check: SequenceCheck) -> tuple[int, int, int]:
    return check.missing, check.repeated, check.outOfOrder


@pytest.mark.parametrize(
    ("sequences", "wanted"),
    [
        ([], (0, 0, 0)),
        ([0, 1, 2], (0, 0, 0)),
        ([0, 2, 3], (1, 0, 0)),
        ([3], (3, 0, 0)),
        ([0, 1, 1, 2], (0, 1, 0)),
        ([0, 1, 2, 0, 1, 2], (0, 3, 0)),
        ([0, 2, 1, 3], (0, 0, 1)),
        ([0, 3, 1, 4], (1, 0, 1)),
        ([0, 2, 1, 1], (0, 1, 1)),
        ([2, 1, 0], (0, 0, 2)),
    ],
)
def test_missing_repeated_and_out_of_order_are_told_apart(sequences: list[int], wanted: tuple[int, int, int]) -> None:
    assert faults(judge(sequences)) == wanted


def test_runs_and_keys_are_counted_apart() -> None:
    check = SequenceCheck()
    for run, key in (("a", "x"), ("a", "y"), ("b", "x")):
        check.take(run, key, 0, 3)
    check.take("a", "x", 1, 3)
    assert faults(check) == (0, 0, 0)
    assert (check.keys, check.moved) == (3, 0)


def test_a_key_that_changes_its_partition_is_told() -> None:
    check = judge([0, 1], partition=3)
    check.take("run", "key", 2, 4)
    assert (check.moved, faults(check)) == (1, (0, 0, 0))


def test_a_gap_of_any_size_is_counted_in_bounded_memory() -> None:
    check = judge([0, 1_000_001])
    assert check.missing == 1_000_000
    assert sum(len(seen.gaps) for seen in check._seen.values()) == GAPS_PER_KEY


# ---- random streams: (key, sequence) pairs in which each key counts up, interleaved at random
streams = st.lists(st.sampled_from("abc"), min_size=1, max_size=40).map(
    lambda keys: [(key, keys[:index].count(key)) for index, key in enumerate(keys)]
)


def read(stream: list[Reading]) -> SequenceCheck:
    check = SequenceCheck()
    for key, sequence in stream:
        check.take("run", key, sequence, ord(key))
    return check


@given(streams)
def test_a_clean_stream_is_never_blamed(stream: list[Reading]) -> None:
    assert faults(read(stream)) == (0, 0, 0)


@given(streams, st.data())
def test_a_loss_is_always_told(stream: list[Reading], data: st.DataObject) -> None:
    lost = data.draw(st.sets(st.sampled_from(stream), min_size=1))
    left = [one for one in stream if one not in lost]
    last = {key: max((number for other, number in left if other == key), default=-1) for key in "abc"}
    inside = sum(number < last[key] for key, number in lost)
    check = read(left)
    assert faults(check) == (inside, 0, 0)
    # A lost tail leaves no gap; the number of records tells it.
    assert inside or len(left) < len(stream)


@given(streams, st.data())
def test_a_repetition_is_always_told(stream: list[Reading], data: st.DataObject) -> None:
    again = data.draw(st.integers(0, len(stream) - 1))
    at = data.draw(st.integers(again + 1, len(stream)))
    assert faults(read([*stream[:at], stream[again], *stream[at:]])) == (0, 1, 0)


@given(streams, st.randoms(use_true_random=False))
def test_a_reordering_is_always_told(stream: list[Reading], chance: object) -> None:
    mixed = list(stream)
    chance.shuffle(mixed)  # type: ignore[attr-defined]
    inOrder = {key: [number for other, number in mixed if other == key] for key in "abc"}
    assume(any(numbers != sorted(numbers) for numbers in inOrder.values()))
    missing, repeated, outOfOrder = faults(read(mixed))
    assert (missing, repeated) == (0, 0)
    assert outOfOrder > 0


@given(st.lists(st.integers(0, 8), max_size=20))
def test_no_faults_means_each_number_once_and_in_order(sequences: list[int]) -> None:
    assert (faults(judge(sequences)) == (0, 0, 0)) == (sequences == list(range(len(sequences))))
