"""What passes see of the engine: all that had happened when they were asked for, by no more calls than needed."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge_operator.engine import EngineError
from bridge_operator.engine_survey import FACTS_FRESH_SECONDS, FRESH_SECONDS, Surveyor
from support.fake_engine import FakeClock, FakeEngine
from support.operator_harness import Harness, bridge

NAMES = [f"bridge-{number}" for number in range(30)]


class Counted:
    """A surveyor over an engine with three bridges of one container each; `lists` are the lists that were asked for."""

    def __init__(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.harness = Harness(tmp_path, *(bridge(name) for name in NAMES[:3]))
        for name in NAMES[:3]:
            self.harness.run(10, name)
        self.engine: FakeEngine = self.harness.engine
        self.clock: FakeClock = self.harness.clock
        self.lists: list[str | None] = []
        listed = self.engine.containers

        def containers(of: str | None = None) -> object:
            self.lists.append(of)
            return listed(of)

        monkeypatch.setattr(self.engine, "containers", containers)
        self.surveyor = Surveyor(self.engine, self.harness.facts, self.clock)


@pytest.fixture(name="counted")
def counted_surveyor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Counted:
    return Counted(tmp_path, monkeypatch)


def test_a_survey_serves_whoever_was_asked_for_before_it(counted: Counted) -> None:
    asked = counted.clock.now
    counted.clock.advance(1)
    counted.surveyor.survey()
    for name in NAMES[:3]:
        for isForMany in (False, True):
            found = counted.surveyor.look(name, asked, isForMany)
            assert [one.bridge for one in found.containers] == [name]
            assert set(found.facts.networks) == {"network1", "network2", "network3"}
    assert counted.surveyor.look("nobody", asked, isForMany=False).containers == ()
    assert counted.lists == [None]


def test_whoever_was_asked_for_after_it_looks_anew(counted: Counted) -> None:
    counted.surveyor.survey()
    counted.clock.advance(1)
    counted.engine.crash(f"test-{NAMES[0]}-0")
    found = counted.surveyor.look(NAMES[0], counted.clock.now, isForMany=False)
    assert [one.state for one in found.containers] == ["exited"]
    assert counted.lists == [None, NAMES[0]]


def test_one_of_many_looks_for_all(counted: Counted) -> None:
    for name in NAMES[:3]:
        assert counted.surveyor.look(name, counted.clock.now, isForMany=True).containers
    assert counted.lists == [None]


def test_an_engine_that_does_not_answer_leaves_no_half_survey(counted: Counted) -> None:
    counted.engine.reachable = False
    with pytest.raises(EngineError):
        counted.surveyor.look(NAMES[0], counted.clock.now, isForMany=True)
    counted.engine.reachable = True
    assert counted.surveyor.look(NAMES[0], counted.clock.now, isForMany=True).containers


def test_what_is_old_is_not_acted_upon(counted: Counted) -> None:
    """By the time its turn comes, somebody else has put right what the survey found wrong."""
    harness = counted.harness
    counted.engine.crash(f"test-{NAMES[0]}-0")
    asked = counted.clock.now
    harness.surveyor.survey()
    counted.clock.advance(FRESH_SECONDS * 2)
    counted.engine.start(counted.engine.named(f"test-{NAMES[0]}-0").id)
    counted.engine.calls.clear()
    harness.controller.reconcile(NAMES[0], asked, isOneOfMany=True)
    assert counted.engine.calls == []
    assert counted.lists == [None, NAMES[0]]


def test_a_survey_begun_amid_an_action_does_not_serve_the_pass_after_it(
    counted: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    harness, asked = counted.harness, counted.clock.now
    unpause = counted.engine.unpause

    def unpause_slowly(containerId: str) -> None:
        counted.clock.advance(FRESH_SECONDS / 4)
        harness.surveyor.survey()
        counted.clock.advance(FRESH_SECONDS / 4)
        unpause(containerId)

    monkeypatch.setattr(counted.engine, "unpause", unpause_slowly)
    counted.engine.named(f"test-{NAMES[0]}-0").state = "paused"
    counted.engine.calls.clear()
    for _ in range(2):
        harness.controller.reconcile(NAMES[0], asked)
    assert counted.engine.calls == [f"unpause test-{NAMES[0]}-0"]


def test_before_it_acts_a_pass_looks_at_its_containers_alone(counted: Counted) -> None:
    survey = counted.surveyor.look(NAMES[0], counted.clock.now, isForMany=False)
    counted.engine.crash(f"test-{NAMES[0]}-0")
    counted.engine.remake_network("network1")
    reads = counted.engine.reads
    counted.clock.advance(FACTS_FRESH_SECONDS)
    again = counted.surveyor.look_again(NAMES[0], survey)
    assert ([one.state for one in again.containers], again.facts) == (["exited"], survey.facts)
    assert counted.engine.reads == reads + 1
    counted.clock.advance(0.1)
    assert counted.surveyor.look_again(NAMES[0], survey).facts != survey.facts
    assert counted.engine.reads == reads + 1 + 4


def test_a_resync_with_nothing_to_do_costs_one_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    harness = Harness(tmp_path, *(bridge(name, replicas=0) for name in NAMES))
    for name in NAMES:
        harness.run(3, name)
    reads = harness.engine.reads
    asked = harness.clock.now
    harness.surveyor.survey()
    for name in NAMES:
        harness.clock.advance(0.5)
        assert harness.controller.reconcile(name, asked, isOneOfMany=True) is None
    # Containers, networks, volumes, image.
    assert harness.engine.reads == reads + 4
