"""An engine that really ends: stopped as its machine's update does it, and killed. Its bridges are started again."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest

from support.pretend_world import World, engine_reachable, make_image, running_world
from support.private_engine import PrivateEngine, StackOnPrivateEngine, private_engine
from support.stack import Stack, wait_until

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("dockerd") is None,
    reason="an engine of their own needs root, and dockerd on this machine",
)


@pytest.fixture(scope="module", name="engine")
def engine_of_their_own() -> Iterator[PrivateEngine]:
    with private_engine() as engine:
        yield engine


@pytest.fixture(scope="module", name="running")
def running_operator(stack: Stack, engine: PrivateEngine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("image")
    stack.compose("build", "bridge", timeoutSeconds=400)
    make_image(stack, folder, 1)
    there = StackOnPrivateEngine(stack.instance, engine)
    there.take_image(f"{stack.instance}-pretend", folder)
    with running_world(there, tmp_path_factory.mktemp("operator")) as world:
        yield world


def running_since(world: World) -> dict[str, tuple[str, str]]:
    """The replicas that run, by name: id and start."""
    return {
        name: (one["Id"], one["State"]["StartedAt"])
        for name, one in world.stack.bridges().items()
        if one["State"]["Running"]
    }


@pytest.mark.parametrize("way", ["stopped", "killed"])
def test_an_engine_that_comes_back_has_its_bridges_back(running: World, engine: PrivateEngine, way: str) -> None:
    wait_until("both run before the test", lambda: len(running_since(running)) == 2, 60)
    before, since = running_since(running), len(running.reasons())

    if way == "stopped":
        engine.stop()
    else:
        engine.kill()
    wait_until("the operator says so", lambda: not engine_reachable(running), 30)
    engine.start()

    wait_until("both were started again", lambda: running.reasons()[since:].count("Restarted") == 2, 40)
    wait_until("both run", lambda: len(running_since(running)) == 2, 10)
    after = running_since(running)
    assert {name: one[0] for name, one in after.items()} == {name: one[0] for name, one in before.items()}
    assert not {one[1] for one in after.values()} & {one[1] for one in before.values()}
    assert running.reasons()[since:] == ["Restarted"] * 2
