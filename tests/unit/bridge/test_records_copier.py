"""The copier of records: everything of a record is kept, and one that fails its check stops in its place."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any, cast

import fastavro
import pytest

from kafka_bridge.copier import CopyStep, Progress
from kafka_bridge.errors import TerminalError
from kafka_bridge.kafka import AssignedConsumer, Batch, Headers, Partition, TransactionalProducer
from kafka_bridge.records_copier import RecordsCopier, build_routes
from support.bridge_config import make_config
from support.fake_kafka import FakeRecord
from support.stack import PROJECT_ROOT

P0, P5 = ("orders", 0), ("orders", 5)
SCHEMA = '{"type": "record", "name": "R", "fields": [{"name": "id", "type": "string"}, {"name": "n", "type": "int"}]}'
AVRO_TOPIC = {
    "name": "orders",
    "targetName": "plant.orders",
    "value": {"format": "avro", "schemaFile": "record.avsc"},
}


class Sides:
    """One batch to read, everything that was sent, and the transaction, in the order of calls."""

    def __init__(self, batch: Batch) -> None:
        self.batch = batch
        self.calls: list[Any] = []
        self.limit = 0

    def poll(self, limit: int, timeoutSeconds: float) -> Batch:
        self.calls.append("poll")
        self.limit = limit
        return self.batch

    def ensure_open(self) -> None:
        self.calls.append("open")

    def send(self, *sent: Any) -> None:
        self.calls.append(sent)


@pytest.fixture(name="folder")
def schema_folder(tmp_path: Path) -> Path:
    (tmp_path / "record.avsc").write_text(SCHEMA)
    return tmp_path


def encode(record: dict[str, Any]) -> bytes:
    stream = io.BytesIO()
    fastavro.schemaless_writer(stream, fastavro.parse_schema(json.loads(SCHEMA)), record)
    return stream.getvalue()


VALID = encode({"id": "a", "n": 1})


def step(records: list[FakeRecord], ends: dict[Partition, int] | None = None, **config: Any) -> tuple[CopyStep, Sides]:
    sides = Sides(Batch(records, ends or {}))
    copier = RecordsCopier(
        cast(AssignedConsumer, sides), cast(TransactionalProducer, sides), build_routes(make_config(**config))
    )
    return copier.step(sides, 0.5), sides


def test_partition_key_headers_and_timestamp_are_kept() -> None:
    headers: Headers = [("run", b"1"), ("run", b"2"), ("none", None)]
    record = FakeRecord(P5, 17, b"key", b"value", headers, 1_700_000_000_123, 4)
    topics = [{"name": "orders", "targetName": "plant.orders"}]
    done, sides = step([record, FakeRecord(P0, 3, None, None, None)], topics=topics)
    assert sides.calls == [
        "poll",
        "open",
        ("plant.orders", 5, b"key", b"value", headers, 1_700_000_000_123),
        ("plant.orders", 0, None, None, None, 1_700_000_000_000),
    ]
    assert done.progress == {P5: Progress(18, 4), P0: Progress(4, 3)}
    assert (done.records, done.bytes, done.failure) == (2, 8, None)
    assert done.timestamps == (1_700_000_000_123, 1_700_000_000_000)


def test_a_record_without_timestamp_gets_the_time_of_copying() -> None:
    _, sides = step([FakeRecord(P0, 0, None, b"v", None, -1)])
    assert sides.calls[-1][-1] == 0


def test_progress_is_the_last_record_of_each_partition() -> None:
    done, _ = step([FakeRecord(P0, 4), FakeRecord(P5, 0), FakeRecord(P0, 5, epoch=9)], {P0: 8})
    assert done.progress == {P0: Progress(6, 9), P5: Progress(1, 3)}
    assert done.ends == {P0: 8}


def test_nothing_to_copy_opens_no_transaction() -> None:
    done, sides = step([], {P0: 8})
    assert sides.calls == ["poll"]
    assert done == CopyStep(ends={P0: 8})


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        (b"", "0 bytes do not decode"),
        (VALID[:-1], "do not decode"),
        (VALID + b"x", "1 of 4 bytes are left over"),
        (b"\x04\xff\xfe\x02", "UnicodeDecodeError"),
        (b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", "do not decode"),
    ],
)
def test_a_record_that_fails_its_schema_stops_behind_the_good_ones(folder: Path, payload: bytes, why: str) -> None:
    records = [FakeRecord(P0, 4, b"k", VALID), FakeRecord(P0, 5, b"k", payload), FakeRecord(P5, 6, b"k", VALID)]
    done, sides = step(records, {P0: 9, P5: 7}, topics=[AVRO_TOPIC], schemaFolder=str(folder))
    assert done.failure is not None
    assert done.failure.reason == "InvalidRecord"
    assert "value of orders-0 at offset 5: " in str(done.failure)
    assert why in str(done.failure)
    assert done.progress == {P0: Progress(5, 3)}
    assert done.records == 1
    assert done.ends == {}, "an end behind a record that was not copied would skip it"
    assert [one[3] for one in sides.calls if isinstance(one, tuple)] == [VALID]


def test_keys_are_checked_too(folder: Path) -> None:
    topic = {**AVRO_TOPIC, "key": AVRO_TOPIC["value"]}
    done, _ = step([FakeRecord(P0, 5, b"k", VALID)], topics=[topic], schemaFolder=str(folder))
    assert "key of orders-0 at offset 5" in str(done.failure)


def test_a_tombstone_passes(folder: Path) -> None:
    done, _ = step([FakeRecord(P0, 5, b"k", None)], topics=[AVRO_TOPIC], schemaFolder=str(folder))
    assert (done.records, done.failure) == (1, None)


def test_bytes_pass_unread() -> None:
    done, _ = step([FakeRecord(P0, 5, b"\xff", b"\xff\xff")])
    assert (done.records, done.failure) == (1, None)


@pytest.mark.parametrize(
    ("text", "reason"), [(None, "SchemaNotFound"), ("{", "SchemaInvalid"), ('{"type": "recrd"}', "SchemaInvalid")]
)
def test_an_unusable_schema_is_named_with_its_file(tmp_path: Path, text: str | None, reason: str) -> None:
    if text is not None:
        (tmp_path / "record.avsc").write_text(text)
    with pytest.raises(TerminalError, match=str(tmp_path / "record.avsc")) as fault:
        build_routes(make_config(topics=[AVRO_TOPIC], schemaFolder=str(tmp_path)))
    assert fault.value.reason == reason


def test_the_sample_schema_is_usable() -> None:
    topic = {"name": "orders", "targetName": "orders", "value": {"format": "avro", "schemaFile": "schema.avsc"}}
    routes = build_routes(make_config(topics=[topic], schemaFolder=str(PROJECT_ROOT / "stack" / "avro")))
    check = routes["orders"].checkValue
    assert check is not None
    with pytest.raises(ValueError, match="do not decode"):
        check(b"no order")
