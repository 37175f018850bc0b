"""What the operator costs and how quick it is: an operator in a process of its own, on the real engine."""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.main import end_by_signal
from bench.report import Figure, write_json
from bench.rounds import say
from bridge_operator.desired import ContainerSpec, EngineFacts, render
from bridge_operator.docker_engine import DockerEngine
from bridge_operator.engine import BRIDGE_LABEL, INSTANCE_LABEL
from support.engine_door import EngineDoor
from support.manifests import CLUSTER
from support.operator_harness import CLUSTERS, bridge
from support.stack import Stack, kept_clean, run, wait_until

NETWORKS = ("network1", "network2", "network3")
VOLUMES = ("tls-bridge-source", "tls-bridge-target")
DOCKERFILE = 'FROM debian:trixie-slim\nENTRYPOINT ["sleep", "infinity"]\n'
# As the operator has workers; with 16 the engine was no quicker.
BARE_WORKERS = 4
IDLE_RESYNC_SECONDS, IDLE_RESYNCS = 15, 4
# Shorter than it takes to be called unhealthy and started anew.
WATCHED_SECONDS = 20
BRIDGE = """
apiVersion: bridge.kafka/v1alpha1
kind: KafkaBridge
metadata: {{name: {name}}}
spec:
  source: {{cluster: source}}
  target: {{cluster: target}}
  topics: [{{name: {name}}}]
  replicas: {replicas}
"""


class Scale:
    """An instance of its own, what has been measured in it, and what there is to say about that."""

    def __init__(self, stack: Stack, folder: Path) -> None:
        self.stack = stack
        self.folder = folder
        self.figures: list[Figure] = []
        host = stack.engine_url()
        self.engineSocket = host
        self.engine = DockerEngine(host, stack.instance, 1)
        self.image = f"{stack.instance}-idle"

    def add(self, who: str, case: str, metric: str, unit: str, number: int, value: float) -> None:
        self.figures.append(Figure(who, case, metric, unit, number, value))

    def prepare(self) -> None:
        label = f"com.docker.compose.project={self.stack.instance}"
        (self.folder / "Dockerfile").write_text(DOCKERFILE)
        self.stack.docker("build", "--quiet", "--tag", self.image, "--label", label, str(self.folder))
        for name in NETWORKS:
            self.stack.make_network(name)
        for name in VOLUMES:
            self.stack.make_volume(name)

    def clean(self) -> None:
        for name in self.stack.bridges():
            self.stack.docker("rm", "--force", name, wanted=None)
        for name in NETWORKS:
            self.stack.docker("network", "rm", self.stack.network(name), wanted=None)

    def specs(self, count: int) -> list[ContainerSpec]:
        """The containers that the operator would make of as many bridges."""
        facts = EngineFacts(self.engine.networks(), self.engine.volumes(), self.engine.image_id(self.image), {})
        source, target = CLUSTERS["source"], CLUSTERS["target"]
        desired = [
            render(bridge(f"b{number}"), source, target, facts, self.stack.instance, self.image, "network2", "schemas")
            for number in range(count)
        ]
        return [spec for one in desired for spec in one.specs]

    def running(self) -> int:
        return sum(one.state == "running" for one in self.engine.containers())


