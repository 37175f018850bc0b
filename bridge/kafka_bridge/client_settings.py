"""The one place where librdkafka's settings are chosen, each with its reason.

What the exactly-once copy rests on cannot be overridden; a user's `clientProperties` may set the rest from the
allow-list in `config`.
"""

from __future__ import annotations

from collections.abc import Sequence

from kafka_bridge.config import ClusterConfig

Settings = dict[str, str | int | float | bool]

# A peer that was cut off sends no reset; a request without answer for so long closes its connection.
REQUEST_TIMEOUT_MS = 10_000
# A broker that comes back is found within a second, instead of librdkafka's ten.
RECONNECT_MAX_MS = 1_000
# After so long without a commit the target's coordinator aborts by itself; a dead lane hides positions no longer.
TRANSACTION_TIMEOUT_MS = 60_000
# All of a replica's lanes share one process: per lane, this much waits in a queue at most. Six lanes at full speed
# peaked at 290 MB with queues of 4 and 16 MB and fetches of 2 MB. Of two lanes, medians of records/s and of peak MB for
# 200 and 1,000 bytes over six partitions:
#     these                       269,000, 114     151,000, 115
#     fetches of 64 KB            257,000, 104     166,000, 107    over all rounds no faster, more requests
#     fetches of 256 KB           254,000, 128     168,000, 158    no faster, half as much memory again
#     fetches of 1 MB             263,000, 141                     no faster
#     a consumer queue of 8 MB    262,000, 176                     no faster
#     a producer queue of 16 MB   277,000, 157     168,000, 158    hardly faster
CONSUMER_QUEUE_KB = 1_024
PRODUCER_QUEUE_KB = 4_096
FETCH_BYTES = 128 * 1024
# A batch fills while the loop runs. Without waiting 220,000 records/s at 5.0 us of CPU each, against 260,000 at 4.2;
# 50 ms gave no more than 5, which is far below the commit interval.
LINGER_MS = 5
# 260,000 records/s against 215,000 without: what is not sent need not be encrypted.
COMPRESSION = "lz4"
# As many records as the target's default of max.message.bytes takes in one batch, less what frames them: fewer batches
# for the target's consumers. To the copy itself 200 kB are as good.
BATCH_BYTES = 1_000_000
# At its default of 500 ms this took half of the time from a crash to the next record.
READER_WAIT_MS = 10
# Above any sensible max.message.bytes: which record is too large is for the target's broker to say.
LARGEST_MESSAGE_BYTES = 16 * 1024 * 1024


def connection(cluster: ClusterConfig, clientId: str) -> Settings:
    """Mutual TLS with hostname verification, and quick recovery from a lost connection."""
    return {
        "broker.address.family": "any",
        "reconnect.backoff.ms": 100,
        "reconnect.backoff.max.ms": RECONNECT_MAX_MS,
        "socket.timeout.ms": REQUEST_TIMEOUT_MS,
        "socket.connection.setup.timeout.ms": 5_000,
        "socket.keepalive.enable": True,
        # Small requests (commits, fetches of a quiet topic) must not wait for Nagle's algorithm.
        "socket.nagle.disable": True,
        **cluster.clientProperties,
        "bootstrap.servers": cluster.bootstrapServers,
        "client.id": clientId,
        "security.protocol": "ssl",
        "ssl.ca.location": cluster.tls.caFile,
        "ssl.certificate.location": cluster.tls.certificateFile,
        "ssl.key.location": cluster.tls.keyFile,
        "enable.ssl.certificate.verification": True,
        "ssl.endpoint.identification.algorithm": "https",
        # Errors reach the log through the error callback, once each; librdkafka's own lines would repeat them.
        "log_level": 0,
    }


def producer(
    cluster: ClusterConfig,
    clientId: str,
    transactionalId: str,
    targetLimits: Sequence[int] = (),
    sourceLimits: Sequence[int] = (),
    tellsOffsets: bool = False,
) -> Settings:
    """A transactional producer. Idempotence, acks and ordering follow from `transactional.id`.

    The limits are those of batches, in bytes, of the topics at either side: a batch must fit all topics of the
    target, and the queue must hold some of the largest that can come from the source. `tellsOffsets`: the offsets of
    what was delivered are asked for.
    """
    return {
        # A delivery that failed fails its transaction; reports of those that did not would cost a fifth of the copying.
        "delivery.report.only.error": not tellsOffsets,
        "linger.ms": LINGER_MS,
        "batch.size": min([BATCH_BYTES, *targetLimits]),
        "compression.type": COMPRESSION,
        "queue.buffering.max.messages": 100_000,
        "queue.buffering.max.kbytes": max([PRODUCER_QUEUE_KB, *(4 * limit // 1024 for limit in sourceLimits)]),
        "request.timeout.ms": REQUEST_TIMEOUT_MS,
        "message.max.bytes": LARGEST_MESSAGE_BYTES,
        **connection(cluster, clientId),
        "transactional.id": transactionalId,
        "transaction.timeout.ms": TRANSACTION_TIMEOUT_MS,
    }


def consumer(cluster: ClusterConfig, clientId: str, groupId: str) -> Settings:
    """A read_committed consumer of assigned partitions. The group is a name only: nothing is committed to it."""
    return {
        "fetch.wait.max.ms": 500,
        # librdkafka's default of one second stalls a loop that has just emptied its queue.
        "fetch.queue.backoff.ms": 20,
        "queued.max.messages.kbytes": CONSUMER_QUEUE_KB,
        "fetch.message.max.bytes": FETCH_BYTES,
        "receive.message.max.bytes": 128 * 1024 * 1024,
        **connection(cluster, clientId),
        "group.id": groupId,
        "isolation.level": "read_committed",
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        # Tells that a partition ran dry, and the offset behind transaction markers and aborted records.
        "enable.partition.eof": True,
        # An offset that is no longer there is named, never silently skipped.
        "auto.offset.reset": "error",
    }


def reader(cluster: ClusterConfig, clientId: str, groupId: str) -> Settings:
    """A consumer that reads a partition to its end and goes. The end is told by an empty fetch: it must not wait."""
    return consumer(cluster, clientId, groupId) | {"fetch.wait.max.ms": READER_WAIT_MS}


def admin(cluster: ClusterConfig, clientId: str) -> Settings:
    return connection(cluster, clientId)
