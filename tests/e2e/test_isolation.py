"""Brokers live on networks of their own: they cannot reach each other, nor anything outside."""

from __future__ import annotations

import pytest

from support.flow import Flow
from support.stack import Stack

BROKERS = {"source-kafka": "network1", "target-kafka": "network3"}
PAIRS = [("source-kafka", "target-kafka"), ("target-kafka", "source-kafka")]
# An address of the block that is kept for documentation: nobody has it, and a way out would lead towards it.
OUTSIDE = "192.0.2.1"


def connect(stack: Stack, service: str, host: str, port: int) -> str:
    """What comes of a TCP connection from inside a service: `connected`, `timed out` or the system's refusal."""
    probe = f"timeout 5 bash -c 'exec 3<>/dev/tcp/{host}/{port}' 2>&1"
    script = f'said=$({probe}); code=$?; case $code in 0) echo connected;; 124) echo timed out;; *) echo "$said";; esac'
    return stack.docker("exec", stack.service(service), "bash", "-c", script)


def address(stack: Stack, service: str) -> str:
    [endpoint] = stack.facts(stack.service(service))["NetworkSettings"]["Networks"].values()
    return str(endpoint["IPAddress"])


@pytest.mark.parametrize("broker", BROKERS)
def test_the_probe_itself_connects_where_it_may(stack: Stack, broker: str) -> None:
    assert connect(stack, broker, broker, 9093) == "connected"
    assert connect(stack, broker, address(stack, broker), 9093) == "connected"


@pytest.mark.parametrize(("broker", "other"), PAIRS)
def test_brokers_cannot_reach_each_other(stack: Stack, broker: str, other: str) -> None:
    assert "unreachable" in connect(stack, broker, address(stack, other), 9093)
    # Which of the two it is depends on whether the engine could ask a resolver of the machine.
    said = connect(stack, broker, other, 9093)
    assert "not known" in said or "failure in name resolution" in said


@pytest.mark.parametrize("broker", BROKERS)
def test_brokers_have_no_way_out(stack: Stack, broker: str) -> None:
    routes = stack.docker("exec", stack.service(broker), "cat", "/proc/net/route").splitlines()[1:]

    assert routes
    assert [route for route in routes if route.split()[1] == "00000000"] == []
    assert "unreachable" in connect(stack, broker, OUTSIDE, 443)


@pytest.mark.parametrize(("broker", "network"), BROKERS.items())
def test_brokers_are_on_one_internal_network(stack: Stack, broker: str, network: str) -> None:
    assert list(stack.facts(stack.service(broker))["NetworkSettings"]["Networks"]) == [stack.network(network)]
    assert stack.docker("network", "inspect", "--format", "{{.Internal}}", stack.network(network)) == "true"


def test_only_bridges_join_both_clusters_networks(stack: Stack) -> None:
    joined = {name: set(stack.facts(name)["NetworkSettings"]["Networks"]) for name in stack.running_containers()}
    several = {name: networks for name, networks in joined.items() if len(networks) > 1}

    def named(*names: str) -> set[str]:
        return {stack.network(name) for name in names}

    assert several == {
        f"{stack.instance}-orders-0": named("network1", "network2", "network3"),
        stack.service("ui-source"): named("network1", "network2"),
        stack.service("ui-target"): named("network3", "network2"),
    }


@pytest.mark.parametrize(("side", "broker"), [("source", "source-kafka"), ("target", "target-kafka")])
def test_the_ui_has_no_ear_on_a_clusters_network(stack: Stack, side: str, broker: str) -> None:
    endpoints = stack.facts(stack.service(f"ui-{side}"))["NetworkSettings"]["Networks"]
    onCluster = str(endpoints[stack.network(BROKERS[broker])]["IPAddress"])

    assert "refused" in connect(stack, broker, onCluster, 8080)
    assert connect(stack, "operator", f"ui-{side}-web", 8080) == "connected"


def test_nothing_is_published_beyond_this_machine(stack: Stack) -> None:
    published = [
        (name, binding["HostIp"])
        for name in stack.running_containers()
        for bindings in (stack.facts(name)["HostConfig"]["PortBindings"] or {}).values()
        for binding in bindings or []
    ]

    assert [one for one in published if one[1] != "127.0.0.1"] == []


def test_records_cross_nevertheless(flow: Flow) -> None:
    flow.goes_on()
