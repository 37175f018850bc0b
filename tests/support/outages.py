"""Faults that a test makes, and that end with the `with` block: lost packets, cut networks, processes that die."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from support.stack import Stack, run


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
