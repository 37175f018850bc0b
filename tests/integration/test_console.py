"""The console on a real operator and a real engine, in a real Chromium: what happens to bridges is seen as it happens.

The bridges only pretend to copy (tests/support/inside/pretend_bridge.py).
"""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from support.browser import Visit, origin_of, visit
from support.pretend_world import BRIDGE, NETWORKS, World, process_of
from support.stack import wait_until

SHOWN_WITHIN_SECONDS = 2.0


@pytest.fixture(scope="module", name="world")
def same_world(running: World) -> World:
    return running


@pytest.fixture(name="console")
def open_console(browser: Browser, world: World) -> Iterator[Visit]:
    """A page that says that all is well. Nothing it does is refused, and all it needs comes from the operator."""
    with visit(browser) as visited:
        visited.open(world.url, "#main")
        expect(visited.page.locator("#bridge-orders")).to_have_attribute("data-level", "well", timeout=60_000)
        yield visited
        assert visited.complaints() == []
        assert visited.origins == {origin_of(world.url)}


def test_networks_and_bridges_are_shown_as_they_are(world: World, console: Visit) -> None:
    expect(console.page.locator("#verdict-title")).to_have_text("All is well: 1 bridge copies")
    expect(console.page.locator(".band strong")).to_have_text(NETWORKS)
    expect(console.page.locator("#bridge-orders .replicas")).to_have_text("2 of 2 replicas ready")
    expect(console.page.locator("#events li").filter(has_text="Created")).to_have_count(2)
    console.keep_picture("real-well")


def test_what_is_copied_shows_as_throughput(world: World, console: Visit) -> None:
    speed = console.page.locator("#bridge-orders .chart").last.locator(".value")
    expect(speed).to_have_text("0 records/s", timeout=10_000)
    world.say(counters={"records": 5000})
    expect(speed).to_have_text(re.compile(r"[1-9][\d,]* records/s"), timeout=10_000)


def test_a_killed_replica_shows_within_two_seconds(world: World, console: Visit) -> None:
    """The quicker one of two counts: what else the machine does is not the console's."""
    taken = []
    for ordinal in range(2):
        expect(console.page.locator("#bridge-orders")).to_have_attribute("data-level", "well", timeout=40_000)
        signs = ("#bridge-orders:not([data-level=well])", f".card-note:has-text('Replica {ordinal} was started again')")
        process = process_of(world, ordinal)
        killedAt = time.monotonic()
        os.kill(process, signal.SIGKILL)
        console.page.locator(", ".join(signs)).first.wait_for(timeout=20_000)
        taken.append(time.monotonic() - killedAt)
        console.keep_picture(f"real-killed-{ordinal}")
    print(f"killed replicas have shown after {', '.join(f'{seconds:.2f} s' for seconds in taken)}")
    assert min(taken) < SHOWN_WITHIN_SECONDS
    expect(console.page.locator("#events li").filter(has_text="Restarted")).to_have_count(2, timeout=20_000)


def test_a_wrong_manifest_is_shown_with_its_place(world: World, console: Visit) -> None:
    wrong = BRIDGE.replace("replicas: 2", "replicas: many")
    world.write(wrong)
    line = next(number for number, text in enumerate((world.manifests / "all.yaml").read_text().splitlines(), 1)
                if "replicas: many" in text)  # fmt: skip
    try:
        trouble = console.page.locator("#troubles li")
        expect(trouble).to_contain_text(re.compile(rf"all\.yaml:{line}:\d+: spec\.replicas: found"), timeout=20_000)
        expect(trouble).to_contain_text("orders")
        expect(console.page.locator("#verdict")).to_have_attribute("data-level", "warn")
        expect(console.page.locator("#bridge-orders .replicas")).to_have_text("2 of 2 replicas ready")
        console.keep_picture("real-wrong-manifest")
    finally:
        world.write()
    expect(console.page.locator("#verdict")).to_have_attribute("data-level", "well", timeout=20_000)
    expect(trouble).to_have_count(0)


def test_the_page_goes_on_with_another_operator(world: World, console: Visit) -> None:
    world.stop_operator()
    expect(console.page.locator("#silence-title")).to_contain_text("has not answered since", timeout=10_000)
    world.start_operator()
    expect(console.page.locator("#silence")).to_be_hidden(timeout=20_000)
    expect(console.page.locator("#bridge-orders")).to_have_attribute("data-level", "well", timeout=20_000)
    wait_until("events of the former operator are there", lambda: console.page.locator("#events li").count() >= 2, 10)