class Operator:
    """The daemon as its container runs it, in a process of this machine."""

    def __init__(self, scale: Scale, name: str, socket: str, resyncSeconds: int = 120) -> None:
        self.folder = scale.folder / name
        self.manifests = self.folder / "manifests"
        for each in ("manifests", "schemas", "state"):
            (self.folder / each).mkdir(parents=True)
        settings = {
            "INSTANCE": scale.stack.instance,
            "BRIDGE_IMAGE": scale.image,
            "MANIFESTS_DIR": self.manifests,
            "SCHEMAS_DIR": self.folder / "schemas",
            "STATE_DIR": self.folder / "state",
            "ENGINE_SOCKET": socket,
            "HTTP_ADDRESS": "127.0.0.1",
            "HTTP_PORT": 18_080,
            "RESYNC_SECONDS": resyncSeconds,
            "REMOVE_GRACE_SECONDS": 0,
            "STOP_GRACE_SECONDS": 1,
            "CRASH_BACKOFF_FIRST_SECONDS": 0.001,
            "CRASH_BACKOFF_MAX_SECONDS": 0.001,
            "LOG_LEVEL": "WARNING",
        }
        environment = os.environ | {f"OPERATOR_{key}": str(value) for key, value in settings.items()}
        self._log = (self.folder / "log").open("wb")
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "bridge_operator.daemon"], env=environment, stderr=self._log
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    def write(self, count: int, replicas: int) -> None:
        """All at once, as an editor saves: a file for each bridge."""
        for name, network in (("source", "network1"), ("target", "network3")):
            (self.manifests / f"{name}.yaml").write_text(CLUSTER.format(name=name, network=network))
        for number in range(count):
            name = f"b{number}"
            (self.manifests / f"{name}.yaml").write_text(BRIDGE.format(name=name, replicas=replicas))

    def forget(self) -> None:
        for file in self.manifests.glob("b*.yaml"):
            file.unlink()

    def cpu_seconds(self) -> float:
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def peak_megabytes(self) -> float:
        found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{self._process.pid}/status").read_text())
        assert found is not None
        return int(found[1]) / 1024

    def known(self) -> int:
        """How many bridges its report tells of."""
        file = self.folder / "state" / "status.json"
        return file.read_text().count('"observedGeneration"') if file.exists() else 0

    def end(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._log.close()


@contextmanager
def running_operator(scale: Scale, name: str, socket: str = "", resyncSeconds: int = 120) -> Iterator[Operator]:
    one = Operator(scale, name, socket or scale.engineSocket, resyncSeconds)
    try:
        yield one
    finally:
        one.end()


def measure_idle(scale: Scale, bridges: int) -> None:
    """Over some resyncs, and over as long a time without one: the difference is theirs."""
    say(f"idle: {bridges} bridges with nothing to do")
    door = EngineDoor(scale.engineSocket.removeprefix("unix://"), scale.folder / "engine.sock")
    door.open()
    span = IDLE_RESYNC_SECONDS * IDLE_RESYNCS
    try:
        spent = {}
        for name, resync in (("resyncs", IDLE_RESYNC_SECONDS), ("none", 3600)):
            with running_operator(scale, f"idle-{name}", door.url, resync) as one:
                one.write(bridges, 0)
                wait_until("the operator knows all of them", lambda one=one: one.known() >= bridges, 120)  # type: ignore[misc]
                time.sleep(10)
                calls, began = len(door.requests), one.cpu_seconds()
                time.sleep(span)
                spent[name] = one.cpu_seconds() - began
                made = [call for call in door.requests[calls:] if "/containers/json" in call]
                scale.add("operator", f"idle {name}", "lists", "calls", 1, len(made))
                memory = one.peak_megabytes()
        seconds = max(0.0, spent["resyncs"] - spent["none"]) / IDLE_RESYNCS
        scale.add("operator", "idle", "CPU of a resync", "s", 1, seconds)
        share = (spent["none"] / span + seconds / 120) * 100
        scale.add("operator", "idle", "CPU, one resync in 120 s", "% of a core", 1, share)
        scale.add("operator", "idle", "memory", "MB", 1, memory)
    finally:
        door.shut()


def timed(scale: Scale, count: int, begin: Callable[[], object]) -> float:
    """Seconds from the call until as many containers run."""
    began = time.monotonic()
    begin()
    wait_until(f"{count} containers run", lambda: scale.running() >= count, 120, 0.05)
    return time.monotonic() - began


def remove_all(scale: Scale) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda one: scale.engine.remove(one.id), scale.engine.containers()))
    wait_until("all are gone", lambda: not scale.engine.containers(), 60)


def bare_calls(scale: Scale, specs: Sequence[ContainerSpec]) -> None:
    with ThreadPoolExecutor(BARE_WORKERS) as pool:
        list(pool.map(lambda spec: scale.engine.start(scale.engine.create(spec, 1)), specs))


def compose_file(scale: Scale, specs: Sequence[ContainerSpec]) -> Path:
    """The same containers, as Compose has them written. JSON is YAML, too."""
    document = {
        "services": {spec.bridge: compose_service(scale, spec) for spec in specs},
        "networks": {name: {"external": True, "name": scale.stack.network(name)} for name in NETWORKS},
        "volumes": {name: {"external": True, "name": f"{scale.stack.instance}_{name}"} for name in VOLUMES},
    }
    file = scale.folder / "compose.yaml"
    # Compose replaces what looks like a variable.
    file.write_text(json.dumps(document).replace("$", "$$"))
    return file


def compose_service(scale: Scale, spec: ContainerSpec) -> dict[str, Any]:
    return {
        "image": spec.image,
        "container_name": spec.name,
        "user": spec.user,
        "environment": dict(spec.environment),
        "networks": list(NETWORKS),
        "volumes": [f"{name}:/etc/kafka-bridge/tls/{name.removeprefix('tls-bridge-')}:ro" for name in VOLUMES],
        "labels": {INSTANCE_LABEL: scale.stack.instance, BRIDGE_LABEL: spec.bridge},
        "read_only": True,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "tmpfs": ["/tmp:mode=1777,size=16m"],
        "mem_limit": spec.limits.memoryBytes,
        "memswap_limit": spec.limits.memoryBytes,
        "cpus": spec.limits.nanoCpus / 1e9,
        "pids_limit": spec.limits.pids,
        "logging": {"driver": "json-file", "options": {"max-size": "10m", "max-file": "3"}},
        # The engine looks at each as it starts, which takes more of it than one would think.
        "healthcheck": {
            "test": ["CMD", *spec.healthCommand],
            "interval": "10s",
            "timeout": "5s",
            "retries": 3,
            "start_period": "30s",
        },
    }


