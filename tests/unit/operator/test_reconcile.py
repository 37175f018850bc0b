"""What the operator promises of a bridge, from the first container to the last: on a fake engine, in faked time."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from bridge_operator.backoff import Attempts, BackoffRule
from bridge_operator.catalog import Catalog, Problem
from bridge_operator.desired import Limits
from bridge_operator.plan import Held
from support.operator_harness import CLUSTERS, Harness, bridge


@pytest.fixture(name="one")
def running_bridge(tmp_path: Path) -> Harness:
    """An operator with one bridge of one replica, ready."""
    harness = Harness(tmp_path, bridge())
    harness.run(20)
    assert harness.condition("Ready").status == "True"
    harness.engine.calls.clear()
    harness.events.clear()
    return harness


@pytest.fixture(name="three")
def running_replicas(tmp_path: Path) -> Harness:
    harness = Harness(tmp_path, bridge(replicas=3))
    harness.run(20)
    assert harness.condition("Ready").status == "True"
    harness.engine.calls.clear()
    harness.events.clear()
    return harness


def test_it_spawns_what_a_manifest_asks_for(tmp_path: Path) -> None:
    harness = Harness(tmp_path, bridge(replicas=2))
    harness.run(20)
    assert harness.names() == ["test-orders-0", "test-orders-1"]
    assert harness.engine.lane_holders("orders") == {lane: f"test-orders-{lane % 2}" for lane in range(6)}
    report = harness.report()
    assert (report.readyReplicas, report.updatedReplicas, report.replicas) == (2, 2, 2)
    assert {one.type: one.status for one in report.conditions} == {
        "Ready": "True",
        "Progressing": "True",
        "SourceReachable": "True",
        "TargetReachable": "True",
        "ManifestValid": "True",
        "Degraded": "False",
    }
    assert harness.condition("Progressing").reason == "RolloutComplete"
    assert harness.reasons() == ["Created", "Created"]


def test_it_leaves_alone_what_is_right(one: Harness) -> None:
    one.run(700)
    assert one.engine.calls == []
    assert one.events == []


def test_a_new_operator_adopts_what_runs(one: Harness) -> None:
    one.start_operator()
    one.run(60)
    assert one.engine.calls == []
    assert one.condition("Ready").status == "True"


def test_a_replica_that_exits_is_started_again_at_once(one: Harness) -> None:
    one.engine.crash("test-orders-0", 137)
    one.look()
    assert one.engine.calls == ["start test-orders-0"]
    assert one.events[-1].reason == "Restarted"
    assert "137" in one.events[-1].message
    one.run(20)
    assert one.condition("Ready").status == "True"


def test_a_replica_that_ended_is_not_ready_while_the_engine_starts_it(
    one: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[str, str]] = []
    start = one.engine.start

    def slow_start(containerId: str) -> None:
        ready = one.condition("Ready")
        seen.append((ready.status, ready.reason))
        start(containerId)

    monkeypatch.setattr(one.engine, "start", slow_start)
    one.engine.crash("test-orders-0")
    one.look()
    assert seen == [("False", "ReplicasNotReady")]


def test_a_replica_that_keeps_exiting_is_started_ever_more_seldom(one: Harness) -> None:
    starts: list[float] = []

    def crash_again() -> None:
        container = one.engine.named("test-orders-0")
        if container.state == "running":
            starts.append(one.clock.now)
            one.engine.crash("test-orders-0", 1)

    one.engine.crash("test-orders-0", 1)
    one.run(1500, watch=crash_again)
    gaps = [after - before for before, after in pairwise(starts)]
    wanted = [10, 20, 40, 80, 160, 300, 300, 300]
    # Each may be a tenth longer, and a pass may be half a second late.
    assert len(gaps) in (len(wanted), len(wanted) - 1)
    assert all(least <= gap <= 1.1 * least + 1 for gap, least in zip(gaps, wanted, strict=False))
    assert one.condition("Degraded").reason == "CrashLoopBackOff"
    assert one.report().replicaReports[0].restarts == len(starts)


def test_back_off_outlives_the_operator(one: Harness) -> None:
    for _ in range(3):
        one.engine.crash("test-orders-0")
        one.run(30)
    restarts = len(one.engine.calls)
    assert one.report().replicaReports[0].restarts == 3
    one.engine.crash("test-orders-0")
    one.start_operator()
    one.run(5)
    assert len(one.engine.calls) == restarts, "a new operator is no reason to try at once"
    assert one.condition("Degraded").reason == "CrashLoopBackOff"
    one.run(120)
    assert one.report().replicaReports[0].restarts == 4


def test_what_failed_together_does_not_try_again_together() -> None:
    rule = BackoffRule()
    waits = [Attempts(4, at, 4).next_at(rule) - at for at in (1_000.0, 1_000.25, 1_000.5, 1_001.0)]
    assert len(set(waits)) == 4
    assert all(80.0 <= wait <= 88.0 for wait in waits)
    assert Attempts(4, 1_000.0, 4).next_at(rule) == Attempts(4, 1_000.0, 4).next_at(rule)


def test_back_off_is_forgotten_after_ten_good_minutes(one: Harness) -> None:
    for _ in range(3):
        one.engine.crash("test-orders-0", 1)
        one.run(90)
    one.run(601)
    before = len(one.engine.calls)
    one.engine.crash("test-orders-0", 1)
    one.look()
    assert one.engine.calls[before:] == ["start test-orders-0"]
    one.engine.crash("test-orders-0", 1)
    one.look()
    assert len(one.engine.calls) == before + 1, "the second in a row waits ten seconds again"


def test_an_unhealthy_replica_is_restarted(one: Harness) -> None:
    one.engine.named("test-orders-0").health = "unhealthy"
    one.look()
    assert one.engine.calls == ["restart test-orders-0"]
    assert one.reasons() == ["Unhealthy"]


def test_a_replica_that_copies_nothing_of_what_is_there_is_restarted(one: Harness) -> None:
    one.engine.stalledSince = one.clock.now
    one.run(100)
    assert one.engine.calls == [], "a while without a record is no stall"
    assert one.condition("Ready").status == "True"
    one.run(30)
    assert one.engine.calls == ["restart test-orders-0"]
    assert one.reasons().count("Stalled") == 1
    one.run(300)
    assert one.engine.calls == ["restart test-orders-0"]
    assert one.condition("Ready").status == "True"


def test_a_replica_that_goes_on_stalling_is_not_ready_and_restarted_ever_more_seldom(tmp_path: Path) -> None:
    harness = Harness(tmp_path, bridge(health={"stallSeconds": 20}))
    harness.run(20)
    said = set()

    def stall() -> None:
        harness.engine.stalledSince = harness.clock.now - 30
        for one in harness.engine.byId.values():
            one.startedAt = min(one.startedAt, harness.clock.now - 60)

    def watch() -> None:
        stall()
        said.add(harness.condition("Ready").reason)

    harness.run(150, watch=watch)
    restarts = sum(call.startswith("restart") for call in harness.engine.calls)
    assert 3 <= restarts <= 5, "at once, after 10, 20, 40 s and so on"
    assert "Stalled" in said


def test_an_outage_is_no_stall(one: Harness) -> None:
    one.engine.stalledSince = one.clock.now
    one.engine.targetReachable = False
    one.run(300)
    one.engine.targetReachable, one.engine.answersSince = True, one.clock.now
    one.engine.stalledSince = None
    one.run(60)
    assert one.engine.calls == []


def test_a_replica_that_does_not_resume_after_an_outage_is_restarted_once(one: Harness) -> None:
    one.run(60)
    one.engine.sourceReachable = False
    one.run(60)
    one.engine.sourceReachable, one.engine.answersSince = True, one.clock.now
    one.engine.deafSince = one.clock.now
    one.run(10)
    assert one.engine.calls == [], "it is given some time"
    one.run(20)
    assert one.engine.calls == ["restart test-orders-0"]
    assert one.reasons().count("NotResumed") == 1
    one.run(120)
    assert one.engine.calls == ["restart test-orders-0"]
    assert one.condition("Ready").status == "True"


def test_a_replica_that_never_worked_is_not_restarted_for_not_resuming(tmp_path: Path) -> None:
    """It began when its clusters answered: another start would find the same."""
    harness = Harness(tmp_path, bridge())
    harness.engine.deafSince = harness.clock.now + 3600
    harness.run(120)
    assert not [call for call in harness.engine.calls if call.startswith("restart")]


def test_limits_that_were_changed_by_hand_are_set_back(one: Harness) -> None:
    wanted = one.engine.named("test-orders-0").limits
    assert wanted is not None
    one.engine.named("test-orders-0").limits = Limits(2**20, 10**9, 7)
    one.run(10)
    assert one.engine.calls == [], "no list tells of it"
    one.controller.forget_limits("orders")
    one.run(10)
    assert one.engine.calls == ["update test-orders-0"]
    assert one.engine.named("test-orders-0").limits == wanted
    [event] = [event for event in one.events if event.reason == "LimitsRestored"]
    assert event.message == "set the limits of test-orders-0 back: 1 MiB, 1 cores, 7 processes had been set by hand"


def test_a_new_operator_finds_limits_that_were_changed_while_there_was_none(one: Harness) -> None:
    one.engine.named("test-orders-0").limits = Limits(2**20, 10**9, 7)
    one.start_operator()
    one.run(10)
    assert one.engine.calls == ["update test-orders-0"]


def test_what_an_engine_cannot_limit_is_not_set_again_and_again(one: Harness) -> None:
    """Without the kernel's part of it, it takes a limit, warns, and tells 0."""
    one.engine.named("test-orders-0").limits = Limits(0, 0, 0)
    one.start_operator()
    one.run(30)
    assert one.engine.calls == []


