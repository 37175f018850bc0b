"""bridgectl describe: one bridge in full."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge_operator.report import Event
from support.bridgectl import Desk, ago, bridge, condition, container, problem, replica, report


@pytest.fixture(name="desk")
def make_desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def event(number: int, bridgeName: str = "orders", seconds: float = 60) -> Event:
    return Event(time=ago(seconds), bridge=bridgeName, type="Warning", reason="Restarted", message=f"number {number}")


def test_the_whole_is_exact(desk: Desk) -> None:
    conditions = (
        condition("Ready", "False", "ReplicasNotReady", "1 of 2 replicas are ready", seconds=20),
        condition("ManifestValid", "True", "Valid", seconds=90_000),
    )
    desk.write(
        report(
            bridge(
                replicas=2,
                observedGeneration=2,
                conditions=conditions,
                replicaReports=(
                    replica(0),
                    replica(1, state="exited", health="", ready=False, restarts=3, startedAt=None, message="exited"),
                ),
            )
        )
    )
    desk.write_events(event(1, seconds=400), event(2, "telemetry"), event(3))
    done = desk.run("describe", "orders")
    assert (
        done.stdout
        == """\
Name:               orders
Status:             ReplicasNotReady
Source:             plant-floor
Target:             headquarters
Generation:         3 (observed 2)
Suspended:          no
Paused:             no
Replicas:           2 desired | 1 updated | 1 ready
Lag:                0
Records copied:     1234
Conditions:
  Type            Status   Reason             Since   Message
  ----            ------   ------             -----   -------
  Ready           False    ReplicasNotReady   20s     1 of 2 replicas are ready
  ManifestValid   True     Valid              25h
Replicas:
  Container        State     Health    Updated   Ready   Restarts   Age     Message
  ---------        -----     ------    -------   -----   --------   ---     -------
  plant-orders-0   running   healthy   yes       yes     0          3m20s
  plant-orders-1   exited    -         yes       no      3          -       exited
Events:
  Type      Reason      Age     Message
  ----      ------      ---     -------
  Warning   Restarted   6m40s   number 1
  Warning   Restarted   60s     number 3
"""
    )
    assert (done.stderr, done.exit_code) == ("", 0)


def test_the_last_twenty_events_and_no_half_written_line(desk: Desk) -> None:
    desk.write(report(bridge()))
    desk.write_events(*(event(number) for number in range(30)), trailing='{"time": "20')
    shown = [line.split()[-1] for line in desk.run("describe", "orders").stdout.splitlines() if "number" in line]
    assert shown == [str(number) for number in range(10, 30)]


def test_nothing_to_tell_is_said(desk: Desk) -> None:
    desk.write(report(bridge(replicas=0, replicaReports=(), conditions=())))
    lines = desk.run("describe", "orders").stdout.splitlines()
    for title in ("Conditions", "Replicas", "Events"):
        assert f"{title}:".ljust(20) + "<none>" in lines


def test_its_wrong_manifest_stands_in_it_and_others_below(desk: Desk) -> None:
    other = problem(name="telemetry", file="bridges/telemetry.yaml")
    desk.write(report(bridge(), problems=(problem(), other), folderFault="the folder is half gone"))
    done = desk.run("describe", "orders")
    assert "Manifest problems:\n  bridges/orders.yaml:14:13: spec.replicas: found 99, expected" in done.stdout
    assert "telemetry" not in done.stdout
    assert done.stderr == "Warning: the folder is half gone\n"


def test_several(desk: Desk) -> None:
    desk.write(report(bridge(), bridge("telemetry")))
    text = desk.run("describe", "orders", "telemetry").stdout
    assert [line.split()[1] for line in text.splitlines() if line.startswith("Name:")] == ["orders", "telemetry"]


def test_an_unknown_name(desk: Desk) -> None:
    desk.write(report(bridge()))
    done = desk.run("describe", "x")
    assert (done.stdout, done.exit_code) == ("", 1)
    assert done.stderr == 'Error from operator (NotFound): bridges "x" not found\n'


def test_a_name_is_needed(desk: Desk) -> None:
    desk.write(report(bridge()))
    assert desk.run("describe").exit_code == 2


def test_with_the_operator_down_nothing_is_made_up(desk: Desk) -> None:
    desk.write(report(bridge(), writtenAt=ago(60)))
    desk.containers = [container(0)]
    done = desk.run("describe", "orders")
    assert "Replicas:           1 desired | 1 ready\n" in done.stdout
    assert "plant-orders-0   running   healthy   -         yes     -          8m20s" in done.stdout
    assert "showing what the engine says" in done.stderr
    desk.containers = None
    assert desk.run("describe", "orders").exit_code == 2
