"""bridgectl wait: until it is so, or the time is over, or nobody can tell."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
import typer

from bridge_operator.cli.durations import parse_duration
from bridge_operator.report import BridgeReport
from support.bridgectl import Desk, bridge, condition, report


@pytest.fixture(name="desk")
def make_desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def later(desk: Desk, *steps: Callable[[], None]) -> None:
    """What happens between one look and the next."""
    desk.turns = list(steps)


def ready(status: str, reason: str = "Ready", observedGeneration: int = 3) -> BridgeReport:
    return bridge(conditions=(condition("Ready", status, reason),), observedGeneration=observedGeneration)


def test_what_is_so_already_ends_at_once(desk: Desk) -> None:
    desk.write(report(ready("True")))
    done = desk.run("wait", "orders", "--for", "condition=Ready")
    assert (done.exit_code, done.stdout) == (0, "kafkabridge/orders condition met\n")


def test_what_becomes_so_is_waited_for(desk: Desk) -> None:
    desk.write(report())
    later(
        desk,
        lambda: desk.write(report(ready("False"))),
        lambda: desk.write(report(ready("True", observedGeneration=2))),
        lambda: desk.write(report(ready("True"))),
    )
    done = desk.run("wait", "orders", "--for=condition=ready", "--timeout=1h")
    assert (done.exit_code, done.stdout) == (0, "kafkabridge/orders condition met\n")
    assert desk.turns == [], "a condition that speaks of an older manifest does not count"


def test_another_status_can_be_waited_for(desk: Desk) -> None:
    desk.write(report(ready("False")))
    assert desk.run("wait", "orders", "--for", "condition=Ready=False").exit_code == 0


def test_a_deletion_can_be_waited_for(desk: Desk) -> None:
    desk.write(report(ready("True")))
    later(desk, lambda: desk.write(report()))
    done = desk.run("wait", "orders", "--for", "delete")
    assert (done.exit_code, done.stdout) == (0, "kafkabridge/orders deleted\n")


def test_all_that_are_named_are_waited_for(desk: Desk) -> None:
    desk.write(report(bridge("a"), bridge("b", conditions=(condition("Ready", "False", "Waiting"),))))
    later(desk, lambda: desk.write(report(bridge("a"), bridge("b"))))
    done = desk.run("wait", "b", "a", "a", "--for", "condition=Ready")
    assert done.stdout.splitlines() == ["kafkabridge/a condition met", "kafkabridge/b condition met"]


def test_the_end_of_the_time_says_what_is_missing(desk: Desk) -> None:
    desk.write(report(ready("False", "SourceUnreachable")))
    done = desk.run("wait", "orders", "gone", "--for", "condition=Ready", "--timeout", "0")
    assert done.exit_code == 1
    assert "timed out waiting for the condition on kafkabridge/orders (SourceUnreachable" in done.stderr
    assert "kafkabridge/gone (not found)" in done.stderr


def test_without_an_operator_nobody_can_tell(desk: Desk) -> None:
    desk.containers = []
    done = desk.run("wait", "orders", "--for", "delete", "--timeout", "0s")
    assert done.exit_code == 2
    assert "the operator has not written a report" in done.stderr


@pytest.mark.parametrize(
    ("text", "seconds"), [("30", 30), ("30s", 30), ("5m", 300), ("1h30m", 5_400), ("2h", 7_200), ("0", 0)]
)
def test_durations_are_read(text: str, seconds: int) -> None:
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "soon", "-1s", "1d", "s"])
def test_other_durations_are_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="expected a duration"):
        parse_duration(text)


def test_a_condition_that_no_bridge_has_is_not_waited_for(desk: Desk) -> None:
    done = desk.run("wait", "orders", "--for", "condition=Redy")
    assert done.exit_code == 2
    assert "found condition Redy, expected one of Ready, Progressing," in " ".join(done.stderr.split())


@pytest.mark.parametrize("goal", ["Ready", "condition=", "condition=Ready=maybe", "jsonpath=x"])
def test_another_goal_is_refused(desk: Desk, goal: str) -> None:
    done = desk.run("wait", "orders", "--for", goal)
    assert done.exit_code == 2
    assert "expected delete, condition=NAME" in done.stderr