def test_limits_are_not_asked_for_at_every_pass(one: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(one.engine, "limits", lambda containerId: pytest.fail("asked again"))
    one.run(60)


def test_a_paused_replica_goes_on(one: Harness) -> None:
    one.engine.named("test-orders-0").state = "paused"
    one.look()
    assert one.engine.calls == ["unpause test-orders-0"]


def test_a_removed_replica_comes_back(one: Harness) -> None:
    one.engine.byId.clear()
    one.run(10)
    assert one.names() == ["test-orders-0"]
    assert one.condition("Ready").status == "True"


@pytest.mark.parametrize("network", ["network1", "network2", "network3"])
def test_a_replica_that_lost_a_network_gets_it_back_with_its_name_there(one: Harness, network: str) -> None:
    container = one.engine.named("test-orders-0")
    del container.endpoints[f"test_{network}"]
    container.aliases.clear()
    one.look()
    assert one.engine.calls == [f"connect test-orders-0 {one.engine.networkIds[network]}"]
    assert container.aliases[f"test_{network}"] == ("test-orders-0",)
    one.run(10)
    assert one.condition("Ready").status == "True"


@pytest.mark.parametrize("state", ["running", "exited"])
def test_a_network_that_was_made_again_is_joined(one: Harness, state: str) -> None:
    if state == "exited":
        one.engine.crash("test-orders-0")
    one.engine.remake_network("network3")
    one.run(30)
    assert one.engine.named("test-orders-0").endpoints["test_network3"] == "id-3'"
    assert one.condition("Ready").status == "True"


def test_a_container_that_was_created_and_never_started_is_started(tmp_path: Path) -> None:
    harness = Harness(tmp_path, bridge())
    harness.look()
    harness.engine.named("test-orders-0").state = "created"
    harness.run(10)
    assert harness.condition("Ready").status == "True"


def test_a_dead_container_is_replaced(one: Harness) -> None:
    dead = one.engine.named("test-orders-0")
    dead.state = "dead"
    one.run(10)
    assert one.names() == ["test-orders-0"]
    assert one.engine.named("test-orders-0").id != dead.id


def test_a_renamed_container_gets_its_name_back(one: Harness) -> None:
    one.engine.named("test-orders-0").name = "something"
    one.run(10)
    assert one.names() == ["test-orders-0"]
    assert one.engine.calls == ["rename something test-orders-0"]


def test_an_outage_is_left_to_the_bridge(one: Harness) -> None:
    one.engine.sourceReachable = False
    one.run(900)
    assert one.engine.calls == []
    condition = one.condition("SourceReachable")
    assert (condition.status, condition.reason) == ("False", "Unreachable")
    assert one.condition("Ready").reason == "SourceUnreachable"
    assert one.condition("TargetReachable").status == "True"
    one.engine.sourceReachable = True
    one.run(10)
    assert one.condition("Ready").status == "True"


def test_how_far_a_bridge_is_behind_a_source_that_is_out_is_not_known(one: Harness) -> None:
    assert one.report().lag == 7
    one.engine.sourceReachable = False
    one.run(5)
    assert one.report().lag is None


def test_a_foreign_container_of_the_name_is_never_touched(tmp_path: Path) -> None:
    harness = Harness(tmp_path, bridge())
    harness.engine.add_foreign("test-orders-0")
    harness.run(60)
    assert harness.engine.calls == ["create test-orders-0"] * len(harness.engine.calls)
    assert harness.condition("Degraded").reason == "NameConflict"
    assert harness.reasons() == ["NameConflict"], "told once, not at every try"
    del harness.engine.byId["c1"]
    harness.run(90)
    assert harness.condition("Ready").status == "True"


def test_an_engine_that_does_not_answer_is_unknown_not_bad(one: Harness) -> None:
    one.engine.reachable = False
    delays = [one.look() for _ in range(9)]
    assert delays == [0.5, 1, 2, 4, 8, 16, 32, 60, 60]
    assert one.condition("Ready").status == "Unknown"
    assert one.condition("Ready").reason == "EngineUnreachable"
    assert one.condition("ManifestValid").status == "True"
    assert not one.controller.engineHealth.reachable
    one.engine.reachable = True
    one.run(10)
    assert one.condition("Ready").status == "True"
    assert one.engine.calls == []


# ---- changes


def test_an_edit_rolls_one_replica_at_a_time(three: Harness) -> None:
    three.apply(bridge(replicas=3, commitIntervalMs=500))
    fewest = 3

    def count_running() -> None:
        nonlocal fewest
        fewest = min(fewest, sum(one.state == "running" for one in three.engine.byId.values()))

    three.run(60, watch=count_running)
    assert fewest == 2
    assert three.names() == ["test-orders-0", "test-orders-1", "test-orders-2"]
    assert three.condition("Ready").status == "True"
    assert {one.config.commitIntervalMs for one in three.engine.byId.values() if one.config} == {500}
    assert three.report().generation == 2
    assert all(one.generation == 2 for one in three.engine.byId.values())
    for ordinal in range(3):
        name = f"test-orders-{ordinal}"
        steps = [call for call in three.engine.calls if name in call]
        assert steps == [
            f"stop {name}",
            f"rename {name} {name}-old",
            f"create {name}",
            f"start {name}",
            f"stop {name}-old",
            f"remove {name}-old",
        ]


def test_only_what_waits_for_its_turn_is_looked_at_again(three: Harness) -> None:
    """Replicas that are not ready and have nothing to wait for tell by themselves when that changes."""
    three.engine.waitsFor = "TopicAuthorizationFailed"
    three.run(20)
    assert (three.condition("Ready").status, three.look()) == ("False", None)
    three.apply(bridge(replicas=3, commitIntervalMs=500))
    three.run(5)
    delay = three.look()
    assert delay is not None
    assert delay <= 2.0


def test_labels_of_a_manifest_change_nothing_that_runs(one: Harness) -> None:
    manifest = bridge()
    labelled = manifest.model_copy(update={"metadata": manifest.metadata.model_copy(update={"labels": {"a": "b"}})})
    one.apply(labelled)
    one.run(30)
    assert one.engine.calls == []
    assert one.report().generation == 1


@pytest.mark.parametrize("steps", [(1, 3, 2), (3, 1), (2, 6, 1), (1, 0, 1), (3, 0, 2)])
def test_scaling_moves_lanes_and_loses_none(tmp_path: Path, steps: tuple[int, ...]) -> None:
    harness = Harness(tmp_path, bridge(replicas=steps[0]))
    harness.run(30)
    for replicas in steps[1:]:
        harness.apply(bridge(replicas=replicas))
        harness.run(120)
        assert harness.names() == [f"test-orders-{ordinal}" for ordinal in range(replicas)]
        if replicas:
            assert harness.condition("Ready").status == "True"
            assert harness.engine.lane_holders("orders") == {
                lane: f"test-orders-{lane % replicas}" for lane in range(6)
            }
        else:
            assert harness.condition("Ready").reason == "ScaledToZero"


def test_suspend_stops_and_resumes(one: Harness) -> None:
    one.apply(bridge(suspend=True))
    one.run(20)
    assert one.names() == []
    assert one.condition("Ready").reason == "Suspended"
    assert one.report().suspended
    one.apply(bridge())
    one.run(20)
    assert one.condition("Ready").status == "True"


def test_a_spec_that_does_not_become_ready_is_rolled_back(three: Harness) -> None:
    three.engine.isBad = lambda config: config.commitIntervalMs == 999
    before = three.engine.named("test-orders-0").id
    three.apply(bridge(replicas=3, commitIntervalMs=999, progressDeadlineSeconds=60))
    three.run(30)
    assert three.engine.named("test-orders-0-old").id == before, "kept until its successor is ready"
    three.run(120)
    assert three.names() == ["test-orders-0", "test-orders-1", "test-orders-2"]
    assert three.engine.named("test-orders-0").id == before
    assert len(three.engine.lane_holders("orders")) == 6
    progressing = three.condition("Progressing")
    assert (progressing.status, progressing.reason) == ("False", "ProgressDeadlineExceeded")
    assert "RolledBack" in three.reasons()
    calls = len(three.engine.calls)
    three.run(300)
    assert len(three.engine.calls) == calls, "what failed is not tried again by itself"
    three.apply(bridge(replicas=3, commitIntervalMs=500, progressDeadlineSeconds=60))
    three.run(120)
    assert three.condition("Progressing").reason == "RolloutComplete"
    assert three.condition("Ready").status == "True"


def test_a_rolled_back_replica_is_still_healed(one: Harness) -> None:
    one.engine.isBad = lambda config: config.commitIntervalMs == 999
    one.apply(bridge(commitIntervalMs=999, progressDeadlineSeconds=30))
    one.run(90)
    one.engine.crash("test-orders-0")
    one.run(30)
    assert one.engine.named("test-orders-0").state == "running"
    assert one.engine.lane_holders("orders").keys() == set(range(6))


def test_an_outage_during_a_roll_is_not_the_new_specs_fault(one: Harness) -> None:
    one.apply(bridge(commitIntervalMs=500, progressDeadlineSeconds=60))
    one.run(1)
    one.engine.targetReachable = False
    one.run(600)
    assert one.names() == ["test-orders-0", "test-orders-0-old"]
    one.engine.targetReachable = True
    one.run(30)
    assert one.names() == ["test-orders-0"]
    assert one.condition("Progressing").reason == "RolloutComplete"


def test_an_edit_taken_back_in_the_middle_restores_the_old_container(one: Harness) -> None:
    before = one.engine.named("test-orders-0").id
    one.engine.isBad = lambda config: config.commitIntervalMs == 999
    one.apply(bridge(commitIntervalMs=999))
    one.run(20)
    one.apply(bridge())
    one.run(30)
    assert one.names() == ["test-orders-0"]
    assert one.engine.named("test-orders-0").id == before
    assert one.condition("Ready").status == "True"


def test_an_edit_on_top_of_one_that_does_not_work_goes_through(one: Harness) -> None:
    one.engine.isBad = lambda config: config.commitIntervalMs == 999
    one.apply(bridge(commitIntervalMs=999))
    one.run(20)
    one.apply(bridge(commitIntervalMs=300))
    one.run(30)
    assert one.names() == ["test-orders-0"]
    assert one.condition("Ready").status == "True"


def test_a_crashed_replica_of_the_old_spec_is_replaced_not_revived(three: Harness) -> None:
    three.engine.readySeconds = 20
    three.apply(bridge(replicas=3, commitIntervalMs=500))
    three.run(5)
    three.engine.crash("test-orders-2")
    three.run(5)
    config = three.engine.named("test-orders-2").config
    assert config is not None
    assert config.commitIntervalMs == 500


def test_a_new_image_rolls(one: Harness) -> None:
    before = one.engine.named("test-orders-0").id
    one.engine.image = "sha256:image-2"
    one.run(30)
    assert one.engine.named("test-orders-0").id != before
    assert one.condition("Ready").status == "True"


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda engine: engine.networkIds.pop("network3"), "NetworkNotFound"),
        (lambda engine: engine.volumeNames.remove("tls-bridge-source"), "SecretNotFound"),
        (lambda engine: setattr(engine, "image", None), "ImageNotFound"),
    ],
)
def test_what_a_manifest_needs_and_the_engine_lacks_is_named_and_disturbs_nothing(
    one: Harness, spoil: object, reason: str
) -> None:
    assert callable(spoil)
    spoil(one.engine)
    one.run(30)
    assert one.engine.calls == []
    assert one.condition("Ready").reason == reason
    one.engine.crash("test-orders-0")
    one.look()
    assert one.engine.calls == ["start test-orders-0"], "what runs is kept running"


