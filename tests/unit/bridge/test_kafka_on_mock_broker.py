"""The wrappers on real librdkafka, against the broker that librdkafka brings along for tests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest
from confluent_kafka import Producer

from kafka_bridge.client_settings import Settings
from kafka_bridge.errors import TerminalError
from kafka_bridge.kafka import AssignedConsumer, ClusterAdmin, Partition, Progress, SourceRecord, TransactionalProducer

PLACE = ("orders", 0)


@pytest.fixture(name="address", scope="module")
def mock_broker() -> Iterator[str]:
    host = Producer({"bootstrap.servers": "none", "test.mock.num.brokers": 1, "log_level": 0})
    # Asking for a topic makes it there.
    brokers = host.list_topics("empty", timeout=5).brokers.values()
    yield ",".join(f"{one.host}:{one.port}" for one in brokers)
    del host


def test_a_committed_record_comes_back_as_it_was_sent(address: str) -> None:
    settings: Settings = {"bootstrap.servers": address, "client.id": "test", "log_level": 0}
    producer = TransactionalProducer({**settings, "transactional.id": "t", "linger.ms": 0}, lambda: None)
    producer.init_transactions()
    producer.begin()
    producer.send(*PLACE, b"key", b"value", [("h", b"1"), ("h", None)], 1_700_000_000_123)
    producer.send(*PLACE, None, None)
    producer.commit()
    producer.close()
    own: Settings = {
        "group.id": "g",
        "enable.partition.eof": True,
        "auto.offset.reset": "error",
        "fetch.wait.max.ms": 10,
    }
    consumer = AssignedConsumer({**settings, **own})
    consumer.assign({PLACE: Progress(0)})
    records: list[SourceRecord] = []
    ends: Mapping[Partition, int] = {}
    while not ends:
        batch = consumer.poll(10, 5.0)
        records += batch.records
        ends = batch.ends
    first, second = records
    assert (first.key(), first.value(), first.offset(), first.partition()) == (b"key", b"value", 0, 0)
    assert first.headers() == [("h", b"1"), ("h", None)]
    assert first.timestamp() == (1, 1_700_000_000_123)
    assert (second.key(), second.value()) == (None, None)
    assert ends[PLACE] > 1
    assert consumer.end_offset(PLACE) == ends[PLACE]
    consumer.close()


def test_offsets_are_asked_for(address: str) -> None:
    admin = ClusterAdmin({"bootstrap.servers": address, "client.id": "test", "log_level": 0})
    assert admin.earliest([("empty", 0)]) == {("empty", 0): 0}
    assert admin.high_watermarks([("empty", 0)]) == admin.last_stable([("empty", 0)]) == {("empty", 0): 0}
    assert admin.earliest([]) == {}


def test_a_renewed_admin_answers(address: str) -> None:
    admin = ClusterAdmin({"bootstrap.servers": address, "client.id": "test", "log_level": 0})
    before = admin._admin
    admin.renew()
    assert admin._admin is not before
    assert admin.earliest([("empty", 0)]) == {("empty", 0): 0}


def test_places_are_resolved_to_offsets(address: str) -> None:
    producer = Producer({"bootstrap.servers": address, "log_level": 0})
    for number in range(5):
        producer.produce("timed", b"v", partition=0, timestamp=1_000 * (number + 1))
    producer.flush(10)
    admin = ClusterAdmin({"bootstrap.servers": address, "client.id": "test", "log_level": 0})
    place = ("timed", 0)
    assert admin.resolve({place: "earliest"}) == {place: 0}
    assert admin.resolve({place: "latest"}) == {place: 5}
    assert admin.resolve({place: 3}) == {place: 3}
    assert "timed" in admin.topic_names()
    with pytest.raises(TerminalError, match="offset 6 of timed-0, expected one from 0 to 5") as fault:
        admin.resolve({place: 6})
    assert fault.value.reason == "OffsetNotThere"
