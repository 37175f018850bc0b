"""Asks every bridge process for its status, every few seconds, over the management network.

It keeps the last answer of each container, and asks for a pass where something has changed that a plan or a condition
depends on. Since each round begins with a list of the containers, it also finds what no event told.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
from loguru import logger
from pydantic import ValidationError

from bridge_operator.engine import Container, Engine, EngineError
from bridge_operator.observed import Observed, Sighting
from kafka_bridge.status import BridgeStatus

STATUS_PORT = 8080
ANSWER_SECONDS = 2.0
PARALLEL = 8

Fetch = Callable[[str], BridgeStatus | None]
# What one round has found: all containers, and the answers by container id.
Note = Callable[[Sequence[Container], Mapping[str, BridgeStatus]], None]


class Sightings:
    """What bridge processes said last, by container id. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._byId: dict[str, Sighting] = {}

    def snapshot(self) -> Mapping[str, Sighting]:
        with self._lock:
            return dict(self._byId)

    def put(self, containerId: str, sighting: Sighting) -> None:
        with self._lock:
            self._byId[containerId] = sighting

    def forget(self, containerId: str) -> None:
        """The process that said it is gone."""
        with self._lock:
            self._byId.pop(containerId, None)

    def keep_only(self, containerIds: set[str]) -> None:
        with self._lock:
            self._byId = {key: value for key, value in self._byId.items() if key in containerIds}


class StatusFetcher:
    """Called with an IP address, it gives the status of the bridge process there; None where that does not answer, or
    not sensibly. Thread-safe.
    """

    def __init__(self, port: int = STATUS_PORT) -> None:
        self._port = port
        # One for all calls: to make one takes a hundred times the CPU of a call. No connection is kept, since an
        # address passes from one container to the next.
        self._client = httpx.Client(
            timeout=ANSWER_SECONDS, trust_env=False, limits=httpx.Limits(max_keepalive_connections=0)
        )

    def __call__(self, address: str) -> BridgeStatus | None:
        try:
            answer = self._client.get(f"http://{address}:{self._port}/status")
            return BridgeStatus.model_validate_json(answer.raise_for_status().content)
        except (httpx.HTTPError, httpx.InvalidURL):
            return None
        except ValidationError as error:
            logger.warning("{} answers with something that is no bridge status: {}", address, error)
            return None


class HealthPoller:
    """`enqueue` is called with the name of each bridge that has changed, `note` with what each round has found."""

    def __init__(
        self,
        engine: Engine,
        sightings: Sightings,
        managementNetwork: str,
        enqueue: Callable[[str], None],
        fetch: Fetch | None = None,
        clock: Callable[[], float] = time.time,
        note: Note = lambda containers, heard: None,
    ) -> None:
        """`managementNetwork` is the name that manifests use."""
        self._engine = engine
        self._sightings = sightings
        self._managementNetwork = managementNetwork
        self._enqueue = enqueue
        self._fetch = fetch or StatusFetcher()
        self._clock = clock
        self._note = note
        self._before: dict[str, Any] = {}

    def run(self, stopping: threading.Event, periodSeconds: float) -> None:
        """Until stopped. An engine that does not answer is the controller's to report."""
        with ThreadPoolExecutor(PARALLEL, thread_name_prefix="poll") as pool:
            while not stopping.wait(periodSeconds):
                try:
                    self.poll(pool)
                except EngineError as error:
                    logger.debug("no poll: {}", error)

    def poll(self, pool: ThreadPoolExecutor) -> None:
        """One round over all bridges."""
        containers = self._engine.containers()
        running = [one for one in containers if one.state == "running"]
        _, network = self._engine.networks().get(self._managementNetwork, ("", "")) if running else ("", "")
        asked = [one for one in running if _address(one, network)]
        heard: dict[str, BridgeStatus] = {}
        answers = pool.map(lambda one: self._fetch(_address(one, network)), asked)
        for container, status in zip(asked, answers, strict=True):
            # An address can pass to another container between the list and the call.
            if status is not None and (status.bridge, status.ordinal) == (container.bridge, container.ordinal):
                heard[container.id] = status
                self._sightings.put(container.id, Sighting(status, self._clock()))
        self._sightings.keep_only({one.id for one in containers})
        self._note_changes(containers)
        self._note(containers, heard)

    def _note_changes(self, containers: list[Container]) -> None:
        observed = Observed(self._clock(), tuple(containers), self._sightings.snapshot())
        signatures: dict[str, Any] = {}
        for container in sorted(containers, key=lambda one: one.id):
            signatures.setdefault(container.bridge, []).append(_signature(container, observed))
        for bridge in sorted(signatures.keys() | self._before.keys()):
            if signatures.get(bridge) != self._before.get(bridge):
                self._enqueue(bridge)
        self._before = signatures


def _address(container: Container, network: str) -> str:
    endpoint = container.endpoints.get(network)
    return endpoint.address if endpoint is not None else ""


def _signature(container: Container, observed: Observed) -> Any:
    """What would change a plan or a condition; figures that change all the time are not among it."""
    report = observed.report(container)
    told = report and (
        report.ready,
        report.missingTopics,
        report.fault,
        report.certificatesChanged,
        [(side.reachable, side.since) for side in (report.source, report.target)],
        [(lane.lane, lane.state, lane.reason) for lane in report.lanes],
    )
    endpoints = sorted((name, one.networkId) for name, one in container.endpoints.items())
    return (container.id, container.name, container.state, container.health, endpoints, told)