# ---- manifests that go, or go wrong


def problem(name: str = "orders") -> Problem:
    return Problem("bridges/orders.yaml", 7, 3, "spec.replicas", "many", "a whole number", "KafkaBridge", name)


def test_a_broken_manifest_leaves_the_last_good_one_in_force(one: Harness) -> None:
    one.catalog = Catalog(clusters=CLUSTERS, problems=(problem(),))
    one.run(60)
    assert one.engine.calls == []
    valid = one.condition("ManifestValid")
    assert valid.status == "False"
    assert "bridges/orders.yaml:7:3: spec.replicas: found many, expected a whole number" in valid.message
    assert one.condition("Ready").status == "True"
    one.engine.byId.clear()
    one.run(20)
    assert one.names() == ["test-orders-0"], "the last good manifest heals what is lost"


def test_a_broken_manifest_stays_harmless_over_a_restart_of_the_operator(one: Harness) -> None:
    one.catalog = Catalog(clusters=CLUSTERS, problems=(problem(),))
    one.start_operator()
    one.engine.byId.clear()
    one.run(20)
    assert one.names() == ["test-orders-0"]


def test_without_any_memory_a_broken_manifest_still_removes_nothing(one: Harness, tmp_path: Path) -> None:
    (tmp_path / "accepted.json").unlink()
    one.catalog = Catalog(clusters=CLUSTERS, problems=(problem(),))
    one.start_operator()
    one.engine.crash("test-orders-0")
    one.run(60)
    assert one.names() == ["test-orders-0"]
    assert one.engine.named("test-orders-0").state == "running"
    assert one.condition("Ready").reason == "ManifestUnknown"
    assert isinstance(Held("ManifestUnknown", ""), Held)


