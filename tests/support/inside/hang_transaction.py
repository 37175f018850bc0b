"""Leaves a transaction hanging at the target, as a broker does that has lost its markers.

    hang_transaction.py HOST:PORT TRANSACTIONAL_ID TOPIC:PARTITION=VALUE...

Runs in the bridge's image, with the broker's own certificate: no other may change how brokers verify. Records of the
id's producer are written without telling the coordinator: the broker allows it while it does not verify transactions.
"""

from __future__ import annotations

import io
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from kio.records.schema import NewRecordBatch, Record
from kio.records.writers import write_new_batch
from kio.schema.incremental_alter_configs.v1.request import (
    AlterableConfig,
    AlterConfigsResource,
    IncrementalAlterConfigsRequest,
)
from kio.schema.init_producer_id.v4 import InitProducerIdRequest
from kio.schema.produce.v11.request import PartitionProduceData, ProduceRequest, TopicProduceData

from kafka_bridge.wire import Brokers

TLS = Path("/etc/kafka-bridge/tls/target")


def plain(value: Any) -> Any:
    """kio's types are narrower than what a script needs to say."""
    return value


TRANSACTIONAL, BROKER, SET, ALL_IN_SYNC, NONE_BEFORE = plain(16), plain(4), plain(0), plain(-1), plain(0)


def verify(brokers: Brokers, isOn: bool) -> None:
    """Whether brokers ask the coordinator about a record that begins a transaction in a partition."""
    setting = AlterableConfig(
        name="transaction.partition.verification.enable", config_operation=SET, value=str(isOn).lower()
    )
    everywhere = AlterConfigsResource(resource_type=BROKER, resource_name="", configs=(setting,))
    [answer] = brokers.ask_any(IncrementalAlterConfigsRequest(resources=(everywhere,), validate_only=False)).responses
    assert answer.error_code == 0, answer


def batch(producer: Any, value: bytes) -> bytes:
    stream = io.BytesIO()
    one = Record(
        attributes=NONE_BEFORE,
        timestamp=plain(datetime.now(UTC)),
        offset=NONE_BEFORE,
        key=b"hung",
        value=value,
        headers=(),
    )
    write_new_batch(
        stream,
        NewRecordBatch(
            producer_id=producer.producer_id,
            producer_epoch=producer.producer_epoch,
            base_sequence=NONE_BEFORE,
            records=(one,),
            attributes=TRANSACTIONAL,
        ),
    )
    return stream.getvalue()


def write(brokers: Brokers, request: ProduceRequest) -> None:
    """Tried again for a while: a setting reaches brokers a moment after it was made."""
    for _ in range(50):
        [answer] = brokers.ask_any(request).responses
        if answer.partition_responses[0].error_code == 0:
            return
        time.sleep(0.2)
    raise AssertionError(answer)


def main(server: str, transactionalId: str, *places: str) -> None:
    files = {"caFile": "ca.crt", "certificateFile": "tls.crt", "keyFile": "tls.key"}
    tls = SimpleNamespace(**{name: str(TLS / file) for name, file in files.items()})
    cluster = plain(SimpleNamespace(bootstrapServers=server, tls=tls))
    named, seconds = plain(transactionalId), plain(timedelta(seconds=30))
    with Brokers(cluster, "hang") as brokers:
        verify(brokers, False)
        producer = brokers.ask_any(InitProducerIdRequest(transactional_id=named, transaction_timeout=seconds))
        assert producer.error_code == 0, producer
        for place in places:
            where, _, value = place.partition("=")
            topic, _, partition = where.rpartition(":")
            data = PartitionProduceData(index=plain(int(partition)), records=plain(batch(producer, value.encode())))
            request = ProduceRequest(
                transactional_id=named,
                acks=ALL_IN_SYNC,
                timeout=seconds,
                topic_data=(TopicProduceData(name=plain(topic), partition_data=(data,)),),
            )
            write(brokers, request)
        verify(brokers, True)


if __name__ == "__main__":
    main(*sys.argv[1:])
