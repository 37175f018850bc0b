"""The copier of records: everything of a record is kept, and one that fails its check stops in its place."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any, cast

import fastavro
import pytest

from kafka_bridge.copier import CopyStep
from kafka_bridge.errors import OversizedRecord, TerminalError
from kafka_bridge.kafka import AssignedConsumer, Batch, Headers, Partition, Progress, TransactionalProducer
from kafka_bridge.records_copier import DeadLetters, RecordsCopier, Route, build_routes
from kafka_bridge.topic_selection import select_topics
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
        self.ends: dict[Partition, int] = {}
        """What the source is known to have."""
        self.tooLarge: set[tuple[str, bytes]] = set()
        """Topics, with values for them that not even the producer takes."""

    def poll(self, limit: int, timeoutSeconds: float) -> Batch:
        self.calls.append("poll")
        self.limit = limit
        return self.batch

    def ensure_open(self) -> None:
        self.calls.append("open")

    def assign(self, places: dict[Partition, Progress]) -> None:
        self.calls.append("assign")

    def end_offset(self, place: Partition) -> int | None:
        return self.ends.get(place)

    def send_many(self, topic: str, partition: int, keys: Any, values: Any, headers: Any, timestamps: Any) -> int:
        for at, record in enumerate(zip(keys, values, headers, timestamps, strict=True)):
            if (topic, record[1]) in self.tooLarge:
                return at
            self.send(topic, partition, *record)
        return len(values)

    def send(self, topic: str, partition: int, key: Any, value: Any, headers: Any, at: int, tell: Any = None) -> None:
        if (topic, value) in self.tooLarge:
            raise OversizedRecord("MsgSizeTooLarge", "too many bytes")
        self.calls.append((topic, partition, key, value, headers, at))
        if tell is not None:
            tell(len(self.calls))


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
    return make_copier(sides, **config).step(sides, 0.5, 50), sides


def make_copier(sides: Sides, notesOffsets: bool = False, **config: Any) -> RecordsCopier:
    return RecordsCopier(
        cast(AssignedConsumer, sides),
        cast(TransactionalProducer, sides),
        routes_of(**config),
        "orders",
        DeadLetters("dead", 3),
        notesOffsets,
    )


def routes_of(**config: Any) -> dict[str, Route]:
    made = make_config(**config)
    return build_routes(select_topics(made.topics, ["orders"]), made.schemaFolder)


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
    assert sides.calls[-1][5] == 0


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
    assert "orders-0 at offset 5: its value: " in str(done.failure)
    assert why in str(done.failure)
    assert done.progress == {P0: Progress(5, 3)}
    assert done.records == 1
    assert done.ends == {}, "an end behind a record that was not copied would skip it"
    assert [one[3] for one in sides.calls if isinstance(one, tuple)] == [VALID]


def test_keys_are_checked_too(folder: Path) -> None:
    topic = {**AVRO_TOPIC, "key": AVRO_TOPIC["value"]}
    done, _ = step([FakeRecord(P0, 5, b"k", VALID)], topics=[topic], schemaFolder=str(folder))
    assert "orders-0 at offset 5: its key: " in str(done.failure)


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
        routes_of(topics=[AVRO_TOPIC], schemaFolder=str(tmp_path))
    assert fault.value.reason == reason


def test_the_sample_schema_is_usable() -> None:
    topic = {"name": "orders", "targetName": "orders", "value": {"format": "avro", "schemaFile": "schema.avsc"}}
    routes = routes_of(topics=[topic], schemaFolder=str(PROJECT_ROOT / "stack" / "avro"))
    check = routes["orders"].value
    assert check is not None
    with pytest.raises(ValueError, match="do not decode"):
        check(b"no order")


def test_a_dead_letter_is_the_record_as_it_was_with_where_it_came_from(folder: Path) -> None:
    headers: Headers = [("trace", b"1"), ("trace", b"2")]
    bad = FakeRecord(P0, 5, b"k", b"\xff", headers, 1_700_000_000_123, 7)
    topic = AVRO_TOPIC | {"onInvalid": "deadLetter"}
    done, sides = step([bad, FakeRecord(P0, 6, b"k", VALID)], {P0: 9}, topics=[topic], schemaFolder=str(folder))
    target, partition, key, value, sent, timestampMs = sides.calls[2]
    assert (target, partition, key, value, timestampMs) == ("dead", 3, b"k", b"\xff", 1_700_000_000_123)
    assert sent[:2] == headers
    told = dict(sent[2:])
    assert told.pop("kafka-bridge.reason").startswith(b"its value: 1 bytes do not decode: ")
    assert told == {
        "kafka-bridge.bridge": b"orders",
        "kafka-bridge.topic": b"orders",
        "kafka-bridge.partition": b"0",
        "kafka-bridge.offset": b"5",
    }
    assert (done.records, done.deadLetters, done.failure) == (2, 1, None)
    assert (done.progress, done.ends) == ({P0: Progress(7, 3)}, {P0: 9})


def test_conversion_sends_what_the_codec_made(folder: Path) -> None:
    other = json.loads(SCHEMA) | {"fields": json.loads(SCHEMA)["fields"][:1]}
    (folder / "short.avsc").write_text(json.dumps(other))
    value = {"format": "avro", "schemaFile": "record.avsc", "convertTo": {"schemaFile": "short.avsc"}}
    topics = [{"name": "orders", "value": value}]
    _, sides = step([FakeRecord(P0, 5, b"k", VALID)], topics=topics, schemaFolder=str(folder))
    assert sides.calls[2][3] == b"\x02a"


def test_a_record_too_large_to_be_sent_is_one_that_fails() -> None:
    sides = Sides(Batch([FakeRecord(P0, 5, b"k", b"v"), FakeRecord(P0, 6)], {P0: 7}))
    sides.tooLarge = {("orders", b"v"), ("dead", b"v")}
    done = make_copier(sides).step(sides, 0.5, 50)
    assert "orders-0 at offset 5: too many bytes" in str(done.failure)
    assert (done.records, done.progress, done.ends) == (0, {}, {})
    topic = {"name": "orders", "onInvalid": "deadLetter"}
    done = make_copier(sides, topics=[topic]).step(sides, 0.5, 50)
    assert "orders-0 at offset 5: too many bytes" in str(done.failure), "the dead-letter topic does not take it either"


LARGE = encode({"id": "large", "n": 3})


@pytest.mark.parametrize("bad", [b"\xff", LARGE])
def test_what_stands_behind_a_dead_letter_is_sent_in_its_order(folder: Path, bad: bytes) -> None:
    payloads = [VALID, encode({"id": "b", "n": 2}), bad, encode({"id": "c", "n": 4}), VALID]
    records = [FakeRecord(P0, 5 + number, b"k", payload) for number, payload in enumerate(payloads)]
    sides = Sides(Batch([*records, FakeRecord(P5, 9, b"k", VALID)], {P0: 10}))
    copier = make_copier(sides, topics=[AVRO_TOPIC | {"onInvalid": "deadLetter"}], schemaFolder=str(folder))
    # Only on its way to the dead-letter topic it is small enough.
    sides.tooLarge = {("plant.orders", LARGE)}
    done = copier.step(sides, 0.5, 50)
    sent = [(topic, partition, value) for topic, partition, _, value, *_ in sides.calls[2:]]
    wanted = [("plant.orders", 0, payload) for payload in payloads]
    wanted[2] = ("dead", 3, bad)
    assert sent == [*wanted, ("plant.orders", 5, VALID)]
    assert (done.records, done.deadLetters, done.failure) == (6, 1, None)
    assert done.bytes == sum(len(payload) + 1 for payload in [*payloads, VALID])
    assert len(done.timestamps) == 6
    assert done.progress == {P0: Progress(10, 3), P5: Progress(10, 3)}


def test_a_dead_letter_is_no_part_of_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    values = [b"a", b"large", b"b", b"c"]
    sides = Sides(Batch([FakeRecord(P0, 5 + number, None, value) for number, value in enumerate(values)], {}))
    sides.tooLarge = {("orders", b"large")}
    copier = make_copier(sides, notesOffsets=True, topics=[{"name": "orders", "onInvalid": "deadLetter"}])
    letters: list[bytes] = []
    monkeypatch.setattr(copier, "_send_dead_letter", lambda _to, _place, record, _why: letters.append(record.value()))
    copier.step(sides, 0.5, 50)
    assert letters == [b"large"]
    assert [(run.source, run.count) for run in copier.take_runs()[P0]] == [(5, 1), (7, 2)]


def test_caught_up_is_everywhere_at_the_end() -> None:
    sides = Sides(Batch([FakeRecord(P0, 5)], {}))
    copier = make_copier(sides)
    copier.assign({P0: Progress(5), P5: Progress(8)})
    sides.ends = {P0: 6}
    assert not copier.step(sides, 0.5, 50).isCaughtUp, "of the other partition nobody knows"
    sides.ends = {P0: 6, P5: 9}
    assert not copier.step(sides, 0.5, 50).isCaughtUp
    # A marker lies behind the last record: the end that was found says so.
    sides.batch = Batch([], {P5: 9})
    assert copier.step(sides, 0.5, 50).isCaughtUp
    sides.ends = {P0: 7, P5: 9}
    assert not copier.step(sides, 0.5, 50).isCaughtUp


def test_no_more_is_moved_than_the_lane_asks_for() -> None:
    sides = Sides(Batch([], {}))
    make_copier(sides).step(sides, 0.5, 7)
    assert sides.limit == 7
