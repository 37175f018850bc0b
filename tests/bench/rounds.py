"""How one case is measured with one copier: throughput here, delays in `delays`."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from bench.cases import Case, Plan
from bench.copiers import BRIDGE, Copier, topic_prefix
from bench.measure import CpuClock, peak_memory
from bench.report import Figure
from bench.tools import Tool, tool_answer
from support.clusters import Clusters

FILL_SECONDS, COPY_SECONDS, HOLD_SECONDS = 400, 400, 600
# Longer than a round takes: only then it is looked whether who is waited for has given up. Reading a log costs CPU.
LOOK_SECONDS = 60.0
STARTED = time.monotonic()


class CopierBroken(AssertionError):
    """It will never copy another record by itself: the message says why."""


def say(text: str) -> None:
    """Progress, on standard error as the project's scripts do it."""
    print(f"[{time.monotonic() - STARTED:3.0f}s] {text}", file=sys.stderr, flush=True)


@dataclass
class Bench:
    """What all measurements share, and what has come of them."""

    clusters: Clusters
    plan: Plan
    figures: list[Figure] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    topics: set[tuple[str, str]] = field(default_factory=set)
    known: dict[str, dict[str, Any]] = field(default_factory=dict)

    def add(self, copier: str, case: Case, number: int, **values: tuple[float, str]) -> None:
        """Figures of one round: metric=(value, unit)."""
        for metric, (value, unit) in values.items():
            self.figures.append(Figure(copier, case.name, metric, unit, number, value))

    def create(self, topic: str, partitions: int) -> None:
        self.topics.add(("source", topic))
        self.clusters.tool("source", "create", topic, "--partitions", partitions)

    def forget_topics(self) -> None:
        """Delete what a case has made on both sides, so that disks and page cache are the next one's."""
        while self.topics:
            side, topic = self.topics.pop()
            with suppress(AssertionError):
                self.clusters.tool("target" if side == "target" else "source", "delete", topic)
        self.known.clear()


def fill_arguments(case: Case, topic: str, count: int) -> list[str | int]:
    amounts: list[str | int] = [
        "--partitions",
        case.partitions,
        "--count",
        count,
        "--size",
        case.size,
        "--kind",
        case.kind,
    ]
    return ["fill", topic, *amounts, "--timeout", HOLD_SECONDS]


def shared_topic(bench: Bench, case: Case) -> tuple[str, dict[str, Any]]:
    """The source topic of all copiers that need none of their own, filled at its first use, and what it holds."""
    topic = topic_prefix(case, "all")
    if topic not in bench.known:
        bench.create(topic, case.partitions)
        say(f"  filling {topic} with {bench.plan.count(case):,} records")
        with Tool(bench.clusters, "source", *fill_arguments(case, topic, bench.plan.count(case))) as filler:
            filled = filler.answer(FILL_SECONDS)
            filler.answer(90)
        checked = tool_answer(bench.clusters, "source", "check", topic, "--partitions", case.partitions)
        bench.known[topic] = filled | checked
        note_size(bench, case, topic, filled["bytes"])
    return topic, bench.known[topic]


def note_size(bench: Bench, case: Case, topic: str, size: int) -> None:
    """How far the topic's content was compressed, by what the broker has on its disk."""
    stack = bench.clusters.stack
    script = f"cat /var/lib/kafka/data/{topic}-*/*.log | wc -c"
    stored = stack.docker("exec", stack.service("source-kafka"), "sh", "-c", script, timeoutSeconds=60)
    count = bench.plan.count(case)
    bench.notes.append(
        f"{case.name}: {count:,} records of {size / count:.0f} bytes (key and value), {size / 1e6:.0f} MB, "
        f"stored in {int(stored) / 1e6:.1f} MB, {case.partitions} partition{'s' if case.partitions > 1 else ''}"
    )


