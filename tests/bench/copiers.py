"""What copies, behind one protocol: the bridge as an operator would run it, and MirrorMaker 2 tuned for this."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Callable, Mapping
from typing import Protocol

from bench.cases import Case
from bench.tools import tool_answer
from bridge_operator.model import DEFAULT_LANES
from support.clusters import Bridge, Clusters
from support.stack import run, wait_until

BRIDGE, MIRROR_MAKER = "bridge", "mirror-maker"
COPIERS = (BRIDGE, MIRROR_MAKER)
START_SECONDS = 180


class Copier(Protocol):
    """One way of copying topics from the source to the target.

    `isWarmed`: one process for all rounds of a case, whose first rounds do not count; each round then has a source
    topic of its own, which becomes visible once the copier knows it.
    """

    @property
    def name(self) -> str: ...

    @property
    def isWarmed(self) -> bool: ...

    def begin(self, case: Case) -> None:
        """Before the rounds of a case."""

    def target_of(self, topic: str, number: int) -> str:
        """What the copy of a source topic in a round is called at the target."""

    def copy(self, topic: str, target: str) -> None:
        """Copy a source topic from now on."""

    def pids(self) -> list[int]:
        """The first process of each of its containers, by the host's number."""

    def crash(self) -> int:
        """SIGKILL, and again as whoever watches over it does; the time of the signal in nanoseconds."""

    def complaint(self) -> str:
        """Why it will never copy another record by itself; empty where nothing is known of that kind."""

    def rest(self) -> None:
        """After a round."""

    def end(self) -> None:
        """After the rounds of a case, whatever came of them."""


class BridgeCopier:
    """A new bridge for each round, as the stack ships it: positions start anew, and no round is warmer than another."""

    isWarmed = False

    def __init__(self, clusters: Clusters, replicas: int = 1) -> None:
        self.name = BRIDGE if replicas == 1 else f"{BRIDGE}-{replicas}-replicas"
        self._clusters = clusters
        self._replicas = replicas
        self._case: Case | None = None
        self._running: list[Bridge] = []
        self._serial = 0

    def begin(self, case: Case) -> None:
        self._case = case

    def target_of(self, topic: str, number: int) -> str:
        return f"{topic}.{self.name}.r{number}"

    def copy(self, topic: str, target: str) -> None:
        assert self._case
        self._serial += 1
        bridge = f"bench-{self._replicas}-{self._serial}"
        topics = [{"name": topic, "targetName": target, "value": self._case.value_format()}]
        for ordinal in range(self._replicas):
            made = self._clusters.bridge(
                bridge, ordinal=ordinal, replicas=self._replicas, lanes=DEFAULT_LANES, topics=topics
            )
            self._running.append(made)

    def pids(self) -> list[int]:
        return [_pid(self._clusters, bridge.name) for bridge in self._running]

    def crash(self) -> int:
        """The first replica, started as soon as it is dead: what the operator does when the engine tells it."""
        bridge = self._running[0]
        killed = _kill(self.pids()[0])
        wait_until(f"{bridge.name} is dead", lambda: not self._is_running(bridge), 20, 0.02)
        bridge.start()
        return killed

    def complaint(self) -> str:
        return ""

    def _is_running(self, bridge: Bridge) -> bool:
        return bool(self._clusters.stack.facts(bridge.name)["State"]["Running"])

    def rest(self) -> None:
        while self._running:
            self._running.pop().remove()

    def end(self) -> None:
        self.rest()


# ---- MirrorMaker 2

