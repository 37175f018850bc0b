"""The benchmark's run: an instance of its own, every case with every copier, a table and raw figures at the end."""

from __future__ import annotations

import argparse
import os
import platform
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import FrameType
from typing import NoReturn

from rich.console import Console

from bench.cases import CASES, QUICK_CASES, SOURCE_SCHEMA, TARGET_SCHEMA, WARMING, Case, Measure, Plan, chosen
from bench.copiers import COPIERS, MAKERS, MIRROR_MAKER, MIRROR_MAKER_HEAP, TUNING, BridgeCopier, Copier
from bench.delays import latency, recovery
from bench.measure import Unreadable
from bench.report import print_table, write_json
from bench.rounds import Bench, CopierBroken, say, throughput, warm_brokers
from bridge_operator.model import DEFAULT_LANES
from support.clusters import INSIDE, Clusters
from support.stack import PROJECT_ROOT, Stack, kept_clean
from support.stack import run as run_command

# Enough for the brokers never to be what is measured first: with 512 MB they collect garbage under 1 GB/s.
BROKERS = {"KAFKA_HEAP_OPTS": "-Xms1g -Xmx1g", "KAFKA_MEMORY_LIMIT": "6g"}
OVERLAY = {"COMPOSE_OVERRIDE": str(PROJECT_ROOT / "tests" / "bench" / "mirror-maker.yaml")}
MEASURES: Mapping[Measure, Callable[[Bench, Case, Copier], None]] = {
    "warming": warm_brokers,
    "throughput": throughput,
    "latency": latency,
    "recovery": recovery,
}


class Parser(argparse.ArgumentParser):
    """Speaks as the project's scripts do."""

    def error(self, message: str) -> NoReturn:
        sys.stderr.write(f"error: {message}; see tests/bench/run --help\n")
        raise SystemExit(2)


def at_least_one(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"a number of at least 1 is needed, found '{text}'")
    return int(text)


def read_arguments() -> argparse.Namespace:
    parser = Parser(add_help=False, allow_abbrev=False)
    parser.add_argument("--rounds", type=at_least_one)
    parser.add_argument("--cases", type=lambda text: text.split(","))
    parser.add_argument("--copiers", type=lambda text: text.split(","), default=list(COPIERS))
    parser.add_argument("--records", type=at_least_one, default=0)
    parser.add_argument("--minutes", type=at_least_one, default=180)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    try:
        arguments.cases = chosen(arguments.cases or (QUICK_CASES if arguments.quick else [one.name for one in CASES]))
    except ValueError as error:
        parser.error(str(error))
    for name in arguments.copiers:
        if name not in MAKERS:
            parser.error(f"there is no copier {name}; there are {', '.join(MAKERS)}")
    if arguments.json and not arguments.json.resolve().parent.is_dir():
        parser.error(f"--json {arguments.json}: there is no folder {arguments.json.resolve().parent}")
    return arguments


def conditions(plan: Plan) -> Iterator[str]:
    """What a reader has to know about the figures."""
    yield (
        f"{os.cpu_count()} cores, {platform.machine()}, kernel {platform.release()}; copiers, both brokers and the "
        f"load share them; mutual TLS on both sides; load at the start {os.getloadavg()[0]:.1f}"
    )
    heap, limit = BROKERS.values()
    yield f"brokers: Kafka 4.3.1, one each, heap {heap}, memory limit {limit}"
    yield f"before everything they had {plan.brokerRounds} times {plan.count(WARMING):,} records: they get faster, too"
    yield "time: from the first record at the target to the last one committed there; every copy was compared"
    yield "source topics: written in one transaction, by librdkafka's default batches with linger 20 ms"
    yield "CPU: of the copier's containers in that time; memory: highest resident set (VmHWM), without page cache"
    yield "latency: the sender's linger of 1 ms included; read_committed consumer; both clocks are this machine's"
    yield "recovery: SIGKILL to the next committed record; bridge: started again at once; mirror-maker: restart: always"
    yield (
        f"bridge: exactly once, its defaults ({DEFAULT_LANES} lanes, commits after 200 ms at the latest), memory limit "
        "512 MB, a new process for every round"
    )
    if MIRROR_MAKER in plan.copiers:
        yield (
            f"{MIRROR_MAKER}: 4.3.1, dedicated, exactly once, heap {MIRROR_MAKER_HEAP}, one process per case; cold is "
            f"its first round; rounds before those that count: {plan.warmRounds}"
        )
        for name, value, why in TUNING:
            yield f"  {name} = {value.format(codec='lz4 or none')}: {why}"