def test_a_deleted_manifest_removes_its_bridge_after_the_grace(one: Harness) -> None:
    one.catalog = Catalog(clusters=CLUSTERS)
    one.run(8)
    assert one.names() == ["test-orders-0"]
    one.run(10)
    assert one.names() == []
    assert one.engine.calls == ["stop test-orders-0", "remove test-orders-0"]
    assert "ManifestDeleted" in one.reasons()
    assert one.controller.reports() == []
    assert "orders" not in one.store.accepted.bridges


def test_a_bridge_without_containers_is_told_as_before_until_something_changes(one: Harness) -> None:
    # Five hundred of them, told anew every few seconds, were much of what an idle operator did.
    one.apply(bridge(replicas=0))
    one.run(20)
    first = one.report()
    assert one.report() is first
    one.apply(bridge(replicas=0, suspend=True))
    one.look()
    assert (first.suspended, one.report().suspended) == (False, True)
    one.apply(bridge(replicas=1))
    one.run(20)
    assert one.report().readyReplicas == 1
    assert one.report() is not one.report(), "what a process says changes by itself"


def test_a_manifest_that_comes_back_within_the_grace_changes_nothing(one: Harness) -> None:
    one.catalog = Catalog(clusters=CLUSTERS)
    one.run(5)
    one.apply(bridge())
    one.run(60)
    assert one.engine.calls == []
    one.catalog = Catalog(clusters=CLUSTERS)
    one.run(5)
    assert one.engine.calls == [], "the grace starts anew"


