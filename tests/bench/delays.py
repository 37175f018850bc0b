"""Delays: from sending to reading while records flow, and from a crash to the next record."""

from __future__ import annotations

import time

from bench.cases import Case
from bench.copiers import Copier, topic_prefix
from bench.rounds import Bench, say, warm_up
from bench.tools import Tool, ToolFailed

FIRST_RECORD_SECONDS, AFTER_CRASH_SECONDS, BEFORE_CRASH_SECONDS = 180, 300, 5
CATCH_UP_SECONDS = 60


def new_topic(bench: Bench, case: Case, copier: Copier, number: int) -> tuple[str, str]:
    """An empty topic that is copied from now on: its name at the source and at the target."""
    topic = f"{topic_prefix(case, copier.name)}.{case.measure}{number}"
    bench.create(topic, case.partitions)
    target = copier.target_of(topic, number)
    bench.topics.add(("target", target))
    copier.copy(topic, target)
    return topic, target


def latency(bench: Bench, case: Case, copier: Copier) -> None:
    """From the stamp that the sender wrote to a read_committed consumer's hands, batching of the sender included."""
    copier.begin(case)
    warm_up(bench, case, copier)
    seconds = bench.plan.latencySeconds
    limit = FIRST_RECORD_SECONDS + CATCH_UP_SECONDS + seconds
    # The first does not count: brokers get faster at small transactions, too, and who comes second would profit.
    for number in range(bench.plan.rounds + 1):
        source, target = new_topic(bench, case, copier, number)
        shape = ("--partitions", case.partitions, "--timeout", limit)
        with (
            Tool(bench.clusters, "target", "latency", target, "--seconds", seconds, *shape) as reader,
            Tool(bench.clusters, "source", "stamp", source, "--rate", case.rate, "--size", case.size, *shape) as sender,
        ):
            found = reader.answer(limit + 30)
            sender.let_go()
            sent = sender.answer(60)
        copier.rest()
        if number == 0:
            continue
        if sent["rate"] < 0.95 * case.rate:
            bench.notes.append(f"{case.name}, {copier.name}: only {sent['rate']:,.0f} records/s could be sent")
        bench.add(copier.name, case, number, p50=(found["p50"], "ms"), p99=(found["p99"], "ms"))
        say(f"  {copier.name}, round {number}: p50 {found['p50']:.1f} ms, p99 {found['p99']:.1f} ms")
        if found["caughtUp"] > 5:
            bench.notes.append(f"{case.name}, {copier.name}: caught up only {found['caughtUp']:.0f} s after it began")


def recovery(bench: Bench, case: Case, copier: Copier) -> None:
    """From SIGKILL to the arrival of the first record that was sent after it: none before it can be meant."""
    copier.begin(case)
    for number in range(1, bench.plan.rounds + 1):
        source, target = new_topic(bench, case, copier, number)
        shape = ("--partitions", case.partitions, "--timeout", FIRST_RECORD_SECONDS + AFTER_CRASH_SECONDS)
        with (
            Tool(bench.clusters, "target", "follow", target, *shape) as reader,
            Tool(bench.clusters, "source", "stamp", source, "--rate", case.rate, "--size", case.size, *shape),
        ):
            reader.answer(FIRST_RECORD_SECONDS)
            time.sleep(BEFORE_CRASH_SECONDS)
            killed = copier.crash()
            seconds = (await_after(reader, killed) - killed) / 1e9
        copier.rest()
        bench.add(copier.name, case, number, recovery=(seconds, "s"))
        say(f"  {copier.name}, round {number}: {seconds:.1f} s from SIGKILL to the next record")


def await_after(reader: Tool, moment: int) -> int:
    """When the first record arrived that was sent after `moment`; both in nanoseconds."""
    deadline = time.monotonic() + AFTER_CRASH_SECONDS
    while (left := deadline - time.monotonic()) > 0:
        line = reader.maybe(left)
        if line and line["sent"] > moment:
            return int(line["arrived"])
    raise ToolFailed(f"no record came within {AFTER_CRASH_SECONDS} s after the crash")
