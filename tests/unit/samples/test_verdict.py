"""The consumer's verdict: clean only where nothing at all is wrong, and a report that says what is."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any

import consumer as module
import pytest
from bridge_samples.codec import Codec
from bridge_samples.connection import ConnectionFailed
from confluent_kafka import KafkaError, KafkaException, Message
from consumer import Reader, Verdict, partitions_of, sentence, write_atomically
from orders import generate_orders

from support.fake_kafka import FakeClock
from support.stack import PROJECT_ROOT

CODEC = Codec.from_file(PROJECT_ROOT / "stack" / "avro" / "schema.avsc")


def messages(count: int) -> list[Message]:
    headers: list[tuple[str, str | bytes | None]] = [("producer-run", b"run")]
    return [
        Message("orders", 2, number, key.encode(), CODEC.encode(order), headers)
        for number, (key, order) in enumerate(islice(generate_orders("run", 1, 3), count))
    ]


def judge(found: list[Message], expected: int | None = None) -> Verdict:
    verdict = Verdict(CODEC, expected)
    for message in found:
        verdict.take(message)
    return verdict


def test_everything_once_and_in_order_is_clean() -> None:
    verdict = judge(messages(30), expected=30)
    assert verdict.isClean
    report = verdict.report()
    assert (report["records"], report["keys"], report["perPartition"]) == (30, 3, {"2": 30})
    assert sentence(report) == (
        "30 records of 30, 0 missing, 0 repeated, 0 out of order, 0 in another partition, 0 invalid: clean"
    )


@pytest.mark.parametrize("expected", [29, 31])
def test_another_number_than_expected_is_not_clean(expected: int) -> None:
    verdict = judge(messages(30), expected)
    assert not verdict.isClean
    assert sentence(verdict.report()).endswith("NOT CLEAN")


@pytest.mark.parametrize(
    ("found", "fault"),
    [
        (messages(30)[:4] + messages(30)[5:], "missing"),
        (messages(30) + messages(30)[7:8], "repeated"),
        (messages(30)[::-1], "outOfOrder"),
        ([*messages(30), Message("orders", 2, 30, b"k", b"junk", [])], "invalid"),
        ([*messages(30), Message("orders", 2, 30, b"k", None, [])], "invalid"),
    ],
)
def test_each_fault_is_counted_and_not_clean(found: list[Message], fault: str) -> None:
    verdict = judge(found)
    assert verdict.report()[fault] > 0
    assert not verdict.isClean


def test_a_key_that_is_not_the_record_s_is_invalid() -> None:
    for key in (None, b"", b"another"):
        payload = messages(1)[0].value()
        verdict = judge([Message("orders", 2, 0, key, payload, [("producer-run", b"run")])])
        assert verdict.invalid == 1
        assert "expected the customerId" in verdict.examples[0]


def test_examples_name_the_place_and_stay_few() -> None:
    verdict = judge([Message("orders", 4, number, b"k", b"junk", []) for number in range(9)])
    assert verdict.invalid == 9
    assert len(verdict.examples) == 5
    assert verdict.examples[1].startswith("orders-4 at offset 1: ")


class ScriptedConsumer:
    """Hands out what it is given; remembers what it was assigned."""

    def __init__(self, batches: list[list[Message]]) -> None:
        self.batches = batches
        self.assigned: list[tuple[int, int]] = []

    def assign(self, places: list[Any]) -> None:
        self.assigned += [(one.partition, one.offset) for one in places]

    def incremental_assign(self, places: list[Any]) -> None:
        self.assign(places)

    def consume(self, count: int, timeout: float) -> list[Message]:
        return self.batches.pop(0) if self.batches else []


def event(code: int, partition: int, **flags: bool) -> Message:
    return Message("orders", partition, 5, error=KafkaError(code, "event", **flags))


def test_a_reader_is_at_the_end_when_every_partition_is() -> None:
    record = Message("orders", 1, 5, b"k", b"v")
    eof = KafkaError._PARTITION_EOF
    consumer = ScriptedConsumer([[event(eof, 0)], [record], [event(eof, 1)], [], [record], []])
    reader = Reader(consumer, None, "orders", [0, 1])  # type: ignore[arg-type]
    assert consumer.assigned == [(0, 0), (1, 0)]
    assert (reader.read(), reader.isAtEnd) == ([record], False)
    assert (reader.read(), reader.isAtEnd) == ([], True)
    assert (reader.read(), reader.isAtEnd) == ([record], False)


def test_a_reader_stops_at_a_fatal_error() -> None:
    consumer = ScriptedConsumer([[event(KafkaError._FATAL, 0, fatal=True)]])
    with pytest.raises(ConnectionFailed, match="event"):
        Reader(consumer, None, "orders", [0]).read()  # type: ignore[arg-type]


class Metadata:
    """An admin that knows a topic's partitions, or raises."""

    def __init__(self, answers: list[list[int] | None]) -> None:
        self.answers = answers

    def list_topics(self, topic: str, timeout: float) -> Any:
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if answer is None:
            raise KafkaException(KafkaError(KafkaError._TRANSPORT))
        found = type("Topic", (), {"error": None, "partitions": dict.fromkeys(answer)})
        return type("Cluster", (), {"topics": {topic: found}})


@pytest.fixture(name="clock")
def fake_clock(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    clock = FakeClock()
    monkeypatch.setattr(module, "time", clock)
    return clock


def test_partitions_that_appear_later_are_taken_up(clock: FakeClock) -> None:
    consumer = ScriptedConsumer([[event(KafkaError._PARTITION_EOF, 0)], [], [], []])
    reader = Reader(consumer, Metadata([[0, 1, 2]]), "orders", [0])  # type: ignore[arg-type]
    reader.read()
    assert consumer.assigned == [(0, 0)]
    clock.now += Reader.REFRESH_SECONDS
    reader.read()
    assert consumer.assigned == [(0, 0), (1, 0), (2, 0)]
    assert not reader.isAtEnd


def test_a_topic_is_waited_for(clock: FakeClock) -> None:
    assert partitions_of(Metadata([None, [], [1, 0]]), "orders", 30) == [0, 1]  # type: ignore[arg-type]
    assert len(clock.pauses) == 2


def test_a_topic_that_never_appears_is_named(clock: FakeClock) -> None:
    with pytest.raises(ConnectionFailed, match="topic orders did not appear within 30 s"):
        partitions_of(Metadata([[]]), "orders", 30)  # type: ignore[arg-type]


def test_a_report_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    for text in ("first", "second"):
        write_atomically(path, text)
        assert path.read_text() == text
    assert [one.name for one in tmp_path.iterdir()] == ["report.json"]
