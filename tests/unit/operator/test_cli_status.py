"""bridgectl status: what a user sees of bridges, from the operator or, while it is silent, from the engine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from bridge_operator.report import BridgeReport
from support.bridgectl import Desk, ago, bridge, condition, container, problem, ready, replica, report


@pytest.fixture(name="desk")
def make_desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def two_bridges() -> tuple[BridgeReport, ...]:
    """One well, one whose source is out."""
    unreachable = condition("Ready", "False", "SourceUnreachable", "no answer since 11:56: timed out")
    return (
        bridge(
            "telemetry",
            replicas=3,
            readyReplicas=1,
            updatedReplicas=2,
            lag=None,
            recordsCopied=None,
            conditions=(unreachable,),
            replicaReports=(
                replica(0, "telemetry", restarts=2, startedAt=ago(30)),
                replica(1, "telemetry", restarts=1),
            ),
        ),
        bridge(),
    )


def test_the_table_is_exact(desk: Desk) -> None:
    desk.write(report(*two_bridges()))
    done = desk.run("status")
    assert done.stdout == (
        "NAME        READY   UP-TO-DATE   STATUS              LAG         COPIED      RESTARTS   AGE\n"
        "orders      1/1     1            Ready               0           1234        0          3m20s\n"
        "telemetry   1/3     2            SourceUnreachable   <unknown>   <unknown>   3          3m20s\n"
    )
    assert (done.stderr, done.exit_code) == ("", 0)


def test_the_engine_is_not_asked_while_the_operator_writes(desk: Desk) -> None:
    desk.write(report(bridge(), writtenAt=ago(15)))
    assert desk.run("status").exit_code == 0
    assert desk.engineCalls == 0


def test_wide_adds_where_from_where_to_and_why_and_cuts_nothing(desk: Desk) -> None:
    why = "x" * 300
    desk.write(report(bridge(conditions=(condition("Ready", "False", "SourceUnreachable", why),))))
    header, row = desk.run("status", "-o", "wide").stdout.splitlines()
    assert header.split()[-4:] == ["SOURCE", "TARGET", "GENERATION", "MESSAGE"]
    assert row.split()[-4:] == ["plant-floor", "headquarters", "3", why]


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({}, "Ready"),
        ({"conditions": ()}, "Unknown"),
        ({"conditions": (condition("Ready", "Unknown", "EngineUnreachable"),)}, "Unknown"),
        ({"conditions": (condition("Ready", "False", "Suspended"),), "suspended": True}, "Suspended"),
        ({"conditions": (condition("Ready", "False", "ScaledToZero"),)}, "ScaledToZero"),
        ({"paused": True}, "Ready,Paused"),
        (
            {
                "conditions": (
                    condition("Ready", "False", "RolloutNotComplete"),
                    condition("Progressing", "Unknown", "ReconciliationPaused"),
                ),
                "paused": True,
            },
            "RolloutNotComplete,Paused",
        ),
        (
            {"conditions": (*ready()[:2], condition("ManifestValid", "False", "InvalidManifest"))},
            "Ready,InvalidManifest",
        ),
        (
            {
                "conditions": (
                    condition("Ready", "False", "RolloutNotComplete"),
                    condition("Progressing", "True", "RollingUpdate"),
                )
            },
            "Progressing",
        ),
        (
            {
                "conditions": (
                    condition("Ready", "False", "ReplicasNotReady"),
                    condition("Progressing", "True", "RolloutComplete"),
                )
            },
            "ReplicasNotReady",
        ),
        (
            {
                "conditions": (
                    condition("Ready", "False", "ReplicasNotReady"),
                    condition("Progressing", "True", "RolloutComplete"),
                    condition("Degraded", "True", "CrashLoopBackOff"),
                )
            },
            "CrashLoopBackOff",
        ),
        (
            {
                "conditions": (
                    condition("Ready", "False", "RolloutNotComplete"),
                    condition("Progressing", "False", "ProgressDeadlineExceeded"),
                )
            },
            "ProgressDeadlineExceeded",
        ),
        (
            {
                "conditions": (
                    condition("Ready", "False", "TargetUnreachable"),
                    condition("Progressing", "True", "RollingUpdate"),
                )
            },
            "TargetUnreachable",
        ),
    ],
)
def test_the_state_is_one_word(desk: Desk, changes: dict[str, Any], word: str) -> None:
    desk.write(report(bridge(**changes)))
    assert desk.run("status").stdout.splitlines()[1].split()[3] == word


def test_a_wrong_edit_is_told_at_once_and_its_place(desk: Desk) -> None:
    desk.write(report(bridge(), problems=(problem(),), folderFault="the manifest folder is empty"))
    done = desk.run("status")
    assert done.stderr.splitlines() == [
        "Warning: the manifest folder is empty",
        "Warning: bridges/orders.yaml:14:13: spec.replicas: found 99, expected a whole number from 0 to 64",
    ]
    assert done.exit_code == 0


def test_a_bridge_that_never_was_right_is_listed(desk: Desk) -> None:
    desk.write(report(bridge(), problems=(problem(name="new", file="bridges/new.yaml"), problem(kind="", name=""))))
    rows = desk.run("status", "-o", "wide").stdout.splitlines()
    assert rows[1].split()[:4] == ["new", "0/0", "0", "InvalidManifest"]
    assert "bridges/new.yaml:14:13" in rows[1]
    assert len(rows) == 3


def test_an_engine_that_the_operator_cannot_reach_is_told(desk: Desk) -> None:
    desk.write(report(bridge(), engineReachable=False, engineMessage="connection refused"))
    assert desk.run("status").stderr == "Warning: the engine does not answer: connection refused\n"


def test_restarts_count_once_while_a_replica_has_two_containers(desk: Desk) -> None:
    both = (replica(0, restarts=4), replica(0, restarts=4, container="plant-orders-0-old", ready=False))
    desk.write(report(bridge(replicaReports=both)))
    assert desk.run("status").stdout.splitlines()[1].split()[6] == "4"


def test_json_is_one_document_with_everything(desk: Desk) -> None:
    desk.write(report(*two_bridges(), problems=(problem(),)))
    document = json.loads(desk.run("status", "-o", "json").stdout)
    assert [one["name"] for one in document["bridges"]] == ["orders", "telemetry"]
    assert document["bridges"][0]["lag"] == 0
    assert document["bridges"][1]["lag"] is None
    assert document["bridges"][0]["conditions"][0]["type"] == "Ready"
    assert document["problems"][0]["line"] == 14
    assert (document["seenBy"], document["engineReachable"], document["instance"]) == ("Operator", True, "plant")


def test_yaml_says_the_same_as_json_and_folds_no_line(desk: Desk) -> None:
    desk.write(report(bridge(conditions=(condition("Ready", "False", "SourceUnreachable", "word " * 60 + "end"),))))
    text = desk.run("status", "-o", "yaml").stdout
    assert YAML(typ="safe").load(text) == json.loads(desk.run("status", "-o", "json").stdout)
    assert any(len(line) > 300 for line in text.splitlines())


def test_names_choose(desk: Desk) -> None:
    desk.write(report(*two_bridges()))
    assert [row.split()[0] for row in desk.run("status", "telemetry").stdout.splitlines()] == ["NAME", "telemetry"]


def test_an_unknown_name_is_an_error_and_the_others_are_shown(desk: Desk) -> None:
    desk.write(report(bridge()))
    done = desk.run("status", "orders", "x", "x")
    assert done.stderr == 'Error from operator (NotFound): bridges "x" not found\n'
    assert done.exit_code == 1
    assert done.stdout.splitlines()[1].startswith("orders ")


def test_an_unknown_name_alone_shows_no_empty_table(desk: Desk) -> None:
    desk.write(report(bridge()))
    done = desk.run("status", "x")
    assert (done.stdout, done.exit_code) == ("", 1)


def test_no_bridges(desk: Desk) -> None:
    desk.write(report())
    assert desk.run("status").stdout == "No bridges found.\n"


def test_what_a_message_holds_cannot_command_the_terminal(desk: Desk) -> None:
    desk.write(report(bridge(conditions=(condition("Ready", "False", "Failed", "a\x1b[2Jb\nc"),))))
    row = desk.run("status", "-o", "wide").stdout
    assert "\x1b" not in row
    assert len(row.splitlines()) == 2


def test_with_a_silent_operator_the_engine_is_shown(desk: Desk) -> None:
    last = bridge(replicas=2, readyReplicas=2, replicaReports=(replica(0), replica(1)))
    desk.write(report(last, writtenAt=ago(200)))
    desk.containers = [container(0), container(1, state="exited", health="", exitCode=137)]
    done = desk.run("status", "-o", "wide")
    assert done.stderr == "Warning: the operator has not written for 3m20s; showing what the engine says\n"
    assert done.stdout == (
        "NAME     READY   UP-TO-DATE   STATUS              LAG         COPIED      RESTARTS    AGE     SOURCE"
        "        TARGET         GENERATION   MESSAGE\n"
        "orders   1/2     <unknown>    ReplicaNotRunning   <unknown>   <unknown>   <unknown>   8m20s   plant-floor"
        "   headquarters   3            plant-orders-1 is exited (137)\n"
    )
    assert done.exit_code == 0
    assert json.loads(desk.run("status", "-o", "json").stdout)["seenBy"] == "Engine"


def test_the_engine_never_says_ready(desk: Desk) -> None:
    desk.containers = [container(0)]
    done = desk.run("status")
    assert done.stdout.splitlines()[1].split()[:4] == ["orders", "1/1", "<unknown>", "Unknown"]
    assert "has not written a report" in done.stderr


def test_a_predecessor_that_is_kept_does_not_hide_its_successor(desk: Desk) -> None:
    old = container(0, id="old", name="plant-orders-0-old", state="exited", health="", exitCode=0)
    for listed in ([old, container(0)], [container(0), old]):
        desk.containers = listed
        assert desk.run("status").stdout.splitlines()[1].split()[1:4] == ["1/1", "<unknown>", "Unknown"]


def test_a_predecessor_alone_stands_for_its_replica(desk: Desk) -> None:
    desk.write(report(bridge(), writtenAt=ago(60)))
    desk.containers = [container(0, id="old", name="plant-orders-0-old")]
    assert desk.run("status").stdout.splitlines()[1].split()[1] == "1/1"


def test_a_stopped_container_that_nobody_wants_is_no_fault(desk: Desk) -> None:
    desk.write(report(bridge(), writtenAt=ago(60)))
    desk.containers = [container(0), container(1, state="exited", health="", exitCode=0)]
    assert desk.run("status").stdout.splitlines()[1].split()[3] == "Unknown"


def test_a_damaged_report_is_told_and_the_engine_shown(desk: Desk) -> None:
    desk.containers = [container(0)]
    for text in ("", "{", '{"instance": 7}', "\x00\xff"):
        desk.write_raw(text)
        done = desk.run("status")
        assert "is damaged" in done.stderr
        assert done.exit_code == 0
        assert done.stdout.splitlines()[1].startswith("orders ")


def test_a_report_from_the_future_is_not_believed(desk: Desk) -> None:
    desk.containers = [container(0)]
    desk.write(report(bridge(), writtenAt=ago(-60)))
    assert "dated in the future" in desk.run("status").stderr


def test_with_both_silent_the_last_word_is_shown_as_such(desk: Desk) -> None:
    desk.write(report(bridge(), writtenAt=ago(200)))
    done = desk.run("status")
    assert done.stderr.splitlines() == [
        "Warning: the operator has not written for 3m20s; showing what it wrote last",
        "Warning: the engine does not answer: no such file: /run/engine/docker.sock",
    ]
    assert done.stdout.splitlines()[1].split()[:5] == ["orders", "0/1", "<unknown>", "Unknown", "<unknown>"]
    assert done.exit_code == 2


def test_with_nothing_known_no_bridge_is_denied(desk: Desk) -> None:
    done = desk.run("status")
    assert (done.stdout, done.exit_code) == ("", 2)
    assert "nothing is known" in done.stderr


def test_watch_shows_each_change_once(desk: Desk) -> None:
    desk.write(report(bridge()))
    desk.turns = [
        lambda: desk.write(report(bridge(), writtenAt=ago(1))),
        lambda: desk.write(report(bridge(lag=7), writtenAt=ago(0))),
    ]
    done = desk.run("status", "--watch")
    assert [row.split()[4] for row in done.stdout.splitlines()] == ["LAG", "0", "LAG", "7"]
    assert done.exit_code == 130


def test_watch_streams_json_a_line_each(desk: Desk) -> None:
    desk.write(report(bridge()))
    desk.turns = [lambda: desk.write(report(bridge(lag=7)))]
    lines = desk.run("status", "-w", "-o", "json").stdout.splitlines()
    assert [json.loads(line)["bridges"][0]["lag"] for line in lines] == [0, 7]


def test_watch_streams_yaml_documents(desk: Desk) -> None:
    desk.write(report(bridge()))
    desk.turns = [lambda: desk.write(report(bridge(lag=7)))]
    documents = list(YAML(typ="safe").load_all(desk.run("status", "-w", "-o", "yaml").stdout))
    assert [one["bridges"][0]["lag"] for one in documents] == [0, 7]


def test_colours_on_a_terminal_alone_and_never_with_no_color(desk: Desk) -> None:
    desk.write(report(bridge()))
    assert "\x1b" not in desk.run("status").output
    # rich takes FORCE_COLOR for a terminal.
    assert "\x1b[32mReady" in desk.run("status", env={"FORCE_COLOR": "1", "TERM": "xterm-256color"}).stdout
    coloured = desk.run("status", env={"FORCE_COLOR": "1", "TERM": "xterm-256color", "NO_COLOR": "1"}).stdout
    assert "\x1b[32m" not in coloured
