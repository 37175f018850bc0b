"""An outage is not a crash: the bridge is left to try again, says which side is out, and goes on by itself."""

from __future__ import annotations

import pytest

from support.flow import Flow
from support.outages import kill_process, packets_lost, paused
from support.stack import Stack, wait_until


def bridge(stack: Stack) -> str:
    return f"{stack.instance}-orders-0"


def condition(stack: Stack, name: str) -> str:
    [report] = stack.status()["bridges"]
    return str(next(one["status"] for one in report["conditions"] if one["type"] == name))


@pytest.mark.parametrize(
    ("network", "side", "other", "spells"),
    [
        pytest.param("network1", "SourceReachable", "TargetReachable", (15,), id="source"),
        pytest.param("network3", "TargetReachable", "SourceReachable", (6, 6, 6), id="target-flapping"),
    ],
)
def test_a_network_that_loses_everything(
    stack: Stack, flow: Flow, network: str, side: str, other: str, spells: tuple[int, ...]
) -> None:
    """For longer than any connection lasts; or again and again, hardly back when it is away once more."""
    before = stack.running_containers()[bridge(stack)]
    for number, seconds in enumerate(spells):
        with packets_lost(stack, bridge(stack), network):
            if number == 0:
                wait_until(f"{side} is False", lambda: condition(stack, side) == "False", 60)
                assert condition(stack, other) == "True"
                assert stack.script("bridgectl", "health", "orders", wanted=1)
            stack.docker("exec", bridge(stack), "sleep", str(seconds))
        if number + 1 < len(spells):
            stack.docker("exec", bridge(stack), "sleep", "2")

    flow.goes_on()
    wait_until(f"{side} is True", lambda: condition(stack, side) == "True", 60)
    assert stack.running_containers()[bridge(stack)] == before
    flow.is_whole()


@pytest.mark.parametrize(("broker", "side"), [("source-kafka", "SourceReachable"), ("target-kafka", "TargetReachable")])
def test_a_broker_that_hangs(stack: Stack, flow: Flow, broker: str, side: str) -> None:
    """For longer than its session lasts: it is fenced for a moment when it wakes up, and may lose markers to it."""
    before = stack.running_containers()[bridge(stack)]
    with paused(stack, stack.service(broker)):
        wait_until(f"{side} is False", lambda: condition(stack, side) == "False", 60)
        stack.docker("exec", bridge(stack), "sleep", "10")

    flow.goes_on()
    assert stack.running_containers()[bridge(stack)] == before
    flow.is_whole()


def test_both_brokers_are_restarted(stack: Stack, flow: Flow) -> None:
    before = stack.running_containers()[bridge(stack)]
    stack.docker("restart", stack.service("source-kafka"), stack.service("target-kafka"))

    flow.goes_on(timeoutSeconds=120)
    assert stack.running_containers()[bridge(stack)] == before
    flow.is_whole()


@pytest.mark.parametrize("broker", ["source-kafka", "target-kafka"])
def test_a_broker_is_killed(stack: Stack, flow: Flow, broker: str) -> None:
    before = stack.running_containers()[bridge(stack)]
    kill_process(stack, stack.service(broker))

    flow.goes_on(timeoutSeconds=120)
    assert stack.running_containers()[bridge(stack)] == before
    flow.is_whole()
