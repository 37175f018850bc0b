"""The operator's process: wires the parts together, runs their loops, and ends within seconds when asked to.

Bridges do not need it to copy: ending it, by a signal or a crash, leaves them running, and the next one adopts them.
"""

from __future__ import annotations

import fcntl
import signal
import sys
import threading
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from loguru import logger
from prometheus_client import CollectorRegistry
from pydantic import ValidationError
from starlette.applications import Starlette

from bridge_operator.backoff import BackoffRule
from bridge_operator.console import console_routes
from bridge_operator.controller import Controller
from bridge_operator.desired import EngineFacts
from bridge_operator.docker_engine import DockerEngine
from bridge_operator.engine import Container, Engine, EngineError
from bridge_operator.engine_survey import Surveyor
from bridge_operator.health_poller import HealthPoller, Sightings
from bridge_operator.history import History
from bridge_operator.manifest_store import ManifestStore, schema_digests
from bridge_operator.manifests import load_folder
from bridge_operator.metrics import OperatorCollector, PassMetrics, Vitals
from bridge_operator.recent_events import KEPT_EVENTS, RecentEvents
from bridge_operator.report import Event, OperatorReport, StuckPass
from bridge_operator.report_builder import manifest_problem
from bridge_operator.report_reader import read_events
from bridge_operator.settings import Settings
from bridge_operator.state_files import StateFiles
from bridge_operator.watch_engine import EngineWatcher
from bridge_operator.watch_files import FileWatcher
from bridge_operator.web import build_app
from bridge_operator.wish import Surroundings
from bridge_operator.work_queue import WorkQueue
from kafka_bridge.serving import serve

WORKERS = 4
# Where so many passes wait, one list of all containers costs less than one for each.
MANY = 3
# The report is renewed at least so often; readers take one that is three times as old for dead.
REPORT_SECONDS = 5.0
STOP_SECONDS = 5.0
# One start of a container makes half a dozen events: they are waited for, and the engine's list is behind them too.
EVENT_SECONDS = 0.1


