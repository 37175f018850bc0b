"""Which offset at the target stands for which at the source."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kafka_bridge import offset_map
from kafka_bridge.offset_map import OffsetMap, decode_runs, encode_runs


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 5), st.integers(1, 3)), min_size=1, max_size=20), st.data())
def test_what_stands_before_a_position_is_the_same_on_both_sides(
    pieces: list[tuple[int, int, int]], data: st.DataObject
) -> None:
    """Runs with gaps on either side; the records before a source offset are those before its counterpart."""
    known = OffsetMap()
    sourceOf: dict[int, int] = {}
    source, target = 10, 100
    for gapAtSource, count, gapAtTarget in pieces:
        source += gapAtSource
        known.add([(source, target, count)])
        for number in range(count):
            sourceOf[target + number] = source + number
        source, target = source + count, target + count + gapAtTarget
    offset = data.draw(st.integers(10, source))
    translated = known.translate(offset, source)
    first = known.runs[0][0]
    if offset < first:
        assert translated is None
        return
    assert translated is not None
    assert [one for at, one in sourceOf.items() if at < translated] == [
        one for one in sourceOf.values() if one < offset
    ]


def test_what_is_not_copied_or_not_known_any_more_is_not_told() -> None:
    known = OffsetMap()
    assert known.translate(0, 5) is None
    known.add([(10, 3, 5)])
    assert known.translate(9, 15) is None
    assert known.translate(16, 15) is None
    assert known.translate(15, 15) == 8


def test_a_rewind_replaces_what_it_copies_again() -> None:
    known = OffsetMap()
    known.add([(0, 0, 5), (5, 6, 5)])
    known.add([(3, 20, 4)])
    assert known.translate(4, 7) == 21
    assert known.translate(2, 7) == 2


def test_old_runs_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(offset_map, "MAX_RUNS", 10)
    known = OffsetMap()
    for number in range(100):
        known.add([(number, 2 * number, 1)])
    assert len(known.runs) == len(known.sources) <= 20
    assert known.translate(99, 100) == 198
    assert known.translate(5, 100) is None


def test_runs_survive_their_record() -> None:
    assert decode_runs(encode_runs([(1, 2, 3), (7, 9, 1)])) == [(1, 2, 3), (7, 9, 1)]
    assert encode_runs([(1, 2, 3)]) == b"[[1,2,3]]", "what is stored at a user's target outlives the code that wrote it"


@pytest.mark.parametrize("value", [b"", b"{", b"[1]", b"[[1,2]]", b'[["a",2,3]]', b"5"])
def test_what_is_no_run_is_refused(value: bytes) -> None:
    with pytest.raises(ValueError, match="no runs"):
        decode_runs(value)
