"""What /metrics shows: the bridge's status as Prometheus metrics, and a histogram of the latency end to end.

The notions are MirrorMaker's (record count, byte count, replication latency, lag), with transactions beside them.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate, pairwise

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from kafka_bridge.status import BridgeStatus

LATENCY_BUCKETS_MS = (5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 60_000)


class LatencyHistogram(Collector):
    """From a record's timestamp at the source to the commit at the target, in milliseconds.

    Counts the records of a commit all at once: one at a time they would cost more than their copying.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts = [0] * (len(LATENCY_BUCKETS_MS) + 1)
        self._sum = 0.0

    def observe(self, timestampsMs: Sequence[int], nowSeconds: float) -> None:
        """Take in the records of one commit; clocks that disagree give zero, not a negative time."""
        nowMs = nowSeconds * 1000
        known = sorted(timestamp for timestamp in timestampsMs if timestamp > 0)
        # The oldest records stand first and have the longest way behind them.
        olderThan = [bisect_left(known, nowMs - bound) for bound in LATENCY_BUCKETS_MS]
        inBucket = [above - below for above, below in pairwise([len(known), *olderThan, 0])]
        late = bisect_left(known, nowMs)
        with self._lock:
            self._counts = [count + added for count, added in zip(self._counts, inBucket, strict=True)]
            self._sum += nowMs * late - sum(known[:late])

    def collect(self) -> Iterator[Metric]:
        with self._lock:
            cumulative, total = list(accumulate(self._counts)), self._sum
        bounds = [*(str(float(bound)) for bound in LATENCY_BUCKETS_MS), "+Inf"]
        yield HistogramMetricFamily(
            "kafka_bridge_replication_latency_ms",
            "From a record's timestamp to its commit at the target, in milliseconds",
            buckets=list(zip(bounds, cumulative, strict=True)),
            sum_value=total,
        )


class StatusCollector(Collector):
    """Renders the status anew at each scrape."""

    def __init__(self, status: Callable[[], BridgeStatus]) -> None:
        self._status = status

    def collect(self) -> Iterator[Metric]:
        status = self._status()
        totals = status.counters
        for name, text, value in (
            ("record_count", "Records copied and committed", totals.records),
            ("byte_count", "Bytes of keys and values copied and committed", totals.bytes),
            ("transactions_committed", "Transactions committed", totals.transactionsCommitted),
            ("transactions_aborted", "Transactions aborted or left to be settled", totals.transactionsAborted),
            ("dead_letters", "Records that failed their check and went to the dead-letter topic", totals.deadLetters),
            ("fences", "Lanes that another process has taken over", totals.fences),
        ):
            counter = CounterMetricFamily(f"kafka_bridge_{name}", text)
            counter.add_metric([], value)
            yield counter
        yield GaugeMetricFamily("kafka_bridge_ready", "1 where all lanes copy and both clusters answer", status.ready)
        reachable = GaugeMetricFamily("kafka_bridge_cluster_reachable", "1 where it answers", labels=["cluster"])
        for cluster in (status.source, status.target):
            reachable.add_metric([cluster.name], float(bool(cluster.reachable)))
        yield reachable
        states = GaugeMetricFamily("kafka_bridge_lane_state", "1 for the state a lane is in", labels=["lane", "state"])
        for lane in status.lanes:
            states.add_metric([str(lane.lane), lane.state], 1)
        yield states
        lag = GaugeMetricFamily(
            "kafka_bridge_lag", "Offsets from the position to the end of the partition", labels=["topic", "partition"]
        )
        for partition in status.partitions:
            # What has come to a source that does not answer nobody knows; the last figure would look like news.
            if partition.lag is not None and status.source.reachable is not False:
                lag.add_metric([partition.topic, str(partition.partition)], partition.lag)
        yield lag