def measure_convergence(scale: Scale, count: int, rounds: int) -> None:
    say(f"converge: {count} containers, {rounds} rounds")
    specs = scale.specs(count)
    file = compose_file(scale, specs)
    up = ("docker", "compose", "--project-name", f"{scale.stack.instance}-compose", "--file", str(file), "up", "-d")
    with running_operator(scale, "converge") as one:
        one.write(0, 0)
        time.sleep(3)

        def by_operator() -> None:
            one.write(count, 1)

        ways: dict[str, Callable[[], object]] = {
            "operator": by_operator,
            "compose up -d": lambda: run(*up),
            "bare calls": lambda: bare_calls(scale, specs),
        }
        for number in range(1, rounds + 1):
            for who, begin in ways.items():
                if who != "operator":
                    # What it finds of that instance it would take for its own.
                    one.forget()
                    os.kill(one.pid, signal.SIGSTOP)
                seconds = timed(scale, count, begin)
                scale.add(who, "converge", f"{count} containers", "s", number, seconds)
                say(f"  {who}, round {number}: {seconds:.1f} s")
                if who == "operator":
                    one.forget()
                else:
                    remove_all(scale)
                wait_until("all are gone", lambda: not scale.engine.containers(), 60)
                os.kill(one.pid, signal.SIGCONT)


def measure_watching(scale: Scale, count: int) -> None:
    """What it costs to have containers that run, and to ask each for its status; these refuse to answer."""
    say(f"watch: {count} containers that run")
    with running_operator(scale, "watch") as one:
        one.write(count, 1)
        wait_until("they run", lambda: scale.running() == count, 120)
        time.sleep(5)
        began = one.cpu_seconds()
        time.sleep(WATCHED_SECONDS)
        share = (one.cpu_seconds() - began) / WATCHED_SECONDS * 100
        scale.add("operator", "watch", f"CPU, {count} containers", "% of a core", 1, share)
        one.forget()
        wait_until("all are gone", lambda: not scale.engine.containers(), 60)


def measure_heals(scale: Scale, kills: int, containers: int = 10) -> None:
    """From SIGKILL to the engine's own time of the next start."""
    say(f"heal: {kills} kills")
    with running_operator(scale, "heal") as one:
        one.write(containers, 1)
        wait_until("they run", lambda: scale.running() == containers, 60)
        names = [spec.name for spec in scale.specs(containers)]
        for number in range(kills):
            name = names[number % containers]
            state = scale.stack.facts(name)["State"]
            killed = time.time()
            os.kill(int(state["Pid"]), signal.SIGKILL)

            def started(name: str = name, before: str = state["StartedAt"]) -> str:
                now = scale.stack.facts(name)["State"]
                return str(now["StartedAt"]) if now["Running"] and now["StartedAt"] != before else ""

            at = wait_until(f"{name} runs again", started, 30, 0.05)
            scale.add("operator", "heal", "SIGKILL to start", "s", number + 1, epoch(at) - killed)


def epoch(moment: str) -> float:
    """An engine's time (nanoseconds, UTC) in seconds since the epoch."""
    whole, _, fraction = moment.rstrip("Z").partition(".")
    return time.mktime(time.strptime(whole, "%Y-%m-%dT%H:%M:%S")) - time.timezone + float(f"0.{fraction or 0}")


def print_figures(figures: Sequence[Figure], console: Console) -> None:
    table = Table(title="The operator's cost and speed", title_justify="left")
    for name in ("case", "metric", "unit", "who", "median", "p99", "lowest to highest", "rounds"):
        table.add_column(name, justify="right" if name in ("median", "p99", "rounds") else "left")
    for case, metric, unit, who in dict.fromkeys((one.case, one.metric, one.unit, one.copier) for one in figures):
        values = sorted(one.value for one in figures if (one.case, one.metric, one.copier) == (case, metric, who))
        p99 = f"{values[-max(1, round(len(values) / 100))]:.2f}" if len(values) >= 100 else ""
        spread = f"{values[0]:.2f} to {values[-1]:.2f}" if len(values) > 1 else ""
        table.add_row(case, metric, unit, who, f"{statistics.median(values):.2f}", p99, spread, str(len(values)))
    console.print(table)


def main() -> int:
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    for name, default in (("--rounds", 3), ("--bridges", 500), ("--containers", 50), ("--kills", 100)):
        parser.add_argument(name, type=int, default=default)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, end_by_signal)
    with kept_clean(Stack(f"kbo-scale-{os.getpid()}")) as stack, tempfile.TemporaryDirectory() as folder:
        scale = Scale(stack, Path(folder))
        try:
            scale.prepare()
            measure_idle(scale, arguments.bridges)
            measure_convergence(scale, arguments.containers, arguments.rounds)
            measure_watching(scale, arguments.containers)
            measure_heals(scale, arguments.kills)
        except (AssertionError, OSError, subprocess.SubprocessError) as error:
            sys.stderr.write(f"error: {error}\n")
            return 1
        finally:
            scale.clean()
            if arguments.json:
                write_json(scale.figures, arguments.json)
            print_figures(scale.figures, Console(width=None if sys.stdout.isatty() else 160))
    return 0


if __name__ == "__main__":
    sys.exit(main())
