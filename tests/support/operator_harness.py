"""A whole operator around the fake engine, without threads: passes are run by the test, in its own time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry

from bridge_operator.backoff import BackoffRule
from bridge_operator.catalog import Catalog
from bridge_operator.conditions import Picture
from bridge_operator.controller import Controller
from bridge_operator.desired import EngineFacts
from bridge_operator.engine_survey import Surveyor
from bridge_operator.health_poller import Sightings
from bridge_operator.manifest_store import ManifestStore
from bridge_operator.metrics import PassMetrics
from bridge_operator.model import KafkaBridge, KafkaCluster
from bridge_operator.report import BridgeReport, Condition, ConditionType, Event
from bridge_operator.state_files import StateFiles
from bridge_operator.wish import Surroundings
from support.fake_engine import FakeClock, FakeEngine


def cluster(name: str, network: str) -> KafkaCluster:
    return KafkaCluster.model_validate(
        {
            "apiVersion": "bridge.kafka/v1alpha1",
            "kind": "KafkaCluster",
            "metadata": {"name": name},
            "spec": {
                "bootstrapServers": f"{name}-kafka:9093",
                "network": network,
                "tls": {"secret": f"tls-bridge-{name}"},
            },
        }
    )


def bridge(name: str = "orders", **spec: Any) -> KafkaBridge:
    return KafkaBridge.model_validate(
        {
            "apiVersion": "bridge.kafka/v1alpha1",
            "kind": "KafkaBridge",
            "metadata": {"name": name},
            "spec": {
                "source": {"cluster": "source"},
                "target": {"cluster": "target"},
                "topics": [{"name": name}],
                "lanes": 6,
            }
            | spec,
        }
    )


CLUSTERS = {"source": cluster("source", "network1"), "target": cluster("target", "network3")}


def catalog_of(*bridges: KafkaBridge) -> Catalog:
    return Catalog(bridges={one.metadata.name: one for one in bridges}, clusters=CLUSTERS)


class Harness:
    """`catalog` is what the folder says; `run` passes until nothing is left to do or the time is over."""

    def __init__(self, folder: Path, *bridges: KafkaBridge) -> None:
        self.clock = FakeClock()
        self.engine = FakeEngine(self.clock)
        self.catalog = catalog_of(*bridges)
        self.events: list[Event] = []
        self.rule = BackoffRule()
        self.graceSeconds = 10.0
        self._folder = folder
        self.start_operator()

    def start_operator(self) -> None:
        """A new process: what the former one only remembered is lost, what it wrote down is not."""
        self.sightings = Sightings()
        self.registry = CollectorRegistry()
        self.surveyor = Surveyor(self.engine, self.facts, self.clock)
        self.store = ManifestStore(lambda: self.catalog, StateFiles(self._folder))
        self.controller = Controller(
            engine=self.engine,
            store=self.store,
            sightings=self.sightings,
            surroundings=Surroundings("test", "image", "network2", "schemas", self.graceSeconds),
            rule=self.rule,
            surveyor=self.surveyor,
            tell=self.events.append,
            metrics=PassMetrics(self.registry),
            files=StateFiles(self._folder),
            clock=self.clock,
        )

    def apply(self, *bridges: KafkaBridge) -> None:
        self.catalog = catalog_of(*bridges)

    def look(self, name: str = "orders") -> float | None:
        """One pass, with fresh reports."""
        self.store.reload({})
        for containerId, sighting in self.engine.sightings().items():
            self.sightings.put(containerId, sighting)
        return self.controller.reconcile(name)

    def run(
        self,
        seconds: float = 120.0,
        name: str = "orders",
        watch: Callable[[], None] = lambda: None,
        stepSeconds: float = 1.0,
    ) -> None:
        """Passes as the daemon makes them: again at once after an action, else each `stepSeconds` (health polls)."""
        end = self.clock.now + seconds
        passes = 0
        while self.clock.now < end:
            delay = self.look(name)
            watch()
            passes += 1
            assert passes < 5000, f"no end of passes: {self.engine.calls[-20:]}"
            if delay != 0.0:
                self.clock.advance(stepSeconds if delay is None else max(0.1, min(stepSeconds, delay)))

    def names(self) -> list[str]:
        return sorted(one.name for one in self.engine.byId.values())

    def report(self, name: str = "orders") -> BridgeReport:
        return next(one for one in self.controller.reports() if one.name == name)

    def pictures(self) -> list[Picture]:
        """What the last pass over each bridge saw, and what it decided."""
        return [one.picture for one in self.controller._bridges.values() if one.picture is not None]

    def condition(self, conditionType: ConditionType, name: str = "orders") -> Condition:
        found = self.report(name).condition(conditionType)
        assert found is not None
        return found

    def reasons(self) -> list[str]:
        return [event.reason for event in self.events]

    def facts(self) -> EngineFacts:
        return EngineFacts(
            networks=self.engine.networks(),
            volumes=self.engine.volumes(),
            imageId=self.engine.image_id("image"),
            schemaDigests={},
        )
