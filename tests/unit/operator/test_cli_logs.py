"""bridgectl logs: what replicas have written, whole, cut, of one or of all, and while it is written."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from bridge_operator.engine import EngineTransient, LogRequest
from support.bridgectl import NOW, Desk, container


@pytest.fixture(name="desk")
def make_desk(tmp_path: Path) -> Desk:
    desk = Desk(tmp_path, [container(1), container(0), container(0, "payments")])
    desk.logs = {"id-orders-0": ["a", "b"], "id-orders-1": ["c"], "id-payments-0": ["p \x1b[31m"]}
    return desk


def test_of_one_replica_the_log_is_as_it_was_written(desk: Desk) -> None:
    done = desk.run("logs", "payments")
    assert (done.stdout, done.exit_code) == ("p \x1b[31m\n", 0)


def test_of_several_replicas_each_line_says_whose_it_is(desk: Desk) -> None:
    done = desk.run("logs", "orders")
    assert done.stdout == "[plant-orders-0] a\n[plant-orders-0] b\n[plant-orders-1] c\n"
    assert desk.run("logs", "orders", "--replica", "1").stdout == "c\n"


def test_what_is_asked_for_is_asked_of_the_engine(desk: Desk) -> None:
    desk.run("logs", "payments", "--tail", "20", "--since", "1h30m", "--timestamps")
    assert desk.logRequests == [
        LogRequest((NOW - timedelta(minutes=90)).timestamp(), 20, follow=False, timestamps=True)
    ]


def test_a_log_is_followed_until_its_container_ends(desk: Desk) -> None:
    arrived = threading.Event()

    def write() -> Iterator[str]:
        yield "first"
        arrived.wait(20)
        yield "second"

    desk.logs["id-payments-0"] = write()
    desk.turns = [lambda: time.sleep(0.01), arrived.set, *[lambda: time.sleep(0.01)] * 1000]
    done = desk.run("logs", "payments", "--follow")
    assert (done.stdout, done.exit_code) == ("first\nsecond\n", 0)
    assert desk.logRequests[0].follow


def test_whoever_leaves_a_followed_log_leaves_it_quietly(desk: Desk) -> None:
    left = threading.Event()

    def write() -> Iterator[str]:
        yield "first"
        left.wait(20)

    desk.logs["id-payments-0"] = write()
    done = desk.run("logs", "payments", "-f")
    left.set()
    assert done.exit_code == 130
    assert "Traceback" not in done.output


def test_unknown_bridges_and_replicas_are_named(desk: Desk) -> None:
    done = desk.run("logs", "nobody")
    assert (done.exit_code, done.stderr) == (1, 'Error from operator (NotFound): bridges "nobody" not found\n')
    done = desk.run("logs", "orders", "--replica", "7")
    assert (done.exit_code, done.stderr) == (1, "error: bridge orders has no replica 7; there are 0, 1\n")


def test_an_engine_that_does_not_answer_is_said(desk: Desk) -> None:
    desk.containers = None
    done = desk.run("logs", "orders")
    assert done.exit_code == 2
    assert done.stderr.startswith("error: the engine does not answer")


def test_a_log_that_ends_early_is_shown_as_far_as_it_came(desk: Desk) -> None:
    def write() -> Iterator[str]:
        yield "first"
        raise EngineTransient("the log ends early: connection reset")

    desk.logs["id-payments-0"] = write()
    done = desk.run("logs", "payments")
    assert (done.stdout, done.exit_code) == ("first\n", 2)
    assert "plant-payments-0: the log ends early" in done.stderr
