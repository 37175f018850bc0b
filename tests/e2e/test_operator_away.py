"""Bridges do not need the operator to copy; it finds them again, whoever was away."""

from __future__ import annotations

import subprocess

from support.flow import Flow
from support.outages import kill_process
from support.stack import Stack, wait_until


def bridge(stack: Stack) -> str:
    return f"{stack.instance}-orders-0"


def health_unknown(stack: Stack) -> subprocess.CompletedProcess[str] | None:
    """What `bridgectl health` says once it cannot tell: a report of the last seconds still counts."""
    done = stack.script("bridgectl", "health", wanted=None)
    return done if done.returncode == 2 else None


def operator_works(stack: Stack) -> bool:
    return bool(stack.status()["seenBy"] == "Operator")


def test_bridges_go_on_while_the_operator_is_stopped(stack: Stack, flow: Flow) -> None:
    before = stack.running_containers()[bridge(stack)]
    stack.docker("stop", stack.service("operator"))
    try:
        flow.goes_on()
        done = wait_until("its silence is noticed", lambda: health_unknown(stack), 60)
        assert "the operator has not written for" in done.stderr
    finally:
        stack.docker("start", stack.service("operator"))

    wait_until("the operator works", lambda: operator_works(stack), 60)
    assert stack.running_containers()[bridge(stack)] == before
    flow.is_whole()


def test_what_happened_while_it_was_away_is_mended(stack: Stack, flow: Flow) -> None:
    stack.docker("stop", stack.service("operator"))
    try:
        stack.docker("rm", "--force", bridge(stack))
    finally:
        stack.docker("start", stack.service("operator"))

    wait_until("the bridge runs again", lambda: bridge(stack) in stack.running_containers(), 60)
    flow.goes_on()
    flow.is_whole()


def test_a_killed_operator_comes_back_and_adopts(stack: Stack, flow: Flow) -> None:
    before = stack.running_containers()
    kill_process(stack, stack.service("operator"))
    wait_until(
        "the engine has started it again",
        lambda: (
            stack.running_containers().get(stack.service("operator"), before[stack.service("operator")])
            != before[stack.service("operator")]
        ),
        60,
    )
    wait_until("the operator works", lambda: operator_works(stack), 60)

    assert stack.running_containers()[bridge(stack)] == before[bridge(stack)]
    flow.goes_on()
    flow.is_whole()


def test_the_engine_proxy_may_go_and_come(stack: Stack, flow: Flow) -> None:
    before = stack.running_containers()[bridge(stack)]
    stack.docker("restart", stack.service("engine-proxy"))
    flow.goes_on()
    assert stack.running_containers()[bridge(stack)] == before

    kill_process(stack, bridge(stack))
    wait_until(
        "the operator has started the bridge again",
        lambda: stack.running_containers().get(bridge(stack), before) != before,
        90,
    )
    flow.goes_on()
    flow.is_whole()