@pytest.mark.parametrize(
    "catalog",
    [
        Catalog(folderFault="the folder is empty"),
        Catalog(clusters=CLUSTERS, problems=(problem(name=""),)),
    ],
)
def test_nothing_is_removed_while_the_folder_is_in_doubt(one: Harness, catalog: Catalog) -> None:
    one.catalog = catalog
    one.run(600)
    assert one.engine.calls == []


def test_another_bridges_mistake_does_not_protect_a_deleted_one(one: Harness) -> None:
    one.catalog = Catalog(clusters=CLUSTERS, problems=(problem(name="payments"),))
    one.run(30)
    assert one.names() == []


# ---- pause and restart


def test_while_a_bridge_is_paused_nothing_is_done_about_it(one: Harness) -> None:
    one.apply(bridge(paused=True, commitIntervalMs=500))
    calls = len(one.engine.calls)
    one.run(20)
    one.engine.crash("test-orders-0")
    one.run(20)
    assert one.engine.calls[calls:] == []
    assert one.condition("Progressing").status == "Unknown"
    assert one.condition("Progressing").reason == "ReconciliationPaused"
    assert one.condition("Ready").status == "False", "what is seen is still told"
    report = one.report()
    assert (report.generation, report.observedGeneration) == (2, 1)
    one.start_operator()
    one.run(20)
    assert one.engine.calls[calls:] == [], "a new operator knows of the pause too"
    assert (one.report().generation, one.report().observedGeneration) == (2, 1)
    one.apply(bridge(commitIntervalMs=500))
    one.run(60)
    assert one.condition("Ready").status == "True"
    report = one.report()
    assert report.observedGeneration == report.generation == 3


