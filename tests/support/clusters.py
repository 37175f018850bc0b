"""Two clusters and bridge containers beside them, without an operator: what tests of the bridge itself need.

The clusters are the stack's own services under an instance of their own; bridges are started and stopped by the test.
Topics are filled and read by `inside/kafka_tool.py`, in a container on the cluster's network.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from support.stack import PROJECT_ROOT, Stack, wait_until

INSIDE = Path(__file__).parent / "inside"
THREE_BROKERS = {
    "COMPOSE_OVERRIDE": str(INSIDE / "three-brokers.yaml"),
    "CERTIFICATE_EXTRA_NAMES": "target-kafka=target2-kafka,target3-kafka",
}
TARGET_BROKERS = ("target-kafka", "target2-kafka", "target3-kafka")
Side = Literal["source", "target"]
NETWORKS: Mapping[Side, str] = {"source": "network1", "target": "network3"}
# The tools may do whatever a test asks for: they have the certificates of the brokers.
SECRETS: Mapping[Side, str] = {"source": "tls-source-kafka", "target": "tls-target-kafka"}


@dataclass
class Clusters:
    """`brokers` is the number of the target's: 1 or 3."""

    stack: Stack
    brokers: int = 1
    tools: dict[Side, str] = field(default_factory=dict)

    def up(self) -> None:
        services = ["source-kafka", *TARGET_BROKERS[: self.brokers]]
        self.stack.compose("--profile", "never-started-by-compose", "build", "--quiet", timeoutSeconds=900)
        self.stack.compose("up", "--detach", "--wait", "schemas", *services, timeoutSeconds=300, wanted=None)
        self.stack.compose("up", "--detach", "--wait", *services, timeoutSeconds=300)
        for name in NETWORKS:
            self.stack.compose("run", "--rm", "--no-deps", f"{name}-access", timeoutSeconds=120)
        # Made by its first use in the stack, where the operator is; here nobody else needs it.
        network = self.stack.network("network2")
        label = f"com.docker.compose.project={self.stack.instance}"
        self.stack.docker("network", "create", "--label", label, network, wanted=None)
        for side in ("source", "target"):
            self.tools[side] = self._start_tools(side)

    def servers(self, side: Side) -> str:
        names = ["source-kafka"] if side == "source" else TARGET_BROKERS[: self.brokers]
        return ",".join(f"{name}:9093" for name in names)

    # ---- topics

    def tool(self, side: Side, *arguments: str | int | float, timeoutSeconds: float = 240) -> Any:
        """What kafka_tool says; an error of it is the test's."""
        command = ("exec", self.tools[side], "python", "/tools/kafka_tool.py", "--servers", self.servers(side))
        return json.loads(self.stack.docker(*command, *map(str, arguments), timeoutSeconds=timeoutSeconds))

    def start_tool(self, side: Side, *arguments: str | int | float) -> subprocess.Popen[str]:
        """The same, going on beside the test. Ended by `end_tool`."""
        command = (
            "docker",
            "exec",
            self.tools[side],
            "python",
            "/tools/kafka_tool.py",
            "--servers",
            self.servers(side),
        )
        return subprocess.Popen([*command, *map(str, arguments)], stdout=subprocess.PIPE, text=True)

    def end_tool(self, side: Side, running: subprocess.Popen[str], what: str, timeoutSeconds: float = 60) -> Any:
        """End one that goes on until SIGTERM; `what` is a word of its command line."""
        self.stack.docker("exec", self.tools[side], "python", "/tools/end_process.py", what)
        said, _ = running.communicate(timeout=timeoutSeconds)
        return json.loads(said)

    def digest(self, side: Side, topic: str) -> dict[str, Any]:
        """By partition: records, digest of them all in their order, and the last one's offset; read_committed."""
        answer: dict[str, Any] = self.tool(side, "digest", topic)
        return answer

    def count(self, side: Side, topic: str) -> int:
        return sum(one["records"] for one in self.digest(side, topic).values())

    def await_copy(self, topic: str, target: str | None = None, timeoutSeconds: float = 120) -> dict[str, Any]:
        """Wait until the target has what the source has, each record as it was and in order; the target's digest."""
        source = self.digest("source", topic)

        def probe() -> dict[str, Any] | None:
            found = self.digest("target", target or topic)
            return found if sum(one["records"] for one in found.values()) >= total else None

        total = sum(one["records"] for one in source.values())
        found = wait_until(f"{total} records in {target or topic} at the target", probe, timeoutSeconds, 1.0)
        assert contents(found) == contents(source)
        return found

    # ---- bridges

    def config(self, bridge: str, **changed: Any) -> dict[str, Any]:
        def side(name: Side) -> dict[str, Any]:
            folder = f"/etc/kafka-bridge/tls/{name}"
            tls = {"caFile": "ca.crt", "certificateFile": "tls.crt", "keyFile": "tls.key"}
            files = {key: f"{folder}/{file}" for key, file in tls.items()}
            return {"name": name, "bootstrapServers": self.servers(name), "tls": files}

        return {
            "instance": self.stack.instance,
            "bridge": bridge,
            "ordinal": 0,
            "replicas": 1,
            "lanes": 6,
            "source": side("source"),
            "target": side("target"),
            "topics": [{"name": bridge}],
        } | changed

    def bridge(
        self, bridge: str, *, suffix: str = "", hosts: Mapping[str, str] | None = None, **changed: Any
    ) -> Bridge:
        """Create and start one replica. An older one of that name is removed; one of another suffix goes on.

        `hosts` are addresses by name that the bridge sees in place of the networks' own.
        """
        config = self.config(bridge, **changed)
        made = Bridge(self, f"{self.stack.instance}-{bridge}-{config['ordinal']}{suffix}")
        made.remove()
        stack = self.stack
        stack.docker(
            "create", "--name", made.name, "--label", f"bridge.kafka/instance={stack.instance}",
            "--network", stack.network("network1"), "--user", "10001:10001", "--read-only", "--tmpfs", "/tmp",
            *(f"--add-host={name}:{address}" for name, address in (hosts or {}).items()),
            "--memory", "512m", "--env", f"BRIDGE_CONFIG={json.dumps(config)}",
            "--volume", f"{stack.instance}_tls-bridge-source:/etc/kafka-bridge/tls/source:ro",
            "--volume", f"{stack.instance}_tls-bridge-target:/etc/kafka-bridge/tls/target:ro",
            "--volume", f"{stack.instance}_schemas:/etc/kafka-bridge/schemas:ro",
            f"{stack.instance}-bridge",
        )  # fmt: skip
        for network in ("network2", "network3"):
            stack.docker("network", "connect", stack.network(network), made.name)
        stack.docker("start", made.name)
        return made

    def remove_bridges(self) -> None:
        for name in self.stack.bridges():
            if "-tools-" not in name:
                self.stack.docker("rm", "--force", name, wanted=None)

    def _start_tools(self, side: Side) -> str:
        name, instance = f"{self.stack.instance}-tools-{side}", self.stack.instance
        self.stack.docker("rm", "--force", name, wanted=None)
        self.stack.docker(
            "run", "--detach", "--init", "--name", name, "--label", f"bridge.kafka/instance={instance}",
            "--network", self.stack.network(NETWORKS[side]), "--volume", f"{INSIDE}:/tools:ro",
            "--volume", f"{instance}_{SECRETS[side]}:/etc/kafka/tls:ro", f"{instance}-source-producer",
            "sleep", "infinity",
        )  # fmt: skip
        return name


