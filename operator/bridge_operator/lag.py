"""How far a bridge is behind its source, as its replicas say. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bridge_operator.engine import Container
from bridge_operator.plan import is_retired
from kafka_bridge.status import BridgeStatus


def known_lag(containers: Sequence[Container], heard: Mapping[str, BridgeStatus]) -> int | None:
    """In records, of all containers of a bridge; `heard` by container id.

    Not known while a replica says nothing, since what the others tell is a part of it, and while the source does not
    answer: what has come to it since then nobody has seen.
    """
    if not all(one.id in heard for one in containers if not is_retired(one)):
        return None
    told = [heard[one.id] for one in containers if one.id in heard]
    if any(status.source.reachable is False for status in told):
        return None
    lags = [partition.lag for status in told for partition in status.partitions if partition.lag is not None]
    return sum(lags) if lags else None