# What is tuned, to what, and why: "near" is the source, "far" the target. {codec} is that of the source topic. Settings
# of the worker stand under its target's name, those of the connector under near->far: elsewhere they are passed over.
TUNING: tuple[tuple[str, str, str], ...] = (
    ("near->far.tasks.max", "2", "one for each core of the machine that the figures are known from"),
    ("near.consumer.max.poll.records", "5000", "a poll is a transaction: larger ones commit less often"),
    ("near.consumer.max.partition.fetch.bytes", "4194304", "a poll is not to run dry after 1 MB"),
    ("near.consumer.receive.buffer.bytes", "1048576", "the socket follows the larger fetches"),
    ("far.producer.batch.size", "1000000", "1 MB batches"),
    ("far.producer.linger.ms", "5", "no matter under load, where every commit flushes"),
    ("far.producer.buffer.memory", "67108864", "several batches for every partition"),
    ("far.producer.max.request.size", "8388608", "several 1 MB batches in one request"),
    ("far.producer.send.buffer.bytes", "1048576", "the socket follows the larger requests"),
    ("far.producer.compression.type", "{codec}", "as at the source: lz4, or none where nothing can be compressed"),
    ("near->far.transaction.boundary", "poll", "its default: the lowest latency"),
    ("far.session.timeout.ms", "6000", "the lowest that a broker allows: a dead worker is noticed sooner"),
    ("far.heartbeat.interval.ms", "2000", "a third of it"),
    ("far.rebalance.timeout.ms", "10000", "after a crash its group waits for the dead worker: by default 60 s"),
    ("near->far.refresh.topics.interval.seconds", "5", "finds the next round's topic; idle during a round"),
    ("near->far.refresh.groups.enabled", "false", "not what is measured"),
    ("near->far.sync.topic.configs.enabled", "false", "not what is measured"),
    ("near->far.sync.topic.acls.enabled", "false", "not what is measured"),
    ("near->far.sync.group.offsets.enabled", "false", "not what is measured"),
    ("near->far.emit.checkpoints.enabled", "false", "not what is measured"),
    ("near->far.emit.offset-syncs.enabled", "false", "not what is measured"),
    ("emit.heartbeats.enabled", "false", "not what is measured"),
)
MIRROR_MAKER_HEAP = "-Xms256m -Xmx512m"

# What exactly-once in dedicated mode rests on, and both clusters' mutual TLS.
BASE: Mapping[str, str] = {
    "far.exactly.once.source.support": "enabled",
    "dedicated.mode.enable.internal.rest": "true",
    "listeners": "http://127.0.0.1:8083",
    "near.consumer.isolation.level": "read_committed",
    "replication.policy.class": "org.apache.kafka.connect.mirror.IdentityReplicationPolicy",
    "replication.factor": "1",
    "config.storage.replication.factor": "1",
    "offset.storage.replication.factor": "1",
    "status.storage.replication.factor": "1",
    "checkpoints.topic.replication.factor": "1",
    "heartbeats.topic.replication.factor": "1",
}


def mirror_maker_properties(clusters: Clusters, topics: str, codec: str, alias: str) -> dict[str, str]:
    """`alias` is the source's name and that of the worker group and its topics: a new one knows nothing of others."""
    properties = {"clusters": f"{alias}, far", f"{alias}->far.enabled": "true", f"far->{alias}.enabled": "false"}
    properties[f"{alias}->far.topics"] = topics
    for cluster, side in ((alias, "source"), ("far", "target")):
        properties |= {
            f"{cluster}.bootstrap.servers": clusters.servers("source" if side == "source" else "target"),
            f"{cluster}.security.protocol": "SSL",
            f"{cluster}.ssl.truststore.type": "PEM",
            f"{cluster}.ssl.truststore.location": f"/etc/mirror-maker/tls/{side}/ca.crt",
            f"{cluster}.ssl.keystore.type": "PEM",
            f"{cluster}.ssl.keystore.location": f"/tmp/{side}.pem",
        }
    tuned = {name: value.format(codec=codec) for name, value, _ in TUNING}
    for name, value in {**BASE, **tuned}.items():
        properties[re.sub(r"^near\b", alias, name)] = value
    return properties


