"""Whatever is done to a bridge's container, the operator mends it, and no record is lost or comes twice."""

from __future__ import annotations

from functools import partial

import pytest

from support.flow import Flow
from support.outages import keep_disconnected, kill_process
from support.stack import Stack, wait_until

NAME = "orders-0"


def bridge(stack: Stack) -> str:
    return f"{stack.instance}-{NAME}"


def is_attached(stack: Stack, network: str) -> bool:
    """The bridge is on the network, under its own name."""
    endpoint = stack.facts(bridge(stack))["NetworkSettings"]["Networks"].get(stack.network(network))
    return endpoint is not None and bridge(stack) in (endpoint["Aliases"] or [])


def runs_anew(stack: Stack, startedBefore: str) -> bool:
    """The bridge's process runs, and it is not the one that started then."""
    state = stack.facts(bridge(stack))["State"]
    return bool(state["Running"]) and state["StartedAt"] != startedBefore


def test_a_killed_process_is_started_again_twice(stack: Stack, flow: Flow) -> None:
    containerId = stack.facts(bridge(stack))["Id"]
    for _ in range(2):
        started = str(stack.facts(bridge(stack))["State"]["StartedAt"])
        kill_process(stack, bridge(stack))
        wait_until("the bridge runs again", partial(runs_anew, stack, started), 60)
        flow.goes_on()

    assert stack.facts(bridge(stack))["Id"] == containerId
    assert "Restarted" in stack.script("bridgectl", "describe", "orders").stdout
    flow.is_whole()


def test_a_removed_container_is_replaced(stack: Stack, flow: Flow) -> None:
    containerId = stack.facts(bridge(stack))["Id"]
    stack.docker("rm", "--force", containerId)

    wait_until("there is a new container", lambda: bridge(stack) in stack.bridges(), 60)

    assert stack.facts(bridge(stack))["Id"] != containerId
    flow.goes_on()
    flow.is_whole()


def test_a_paused_container_is_unpaused(stack: Stack, flow: Flow) -> None:
    stack.docker("pause", bridge(stack))

    wait_until("the bridge runs", lambda: stack.facts(bridge(stack))["State"]["Status"] == "running", 60)
    flow.goes_on()
    flow.is_whole()


def test_a_container_stopped_by_hand_is_started(stack: Stack, flow: Flow) -> None:
    stack.docker("stop", bridge(stack))

    wait_until("the bridge runs", lambda: stack.facts(bridge(stack))["State"]["Running"], 60)
    flow.goes_on()
    flow.is_whole()


@pytest.mark.parametrize("network", ["network1", "network2", "network3"])
def test_a_network_that_was_taken_away_is_given_back(stack: Stack, flow: Flow, network: str) -> None:
    containerId = stack.facts(bridge(stack))["Id"]
    stack.docker("network", "disconnect", stack.network(network), bridge(stack))

    wait_until(f"the bridge is on {network} under its name", lambda: is_attached(stack, network), 60)

    assert stack.facts(bridge(stack))["Id"] == containerId
    flow.goes_on()


@pytest.mark.parametrize("network", ["network1", "network3"])
def test_a_network_that_is_cut_for_long_does_no_harm(stack: Stack, flow: Flow, network: str) -> None:
    assert keep_disconnected(stack, bridge(stack), network, 20) >= 1

    wait_until(f"the bridge is on {network} under its name", lambda: is_attached(stack, network), 60)
    flow.goes_on()
    flow.is_whole()
