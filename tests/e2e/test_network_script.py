"""tests/docker_network_test.sh: it sees what heals and what does not, and leaves the stack as it found it."""

from __future__ import annotations

import re
from typing import Any

from support.flow import Flow
from support.foreground import press_ctrl_c, start_in_foreground
from support.outages import paused
from support.stack import PROJECT_ROOT, Stack, run, wait_until

SCRIPT = str(PROJECT_ROOT / "tests" / "docker_network_test.sh")


def attachments(stack: Stack) -> dict[str, Any]:
    """By container: its state, and its aliases on each network."""
    services = ("source-kafka", "target-kafka", "operator")
    found = {}
    for name in (*map(stack.service, services), *stack.bridges()):
        facts = stack.facts(name)
        networks = facts["NetworkSettings"]["Networks"]
        aliases = {network: sorted(one["Aliases"] or ()) for network, one in networks.items()}
        found[name] = (facts["State"]["Status"], aliases)
    return found


def row(output: str, case: str) -> str:
    return next(line for line in output.splitlines() if re.match(rf"{case} +(ok|FAILED) ", line))


def test_outages_are_made_told_and_undone(stack: Stack, flow: Flow) -> None:
    before = attachments(stack)
    cases = {"network3": "TargetReachable=False", "bridge-network1": "NetworkReconnected"}
    done = run(SCRIPT, "--cases", ",".join(cases), "--seconds", "10", env=stack.env)
    for case, seen in cases.items():
        assert re.search(rf"{case} +ok +[0-9.]+ s +[0-9.]+ s +{seen}", row(done.stdout, case)), done.stdout
    assert re.search(r"[0-9]+ records at the target: 0 missing, 0 repeated, 0 out of order, 0 invalid", done.stdout)
    assert attachments(stack) == before
    flow.is_whole()


def test_what_is_not_healed_fails(stack: Stack, flow: Flow) -> None:
    with paused(stack, stack.service("operator")):
        done = run(SCRIPT, "--cases", "kill-bridge", "--recover-within", "3", env=stack.env, wanted=1)
    assert "no event Restarted" in row(done.stdout, "kill-bridge")
    assert "did not go on" in row(done.stdout, "kill-bridge")
    flow.goes_on()


def test_it_gives_back_when_it_is_interrupted(stack: Stack, flow: Flow) -> None:
    before = attachments(stack)
    command = [SCRIPT, "--cases", "both,source", "--seconds", "100"]
    with start_in_foreground(command, stack.env) as script:
        wait_until("both brokers are cut off", lambda: not any(brokers_networks(stack)), 60)
        output = press_ctrl_c(script, 60)
    assert script.returncode == 130, output
    assert "interrupted: giving back" in output
    assert attachments(stack) == before
    flow.goes_on()


def brokers_networks(stack: Stack) -> list[dict[str, Any]]:
    return [stack.facts(stack.service(one))["NetworkSettings"]["Networks"] for one in ("source-kafka", "target-kafka")]