class MirrorMakerCopier:
    """One process for all rounds of a case, under `restart: always`: it needs two rounds to get warm."""

    name = MIRROR_MAKER
    isWarmed = True

    def __init__(self, clusters: Clusters) -> None:
        self._clusters = clusters
        self._container = f"{clusters.stack.instance}-mirror-maker"
        self._serial = 0
        self._partitions = 0

    def begin(self, case: Case) -> None:
        self.end()
        self._serial += 1
        self._partitions = case.partitions
        codec = "none" if case.kind == "random" else "lz4"
        pattern = rf"{topic_prefix(case, self.name)}\..*"
        properties = mirror_maker_properties(self._clusters, pattern, codec, f"near{self._serial}")
        text = "\n".join(f"{name}={value}" for name, value in properties.items()).replace("\\", "\\\\")
        stack = self._clusters.stack
        stack.docker(
            "create", "--name", self._container, "--label", f"bridge.kafka/instance={stack.instance}",
            "--restart", "always", "--network", stack.network("network1"), "--user", "10001:10001", "--read-only",
            # Java loads lz4's native part from there.
            "--tmpfs", "/tmp:exec", "--memory", "2g",
            "--env", f"MIRROR_MAKER_PROPERTIES={text}", "--env", f"MIRROR_MAKER_HEAP={MIRROR_MAKER_HEAP}",
            # It makes topics of its own on both sides: it has the brokers' certificates, which no ACL holds back.
            "--volume", f"{stack.instance}_tls-source-kafka:/etc/mirror-maker/tls/source:ro",
            "--volume", f"{stack.instance}_tls-target-kafka:/etc/mirror-maker/tls/target:ro",
            "--log-opt", "max-size=20m", f"{stack.instance}-mirror-maker",
        )  # fmt: skip
        stack.docker("network", "connect", stack.network("network3"), self._container)
        stack.docker("start", self._container)

    def target_of(self, topic: str, number: int) -> str:
        return topic

    def copy(self, topic: str, target: str) -> None:
        """It finds the topic by its pattern and makes it at the target before it reads it."""
        tool_answer(
            self._clusters, "target", "appear", topic, "--partitions", self._partitions, timeoutSeconds=START_SECONDS
        )
        # Its tasks are made anew for it. A round that begins before they are ready only waits for its first record.
        time.sleep(4)

    def pids(self) -> list[int]:
        return [_pid(self._clusters, self._container)]

    def crash(self) -> int:
        return _kill(self.pids()[0])

    def complaint(self) -> str:
        """Connect never starts a task again that has died of an error."""
        log = run("docker", "logs", self._container, wanted=None)
        lines = (log.stdout + log.stderr).splitlines()
        deaths = [number for number, line in enumerate(lines) if "will not recover until manually restarted" in line]
        causes = [line for line in lines[deaths[0] :] if line.startswith("Caused by: ")] if deaths else []
        return f"a task died ({causes[-1].removeprefix('Caused by: ')})" if causes else "a task died" if deaths else ""

    def rest(self) -> None:
        """It goes on."""

    def end(self) -> None:
        self._clusters.stack.docker("rm", "--force", "--volumes", self._container, wanted=None)


def topic_prefix(case: Case, user: str) -> str:
    """Of the topics that a copier has to itself; without characters that mean something in a pattern."""
    return f"bench-{case.name}-{user}"


def _kill(pid: int) -> int:
    """When it was killed: no later than that, and no earlier, or what it still copied would count as recovery."""
    killed = time.time_ns()
    os.kill(pid, signal.SIGKILL)
    return killed


def _pid(clusters: Clusters, container: str) -> int:
    def probe() -> int:
        return int(clusters.stack.facts(container)["State"]["Pid"])

    return wait_until(f"{container} runs", probe, 60, 0.05)


# By the names of --copiers: all that are measured under that name in one case.
MAKERS: Mapping[str, Callable[[Clusters, Case], list[Copier]]] = {
    # Two replicas where there is something to share: one process has one lock for all of its Python.
    BRIDGE: lambda clusters, case: [
        BridgeCopier(clusters, one)
        for one in ((1, 2) if case.measure == "throughput" and case.partitions > 1 else (1,))
    ],
    MIRROR_MAKER: lambda clusters, case: [MirrorMakerCopier(clusters)],
}