class Daemon:
    """All parts of one operator. `run` blocks until `stop`."""

    def __init__(self, settings: Settings, engine: Engine) -> None:
        self._settings = settings
        self._engine = engine
        self.failed = False
        self._startedAt = datetime.now(UTC)
        self._resyncedAt: datetime | None = None
        self.registry = CollectorRegistry()
        self.registry.register(OperatorCollector(self.report, self._vitals))
        self._stopping = threading.Event()
        self._reportDue = threading.Event()
        self._queue = WorkQueue()
        self._files = StateFiles(settings.stateDir)
        self._store = ManifestStore(lambda: load_folder(settings.manifestsDir, settings.schemasDir), self._files)
        self._surveyor = Surveyor(engine, self._facts)
        self.history = History()
        self.events = RecentEvents(read_events(settings.stateDir, limit=KEPT_EVENTS))
        sightings = Sightings()
        self._controller = Controller(
            engine=engine,
            store=self._store,
            sightings=sightings,
            surroundings=Surroundings(
                instance=settings.instance,
                image=settings.bridgeImage,
                managementNetwork=settings.managementNetwork,
                schemasVolume=settings.schemasVolume,
                removeGraceSeconds=settings.removeGraceSeconds,
            ),
            rule=BackoffRule(
                settings.crashBackoffFirstSeconds,
                settings.crashBackoffMaxSeconds,
                settings.crashBackoffResetSeconds,
            ),
            surveyor=self._surveyor,
            tell=self._tell,
            metrics=PassMetrics(self.registry),
            files=self._files,
        )
        self._poller = HealthPoller(
            engine, sightings, settings.managementNetwork, self._queue.add, note=self.history.note
        )
        self._fileWatcher = FileWatcher(settings.manifestsDir, self._reload)
        self._schemaWatcher = FileWatcher(settings.schemasDir, self._reload)
        self._engineWatcher = EngineWatcher(
            engine,
            lambda name: self._queue.add(name, EVENT_SECONDS),
            self._enqueue_all,
            self._controller.forget_limits,
        )

    def run(self) -> None:
        logger.info("operator of instance {} watches {}", self._settings.instance, self._settings.manifestsDir)
        self._reload()
        loops: dict[str, Callable[[], None]] = {
            "files": lambda: self._fileWatcher.run(self._stopping),
            "schemas": lambda: self._schemaWatcher.run(self._stopping),
            "events": lambda: self._engineWatcher.run(self._stopping),
            "poll": lambda: self._poller.run(self._stopping, self._settings.healthPollSeconds),
            "resync": self._resync,
            "report": self._report,
        } | {f"worker-{number}": self._work for number in range(WORKERS)}
        threads = [
            threading.Thread(target=self._guarded, args=(name, loop), name=name, daemon=True)
            for name, loop in loops.items()
        ]
        for thread in threads:
            thread.start()
        self._stopping.wait()
        self._queue.close()
        self._fileWatcher.wake()
        self._schemaWatcher.wake()
        self._reportDue.set()
        # The event stream may be silent in a read; it is left behind.
        for thread in threads:
            if thread.name != "events":
                thread.join(STOP_SECONDS)
        logger.info("operator has ended; bridges go on")

    def stop(self) -> None:
        self._stopping.set()

    def report(self) -> OperatorReport:
        """How everything is now."""
        health, catalog = self._controller.engineHealth, self._store.catalog
        deadline = self._settings.passDeadlineSeconds
        return OperatorReport(
            instance=self._settings.instance,
            startedAt=self._startedAt,
            writtenAt=datetime.now(UTC),
            engineReachable=health.reachable,
            engineMessage=health.message,
            managementNetwork=self._settings.managementNetwork,
            folderFault=catalog.folderFault,
            problems=tuple(manifest_problem(problem) for problem in catalog.problems),
            bridges=tuple(self._controller.reports()),
            stuckPasses=tuple(
                StuckPass(bridge=name, seconds=round(seconds))
                for name, seconds in sorted(self._queue.busy_for().items())
                if seconds > deadline
            ),
        )

    def build_app(self) -> Starlette:
        """What the operator serves over HTTP."""
        return build_app(
            self.report, self.registry, console_routes(self.history, self.events, self._settings.links_by_name())
        )

    def _tell(self, event: Event) -> None:
        self._files.add_event(event)
        self.events.add(event)

    def _vitals(self) -> Vitals:
        waiting, lastEvent = self._queue.waiting_for(), self._engineWatcher.lastEventAt
        return Vitals(
            depth=len(waiting),
            oldestSeconds=max(waiting.values(), default=0.0),
            longestPassSeconds=max(self._queue.busy_for().values(), default=0.0),
            lastEventAt=None if lastEvent is None else datetime.fromtimestamp(lastEvent, UTC),
            lastResyncAt=self._resyncedAt,
        )

    def _guarded(self, name: str, loop: Callable[[], None]) -> None:
        """A loop that dies would leave half an operator: better none, and a restart by the engine."""
        try:
            loop()
        except Exception:
            logger.exception("the loop {} failed; the operator ends", name)
            self.failed = True
            self._stopping.set()

    def _work(self) -> None:
        while (name := self._queue.get()) is not None:
            requeueAfter: float | None = self._settings.resyncSeconds
            try:
                isOneOfMany = len(self._queue.waiting_for()) >= MANY
                requeueAfter = self._controller.reconcile(name, self._queue.as_of(name), isOneOfMany)
            finally:
                self._queue.done(name)
                self._reportDue.set()
            if requeueAfter is not None:
                self._queue.add(name, requeueAfter)

    def _resync(self) -> None:
        while not self._stopping.wait(self._settings.resyncSeconds):
            self._reload()

    def _reload(self) -> None:
        """Read the manifests and look at every bridge: one survey serves for all."""
        containers, asOf = self._survey()
        generations = {one.bridge: one.generation for one in sorted(containers, key=lambda one: one.generation)}
        self._store.reload(generations)
        self._enqueue(containers, asOf)
        self._resyncedAt = datetime.now(UTC)
        self._reportDue.set()

    def _enqueue_all(self) -> Iterable[Container]:
        containers, asOf = self._survey()
        self._enqueue(containers, asOf)
        return containers

    def _enqueue(self, containers: Iterable[Container], asOf: float | None) -> None:
        for name in self._controller.names(containers):
            self._queue.add(name, asOf=asOf)

    def _survey(self) -> tuple[tuple[Container, ...], float | None]:
        """All containers, and as of when; none and now where the engine does not answer: passes will say so."""
        try:
            survey = self._surveyor.survey()
        except EngineError as error:
            logger.warning("{}", error)
            return (), None
        return survey.containers, survey.takenAt

    def _facts(self) -> EngineFacts:
        return EngineFacts(
            networks=self._engine.networks(),
            volumes=self._engine.volumes(),
            imageId=self._engine.image_id(self._settings.bridgeImage),
            schemaDigests=schema_digests(self._settings.schemasDir),
        )

    def _report(self) -> None:
        while True:
            self._files.write_report(self.report())
            if self._stopping.is_set():
                return
            self._reportDue.wait(REPORT_SECONDS)
            # Many passes in a moment make one report.
            self._stopping.wait(0.2)
            self._reportDue.clear()


def _take_lock(folder: Path) -> IO[bytes] | None:
    """A lock that goes with the process; None where another operator has it."""
    file = (folder / "lock").open("wb")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        return None
    return file


def main() -> int:
    """The command bridge-operator. Exit codes: 0 asked to end, 1 a loop failed, 2 wrong settings, 3 not alone."""
    try:
        settings = Settings()
    except ValidationError as error:
        for one in error.errors():
            variable = ".".join(str(part) for part in one["loc"])
            print(f"error: {variable}: {one['msg']}, found {one['input']!r}", file=sys.stderr)
        return 2
    logger.remove()
    logger.add(
        sys.stderr,
        level=settings.logLevel,
        format="{time:YYYY-MM-DD HH:mm:ss.SSS!UTC} {level: <7} {extra} {message}",
    )
    try:
        lock = _take_lock(settings.stateDir)
    except OSError as error:
        print(f"error: OPERATOR_STATE_DIR {settings.stateDir} cannot be written: {error}", file=sys.stderr)
        return 2
    if lock is None:
        print(f"error: another operator works for instance {settings.instance}; there can be one", file=sys.stderr)
        return 3
    engine = DockerEngine(settings.engineSocket, settings.instance, settings.stopGraceSeconds)
    daemon = Daemon(settings, engine)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: daemon.stop())
    endWeb = serve(daemon.build_app(), settings.httpAddress, settings.httpPort)
    with lock:
        daemon.run()
    endWeb()
    return 1 if daemon.failed else 0


if __name__ == "__main__":
    sys.exit(main())
