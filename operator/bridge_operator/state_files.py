"""The operator's own files: the report, the events, the last good manifests. For people; any of them may be lost."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from loguru import logger
from pydantic import TypeAdapter, ValidationError

from bridge_operator.accepted import Accepted
from bridge_operator.backoff import Attempts
from bridge_operator.report import EVENTS_FILE, STATUS_FILE, Event, OperatorReport

ACCEPTED_FILE = "accepted.json"
ATTEMPTS_FILE = "attempts.json"
# How often each replica was started again, by bridge and ordinal.
AttemptsByBridge = dict[str, dict[int, Attempts]]
_ATTEMPTS = TypeAdapter(AttemptsByBridge)
Value = TypeVar("Value")
# Events are cut back to the newer half when there are so many.
EVENTS_KEPT = 2000


class StateFiles:
    """In one folder. A file that cannot be written is logged, and stops nothing: bridges matter more."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._eventCount = _line_count(folder / EVENTS_FILE)

    def write_report(self, report: OperatorReport) -> None:
        self._replace(STATUS_FILE, report.model_dump_json())

    def write_accepted(self, accepted: Accepted) -> None:
        self._replace(ACCEPTED_FILE, accepted.model_dump_json(indent=2))

    def read_accepted(self) -> Accepted:
        """Empty where there is none, or none that can be read."""
        return self._read(ACCEPTED_FILE, Accepted.model_validate_json) or Accepted()

    def write_attempts(self, attempts: AttemptsByBridge) -> None:
        self._replace(ATTEMPTS_FILE, _ATTEMPTS.dump_json(attempts).decode())

    def read_attempts(self) -> AttemptsByBridge:
        """Empty where there is none, or none that can be read."""
        return self._read(ATTEMPTS_FILE, _ATTEMPTS.validate_json) or {}

    def _read(self, name: str, parse: Callable[[bytes], Value]) -> Value | None:
        path = self._folder / name
        try:
            return parse(path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValidationError) as error:
            logger.warning("{} cannot be read and is left aside: {}", path, error)
            return None

    def add_event(self, event: Event) -> None:
        logger.log("INFO" if event.type == "Normal" else "WARNING", "{} {}: {}", event.bridge or "operator",
                   event.reason, event.message)  # fmt: skip
        path = self._folder / EVENTS_FILE
        with self._lock:
            try:
                with path.open("a", encoding="utf-8") as file:
                    file.write(event.model_dump_json() + "\n")
                self._eventCount += 1
                if self._eventCount > EVENTS_KEPT:
                    kept = path.read_text(encoding="utf-8").splitlines(keepends=True)[-EVENTS_KEPT // 2 :]
                    self._replace(EVENTS_FILE, "".join(kept))
                    self._eventCount = len(kept)
            except OSError as error:
                logger.error("cannot write {}: {}", path, error)

    def _replace(self, name: str, text: str) -> None:
        """All or nothing: a reader sees the old file or the new one."""
        path = self._folder / name
        temporary = path.with_name(f".{name}.{threading.get_ident()}")
        try:
            temporary.write_text(text, encoding="utf-8")
            os.replace(temporary, path)
        except OSError as error:
            logger.error("cannot write {}: {}", path, error)


def _line_count(path: Path) -> int:
    try:
        with path.open("rb") as file:
            return sum(1 for _ in file)
    except OSError:
        return 0
