"""Faults that a test makes, and that end with the `with` block: lost packets, cut connections, processes that die."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from support.clusters import INSIDE, TARGET_BROKERS, Clusters, Side
from support.stack import Stack, run, wait_until


def kill_process(stack: Stack, container: str) -> None:
    """End a container's first process as a crash would; `docker kill` would count as a stop by hand."""
    os.kill(int(stack.facts(container)["State"]["Pid"]), signal.SIGKILL)


@contextmanager
def packets_lost(stack: Stack, container: str, network: str) -> Iterator[None]:
    """No packet passes between a container and one of its networks: no reset, no refusal, silence."""
    facts = stack.facts(container)
    endpoint = facts["NetworkSettings"]["Networks"][stack.network(network)]
    subnet = f"{endpoint['IPAddress']}/{endpoint['IPPrefixLen']}"
    inside = ("nsenter", f"--target={facts['State']['Pid']}", "--net", "iptables", "--wait")
    rules = [("INPUT", "--source"), ("OUTPUT", "--destination")]
    for chain, side in rules:
        run(*inside, "--insert", chain, side, subnet, "--jump", "DROP")
    try:
        yield
    finally:
        for chain, side in rules:
            run(*inside, "--delete", chain, side, subnet, "--jump", "DROP", wanted=None)


@contextmanager
def paused(stack: Stack, container: str) -> Iterator[None]:
    """A container that has stopped turning and still holds its connections."""
    stack.docker("pause", container)
    try:
        yield
    finally:
        stack.docker("unpause", container)


def keep_disconnected(stack: Stack, container: str, network: str, seconds: float) -> int:
    """Take a container off a network again as often as somebody puts it back; how often that was."""
    times, deadline = 0, time.monotonic() + seconds
    while time.monotonic() < deadline:
        command = ["docker", "network", "disconnect", "--force", stack.network(network), container]
        times += subprocess.run(command, capture_output=True, check=False, timeout=60).returncode == 0
        time.sleep(0.2)
    return times


def lasts(seconds: float, everySeconds: float, holds: Callable[[], bool]) -> bool:
    """Whether something holds during a whole span of time: what must not happen has no event to wait for."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not holds():
            return False
        time.sleep(everySeconds)
    return True


@contextmanager
def throughout(what: str, holds: Callable[[], bool], everySeconds: float = 0.3) -> Iterator[None]:
    """Something holds for as long as the `with` block lasts, whatever is done in it."""
    isOver, broken = threading.Event(), []

    def watch() -> None:
        began = time.monotonic()
        while not isOver.wait(everySeconds):
            if not holds():
                broken.append(time.monotonic() - began)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield
    finally:
        isOver.set()
        watcher.join()
    assert not broken, f"{what}: not so after {', '.join(f'{seconds:.1f}' for seconds in broken[:10])} s"


# ---- brokers of a cluster with several


def bounce_broker(clusters: Clusters, side: Side, service: str, isHard: bool, timeoutSeconds: float = 240) -> None:
    """End a broker, by SIGKILL or cleanly, and wait until it is back and in sync with all others."""
    stack, container = clusters.stack, clusters.stack.service(service)
    before = stack.facts(container)["State"]["StartedAt"]
    if isHard:
        # The stack's restart policy brings it back.
        kill_process(stack, container)
    else:
        stack.docker("restart", "--time", "30", container)

    def is_back() -> bool:
        state = stack.facts(container)["State"]
        return bool(state["StartedAt"] != before and state["Health"]["Status"] == "healthy")

    wait_until(f"{container} is back", is_back, timeoutSeconds)
    await_in_sync(clusters, side, timeoutSeconds)


def await_in_sync(clusters: Clusters, side: Side, timeoutSeconds: float = 240) -> None:
    """Wait until all brokers are there, and each partition has a leader and all of its replicas in sync."""
    brokers = clusters.brokers if side == "target" else 1
    options = ("--brokers", brokers, "--timeout", timeoutSeconds)
    clusters.tool(side, "await_in_sync", *options, timeoutSeconds=timeoutSeconds + 60)


# ---- connections that break


@dataclass(frozen=True)
class CuttingProxies:
    """One in front of each broker of the target; `hosts` is what a bridge has to see to go through them."""

    stack: Stack
    containers: tuple[str, ...]
    hosts: Mapping[str, str]

    def cuts(self) -> list[dict[str, Any]]:
        """Each cut so far: how many connections, and what was swallowed before."""
        said = "\n".join(self.stack.docker("logs", one) for one in self.containers)
        return [json.loads(line) for line in said.splitlines()]

    def end_cutting(self) -> None:
        for container in self.containers:
            self.stack.docker("kill", "--signal", "USR1", container)


@contextmanager
def target_behind_cutting_proxies(clusters: Clusters, seed: int = 1) -> Iterator[CuttingProxies]:
    """Under the brokers' own names, so that their certificates still hold."""
    stack, containers = clusters.stack, []
    hosts: dict[str, str] = {}
    try:
        for number, broker in enumerate(TARGET_BROKERS[: clusters.brokers]):
            container = f"{stack.instance}-cutting-{broker}"
            containers.append(container)
            stack.docker(
                "run", "--detach", "--init", "--name", container,
                "--label", f"bridge.kafka/instance={stack.instance}", "--network", stack.network("network3"),
                "--volume", f"{INSIDE}:/tools:ro", f"{stack.instance}-source-producer",
                "python", "/tools/cutting_proxy.py", broker, "--seed", str(seed + number),
            )  # fmt: skip
            networks = stack.facts(container)["NetworkSettings"]["Networks"]
            hosts[broker] = networks[stack.network("network3")]["IPAddress"]
        yield CuttingProxies(stack, tuple(containers), hosts)
    finally:
        stack.docker("rm", "--force", *containers, wanted=None)