def put_schemas(stack: Stack) -> None:
    """The benchmark's own, into the volume that bridges read."""
    files = [f"/tools/{name}" for name in (SOURCE_SCHEMA, TARGET_SCHEMA)]
    stack.docker(
        "run", "--rm", "--network", "none", "--volume", f"{stack.instance}_schemas:/schemas",
        "--volume", f"{INSIDE}:/tools:ro", f"{stack.instance}-source-producer", "cp", *files, "/schemas/",
    )  # fmt: skip


def measure_case(bench: Bench, case: Case, copier: Copier, attempts: int = 3) -> str | None:
    """The sentence of what went wrong, if something did: one case must not take the others with it.

    A copier that has broken down begins the case anew; that it has is noted beside the figures.
    """
    say(f"{case.name}: {copier.name}")
    before = list(bench.figures)
    try:
        MEASURES[case.measure](bench, case, copier)
    except CopierBroken as error:
        say(f"  {case.name}, {copier.name}: {error}")
        bench.notes.append(f"{case.name}, {copier.name}: {error}; all its rounds were begun anew")
        bench.figures[:] = before
        copier.end()
        bench.forget_topics()
        if attempts > 1:
            return measure_case(bench, case, copier, attempts - 1)
        return f"{case.name}, {copier.name}: {error}, again and again"
    except (AssertionError, Unreadable, OSError, subprocess.SubprocessError, ValueError) as error:
        say(f"  {case.name}, {copier.name} FAILED: {error}\n{last_words(bench.clusters.stack)}")
        return f"{case.name}, {copier.name}: {str(error).splitlines()[0]}"
    finally:
        copier.end()
    return None


def last_words(stack: Stack) -> str:
    """Of the copiers that are there: they tell more than that nothing came."""
    logs = [run_command("docker", "logs", "--tail", "20", name, wanted=None) for name in stack.bridges()]
    return "".join(log.stdout + log.stderr for log in logs)


def run(bench: Bench, deadline: float, save: Callable[[], None]) -> list[str]:
    """All cases, saved one by one; what went wrong or was left out."""
    failure = measure_case(bench, WARMING, BridgeCopier(bench.clusters))
    failures = [failure] if failure else []
    bench.forget_topics()
    for case in bench.plan.cases:
        for family in bench.plan.copiers:
            for copier in MAKERS[family](bench.clusters, case):
                if time.monotonic() > deadline:
                    failures.append(f"{case.name}, {copier.name}: left out, the time of --minutes is over")
                    continue
                failure = measure_case(bench, case, copier)
                if failure:
                    failures.append(failure)
        bench.forget_topics()
        save()
    return failures


def end_by_signal(number: int, _frame: FrameType | None) -> NoReturn:
    # The first one ends the run; a second must not end the cleaning up.
    signal.signal(number, signal.SIG_IGN)
    raise SystemExit(128 + number)


def main() -> int:
    arguments = read_arguments()
    if arguments.check:
        return 0
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, end_by_signal)
    plan = Plan(
        cases=tuple(arguments.cases),
        copiers=tuple(arguments.copiers),
        rounds=arguments.rounds or (1 if arguments.quick else 3),
        records=arguments.records,
        isQuick=arguments.quick,
    )
    deadline = time.monotonic() + 60 * arguments.minutes
    notes, failures = list(conditions(plan)), []
    with kept_clean(Stack(f"kbo-bench-{os.getpid()}", OVERLAY | BROKERS)) as stack:
        say(f"{stack.instance}: {len(plan.cases)} case(s), {' and '.join(plan.copiers)}, {plan.rounds} round(s) each")
        bench = Bench(Clusters(stack), plan)

        def save() -> None:
            if arguments.json:
                write_json(bench.figures, arguments.json)

        try:
            bench.clusters.up()
            put_schemas(stack)
            say("both clusters are up")
            failures = run(bench, deadline, save)
        finally:
            save()
            # Also what there is of a run that was interrupted.
            if bench.figures:
                console = Console(width=None if sys.stdout.isatty() else 160)
                print_table(bench.figures, plan.copiers, [*notes, *bench.notes], console)
    for failure in failures:
        sys.stderr.write(f"error: {failure}\n")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
