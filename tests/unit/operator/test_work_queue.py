"""The queue: asking twice is asking once, one pass at a time for a name, nothing that was asked is forgotten."""

from __future__ import annotations

from bridge_operator.work_queue import WorkQueue
from support.fake_engine import FakeClock


def new_queue() -> tuple[WorkQueue, FakeClock]:
    clock = FakeClock()
    return WorkQueue(clock), clock


def test_a_name_is_given_out_once_however_often_it_is_added() -> None:
    queue, _ = new_queue()
    for _ in range(5):
        queue.add("orders")
    assert queue.get(0) == "orders"
    queue.done("orders")
    assert queue.get(0) is None


def test_first_come_first_served() -> None:
    queue, clock = new_queue()
    for name in ("c", "a", "b"):
        queue.add(name)
        clock.advance(0.001)
    assert [queue.get(0), queue.get(0), queue.get(0)] == ["c", "a", "b"]


def test_a_busy_name_waits_for_its_pass_to_end_and_then_comes_again() -> None:
    queue, _ = new_queue()
    queue.add("orders")
    assert queue.get(0) == "orders"
    queue.add("orders")
    assert queue.get(0) is None
    queue.done("orders")
    assert queue.get(0) == "orders"


def test_a_busy_name_does_not_hold_up_others() -> None:
    queue, _ = new_queue()
    queue.add("orders")
    assert queue.get(0) == "orders"
    queue.add("orders")
    queue.add("payments")
    assert queue.get(0) == "payments"


def test_a_later_date_is_kept_and_an_earlier_one_wins() -> None:
    queue, clock = new_queue()
    queue.add("orders", 60)
    assert queue.get(0) is None
    queue.add("orders", 10)
    queue.add("orders", 30)
    clock.advance(9.9)
    assert queue.get(0) is None
    clock.advance(0.2)
    assert queue.get(0) == "orders"
    queue.done("orders")
    clock.advance(120)
    assert queue.get(0) is None, "the later dates were the same request"


def test_a_delayed_name_comes_after_its_pass_too() -> None:
    queue, clock = new_queue()
    queue.add("orders")
    queue.get(0)
    queue.add("orders", 5)
    queue.done("orders")
    assert queue.get(0) is None
    clock.advance(5)
    assert queue.get(0) == "orders"


def test_it_tells_how_long_passes_have_been_running() -> None:
    queue, clock = new_queue()
    queue.add("orders")
    queue.get(0)
    clock.advance(61)
    assert queue.busy_for() == {"orders": 61}
    queue.done("orders")
    assert queue.busy_for() == {}


def test_a_closed_queue_gives_nothing_out() -> None:
    queue, _ = new_queue()
    queue.add("orders")
    queue.close()
    assert queue.get() is None


def test_what_waits_for_a_worker_is_told_with_how_long() -> None:
    clock = FakeClock(0.0)
    queue = WorkQueue(clock)
    queue.add("a")
    queue.add("b", 10.0)
    queue.add("c")
    clock.advance(3.0)
    assert queue.get() in ("a", "c")
    waiting = queue.waiting_for()
    assert len(waiting) == 1
    assert set(waiting.values()) == {3.0}
    clock.advance(9.0)
    assert waiting.keys() | {"b"} == queue.waiting_for().keys()


def test_a_pass_has_to_see_what_had_happened_when_it_was_asked_for() -> None:
    queue, clock = new_queue()
    start = clock.now
    queue.add("orders", 120.0)
    queue.add("orders", asOf=start - 5)
    assert queue.get(0) == "orders"
    assert queue.as_of("orders") == start - 5, "what is due in two minutes is no reason to look at what is then"
    queue.add("orders")
    queue.done("orders")
    clock.advance(1)
    queue.add("orders", 0.0, asOf=start)
    assert queue.get(0) == "orders"
    assert queue.as_of("orders") == start, "the latest of all that were due"
    queue.done("orders")
    queue.add("orders", 10.0)
    clock.advance(30)
    assert queue.get(0) == "orders"
    assert queue.as_of("orders") == start + 11