def contents(digest: Mapping[str, Any]) -> dict[str, tuple[int, str]]:
    """What two topics must have in common: offsets may differ."""
    return {partition: (one["records"], one["digest"]) for partition, one in digest.items()}


@dataclass(frozen=True)
class Bridge:
    """One bridge container, driven by hand."""

    clusters: Clusters
    name: str

    def status(self) -> dict[str, Any]:
        """/status, or {} while it does not answer."""
        try:
            with urllib.request.urlopen(f"http://{self.address()}:8080/status", timeout=5) as answer:
                status: dict[str, Any] = json.load(answer)
                return status
        except OSError:
            return {}

    def address(self) -> str:
        """Where it can be asked from this machine."""
        network = self.clusters.stack.network("network2")
        return str(self._facts()["NetworkSettings"]["Networks"][network]["IPAddress"])

    def is_ready(self) -> bool:
        return bool(self.status().get("ready"))

    def await_ready(self, timeoutSeconds: float = 90) -> None:
        wait_until(f"{self.name} is ready", self.is_ready, timeoutSeconds, 0.2)

    def await_failure(self, timeoutSeconds: float = 60) -> tuple[str, str]:
        """Reason and message of the first lane that has failed."""

        def probe() -> dict[str, Any] | None:
            return next((lane for lane in self.status().get("lanes", ()) if lane["state"] == "Failed"), None)

        lane = wait_until(f"a lane of {self.name} has failed", probe, timeoutSeconds, 0.2)
        return lane["reason"], lane["message"]

    def records(self) -> int:
        return int(self.status().get("counters", {}).get("records", 0))

    def positions(self) -> dict[tuple[str, int], int]:
        return {(one["topic"], one["partition"]): one["position"] for one in self.status().get("partitions", ())}

    def signal(self, number: signal.Signals) -> None:
        """To its first process, by the host's number: SIGKILL is a crash, SIGSTOP a zombie to be."""
        pid = self._facts()["State"]["Pid"]
        assert pid, f"{self.name} does not run"
        os.kill(pid, number)

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        wait_until(f"{self.name} is dead", lambda: not self._facts()["State"]["Running"], 20, 0.05)

    def stop(self) -> int:
        """As the operator does it; the exit code."""
        self.clusters.stack.docker("stop", "--time", "15", self.name)
        return int(self._facts()["State"]["ExitCode"])

    def start(self) -> None:
        self.clusters.stack.docker("start", self.name)

    def remove(self) -> None:
        self.clusters.stack.docker("rm", "--force", "--volumes", self.name, wanted=None)

    def logs(self) -> str:
        done = subprocess.run(["docker", "logs", self.name], capture_output=True, text=True, check=False, timeout=30)
        return done.stdout + done.stderr

    def _facts(self) -> dict[str, Any]:
        return self.clusters.stack.facts(self.name)


__all__ = ["PROJECT_ROOT", "TARGET_BROKERS", "THREE_BROKERS", "Bridge", "Clusters", "Side", "contents"]
