"""One story, told to the real engine and to the fake of the unit tests: both have to answer alike.

What the operator is proven to do in thousands of histories is proven on the fake; this holds the fake to the engine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from bridge_operator.desired import ContainerSpec, EngineFacts, Limits, render
from bridge_operator.docker_engine import DockerEngine
from bridge_operator.engine import Container, Engine, EngineError
from support.fake_engine import FakeClock, FakeEngine
from support.operator_harness import CLUSTERS, bridge
from support.sleeper import build_sleeper
from support.stack import Stack, wait_until

NETWORKS, VOLUMES = ("network1", "network2", "network3"), ("tls-bridge-source", "tls-bridge-target")
MEGABYTE = 2**20
OTHER_LIMITS = Limits(128 * MEGABYTE, 400_000_000, 50)


@dataclass
class Teller:
    """Writes down what an engine answers, in words without its ids and times. `wanted` is what another has told."""

    engine: Engine
    instance: str
    image: str
    wanted: Sequence[str] = ()
    told: list[str] = field(default_factory=list)

    def spec(self, **changes: object) -> ContainerSpec:
        engine, source, target = self.engine, CLUSTERS["source"], CLUSTERS["target"]
        facts = EngineFacts(engine.networks(), engine.volumes(), engine.image_id(self.image), {})
        wanted = bridge("orders", **changes)
        [spec] = render(wanted, source, target, facts, self.instance, self.image, "network2", "schemas").specs
        # The sleeper needs none of the bridge's own programs to be well.
        return replace(spec, healthCommand=("true",))

    def note(self, what: str, answer: object = "done") -> None:
        self.told.append(f"{what}: {answer}")

    def do(self, what: str, call: Callable[[], object]) -> None:
        """Call, and look at what is there then. The engine's list may be a moment behind its calls."""
        try:
            call()
            answer = "done"
        except EngineError as error:
            answer = type(error).__name__
        told = len(self.told)
        wanted = self.wanted[told] if told < len(self.wanted) else None

        def line() -> str:
            return f"{what}: {answer}; {self.picture()}"

        if wanted is None:
            self.told.append(line())
            return
        try:
            wait_until("the list says so", lambda: line() == wanted, 5, 0.1)
            self.told.append(wanted)
        except AssertionError:
            self.told.append(line())

    def picture(self) -> str:
        """Every container: its name, its state, how it ended, and the networks that it is attached to."""
        networks = {engineName: (name, networkId) for name, (networkId, engineName) in self.engine.networks().items()}

        def attachment(name: str, networkId: str) -> str:
            known, currentId = networks.get(name, (name, ""))
            return known if networkId in ("", currentId) else f"a former {known}"

        def words(one: Container) -> str:
            ended = "" if one.exitCode is None else f" {one.exitCode}"
            attached = sorted(attachment(name, at.networkId) for name, at in one.endpoints.items())
            name = one.name.removeprefix(f"{self.instance}-")
            return f"{name} {one.state}{ended} of generation {one.generation} on {', '.join(attached) or 'nothing'}"

        return "; ".join(sorted(map(words, self.engine.containers("orders")))) or "nothing there"


def tell_story(teller: Teller) -> list[str]:
    """What the operator does to containers over their lives, and what it may do too late or twice."""
    engine = teller.engine
    old, new = teller.spec(), teller.spec(commitIntervalMs=500)
    network, name = old.networks[0], old.name
    teller.do("create", lambda: engine.create(old, 1))
    [first] = [one.id for one in engine.containers("orders")]
    teller.note("created again, it is the same", engine.create(old, 1) == first)
    teller.do("create another of its name", lambda: engine.create(new, 2))
    teller.do("stop what never ran", lambda: engine.stop(first))
    teller.do("unpause what does not run", lambda: engine.unpause(first))
    teller.do("start", lambda: engine.start(first))
    teller.do("start again", lambda: engine.start(first))
    teller.do("unpause what is not paused", lambda: engine.unpause(first))
    teller.note("limits are as wanted", engine.limits(first) == old.limits)
    teller.do("set limits", lambda: engine.set_limits(first, OTHER_LIMITS))
    teller.note("limits are as set", engine.limits(first) == OTHER_LIMITS)
    teller.do("disconnect", lambda: engine.disconnect(first, network.engineName))
    teller.do("connect", lambda: engine.connect(first, network.networkId, network.aliases))
    teller.do("connect again", lambda: engine.connect(first, network.networkId, network.aliases))
    teller.do("connect to what is not there", lambda: engine.connect(first, "0" * 64, ()))
    teller.do("restart", lambda: engine.restart(first))
    teller.do("stop", lambda: engine.stop(first))
    teller.do("stop again", lambda: engine.stop(first))
    teller.do("disconnect while stopped", lambda: engine.disconnect(first, network.engineName))
    teller.do("connect while stopped", lambda: engine.connect(first, network.networkId, network.aliases))
    teller.do("rename", lambda: engine.rename(first, f"{name}-old"))
    teller.do("create a successor", lambda: engine.create(new, 2))
    [second] = [one.id for one in engine.containers("orders") if one.name == name]
    teller.do("start the successor", lambda: engine.start(second))
    teller.do("rename to a name that is taken", lambda: engine.rename(first, name))
    teller.do("remove the predecessor", lambda: engine.remove(first))
    teller.do("stop the successor", lambda: engine.stop(second))
    teller.do("restart what was stopped", lambda: engine.restart(second))
    teller.do("remove what runs", lambda: engine.remove(second))
    for what, call in (
        ("start", engine.start),
        ("stop", engine.stop),
        ("restart", engine.restart),
        ("remove", engine.remove),
        ("unpause", engine.unpause),
        ("limits", engine.limits),
    ):
        teller.do(f"{what} what is gone", lambda call=call: call(second))  # type: ignore[misc]
    teller.do("rename what is gone", lambda: engine.rename(second, f"{name}-old"))
    teller.do("set limits of what is gone", lambda: engine.set_limits(second, OTHER_LIMITS))
    teller.do("connect what is gone", lambda: engine.connect(second, network.networkId, ()))
    teller.do("disconnect what is gone", lambda: engine.disconnect(second, network.engineName))
    return teller.told


@pytest.fixture(name="engine")
def real_engine(stack: Stack) -> Iterator[DockerEngine]:
    engine = DockerEngine(stack.engine_url(), stack.instance, 3)
    for name in NETWORKS:
        stack.make_network(name)
    for name in VOLUMES:
        stack.make_volume(name)
    yield engine
    for container in engine.containers():
        stack.docker("rm", "--force", container.id, wanted=None)
    for name in NETWORKS:
        stack.docker("network", "rm", stack.network(name), wanted=None)


def test_the_fake_answers_as_the_engine_does(stack: Stack, engine: DockerEngine, tmp_path: Path) -> None:
    fake = tell_story(Teller(FakeEngine(FakeClock()), "test", "image"))
    real = tell_story(Teller(engine, stack.instance, build_sleeper(stack, tmp_path), fake))
    assert real == fake
    assert len([line for line in real if "Engine" in line]) > 12, "it went wrong where it had to"
