"""What every client is made with: nothing that a user writes weakens it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient

from kafka_bridge import client_settings
from kafka_bridge.client_settings import Settings
from kafka_bridge.config import CLIENT_PROPERTIES, ClusterConfig, TlsFiles

TLS = TlsFiles(caFile="/tls/ca.crt", certificateFile="/tls/tls.crt", keyFile="/tls/tls.key")
PROTECTED = {
    "bootstrap.servers": "kafka:9093",
    "client.id": "me",
    "security.protocol": "ssl",
    "ssl.ca.location": "/tls/ca.crt",
    "ssl.certificate.location": "/tls/tls.crt",
    "ssl.key.location": "/tls/tls.key",
    "ssl.endpoint.identification.algorithm": "https",
    "enable.ssl.certificate.verification": True,
}
PROTECTED_OF_CONSUMER = {
    "group.id": "group",
    "isolation.level": "read_committed",
    "auto.offset.reset": "error",
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "enable.partition.eof": True,
}
Make = Callable[[ClusterConfig], Settings]


def make_producer(cluster: ClusterConfig) -> Settings:
    return client_settings.producer(cluster, "me", "bridge.lane.1")


def make_consumer(cluster: ClusterConfig) -> Settings:
    return client_settings.consumer(cluster, "me", "group")


def make_reader(cluster: ClusterConfig) -> Settings:
    return client_settings.reader(cluster, "me", "group")


def make_admin(cluster: ClusterConfig) -> Settings:
    return client_settings.admin(cluster, "me")


CLIENTS = [
    pytest.param(make_producer, {**PROTECTED, "transactional.id": "bridge.lane.1"}, id="producer"),
    pytest.param(make_consumer, {**PROTECTED, **PROTECTED_OF_CONSUMER}, id="consumer"),
    pytest.param(
        make_reader,
        {**PROTECTED, **PROTECTED_OF_CONSUMER, "fetch.wait.max.ms": client_settings.READER_WAIT_MS},
        id="reader",
    ),
    pytest.param(make_admin, PROTECTED, id="admin"),
]


def cluster(properties: dict[str, str] | None = None) -> ClusterConfig:
    return ClusterConfig(name="c", bootstrapServers="kafka:9093", tls=TLS, clientProperties=properties or {})


@pytest.mark.parametrize(("make", "wanted"), CLIENTS)
def test_encryption_identity_and_exactly_once_are_always_on(make: Make, wanted: Settings) -> None:
    settings = make(cluster())
    assert {name: settings[name] for name in wanted} == wanted


@pytest.mark.parametrize(("make", "wanted"), CLIENTS)
def test_client_properties_never_win_over_what_the_copy_rests_on(make: Make, wanted: Settings) -> None:
    # Past the allow-list of the configuration, as a second line.
    unchecked = cluster().model_copy(update={"clientProperties": dict.fromkeys(wanted, "mine")})
    settings = make(unchecked)
    assert {name: settings[name] for name in wanted} == wanted


@pytest.mark.parametrize(("make", "wanted"), CLIENTS)
def test_client_properties_tune_the_rest(make: Make, wanted: Settings) -> None:
    tuned = {"socket.timeout.ms": "4321", "linger.ms": "77", "fetch.wait.max.ms": "66"}
    settings = make(cluster(tuned))
    assert {name: settings[name] for name in tuned} == tuned | {name: wanted[name] for name in tuned if name in wanted}


def test_nothing_that_is_protected_can_be_asked_for() -> None:
    assert not CLIENT_PROPERTIES & {*PROTECTED, *PROTECTED_OF_CONSUMER, "transactional.id", "plugin.library.paths"}


def test_each_kind_of_client_gets_its_own_keys() -> None:
    producer, consumer, admin = make_producer(cluster()), make_consumer(cluster()), make_admin(cluster())
    assert {"linger.ms", "transaction.timeout.ms", "compression.type"} <= producer.keys()
    assert "transactional.id" not in consumer.keys() | admin.keys()
    assert not {"group.id", "isolation.level", "auto.offset.reset"} & (producer.keys() | admin.keys())
    assert "linger.ms" not in consumer


@pytest.mark.parametrize(
    ("client", "make"), [(Producer, make_producer), (Consumer, make_consumer), (AdminClient, make_admin)]
)
def test_librdkafka_takes_every_key_and_value(client: Callable[[Settings], object], make: Make) -> None:
    # Without the files, which it would read at once. A name or a value that it does not know raises.
    client({name: value for name, value in make(cluster()).items() if not name.endswith(".location")})


@pytest.mark.parametrize("name", sorted(CLIENT_PROPERTIES))
def test_librdkafka_knows_every_tunable_property(name: str) -> None:
    values = {
        "client.rack": "r1",
        "compression.type": "lz4",
        "compression.level": "1",
        "broker.address.family": "v4",
        "socket.keepalive.enable": "true",
        "receive.message.max.bytes": "200000000",
    }
    Producer({name: values.get(name, "2000")})


def test_a_batch_fits_the_strictest_topic_and_the_queue_the_most_generous() -> None:
    default = client_settings.producer(cluster(), "me", "t", [1_048_588], [1_048_588])
    assert (default["batch.size"], default["queue.buffering.max.kbytes"]) == (1_000_000, 4_096)
    special = client_settings.producer(cluster(), "me", "t", [1_048_588, 5_000], [1_048_588, 10 * 2**20])
    assert (special["batch.size"], special["queue.buffering.max.kbytes"]) == (5_000, 40 * 1024)