def test_a_pause_does_not_use_up_the_deadline_of_a_roll(one: Harness) -> None:
    isSlow = [True]
    one.engine.isBad = lambda config: config.commitIntervalMs == 500 and isSlow[0]
    edited: dict[str, Any] = {"commitIntervalMs": 500, "progressDeadlineSeconds": 60}
    one.apply(bridge(**edited))
    one.run(20)
    assert one.names() == ["test-orders-0", "test-orders-0-old"]
    one.apply(bridge(**edited, paused=True))
    one.run(300)
    assert one.names() == ["test-orders-0", "test-orders-0-old"], "a pause leaves everything as it is"
    one.apply(bridge(**edited))
    one.run(10)
    isSlow[0] = False
    one.run(20)
    assert "ProgressDeadlineExceeded" not in one.reasons()
    assert one.names() == ["test-orders-0"]
    assert one.condition("Ready").status == "True"


def test_a_paused_bridge_whose_manifest_is_deleted_goes(one: Harness) -> None:
    one.apply(bridge(paused=True))
    one.run(5)
    one.apply(bridge("other"))
    one.run(60)
    assert one.names() == []


def test_new_certificates_are_loaded_by_one_replica_after_the_other(three: Harness) -> None:
    before = set(three.engine.byId)
    ready: list[int] = []
    three.engine.certificatesAt = three.clock.now
    three.run(60, watch=lambda: ready.append(three.report().readyReplicas))
    assert [call for call in three.engine.calls if "restart" in call] == [
        f"restart test-orders-{ordinal}" for ordinal in range(3)
    ]
    assert min(ready) == 2
    assert set(three.engine.byId) == before
    assert {event.type for event in three.events if event.reason == "CertificatesChanged"} == {"Normal"}
    assert all(one.restarts == 0 for one in three.report().replicaReports), "nothing has gone wrong"


def test_a_paused_bridge_keeps_its_old_certificates(one: Harness) -> None:
    one.apply(bridge(paused=True))
    one.engine.certificatesAt = one.clock.now
    one.run(30)
    assert one.engine.calls == []


def test_another_restart_time_rolls_every_replica_one_at_a_time(three: Harness) -> None:
    before = set(three.engine.byId)
    away: list[int] = []
    three.apply(bridge(replicas=3, restartedAt="2026-11-26T10:00:00Z"))
    three.run(200, watch=lambda: away.append(3 - sum(one.state == "running" for one in three.engine.byId.values())))
    assert not before & set(three.engine.byId)
    assert max(away) == 1
    assert three.condition("Ready").status == "True"
    calls = len(three.engine.calls)
    three.run(20)
    assert three.engine.calls[calls:] == []
