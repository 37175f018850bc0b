"""One trial: a topic that is being filled, a bridge that copies it, a consumer that reads along, and the verdict."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kafka_bridge.lanes import lane_of
from kafka_bridge.positions import bridge_id, positions_topic, transactional_id
from support.clusters import Bridge, Clusters, Side
from support.stack import wait_until

PARTITIONS = LANES = 6
# Small transactions of several requests each: whatever a fault hits, it hits in the midst of some lane's.
COMMIT_INTERVAL_MS = 200
# Some 35 records a request: replicating smaller ones is all that two cores get done, while a lane catches up.
SMALL_BATCHES = {"batch.size": "4096"}
# Records a second at the source: what all can keep up with, also while a broker comes back on the same two cores.
RATE = 1_000
# They come in bursts of this many milliseconds; a lane whose source runs dry commits at once, records one by one too.
BURST_MS = 250
# Before each fault this part of a trial's records is copied anew.
PART = 0.2
# A replica that starts anew settles what the one before has left open; it never waits for the target to give that up,
# which is after the 60 s of the bridge's transaction.timeout.ms.
RESTART_SECONDS = 45
SIDES: tuple[Side, ...] = ("source", "target")
Place = tuple[str, int]


class Follower:
    """A read_committed consumer of the target's topic, reading along from before the first record."""

    def __init__(self, clusters: Clusters, topic: str) -> None:
        self._clusters = clusters
        self._topic = topic
        self._lines = [{"records": -1}]
        options = ("--every", 0.2, "--timeout", 1200)
        self._running = clusters.start_tool("target", "follow", topic, *options)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        wait_until(f"a consumer of {topic} reads along", lambda: self.records() >= 0, 30, 0.1)

    def records(self) -> int:
        """How many it has seen so far."""
        return self._lines[-1]["records"]

    def end(self) -> dict[str, int]:
        """What it has seen: records, and among their numbers gaps, repetitions and aborted ones."""
        self._clusters.stack.docker(
            "exec", self._clusters.tools["target"], "python", "/tools/end_process.py", self._topic, wanted=None
        )
        self._running.wait(60)
        self._reader.join(10)
        return self._lines[-1]

    def _read(self) -> None:
        assert self._running.stdout is not None
        for line in self._running.stdout:
            self._lines.append(json.loads(line))


