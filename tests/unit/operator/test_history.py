"""The last minutes of lag and records: exact over restarts of processes, bounded, and silent on what is not known."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from bridge_operator.engine import Container
from bridge_operator.history import KEPT_SECONDS, History
from kafka_bridge.status import BridgeStatus
from support.bridgectl import container
from support.fake_engine import FakeClock


class Watched:
    """A bridge in rounds of polls; `told` is what each of its processes says, by container id."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.began = self.clock.now
        self.history = History(self.clock)
        self.containers: list[Container] = [container(0), container(1)]
        self.told: dict[str, BridgeStatus] = {}

    def say(self, ordinal: int, records: int, lag: int | None = 0, startedAt: float = -1000.0) -> None:
        """`startedAt` in seconds after the watch began."""
        self.told[f"id-orders-{ordinal}"] = status(ordinal, records, lag, self.began + startedAt)

    def silence(self, ordinal: int) -> None:
        del self.told[f"id-orders-{ordinal}"]

    def poll(self, seconds: float = 2.0) -> None:
        self.clock.advance(seconds)
        self.history.note(self.containers, self.told)

    def totals(self) -> list[int | None]:
        return list(self.history.report().bridges["orders"].recordsCopied)

    def lags(self) -> list[int | None]:
        return list(self.history.report().bridges["orders"].lag)


def status(ordinal: int, records: int, lag: int | None, startedAt: float) -> BridgeStatus:
    side = {"name": "any", "reachable": True, "since": datetime.fromtimestamp(startedAt, UTC)}
    return BridgeStatus.model_validate(
        {"instance": "plant", "bridge": "orders", "ordinal": ordinal, "ready": True, "source": side, "target": side}
        | {"startedAt": datetime.fromtimestamp(startedAt, UTC), "counters": {"records": records}}
        | {"partitions": [{"topic": "orders", "partition": ordinal, "lane": 0, "lag": lag}]}
    )


@pytest.fixture(name="watched")
def watched_bridge() -> Watched:
    watched = Watched()
    watched.say(0, 1000, lag=5)
    watched.say(1, 2000, lag=7)
    watched.poll()
    return watched


def test_what_was_copied_before_the_watch_is_not_counted(watched: Watched) -> None:
    assert watched.totals() == [0]
    watched.say(0, 1040)
    watched.say(1, 2002)
    watched.poll()
    assert watched.totals() == [0, 42]


def test_a_process_that_starts_anew_goes_on_counting(watched: Watched) -> None:
    watched.say(0, 1100)
    watched.poll()
    watched.say(0, 30, startedAt=3)
    watched.poll()
    watched.say(0, 35, startedAt=3)
    watched.poll()
    assert watched.totals() == [0, 100, 130, 135]


def test_a_new_container_counts_from_its_start(watched: Watched) -> None:
    watched.silence(0)
    watched.containers[0] = container(0, id="id-orders-9")
    watched.say(9, 77, startedAt=3)
    watched.told["id-orders-9"] = status(0, 77, 0, watched.began + 3)
    watched.poll()
    assert watched.totals() == [0, 77]


def test_a_container_that_was_there_before_the_watch_and_is_heard_late_does_not(watched: Watched) -> None:
    watched.containers.append(container(2))
    watched.say(2, 9_000_000)
    watched.poll()
    assert watched.totals() == [0, 0]


def test_silence_is_no_zero_and_loses_nothing(watched: Watched) -> None:
    watched.silence(1)
    watched.say(0, 1010, lag=1)
    watched.poll()
    watched.say(0, 1020, lag=1)
    watched.say(1, 2500, lag=2)
    watched.poll()
    assert watched.totals() == [0, None, 520]
    assert watched.lags() == [12, None, 3]


def test_a_replica_that_has_ended_copies_nothing_and_its_lag_is_unknown(watched: Watched) -> None:
    watched.silence(1)
    watched.containers[1] = container(1, state="exited")
    watched.say(0, 1010, lag=1)
    watched.poll()
    assert watched.totals() == [0, 10]
    assert watched.lags() == [12, None]


def test_a_container_that_is_kept_for_a_while_after_its_successor_is_not_waited_for(watched: Watched) -> None:
    watched.containers.append(container(2, name="plant-orders-0-old", state="exited"))
    watched.poll()
    assert watched.lags() == [12, 12]


def test_of_a_source_that_does_not_answer_the_lag_is_unknown(watched: Watched) -> None:
    before = watched.told["id-orders-1"]
    watched.told["id-orders-1"] = before.model_copy(
        update={"source": before.source.model_copy(update={"reachable": False})}
    )
    watched.poll()
    assert watched.lags() == [12, None]
    assert watched.totals() == [0, 0]


def test_no_lag_is_known_before_somebody_tells_it(watched: Watched) -> None:
    watched.say(0, 1000, lag=None)
    watched.say(1, 2000, lag=None)
    watched.poll()
    assert watched.lags() == [12, None]


def test_what_is_old_goes(watched: Watched) -> None:
    for _ in range(int(KEPT_SECONDS)):
        watched.poll(2.0)
    kept = watched.history.report().bridges["orders"]
    assert len(kept.times) == KEPT_SECONDS / 2
    assert kept.times[0] > watched.clock.now - KEPT_SECONDS
    assert len(kept.times) == len(kept.lag) == len(kept.recordsCopied)


def test_quick_polls_share_a_point(watched: Watched) -> None:
    for records in range(1001, 1041):
        watched.say(0, records)
        watched.poll(0.25)
    assert len(watched.totals()) == 11
    assert watched.totals()[-1] == 40


def test_a_bridge_that_is_gone_is_forgotten_when_its_points_are_old(watched: Watched) -> None:
    watched.containers, watched.told = [], {}
    watched.poll()
    assert watched.totals() == [0]
    watched.poll(KEPT_SECONDS)
    assert watched.history.report().bridges == {}


def test_only_younger_points_are_told_to_who_has_the_others(watched: Watched) -> None:
    first = watched.history.report().bridges["orders"].times[-1]
    assert watched.history.report(first).bridges == {}
    watched.poll()
    assert len(watched.history.report(first).bridges["orders"].times) == 1
    assert len(watched.history.report().bridges["orders"].times) == 2
