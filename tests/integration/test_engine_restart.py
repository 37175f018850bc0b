"""An engine that really ends: stopped as its machine's update does it, and killed. Its bridges are started again."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator

import pytest

from support.pretend_world import World, engine_reachable, expect_heal, make_image, running_world
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


@pytest.mark.parametrize("way", ["stopped", "killed"])
def test_an_engine_that_comes_back_has_its_bridges_back(running: World, engine: PrivateEngine, way: str) -> None:
    wait_until("all is well before the test", running.is_well, 60)
    before = {name: one["Id"] for name, one in running.stack.bridges().items()}
    started = [one["State"]["StartedAt"] for one in running.stack.bridges().values()]
    since = len(running.reasons())

    if way == "stopped":
        engine.stop()
    else:
        engine.kill()
    wait_until("the operator says so", lambda: not engine_reachable(running), 30)
    engine.start()
    answersAt = time.monotonic()

    expect_heal(running, "Restarted", since)
    print(f"well {time.monotonic() - answersAt:.1f} s after the engine answered again")
    bridges = running.stack.bridges()
    assert {name: one["Id"] for name, one in bridges.items()} == before
    assert not {one["State"]["StartedAt"] for one in bridges.values()} & set(started)
    assert running.reasons()[since:] == ["Restarted"] * 2
