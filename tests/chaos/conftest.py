"""Two clusters for all trials: a source of one broker, and a target of three, where two have to have each record."""

from __future__ import annotations

import os
import re
from collections.abc import Generator, Iterator
from typing import get_args

import pytest

from chaos.trial import Trial
from kafka_bridge.config import BridgeConfig
from support.clusters import THREE_BROKERS, Clusters
from support.outages import await_in_sync
from support.stack import Stack, kept_clean

# As Kafka's own test has it; for CI, where the faults count and not the records, fewer.
RECORDS, RECORDS_IN_CI = 100_000, 5_000
ROUNDS, ROUNDS_IN_CI = 3, 1
REPORTS = pytest.StashKey[list[pytest.TestReport]]()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Bringing the clusters up counts into the first test; every wait inside has a deadline of its own."""
    for item in items:
        if "/chaos/" in str(item.path):
            item.add_marker(pytest.mark.timeout(900))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A trial that ends wants to know how."""
    report = yield
    item.stash.setdefault(REPORTS, []).append(report)
    return report


@pytest.fixture(scope="session", name="clusters")
def three_brokers() -> Iterator[Clusters]:
    with kept_clean(Stack(f"kbo-chaos-{os.getpid()}", THREE_BROKERS)) as stack:
        clusters = Clusters(stack, 3)
        clusters.up()
        yield clusters


@pytest.fixture(scope="session", name="records")
def records_to_copy(request: pytest.FixtureRequest) -> int:
    return RECORDS_IN_CI if is_selection(request) else RECORDS


@pytest.fixture(scope="session", name="rounds")
def rounds_of_faults(request: pytest.FixtureRequest) -> int:
    """How often each that takes part is ended."""
    return ROUNDS_IN_CI if is_selection(request) else ROUNDS


def is_selection(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("markexpr") == "selection")


@pytest.fixture(name="copier", params=get_args(BridgeConfig.model_fields["copier"].annotation))
def every_copier(request: pytest.FixtureRequest) -> str:
    """Each way in which a lane may get records across has to stand every trial."""
    return str(request.param)


@pytest.fixture(name="trial")
def one_trial(clusters: Clusters, records: int, copier: str, request: pytest.FixtureRequest) -> Iterator[Trial]:
    """With a topic and a bridge of the test's own name, on clusters that are whole."""
    await_in_sync(clusters, "source")
    await_in_sync(clusters, "target")
    name = re.sub(r"[^a-z0-9]+", "-", request.node.name.removeprefix("test_")).strip("-")
    trial = Trial(clusters, name[:60], records, copier)
    yield trial
    trial.end(any(report.failed for report in request.node.stash.get(REPORTS, [])))