@dataclass
class Trial:
    """At least `records` are copied; the source is filled until the trial ends, so that no fault meets idleness."""

    clusters: Clusters
    topic: str
    records: int
    copier: str
    feed: subprocess.Popen[str] | None = None
    follower: Follower | None = None
    bridgesMade: list[Bridge] = field(default_factory=list)

    # ---- the parts

    def create_source(self, *configs: str, partitions: int = PARTITIONS) -> None:
        options = [word for config in configs for word in ("--config", config)]
        self.clusters.tool("source", "create", self.topic, "--partitions", partitions, *options)

    def replica(
        self,
        ordinal: int = 0,
        replicas: int = 1,
        *,
        suffix: str = "",
        hosts: Mapping[str, str] | None = None,
        **changed: Any,
    ) -> Bridge:
        """Start one, with small transactions in many requests."""
        target = self.clusters.config(self.topic)["target"] | {"clientProperties": SMALL_BATCHES}
        small = {"ordinal": ordinal, "replicas": replicas, "lanes": LANES, "commitIntervalMs": COMMIT_INTERVAL_MS}
        config = {"target": target, "copier": self.copier, **small, **changed}
        bridge = self.clusters.bridge(self.topic, suffix=suffix, hosts=hosts, **config)
        self.bridgesMade.append(bridge)
        return bridge

    def replicas(self, count: int, suffix: str = "") -> list[Bridge]:
        """Start as many as there shall be, and wait until all of them are ready."""
        started = [self.replica(ordinal, count, suffix=suffix) for ordinal in range(count)]
        for bridge in started:
            bridge.await_ready()
        return started

    def begin(self, *options: str | int, rate: float = RATE) -> None:
        """Fill the source and read along at the target, where the topic exists already."""
        self.follower = Follower(self.clusters, self.topic)
        count = ("--count", 100 * self.records, "--rate", rate, "--linger", BURST_MS)
        self.feed = self.clusters.start_tool("source", "produce", self.topic, *count, *options)

    # ---- while it runs

    def copied(self) -> int:
        """Records at the target, as a read_committed consumer has met them."""
        assert self.follower is not None, "begin() comes first"
        return self.follower.records()

    def advance(self, part: float = PART, timeoutSeconds: float = 180) -> None:
        """Wait until this part of the trial's records has been copied from now on."""
        wanted = self.copied() + int(part * self.records)
        wait_until(f"{wanted} records are copied", lambda: self.copied() >= wanted, timeoutSeconds, 0.1)

    # ---- the verdict

    def finish(self, working: Sequence[Bridge]) -> None:
        """End the feed and judge: nothing lost, nothing repeated, order kept, contents equal, positions exact."""
        wait_until(f"{self.records} records are copied", lambda: self.copied() >= self.records, 180, 0.2)
        assert self.feed is not None, "begin() comes first"
        assert self.follower is not None
        produced = self.clusters.end_tool("source", self.feed, self.topic, timeoutSeconds=150)["produced"]
        assert produced >= self.records
        # By the consumer that reads along: to read all of it again and again would keep a core from those who copy.
        wait_until(f"all {produced} records are copied", lambda: self.copied() >= produced, 180, 0.2)
        self.clusters.await_copy(self.topic)
        assert self.follower.end() == {"records": produced, "gaps": 0, "repeated": 0, "aborted": 0}
        self.judge_positions(working)

    def judge_positions(self, working: Sequence[Bridge]) -> None:
        """Said and stored, each is the offset after its partition's last record. The source has no transactions."""
        digest = self.clusters.digest("source", self.topic)
        wanted = {(self.topic, int(partition)): one["last"] + 1 for partition, one in digest.items()}
        self.await_said_positions(working, wanted)
        assert self.stored_positions(working[0]) == wanted

    @staticmethod
    def await_said_positions(working: Sequence[Bridge], wanted: Mapping[Place, int]) -> None:
        said: dict[Place, int] = {}

        def probe() -> bool:
            said.clear()
            for status in (bridge.status() for bridge in working):
                copying = {lane["lane"] for lane in status.get("lanes", ()) if lane["state"] == "Copying"}
                for one in status.get("partitions", ()):
                    if one["lane"] in copying:
                        said[one["topic"], one["partition"]] = one["position"]
            return said == wanted

        wait_until(f"the bridge says its positions are {wanted}", probe, 20)

    def bridge_id(self, bridge: Bridge) -> str:
        return bridge_id(self.clusters.stack.instance, self.topic, bridge.status()["source"]["clusterId"])

    def transactional_id(self, bridge: Bridge, lane: int) -> str:
        return transactional_id(self.bridge_id(bridge), lane)

    def stored_positions(self, bridge: Bridge) -> dict[Place, int]:
        """As a successor would read them at the target; on their way there they have only ever risen."""
        found: dict[Place, int] = {}
        for record in self.clusters.tool("target", "records", positions_topic(self.bridge_id(bridge))):
            key = json.loads(record["key"])
            if "lane" in key:
                continue
            place = (str(key["topic"]), int(key["partition"]))
            offset = int(json.loads(record["value"])["offset"])
            assert record["partition"] == lane_of(*place, LANES), f"{place} is another lane's"
            assert offset >= found.get(place, 0), f"the position of {place} went back to {offset}"
            found[place] = offset
        return found

    def end(self, hasFailed: bool) -> None:
        """Leave nothing running; what the bridges said is printed where it may tell why."""
        if hasFailed:
            for bridge in self.bridgesMade:
                print(f"---- {bridge.name}\n{json.dumps(bridge_status(bridge))}\n{bridge.logs()[-20000:]}")
        if self.follower is not None:
            self.follower.end()
        if self.feed is not None and self.feed.poll() is None:
            tools = self.clusters.tools["source"]
            self.clusters.stack.docker("exec", tools, "python", "/tools/end_process.py", self.topic, wanted=None)
            self.feed.wait(150)
        self.clusters.remove_bridges()
        if not hasFailed:
            self._delete_topics()

    def _delete_topics(self) -> None:
        """A broker that comes back is the slower the more of them there are."""
        for side in SIDES:
            for topic in self.clusters.tool(side, "describe"):
                if self.topic in topic:
                    self.clusters.tool(side, "delete", topic)


def bounce(bridge: Bridge, isHard: bool) -> None:
    """End a replica, by SIGKILL or cleanly, and start it again."""
    if isHard:
        bridge.kill()
    else:
        assert bridge.stop() == 0, "it ends by itself when it is told to"
    bridge.start()
    bridge.await_ready(RESTART_SECONDS)


def bridge_status(bridge: Bridge) -> dict[str, Any]:
    """What a bridge says without its partitions; {} where its container is gone or does not answer."""
    try:
        status = bridge.status()
    except (AssertionError, OSError):
        return {}
    return {name: value for name, value in status.items() if name != "partitions"}
