"""bridgectl events: what has happened, to which bridge, and as it happens."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

import pytest
from ruamel.yaml import YAML

from bridge_operator.report import Event
from support.bridgectl import Desk, ago


def event(message: str, seconds: float, bridge: str = "orders", kind: Literal["Normal", "Warning"] = "Normal") -> Event:
    return Event(time=ago(seconds), bridge=bridge, type=kind, reason="Restarted", message=message)


MADE = event("made", 400)
CRASHED = event("it\ncrashed", 60, kind="Warning")
OTHER = event("other", 50, bridge="telemetry")
OPERATOR = event("began", 500, bridge="")


@pytest.fixture(name="desk")
def desk_with_events(tmp_path: Path) -> Desk:
    desk = Desk(tmp_path)
    desk.write_events(OPERATOR, MADE, CRASHED, OTHER, trailing='{"time": "half wri')
    return desk


def messages(output: str) -> list[str]:
    return [one["message"] for one in json.loads(output)]


def test_the_table_is_exact(desk: Desk) -> None:
    done = desk.run("events")
    assert done.exit_code == 0
    assert done.stdout.splitlines() == [
        "LAST SEEN   TYPE      REASON      BRIDGE      MESSAGE",
        "8m20s       Normal    Restarted   <none>      began",
        "6m40s       Normal    Restarted   orders      made",
        "60s         Warning   Restarted   orders      it crashed",
        "50s         Normal    Restarted   telemetry   other",
    ]


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        (["orders"], ["made", "it\ncrashed"]),
        (["orders", "telemetry"], ["made", "it\ncrashed", "other"]),
        (["--types", "Warning"], ["it\ncrashed"]),
        (["telemetry", "--types", "Warning"], []),
        (["--limit", "2"], ["it\ncrashed", "other"]),
    ],
)
def test_what_is_asked_for_is_shown(desk: Desk, options: list[str], shown: list[str]) -> None:
    assert messages(desk.run("events", *options, "-o", "json").stdout) == shown


def test_yaml_says_the_same(desk: Desk) -> None:
    done = desk.run("events", "orders", "-o", "yaml")
    assert [one["reason"] for one in YAML(typ="safe").load(done.stdout)] == ["Restarted", "Restarted"]


@pytest.mark.parametrize("options", [["nobody"], ["--types", "Warning", "telemetry"]])
def test_that_there_is_none_is_said(desk: Desk, options: list[str]) -> None:
    done = desk.run("events", *options)
    assert (done.exit_code, done.stdout) == (0, "No events found.\n")


def test_without_an_operator_there_are_none(tmp_path: Path) -> None:
    assert Desk(tmp_path).run("events").stdout == "No events found.\n"


@pytest.mark.parametrize("options", [["--limit", "0"], ["--types", "Error"], ["-o", "xml"]])
def test_a_wrong_option_is_refused(desk: Desk, options: list[str]) -> None:
    assert desk.run("events", *options).exit_code == 2


def test_watch_shows_each_event_once(desk: Desk) -> None:
    desk.turns = [
        lambda: None,
        lambda: desk.write_events(OPERATOR, MADE, CRASHED, OTHER, event("again", 1)),
        lambda: None,
    ]
    lines = desk.run("events", "orders", "--limit", "1", "--watch").stdout.splitlines()
    assert [line.rpartition("   ")[2] for line in lines] == ["it crashed", "again"]


def test_watch_streams_json_a_line_each(desk: Desk) -> None:
    desk.turns = [lambda: desk.write_events(event("again", 1))]
    lines = desk.run("events", "orders", "-w", "-o", "json").stdout.splitlines()
    assert [json.loads(line)["message"] for line in lines] == ["made", "it\ncrashed", "again"]
