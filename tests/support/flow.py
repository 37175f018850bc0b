"""The records of an instance, from the sample producer at the source to the sample consumer at the target, counted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from support.stack import Stack, wait_until

TOPIC = "orders"
FAULTS = ("missing", "repeated", "outOfOrder", "movedPartition", "invalid")

# The consumer writes its report every second; an older one tells of former times.
FRESH_REPORT = "file=/var/lib/consumer/report.json; [ $(($(date +%s) - $(stat -c %Y $file))) -lt 5 ] && cat $file"


@dataclass(frozen=True)
class Flow:
    """Judges by what arrived, never by what a bridge says of itself."""

    stack: Stack

    def report(self) -> dict[str, Any] | None:
        """The running consumer's verdict so far, None while it has none that is fresh."""
        name = self.stack.service("target-consumer")
        answer = self.stack.docker("exec", name, "sh", "-c", FRESH_REPORT, wanted=None)
        return json.loads(answer) if answer else None

    def arrived(self) -> int:
        report = wait_until("the consumer reports", self.report, 60)
        return int(report["records"])

    def goes_on(self, records: int = 100, timeoutSeconds: float = 90) -> None:
        """From now on so many more records arrive, and all that have arrived are as they should be."""
        before = self.arrived()

        def probe() -> dict[str, Any] | None:
            report = self.report()
            return report if report and report["records"] >= before + records else None

        report = wait_until(f"{records} more records than {before} at the target", probe, timeoutSeconds)
        assert {name: report[name] for name in FAULTS} == dict.fromkeys(FAULTS, 0)

    def is_whole(self, timeoutSeconds: float = 90) -> int:
        """Stop the producer and count: the target has each record of the source once, in order. Then go on.

        Returns the number of records.
        """
        with self.producer_stopped():
            sent = self.at_source()
            assert self.counted(TOPIC, sent, timeoutSeconds) == {"records": sent} | dict.fromkeys(FAULTS, 0)
        return sent

    @contextmanager
    def producer_stopped(self) -> Iterator[None]:
        self.stack.docker("stop", "--time", "20", self.stack.service("source-producer"))
        try:
            yield
        finally:
            self.stack.docker("start", self.stack.service("source-producer"))

    def at_source(self) -> int:
        """Records in the source topic: its producer is not transactional, so every offset is a record."""
        answer = self.stack.docker(
            "exec", self.stack.service("source-kafka"), "kafka-tool", "offsets", "--topic", TOPIC, "--time", "-1"
        )
        return sum(int(line.rpartition(":")[2]) for line in answer.splitlines() if line.startswith(f"{TOPIC}:"))

    def counted(self, topic: str, wanted: int, timeoutSeconds: float = 90) -> dict[str, Any]:
        """The sample consumer's count of a whole topic at the target, once there are as many records as are wanted."""
        done = self.stack.docker(
            "exec", self.stack.service("target-consumer"),
            "python", "target-consumer/consumer.py", "--expect", str(wanted), "--timeout", str(timeoutSeconds),
            "--topic", topic, "--report-file", "/tmp/counted.json", "--json",
            wanted=None, timeoutSeconds=timeoutSeconds + 60,
        )  # fmt: skip
        report = json.loads(done.splitlines()[-1]) if done else {}
        return {name: report.get(name) for name in ("records", *FAULTS)}