@contextmanager
def source_ready(bench: Bench, case: Case, copier: Copier, number: int) -> Iterator[tuple[str, Tool | None]]:
    """The source topic of a round; with a tool that commits it, where the copier has to know it before."""
    if not copier.isWarmed:
        yield shared_topic(bench, case)[0], None
        return
    topic = f"{topic_prefix(case, copier.name)}.r{number}"
    bench.create(topic, case.partitions)
    held = [*fill_arguments(case, topic, bench.plan.count(case)), "--hold"]
    with Tool(bench.clusters, "source", *held) as filler:
        filler.answer(FILL_SECONDS)
        yield topic, filler


def copy_once(bench: Bench, case: Case, copier: Copier, number: int) -> dict[str, tuple[float, str]]:
    """One round: from the first record at the target to the last committed. AssertionError where it is not equal."""
    clusters, count = bench.clusters, bench.plan.count(case)
    wanted = shared_topic(bench, case)[1]
    with source_ready(bench, case, copier, number) as (topic, filler):
        target = copier.target_of(topic, number)
        amounts = ("--partitions", case.partitions, "--count", count, "--timeout", COPY_SECONDS)
        with Tool(clusters, "target", "watch", target, *amounts) as watcher:
            watcher.answer(60)
            bench.topics.add(("target", target))
            copier.copy(topic, target)
            with CpuClock(copier.pids()) as clock:
                if filler:
                    filler.go_on()
                seen = await_copy(watcher, copier)
        memory = peak_memory(copier.pids())
    copier.rest()
    isEqual = seen["checksums"] == wanted["checksums"] or (case.isConverted and copier.name.startswith(BRIDGE))
    if seen["records"] != count or not isEqual:
        raise AssertionError(f"{target} holds {seen['records']:,} of {count:,} records, or others than the source")
    seconds = max(seen["ended"] - seen["began"], 0.001)
    return {
        "throughput": (count / seconds, "records/s"),
        "bandwidth": (wanted["bytes"] / 1e6 / seconds, "MB/s"),
        "cpu": (clock.between(seen["began"], seen["ended"]) / count * 1e6, "CPU s/million"),
        "memory": (memory / 1e6, "MB"),
    }


def await_copy(watcher: Tool, copier: Copier) -> dict[str, Any]:
    """What the watcher says once everything is there."""
    deadline = time.monotonic() + COPY_SECONDS + 90
    while time.monotonic() < deadline:
        if found := watcher.maybe(LOOK_SECONDS):
            return found
        if complaint := copier.complaint():
            raise CopierBroken(complaint)
    return watcher.answer(0)


def throughput(bench: Bench, case: Case, copier: Copier) -> None:
    warming = bench.plan.warmRounds if copier.isWarmed else 0
    # Filled before a process is there that would wait for it.
    shared_topic(bench, case)
    copier.begin(case)
    for number in range(1, warming + bench.plan.rounds + 1):
        found = copy_once(bench, case, copier, number)
        name, label = copier.name, f"round {number - warming}"
        if number <= warming:
            name += " (cold)" if number == 1 else " (warming)"
            label = "cold" if number == 1 else "warming"
        bench.add(name, case, number if number <= warming else number - warming, **found)
        told = ", ".join(f"{value:,.1f} {unit}" for value, unit in found.values())
        say(f"  {copier.name}, {label}: {told}")


def copy_uncounted(bench: Bench, case: Case, copier: Copier, rounds: int) -> None:
    for number in range(1, rounds + 1):
        copy_once(bench, case, copier, number)


def warm_up(bench: Bench, case: Case, copier: Copier) -> None:
    """Rounds that nobody counts, for a process that gets faster by them."""
    if copier.isWarmed:
        copy_uncounted(bench, case, copier, bench.plan.warmRounds)
        say(f"  {copier.name} is warm")


def warm_brokers(bench: Bench, case: Case, copier: Copier) -> None:
    """Brokers get faster for minutes, too: who is measured first must not pay for who comes after."""
    copier.begin(case)
    copy_uncounted(bench, case, copier, bench.plan.brokerRounds)
    say(f"  the brokers are warm after {bench.plan.brokerRounds} rounds that nobody counts")
    bench.notes.clear()
