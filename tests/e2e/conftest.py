"""One stack for all end-to-end tests, made by the user's own script under an instance of its own."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from support.browser import module_browser
from support.door import Door
from support.flow import Flow
from support.manifests import Manifests
from support.stack import PROJECT_ROOT, Stack, kept_clean, wait_until

__all__ = ["module_browser"]

BRIDGE = "orders"

# A lively stack: records all the time, and an operator that does not make a test wait.
LIVELY = {
    "PRODUCER_RATE": "100",
    "PRODUCER_COUNT": "0",
    "OPERATOR_RESYNC_SECONDS": "30",
    "OPERATOR_REMOVE_GRACE_SECONDS": "3",
    "OPERATOR_CRASH_BACKOFF_FIRST_SECONDS": "2",
    "OPERATOR_CRASH_BACKOFF_MAX_SECONDS": "8",
    "OPERATOR_CRASH_BACKOFF_RESET_SECONDS": "20",
    "KAFKA_UI": "kaskade",
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Bringing the stack up counts into the first test; every wait inside has a deadline of its own."""
    for item in items:
        if "/e2e/" in str(item.path):
            item.add_marker(pytest.mark.timeout(900))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failure is told together with what the stack says: nobody can ask it later."""
    report = yield
    stack = getattr(item, "funcargs", {}).get("stack")
    if report.failed and isinstance(stack, Stack):
        report.sections.append(("the stack", stack.last_words(BRIDGE)))
    return report


@pytest.fixture(scope="session", name="folder")
def manifests_folder() -> Iterator[Path]:
    """A copy of the project's manifests, readable for the operator's user."""
    base = Path(tempfile.mkdtemp(prefix="kbo-e2e-"))
    base.chmod(0o755)
    shutil.copytree(PROJECT_ROOT / "manifests", base / "manifests")
    yield base / "manifests"
    shutil.rmtree(base)


@pytest.fixture(scope="session", name="upOutput")
def first_up(folder: Path) -> Iterator[tuple[Stack, str]]:
    """The stack, and what `stack/up` printed when it brought it up."""
    with kept_clean(Stack(f"kbo-e2e-{os.getpid()}", LIVELY | {"MANIFESTS_DIR": str(folder)})) as stack:
        yield stack, stack.script("up", timeoutSeconds=800).stdout


@pytest.fixture(scope="session", name="stack")
def running_stack(upOutput: tuple[Stack, str]) -> Stack:
    return upOutput[0]


@pytest.fixture(scope="session", name="flow")
def counted_flow(stack: Stack) -> Flow:
    return Flow(stack)


@pytest.fixture(scope="session", name="door")
def door_to_stack(stack: Stack) -> Iterator[Door]:
    """The proxy, as one sees it who trusts the stack's CA."""
    with tempfile.TemporaryDirectory(prefix="kbo-e2e-") as folder:
        yield Door.of(stack, Path(folder))


@pytest.fixture(name="manifests")
def editable_manifests(stack: Stack, folder: Path) -> Iterator[Manifests]:
    """The folder to edit; as it was, and in force, after the test."""
    manifests = Manifests(folder)
    yield manifests
    manifests.restore()
    wait_until("the manifests are as they were", lambda: is_settled(stack), 120)


@pytest.fixture(autouse=True)
def settled(stack: Stack) -> None:
    """Every test begins with a stack that is as its manifests say."""
    wait_until("the bridge is ready before the test", lambda: is_settled(stack), 120)


def is_settled(stack: Stack) -> bool:
    """One replica, up to date and ready, and no container besides it."""
    status = stack.operator_report()
    return (
        status.get("problems") == []
        and bool(status["engineReachable"])
        and set(stack.bridges()) == {f"{stack.instance}-{BRIDGE}-0"}
        and [
            (bridge["name"], bridge["replicas"], bridge["updatedReplicas"], bridge["readyReplicas"])
            for bridge in status["bridges"]
        ]
        == [(BRIDGE, 1, 1, 1)]
    )
