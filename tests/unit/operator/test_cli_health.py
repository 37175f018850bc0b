"""bridgectl health: exit code 0 healthy, 1 not, 2 cannot be told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from support.bridgectl import Desk, ago, bridge, condition, container, problem, replica, report


@pytest.fixture(name="desk")
def make_desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


OUT = (condition("Ready", "False", "SourceUnreachable", "no answer since 11:56"),)
UNKNOWN = (condition("Ready", "Unknown", "NoReport", "nothing heard"),)


def test_healthy(desk: Desk) -> None:
    desk.write(report(bridge()))
    done = desk.run("health")
    assert done.stdout == "orders: healthy (Ready: 1 of 1 replicas are ready)\n"
    assert done.exit_code == 0


def test_not_healthy_says_why(desk: Desk) -> None:
    desk.write(report(bridge(conditions=OUT), bridge("telemetry")))
    done = desk.run("health")
    assert done.stdout.splitlines()[0] == "orders: not healthy (SourceUnreachable: no answer since 11:56)"
    assert done.exit_code == 1


def test_only_those_named_are_judged(desk: Desk) -> None:
    desk.write(report(bridge(conditions=OUT), bridge("telemetry")))
    assert desk.run("health", "telemetry").exit_code == 0
    assert desk.run("health", "orders").exit_code == 1


@pytest.mark.parametrize("conditions", [UNKNOWN, ()])
def test_what_is_not_known_is_not_healthy(desk: Desk, conditions: tuple[object, ...]) -> None:
    desk.write(report(bridge(conditions=conditions)))
    assert desk.run("health").exit_code == 2


def test_certainly_wrong_beats_unknown(desk: Desk) -> None:
    desk.write(report(bridge(conditions=UNKNOWN), bridge("telemetry", conditions=OUT)))
    assert desk.run("health").exit_code == 1


@pytest.mark.parametrize("reason", ["Suspended", "ScaledToZero"])
def test_a_bridge_that_rests_as_asked_is_healthy_once_it_has_stopped(desk: Desk, reason: str) -> None:
    resting: dict[str, Any] = {"conditions": (condition("Ready", "False", reason),), "replicas": 0, "readyReplicas": 0}
    desk.write(report(bridge(**resting, replicaReports=())))
    assert desk.run("health").exit_code == 0
    desk.write(report(bridge(**resting, replicaReports=(replica(0),))))
    assert desk.run("health").exit_code == 1


def test_an_engine_that_does_not_answer_leaves_it_open(desk: Desk) -> None:
    desk.write(report(bridge(), engineReachable=False, engineMessage="connection refused"))
    done = desk.run("health")
    assert done.stdout == "orders: unknown (the engine does not answer)\n"
    assert "connection refused" in done.stderr
    assert done.exit_code == 2


def test_a_pass_that_does_not_end_leaves_its_own_bridge_open(desk: Desk) -> None:
    desk.write(report(bridge(), bridge("telemetry"), stuckPasses=({"bridge": "orders", "seconds": 130},)))
    assert desk.run("health", "telemetry").exit_code == 0
    done = desk.run("health")
    assert done.stdout.startswith("orders: unknown")
    assert done.stderr == (
        "Warning: the operator's pass over orders has been running for 2m10s; what follows may be old\n"
    )
    assert done.exit_code == 2


def test_a_wrong_manifest_of_a_running_bridge_is_a_warning(desk: Desk) -> None:
    desk.write(report(bridge(), problems=(problem(),)))
    done = desk.run("health")
    assert done.exit_code == 0
    assert "bridges/orders.yaml:14:13" in done.stderr


def test_a_bridge_that_never_was_right_is_not_healthy(desk: Desk) -> None:
    desk.write(report(problems=(problem(),)))
    assert desk.run("health").exit_code == 1


def test_no_bridges(desk: Desk) -> None:
    desk.write(report())
    done = desk.run("health")
    assert (done.stdout, done.exit_code) == ("No bridges found.\n", 0)


def test_an_unknown_name(desk: Desk) -> None:
    desk.write(report(bridge()))
    done = desk.run("health", "x")
    assert done.stderr == 'Error from operator (NotFound): bridges "x" not found\n'
    assert (done.stdout, done.exit_code) == ("", 1)


def test_quiet_says_nothing_at_all(desk: Desk) -> None:
    desk.write(report(bridge(conditions=OUT), problems=(problem(),)))
    done = desk.run("health", "-q", "orders", "x")
    assert (done.output, done.exit_code) == ("", 1)


def test_operator_down_and_containers_run(desk: Desk) -> None:
    desk.write(report(bridge(), writtenAt=ago(16)))
    desk.containers = [container(0)]
    done = desk.run("health")
    assert done.stdout.startswith("orders: unknown (Unknown: ")
    assert done.stderr == "Warning: the operator has not written for 16s; showing what the engine says\n"
    assert done.exit_code == 2


@pytest.mark.parametrize(
    "changes",
    [
        {"state": "exited", "health": "", "exitCode": 1},
        {"state": "paused"},
        {"state": "created", "health": ""},
        {"health": "unhealthy"},
    ],
)
def test_operator_down_and_a_container_clearly_does_not_run(desk: Desk, changes: dict[str, Any]) -> None:
    desk.containers = [container(0), container(1, **changes)]
    done = desk.run("health")
    assert "plant-orders-1" in done.stdout
    assert done.exit_code == 1


def test_operator_down_and_a_container_starting(desk: Desk) -> None:
    desk.containers = [container(0, health="starting")]
    assert desk.run("health").exit_code == 2


def test_operator_down_and_a_container_gone(desk: Desk) -> None:
    desk.write(report(bridge(), writtenAt=ago(60)))
    desk.containers = []
    done = desk.run("health")
    assert "plant-orders-0 is missing" in done.stdout
    assert done.exit_code == 1


@pytest.mark.parametrize("hasReport", [True, False])
def test_nobody_answers(desk: Desk, hasReport: bool) -> None:
    if hasReport:
        desk.write(report(bridge(conditions=OUT), writtenAt=ago(60)))
    done = desk.run("health")
    assert len(done.stderr.splitlines()) == 2
    assert done.exit_code == 2


def test_an_unknown_name_cannot_be_told_with_the_operator_down(desk: Desk) -> None:
    desk.containers = [container(0)]
    assert desk.run("health", "x").exit_code == 2
