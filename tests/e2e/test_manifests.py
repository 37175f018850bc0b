"""What is written in the manifests becomes so, and what is wrong in them disturbs nothing."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from support.flow import Flow
from support.manifests import Manifests
from support.outages import kill_process
from support.stack import Stack, wait_until

ORDERS = "bridges/orders.yaml"


def names(stack: Stack, replicas: int) -> set[str]:
    return {f"{stack.instance}-orders-{ordinal}" for ordinal in range(replicas)}


def report(stack: Stack) -> dict[str, Any]:
    [only] = stack.status()["bridges"]
    return dict(only)


def has_replicas(stack: Stack, replicas: int) -> bool:
    """So many containers, all of the current spec and ready, and no others."""
    found = report(stack)
    counts = {found[name] for name in ("replicas", "updatedReplicas", "readyReplicas")}
    return counts == {replicas} and set(stack.bridges()) == names(stack, replicas)


def test_replicas_go_from_one_to_three_to_two(stack: Stack, flow: Flow, manifests: Manifests) -> None:
    manifests.edit(ORDERS, "replicas: 1", "replicas: 3")
    wait_until("there are three replicas", lambda: has_replicas(stack, 3), 120)
    flow.goes_on()
    flow.is_whole()

    manifests.edit(ORDERS, "replicas: 3", "replicas: 2")
    wait_until("there are two replicas", lambda: has_replicas(stack, 2), 120)
    flow.goes_on()
    flow.is_whole()


def test_an_edit_is_rolled_out(stack: Stack, flow: Flow, manifests: Manifests) -> None:
    [before] = stack.bridges().values()
    generation = report(stack)["generation"]
    manifests.edit(ORDERS, "  replicas: 1\n", "  replicas: 1\n  resources: {memory: 384Mi}\n")

    wait_until(
        "the new generation runs alone",
        lambda: report(stack)["generation"] == generation + 1 and has_replicas(stack, 1),
        120,
    )

    [after] = stack.bridges().values()
    assert after["Id"] != before["Id"]
    assert after["HostConfig"]["Memory"] == 384 * 2**20
    flow.goes_on()
    flow.is_whole()


def test_suspend_stops_and_goes_on(stack: Stack, flow: Flow, manifests: Manifests) -> None:
    manifests.edit(ORDERS, "  replicas: 1\n", "  replicas: 1\n  suspend: true\n")
    wait_until("nothing of the bridge runs", lambda: report(stack)["suspended"] and not stack.bridges(), 60)
    assert stack.script("bridgectl", "health")

    manifests.restore()
    wait_until("the bridge is back", lambda: has_replicas(stack, 1), 120)
    flow.goes_on()
    flow.is_whole()


def test_a_wrong_manifest_is_told_and_changes_nothing(stack: Stack, flow: Flow, manifests: Manifests) -> None:
    before = stack.running_containers()
    lines = (manifests.folder / ORDERS).read_text(encoding="utf-8").splitlines()
    line = lines.index("  replicas: 1") + 1
    manifests.edit(ORDERS, "replicas: 1", "replicas: many")
    wait_until("the mistake is seen", lambda: stack.status()["problems"], 60)

    place = f"{ORDERS}:{line}:13: spec.replicas: found 'many', expected a whole number"
    assert place in stack.script("bridgectl", "validate", wanted=1).stdout
    assert place in stack.script("bridgectl", "validate", str(manifests.folder), wanted=1).stdout
    assert f"{ORDERS}:{line}:13" in stack.script("bridgectl", "status").stderr
    assert f"{ORDERS}:{line}:13" in stack.script("bridgectl", "describe", "orders").stdout
    flow.goes_on()
    assert stack.running_containers() == before


def test_a_wrong_manifest_is_not_taken_after_a_restart_either(stack: Stack, flow: Flow, manifests: Manifests) -> None:
    before = stack.running_containers()
    manifests.edit(ORDERS, "kind: KafkaBridge", "kind: KafkaBrigde")
    wait_until("the mistake is seen", lambda: stack.status()["problems"], 60)

    stack.docker("restart", stack.service("operator"))
    wait_until("the operator is back", lambda: stack.status()["seenBy"] == "Operator", 60)

    flow.goes_on()
    assert stack.running_containers()[f"{stack.instance}-orders-0"] == before[f"{stack.instance}-orders-0"]


def test_a_deleted_manifest_takes_its_bridge_along_and_brings_it_back(
    stack: Stack, flow: Flow, manifests: Manifests
) -> None:
    manifests.delete(ORDERS)
    wait_until("the bridge is gone", lambda: not stack.bridges() and not stack.status()["bridges"], 60)
    assert "No bridges found" in "".join(
        (done := stack.script("bridgectl", "status")).stdout + done.stderr
    )  # fmt: skip

    manifests.restore()
    wait_until("the bridge is back", lambda: stack.status()["bridges"] and has_replicas(stack, 1), 120)
    flow.goes_on()
    flow.is_whole()


def test_a_folder_that_empties_all_at_once_removes_nothing(stack: Stack, flow: Flow, manifests: Manifests) -> None:
    before = stack.running_containers()
    manifests.empty()
    status = wait_until("the fault is told", lambda: (one := stack.status())["folderFault"] and one, 60)

    # Three times the grace after which a single manifest would have counted as deleted.
    seen = datetime.fromisoformat(status["writtenAt"])
    wait_until(
        "the operator has had time to do harm",
        lambda: datetime.fromisoformat(stack.status()["writtenAt"]) > seen + timedelta(seconds=10),
        60,
    )

    assert stack.running_containers() == before
    flow.goes_on()


def test_a_pause_holds_and_a_restart_replaces(stack: Stack, flow: Flow, manifests: Manifests) -> None:
    """By commands, which change the manifest files; a heal that does not come is given five times its usual time."""
    name = f"{stack.instance}-orders-0"
    before = stack.bridges()[name]["Id"]
    assert stack.script("bridgectl", "pause", "orders").stdout == "kafkabridge/orders paused\n"
    assert "  paused: true\n" in (manifests.folder / ORDERS).read_text(encoding="utf-8")
    wait_until("the operator has seen it", lambda: report(stack)["paused"], 30)
    kill_process(stack, name)
    time.sleep(10)
    assert stack.bridges()[name]["State"]["Status"] == "exited", "nothing is healed meanwhile"
    assert "Paused" in stack.script("bridgectl", "status").stdout

    assert stack.script("bridgectl", "resume", "orders").stdout == "kafkabridge/orders resumed\n"
    wait_until("the bridge is back", lambda: has_replicas(stack, 1), 60)
    assert stack.bridges()[name]["Id"] == before
    assert "copying" in stack.script("bridgectl", "logs", "orders", "--since", "1m").stdout

    assert stack.script("bridgectl", "restart", "orders").stdout == "kafkabridge/orders restarted\n"
    wait_until("it is another container", lambda: stack.bridges().get(name, {}).get("Id") not in (before, None), 60)
    wait_until("which is ready and alone", lambda: has_replicas(stack, 1), 120)
    flow.goes_on()
    flow.is_whole()


def test_apply_and_delete_make_a_bridge_and_take_it_away(stack: Stack, manifests: Manifests, tmp_path: Path) -> None:
    text = (manifests.folder / ORDERS).read_text(encoding="utf-8")
    given = tmp_path / "more.yaml"
    given.write_text(text.replace("name: orders", "name: more", 1).replace("  replicas: 1", "  replicas: 0"))
    tmp_path.chmod(0o755)
    assert "+++ b/bridges/more.yaml" in stack.script("bridgectl", "diff", "-f", str(given), wanted=1).stdout
    try:
        assert stack.script("bridgectl", "apply", "-f", str(given)).stdout == "kafkabridge/more created\n"
        wait_until("it is known", lambda: len(stack.status()["bridges"]) == 2, 30)
        assert "more" in stack.script("bridgectl", "get", "bridges").stdout
        assert stack.script("bridgectl", "diff", "-f", str(given)).stdout == ""
    finally:
        assert stack.script("bridgectl", "delete", "more").stdout == "kafkabridge/more deleted\n"
    stack.script("bridgectl", "wait", "more", "--for", "delete", "--timeout", "60s")
    assert not (manifests.folder / "bridges/more.yaml").exists()
