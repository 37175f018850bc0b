"""A cluster's reachability: since when, why not, and what it said last."""

from __future__ import annotations

import pytest

from kafka_bridge.cluster_watch import RENEW_AFTER_FAILURES, ClusterWatch
from kafka_bridge.errors import TransientError


class Probe:
    """Answers, or raises."""

    def __init__(self) -> None:
        self.answer: tuple[str, int] | Exception = ("id", 1)

    def __call__(self) -> tuple[str, int]:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def never() -> None:
    raise AssertionError("the client is not to be renewed")


def ignored() -> None:
    pass


def test_nothing_is_known_before_the_first_look() -> None:
    watch = ClusterWatch("source", Probe(), never)
    assert (watch.status.reachable, watch.status.clusterId, watch.answer) == (None, None, None)


def test_an_answer_is_kept_over_an_outage() -> None:
    probe = Probe()
    watch = ClusterWatch("source", probe, ignored)
    watch.look()
    assert (watch.status.reachable, watch.status.clusterId, watch.answer) == (True, "id", 1)
    probe.answer = TransientError("Transport", "it is away")
    watch.look()
    assert (watch.status.reachable, watch.status.clusterId, watch.answer) == (False, "id", 1)
    assert watch.status.message == "Transport: it is away"
    probe.answer = ("id", 2)
    watch.look()
    assert (watch.status.reachable, watch.status.message, watch.answer) == (True, "", 2)


def test_since_is_the_last_change_and_not_the_last_look() -> None:
    probe = Probe()
    watch = ClusterWatch("source", probe, ignored)
    watch.look()
    since = watch.status.since
    watch.look()
    assert watch.status.since == since
    probe.answer = TransientError("Transport", "away")
    watch.look()
    gone = watch.status.since
    assert gone > since
    probe.answer = TransientError("TimedOut", "still away")
    watch.look()
    assert watch.status.since == gone
    assert watch.status.message == "TimedOut: still away"


@pytest.mark.parametrize("mistake", [RuntimeError("a mistake"), TimeoutError()])
def test_a_mistake_is_an_outage_and_not_the_end_of_the_watch(mistake: Exception) -> None:
    probe = Probe()
    watch = ClusterWatch("source", probe, never)
    watch.look()
    probe.answer = mistake
    watch.look()
    assert watch.status.reachable is False
    assert type(mistake).__name__ in watch.status.message


def test_the_client_is_doubted_before_the_cluster() -> None:
    """One has been seen to get no answer for a minute while others were served."""
    probe = Probe()
    stuck, answering = TransientError("TimedOut", "no answer"), ("id", 2)
    watch = ClusterWatch("source", probe, lambda: setattr(probe, "answer", answering))
    watch.look()
    since = watch.status.since
    probe.answer = stuck
    watch.look()
    assert (watch.status.reachable, watch.status.since, watch.answer) == (True, since, 2)


def test_while_a_cluster_is_away_its_client_is_renewed_now_and_then() -> None:
    probe = Probe()
    renewals: list[None] = []
    watch = ClusterWatch("source", probe, lambda: renewals.append(None))

    def renewals_after(looks: int) -> int:
        for _ in range(looks):
            watch.look()
        return len(renewals)

    assert renewals_after(3) == 0
    probe.answer = TransientError("TimedOut", "no answer")
    # One to be sure, then with every second look.
    assert renewals_after(1) == 1
    most = RENEW_AFTER_FAILURES - 1
    assert [renewals_after(most), renewals_after(most), renewals_after(1), renewals_after(most)] == [2, 2, 3, 3]
    probe.answer = ("id", 1)
    assert renewals_after(2) == 3
    probe.answer = TransientError("TimedOut", "no answer")
    assert renewals_after(1) == 4


def test_nobody_is_doubted_before_the_first_answer() -> None:
    probe = Probe()
    probe.answer = TransientError("Transport", "it is not there yet")
    watch = ClusterWatch("source", probe, never)
    watch.look()
    assert watch.status.reachable is False


def test_a_cluster_that_refuses_is_there() -> None:
    probe = Probe()
    watch = ClusterWatch("source", probe, never)
    for _ in range(RENEW_AFTER_FAILURES + 1):
        probe.answer = TransientError("TopicAuthorizationFailed", "describe topic orders: Topic authorization failed")
        watch.look()
        assert (watch.status.reachable, watch.status.message, watch.refusal) == (True, "", probe.answer)
    probe.answer = ("id", 1)
    watch.look()
    assert (watch.status.reachable, watch.refusal) == (True, None)
