"""Two processes for one lane: whoever came later has it, and nobody copies a record for the second time."""

from __future__ import annotations

import signal
import time

import pytest

from chaos.trial import LANES, Trial
from kafka_bridge.kafka import CALL_BOUND_SECONDS
from support.clusters import Bridge
from support.stack import wait_until


@pytest.mark.selection
def test_zombie_wakes_up_and_is_fenced(trial: Trial) -> None:
    trial.create_source()
    zombie = trial.replicas(1)[0]
    trial.begin()
    trial.advance()
    zombie.signal(signal.SIGSTOP)
    stopped = time.monotonic()
    successor = trial.replicas(1, suffix="-successor")[0]
    trial.advance(0.05)
    assert time.monotonic() - stopped < CALL_BOUND_SECONDS, "too late: its calls have timed out by its own clock"
    zombie.signal(signal.SIGCONT)
    await_fenced(zombie)
    trial.advance()
    trial.finish([successor])
    assert lane_states(zombie) == {"Fenced"}, "and it stays so"


def test_zombie_that_slept_past_its_time_limits_repeats_nothing(trial: Trial) -> None:
    """By its own clock its calls have timed out, so it may begin anew and take lanes back: each lane has one owner."""
    trial.create_source()
    zombie = trial.replicas(1)[0]
    trial.begin()
    trial.advance()
    zombie.signal(signal.SIGSTOP)
    awake = time.monotonic() + CALL_BOUND_SECONDS + 10
    successor = trial.replicas(1, suffix="-successor")[0]
    trial.advance()
    wait_until("it has slept past its time limits", lambda: time.monotonic() > awake, CALL_BOUND_SECONDS + 20)
    zombie.signal(signal.SIGCONT)
    wait_until("each lane has one owner", lambda: has_one_owner(zombie, successor), 90)
    trial.advance()
    trial.finish([zombie, successor])
    assert has_one_owner(zombie, successor)


@pytest.mark.parametrize(
    "isOverlapping",
    [pytest.param(False, id="stopped-first", marks=pytest.mark.selection), pytest.param(True, id="overlapping")],
)
def test_scaling_from_one_to_three_to_two(trial: Trial, isOverlapping: bool) -> None:
    trial.create_source()
    working = trial.replicas(1, suffix="-of-1")
    trial.begin()
    for count in (3, 2):
        trial.advance()
        before = working
        if not isOverlapping:
            assert [bridge.stop() for bridge in before] == [0] * len(before)
        working = trial.replicas(count, suffix=f"-of-{count}")
        trial.advance()
        if isOverlapping:
            for bridge in before:
                await_fenced(bridge)
                assert bridge.status()["counters"]["fences"] == LANES // len(before)
    trial.finish(working)


def await_fenced(bridge: Bridge) -> None:
    """A lane learns of its successor at its next commit, so records have to come along."""
    wait_until(f"{bridge.name} is fenced", lambda: lane_states(bridge) == {"Fenced"}, 60)


def has_one_owner(one: Bridge, other: Bridge) -> bool:
    """Whether of each lane one of the two copies and the other one is fenced."""
    states = [{lane["lane"]: lane["state"] for lane in bridge.status().get("lanes", ())} for bridge in (one, other)]
    return all({states[0].get(lane), states[1].get(lane)} == {"Copying", "Fenced"} for lane in range(LANES))


def lane_states(bridge: Bridge) -> set[str]:
    return {lane["state"] for lane in bridge.status().get("lanes", ())}
