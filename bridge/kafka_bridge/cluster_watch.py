"""Asks one cluster the same question again and again, and remembers whether it answers and since when."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Generic, TypeVar

from loguru import logger

from kafka_bridge.errors import BridgeError
from kafka_bridge.status import ClusterStatus

PERIOD_SECONDS = 2.0
# While a cluster does not answer, every second look is made by a new client.
RENEW_AFTER_FAILURES = 2

Answer = TypeVar("Answer")


class ClusterWatch(Generic[Answer]):
    """A thread that calls `probe` each PERIOD_SECONDS. `probe` raises BridgeError where the cluster does not answer."""

    def __init__(self, name: str, probe: Callable[[], tuple[str, Answer]], renew: Callable[[], None]) -> None:
        """`probe` gives the cluster's id and whatever else was asked for; `renew` makes the client that it asks."""
        self._probe = probe
        self._renew = renew
        self._failures = 0
        self._status = ClusterStatus(name=name, since=datetime.now(UTC))
        self._answer: Answer | None = None
        self._refusal: BridgeError | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"watch-{name}", daemon=True)

    @property
    def status(self) -> ClusterStatus:
        return self._status

    @property
    def answer(self) -> Answer | None:
        """The last answer, also while the cluster is away; None before the first."""
        return self._answer

    @property
    def refusal(self) -> BridgeError | None:
        """Why the cluster would not tell, where its last answer was no more than that."""
        return self._refusal

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()

    def look(self) -> None:
        """Ask once and take the answer in."""
        try:
            clusterId, self._answer = self._ask()
            self._refusal = None
            self._note(True, clusterId, "")
            self._failures = 0
        except BridgeError as error:
            if error.isForbidden:
                self._refusal = error
                self._note(True, self._status.clusterId, "")
            else:
                self._fail(f"{error.reason}: {error}")
        except Exception as error:
            # A watch that died would show its last answer for ever.
            self._fail(f"UnexpectedError: {type(error).__name__}: {error}")

    def _ask(self) -> tuple[str, Answer]:
        """The client is doubted before the cluster: one has been seen to get no answer for a minute, since a broker of
        three was killed or its only broker had been away, while others were served."""
        try:
            return self._probe()
        except BridgeError as error:
            if not self._status.reachable or error.isForbidden:
                raise
            logger.debug("cluster {}: a new client, since {}", self._status.name, error)
            self._renew()
            return self._probe()

    def _fail(self, message: str) -> None:
        self._note(False, self._status.clusterId, message)
        self._failures += 1
        if self._failures % RENEW_AFTER_FAILURES == 0:
            self._renew()

    def _note(self, reachable: bool, clusterId: str | None, message: str) -> None:
        before = self._status
        changed = before.reachable is not reachable
        if changed:
            logger.log("INFO" if reachable else "WARNING", "cluster {} {}", before.name,
                       "answers" if reachable else f"does not answer: {message}")  # fmt: skip
        self._status = ClusterStatus(
            name=before.name,
            clusterId=clusterId,
            reachable=reachable,
            since=datetime.now(UTC) if changed else before.since,
            message=message,
        )

    def _run(self) -> None:
        while not self._stopping.is_set():
            self.look()
            self._stopping.wait(PERIOD_SECONDS)
