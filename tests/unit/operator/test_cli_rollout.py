"""bridgectl rollout status: what is said while an edit rolls, and how it ends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bridge_operator.report import BridgeReport
from support.bridgectl import Desk, bridge, condition, report


@pytest.fixture(name="desk")
def make_desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def rolling(reason: str = "RollingUpdate", status: str = "True", message: str = "", **changes: Any) -> BridgeReport:
    conditions = (condition("Progressing", status, reason, message), condition("Ready", "False", "ReplicasNotReady"))
    return bridge(replicas=2, conditions=conditions, **changes)


def test_it_is_followed_to_its_end(desk: Desk) -> None:
    desk.write(report(rolling(observedGeneration=2)))
    looks = [
        rolling(updatedReplicas=0, readyReplicas=1),
        rolling(updatedReplicas=0, readyReplicas=1),
        rolling("RolloutComplete", updatedReplicas=2, readyReplicas=1),
        rolling(updatedReplicas=2, readyReplicas=2),
        rolling("RolloutComplete", updatedReplicas=2, readyReplicas=2),
    ]
    desk.turns = [lambda one=one: desk.write(report(one)) for one in looks]  # type: ignore[misc]
    done = desk.run("rollout", "status", "orders")
    assert done.stdout.splitlines() == [
        "Waiting for kafkabridge/orders: the operator has yet to see what its manifest says",
        "Waiting for kafkabridge/orders: 0 of 2 replicas run what its manifest says",
        "Waiting for kafkabridge/orders: 1 of 2 updated replicas are ready (ReplicasNotReady)",
        "Waiting for kafkabridge/orders: replicas that are no longer wanted are being removed",
        "kafkabridge/orders successfully rolled out",
    ]
    assert done.exit_code == 0


@pytest.mark.parametrize(
    ("failed", "words"),
    [
        (
            rolling("ProgressDeadlineExceeded", "False", "not ready within 30 s; rolled back"),
            "ProgressDeadlineExceeded: ",
        ),
        (
            bridge(conditions=(condition("ManifestValid", "False", "InvalidManifest", "a.yaml:3: found 99"),)),
            "found 99",
        ),
    ],
)
def test_one_that_failed_says_why(desk: Desk, failed: BridgeReport, words: str) -> None:
    desk.write(report(failed))
    done = desk.run("rollout", "status", "orders")
    assert done.exit_code == 1
    assert done.stderr.startswith("error: kafkabridge/orders: ")
    assert words in done.stderr


def test_one_look_is_enough_where_that_is_wanted(desk: Desk) -> None:
    desk.write(report(rolling(updatedReplicas=1)))
    done = desk.run("rollout", "status", "orders", "--no-watch")
    assert (done.exit_code, desk.turns) == (0, [])
    assert done.stdout == "Waiting for kafkabridge/orders: 1 of 2 replicas run what its manifest says\n"


def test_a_pause_is_waited_for_until_the_time_is_over(desk: Desk) -> None:
    desk.write(report(rolling("ReconciliationPaused", "Unknown", paused=True)))
    desk.turns = [lambda: setattr(desk, "passed", 2), lambda: setattr(desk, "passed", 3)]
    done = desk.run("rollout", "status", "orders", "--timeout", "3s")
    assert done.exit_code == 1
    assert done.stdout == (
        "Waiting for kafkabridge/orders: it is paused, and nothing is rolled out until it is resumed\n"
    )
    assert done.stderr == "error: timed out waiting for kafkabridge/orders\n"


def test_a_bridge_that_there_is_not_is_named(desk: Desk) -> None:
    desk.write(report())
    done = desk.run("rollout", "status", "ordres")
    assert done.exit_code == 1
    assert '"ordres" not found' in done.stderr


def test_without_an_operator_nobody_can_tell(desk: Desk) -> None:
    desk.containers = []
    done = desk.run("rollout", "status", "orders")
    assert done.exit_code == 2
    assert "the operator does not answer" in done.stderr
