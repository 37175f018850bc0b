"""What stands still short of its end is noticed, and nothing else."""

from __future__ import annotations

from kafka_bridge.stall_watch import GAP_SECONDS, STALL_SECONDS, StallWatch

P0, P1 = ("orders", 0), ("orders", 1)


def seconds_to_stall(watch: StallWatch, reached: dict[tuple[str, int], int], ends: dict[tuple[str, int], int]) -> int:
    """Looked at each second; -1 where it does not come to it in ten times the span."""
    return next(
        (second for second in range(int(10 * STALL_SECONDS)) if watch.stalled(reached, ends, float(second))), -1
    )


def test_a_partition_that_stands_still_is_named() -> None:
    watch = StallWatch()
    assert seconds_to_stall(watch, {P0: 5, P1: 9}, {P0: 7, P1: 9}) == STALL_SECONDS
    assert watch.stalled({P0: 5, P1: 9}, {P0: 7, P1: 9}, STALL_SECONDS + 1) == [P0]


def test_who_is_at_the_end_or_unknown_has_not_stalled() -> None:
    assert seconds_to_stall(StallWatch(), {P0: 7}, {P0: 7, P1: 3}) == -1
    assert seconds_to_stall(StallWatch(), {P0: 7}, {}) == -1


def test_any_progress_counts() -> None:
    watch = StallWatch()
    for second in range(500):
        assert not watch.stalled({P0: second // 20}, {P0: 1_000}, float(second))


def test_who_could_not_look_begins_anew() -> None:
    watch = StallWatch()
    for look in range(100):
        assert not watch.stalled({P0: 5}, {P0: 7}, look * (GAP_SECONDS + 1))
