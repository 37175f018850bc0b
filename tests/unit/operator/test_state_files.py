"""The operator's own files: whole or not at all, bounded, and never a reason to stop."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from bridge_operator.accepted import Accepted, accept
from bridge_operator.report import EVENTS_FILE, Event
from bridge_operator.state_files import ACCEPTED_FILE, EVENTS_KEPT, StateFiles
from support.operator_harness import bridge, catalog_of


def event(number: int) -> Event:
    return Event(time=datetime(2026, 1, 1, tzinfo=UTC), bridge="orders", reason="Test", message=str(number))


def test_accepted_manifests_survive(tmp_path: Path) -> None:
    accepted = accept(Accepted(), catalog_of(bridge(replicas=2)), {})
    StateFiles(tmp_path).write_accepted(accepted)
    assert StateFiles(tmp_path).read_accepted() == accepted
    assert [path.name for path in tmp_path.iterdir()] == [ACCEPTED_FILE], "no temporary file is left"


@pytest.mark.parametrize("text", ["", "{", '{"bridges": {"orders": 1}}', "null"])
def test_accepted_manifests_that_cannot_be_read_are_left_aside(tmp_path: Path, text: str) -> None:
    (tmp_path / ACCEPTED_FILE).write_text(text)
    assert StateFiles(tmp_path).read_accepted() == Accepted()


def test_events_are_bounded_and_the_newest_are_kept(tmp_path: Path) -> None:
    (tmp_path / EVENTS_FILE).write_text("".join(event(one).model_dump_json() + "\n" for one in range(EVENTS_KEPT)))
    StateFiles(tmp_path).add_event(event(EVENTS_KEPT))
    lines = (tmp_path / EVENTS_FILE).read_text().splitlines()
    assert len(lines) == EVENTS_KEPT // 2
    assert Event.model_validate_json(lines[-1]).message == str(EVENTS_KEPT)


def test_a_folder_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    files = StateFiles(tmp_path / "missing")
    files.add_event(event(1))
    files.write_accepted(Accepted())
    assert files.read_accepted() == Accepted()
