"""What is measured: topics of one kind each, and the options that decide how much of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Kind = Literal["lz4", "random", "avro"]
Measure = Literal["warming", "throughput", "latency", "recovery"]

# Bytes of a full run in one topic: a million records of 200 bytes, 300,000 of 1,000.
RECORDS_200, RECORDS_1000 = 1_000_000, 300_000
QUICK_SHARE = 0.1
# Names, in an instance's volume of schemas, of tests/support/inside/bench-*.avsc.
SOURCE_SCHEMA, TARGET_SCHEMA = "bench-source.avsc", "bench-target.avsc"
AVRO = {"format": "avro", "framing": "raw", "schemaFile": SOURCE_SCHEMA}
BYTES = {"format": "bytes"}


@dataclass(frozen=True)
class Case:
    """One topic's shape, and what is measured with it. `size` is that of key and value; `rate` is in records/s."""

    name: str
    measure: Measure = "throughput"
    size: int = 200
    kind: Kind = "lz4"
    partitions: int = 6
    value: str = "bytes"
    rate: int = 0

    @property
    def records(self) -> int:
        return RECORDS_1000 if self.size == 1000 else RECORDS_200

    @property
    def isAvro(self) -> bool:
        return self.kind == "avro"

    @property
    def isConverted(self) -> bool:
        return self.value == "converted"

    def value_format(self) -> dict[str, object]:
        """As a bridge's configuration has it."""
        if not self.isAvro:
            return dict(BYTES)
        return AVRO | ({"convertTo": {"schemaFile": TARGET_SCHEMA}} if self.isConverted else {})


def _bytes_cases() -> list[Case]:
    return [
        Case(f"bytes-{size}-{kind}-p{partitions}", size=size, kind=kind, partitions=partitions)
        for size in (200, 1000)
        for kind in ("lz4", "random")
        for partitions in (1, 6)
    ]


CASES: tuple[Case, ...] = (
    *_bytes_cases(),
    Case("avro-validated", kind="avro", value="validated"),
    Case("avro-converted", kind="avro", value="converted"),
    Case("latency-1000", "latency", rate=1_000),
    Case("latency-20000", "latency", rate=20_000),
    Case("recovery", "recovery", rate=1_000),
)
WARMING = Case("brokers", "warming")
QUICK_CASES = ("bytes-200-lz4-p6", "bytes-1000-random-p6", "avro-validated", "latency-1000", "recovery")


def chosen(names: Sequence[str]) -> list[Case]:
    """Cases by their names, in the order in which they stand here; ValueError for a name that there is not."""
    known = {case.name: case for case in CASES}
    for name in names:
        if name not in known:
            raise ValueError(f"there is no case {name}; there are {', '.join(known)}")
    return [case for case in CASES if case.name in names]


@dataclass(frozen=True)
class Plan:
    """How much is measured. `records` of 0: as many as the case has."""

    cases: tuple[Case, ...]
    copiers: tuple[str, ...]
    rounds: int
    records: int = 0
    isQuick: bool = False

    def count(self, case: Case) -> int:
        if self.records:
            return self.records
        return round(case.records * (QUICK_SHARE if self.isQuick else 1))

    @property
    def latencySeconds(self) -> float:
        return 4.0 if self.isQuick else 15.0

    @property
    def warmRounds(self) -> int:
        """Rounds of a copier with a just-in-time compiler that do not count: the first is shown apart as cold."""
        return 1 if self.isQuick else 2

    @property
    def brokerRounds(self) -> int:
        """Rounds before everything else, after which the brokers of a full run hardly get faster."""
        return 1 if self.isQuick else 8
