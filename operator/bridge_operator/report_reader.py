"""Reads what the operator wrote for people: its report and its events.

A reader never fails on what it finds: the operator may be down, may never have run, or may be writing right now. It
says instead what can be relied on and why not.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pydantic import ValidationError

from bridge_operator.report import EVENTS_FILE, STATUS_FILE, Event, OperatorReport

# The operator renews its report every 5 s at least: three misses in a row are no accident.
STALE_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class ReportReading:
    """The report where one could be read, and why it does not tell the present; `fault` is empty where it does."""

    report: OperatorReport | None
    fault: str = ""
    silentSeconds: float | None = None

    @property
    def isFresh(self) -> bool:
        return self.report is not None and self.silentSeconds is None and not self.fault


def read_report(stateDir: Path, now: datetime) -> ReportReading:
    """The newest report. `silentSeconds` is its age where that is beyond STALE_SECONDS."""
    file = stateDir / STATUS_FILE
    try:
        report = OperatorReport.model_validate_json(file.read_bytes())
        age = (now - report.writtenAt).total_seconds()
    except FileNotFoundError:
        return ReportReading(None, f"the operator has not written a report: there is no {file}")
    except OSError as error:
        return ReportReading(None, f"the operator's report cannot be read: {file}: {error.strerror}")
    except (ValidationError, TypeError) as error:
        return ReportReading(None, f"the operator's report {file} is damaged: {_first_line(error)}")
    if age < -STALE_SECONDS:
        return ReportReading(report, f"the operator's report is dated in the future ({report.writtenAt:%F %T %Z})")
    return ReportReading(report, silentSeconds=age if age > STALE_SECONDS else None)


def read_events(stateDir: Path, bridges: Collection[str] = (), limit: int | None = None) -> list[Event]:
    """The last events of these bridges, of all where none is named, oldest first.

    A line that is no event, such as one half written, is left out.
    """
    found: deque[Event] = deque(maxlen=limit)
    try:
        with (stateDir / EVENTS_FILE).open("rb") as lines:
            for line in lines:
                event = _event_of(line)
                if event is not None and (not bridges or event.bridge in bridges):
                    found.append(event)
    except OSError:
        return []
    return list(found)


def _event_of(line: bytes) -> Event | None:
    try:
        return Event.model_validate_json(line)
    except ValidationError:
        return None


def _first_line(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        return f"{place}: {first['msg']}" if place else first["msg"]
    return str(error)
