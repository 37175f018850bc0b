"""bridgectl validate: every mistake by its place, from a folder, a file or standard input."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from support.bridgectl import Desk

CLUSTER = """\
apiVersion: bridge.kafka/v1alpha1
kind: KafkaCluster
metadata: {name: %s}
spec: {bootstrapServers: "%s-kafka:9093", network: network1, tls: {secret: tls}}
"""
BRIDGE = """\
apiVersion: bridge.kafka/v1alpha1
kind: KafkaBridge
metadata:
  name: orders
spec:
  source: {cluster: source}
  target: {cluster: target}
  topics: [{name: orders}]
  replicas: 1
"""
WRONG_BRIDGE = BRIDGE.replace("replicas: 1", "replicas: 99")
WRONG_PLACE = "9:13: spec.replicas: found "


@pytest.fixture(name="desk")
def make_desk(tmp_path: Path) -> Desk:
    desk = Desk(tmp_path)
    (desk.manifestsDir / "bridges").mkdir(parents=True)
    for name in ("source", "target"):
        (desk.manifestsDir / f"{name}.yaml").write_text(CLUSTER % (name, name))
    (desk.manifestsDir / "bridges" / "orders.yaml").write_text(BRIDGE)
    return desk


def spoil(desk: Desk) -> Path:
    file = desk.manifestsDir / "bridges" / "orders.yaml"
    file.write_text(WRONG_BRIDGE)
    return file


def test_the_manifest_folder_is_the_default(desk: Desk) -> None:
    done = desk.run("validate")
    assert (done.stdout, done.exit_code) == ("1 bridge and 2 clusters are valid\n", 0)


def test_a_problem_is_named_as_the_operator_names_it(desk: Desk) -> None:
    spoil(desk)
    done = desk.run("validate")
    first, summary = done.stdout.splitlines()
    assert first.startswith(f"bridges/orders.yaml:{WRONG_PLACE}")
    assert summary == "1 problem in 1 file"
    assert done.exit_code == 1


def test_a_folder_is_called_as_the_user_did(desk: Desk) -> None:
    spoil(desk)
    given = f"{desk.manifestsDir}/"
    assert desk.run("validate", given).stdout.startswith(f"{desk.manifestsDir}/bridges/orders.yaml:{WRONG_PLACE}")
    named = desk.run("validate", given, "--name", "my/manifests")
    assert named.stdout.startswith(f"my/manifests/bridges/orders.yaml:{WRONG_PLACE}")


def test_a_file_is_checked_by_itself(desk: Desk) -> None:
    file = desk.manifestsDir / "bridges" / "orders.yaml"
    done = desk.run("validate", str(file))
    assert (done.stdout, done.exit_code) == ("1 bridge is valid\n", 0)
    spoil(desk)
    assert desk.run("validate", str(file)).stdout.startswith(f"{file}:{WRONG_PLACE}")
    assert desk.run("validate", str(file), "--name", "a.yaml").stdout.startswith(f"a.yaml:{WRONG_PLACE}")


def test_standard_input(desk: Desk) -> None:
    assert desk.run("validate", "-", stdin=BRIDGE).exit_code == 0
    done = desk.run("validate", "-", stdin=WRONG_BRIDGE)
    assert done.stdout.startswith(f"<stdin>:{WRONG_PLACE}")
    assert done.exit_code == 1
    assert desk.run("validate", "-", "--name", "a.yaml", stdin=WRONG_BRIDGE).stdout.startswith(f"a.yaml:{WRONG_PLACE}")


def test_no_inner_path_shows(desk: Desk) -> None:
    for text in (f"{BRIDGE}---\n{BRIDGE}", ""):
        done = desk.run("validate", "-", stdin=text)
        assert done.exit_code == 1
        assert "/tmp" not in done.output
        assert "<stdin>" in done.stdout


def test_problems_and_files_are_counted(desk: Desk) -> None:
    spoil(desk)
    (desk.manifestsDir / "source.yaml").write_text("kind: [")
    done = desk.run("validate")
    *places, summary = done.stdout.splitlines()
    assert len(places) >= 2
    assert summary == f"{len(places)} problems in 2 files"


def test_an_empty_folder_is_not_valid(desk: Desk, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    done = desk.run("validate", str(empty), "--name", "mine")
    assert "mine" in done.stdout
    assert str(empty) not in done.stdout
    assert done.exit_code == 1


def test_a_path_that_is_not_there_is_a_wrong_call(desk: Desk) -> None:
    done = desk.run("validate", "nowhere.yaml")
    assert done.stderr == "error: the path nowhere.yaml does not exist, expected a file or a folder of manifests\n"
    assert (done.stdout, done.exit_code) == ("", 2)


def test_json_good(desk: Desk) -> None:
    done = desk.run("validate", "-o", "json")
    assert json.loads(done.stdout) == {
        "valid": True,
        "folderFault": "",
        "bridges": ["orders"],
        "clusters": ["source", "target"],
        "problems": [],
    }
    assert done.exit_code == 0


def test_json_bad(desk: Desk) -> None:
    spoil(desk)
    done = desk.run("validate", "-o", "json")
    document = json.loads(done.stdout)
    assert document["valid"] is False
    (problem,) = document["problems"]
    assert (problem["file"], problem["line"], problem["column"]) == ("bridges/orders.yaml", 9, 13)
    assert (problem["fieldPath"], problem["kind"], problem["name"]) == ("spec.replicas", "KafkaBridge", "orders")
    assert done.exit_code == 1


@pytest.mark.parametrize("arguments", [(), ("FOLDER",), ("FOLDER", "--name", "mine")])
def test_a_terminal_gets_the_line_and_a_caret(desk: Desk, arguments: tuple[str, ...]) -> None:
    spoil(desk)
    given = [str(desk.manifestsDir) if one == "FOLDER" else one for one in arguments]
    terminal = {"FORCE_COLOR": "1", "TERM": "xterm", "NO_COLOR": "1"}
    plain = _without_styles(desk.run("validate", *given, env=terminal).stdout)
    assert "     9 |   replicas: 99\n       |             ^\n" in plain


def test_a_pipe_gets_one_line_a_problem(desk: Desk) -> None:
    spoil(desk)
    assert "^" not in desk.run("validate").stdout


def test_the_excerpt_of_a_long_line_stays_short_and_under_the_mistake(desk: Desk) -> None:
    line = "spec: {source: {cluster: source}, target: {cluster: target}, topics: [{name: %s}], replicas: 99, lanes: 6}"
    text = BRIDGE[: BRIDGE.index("spec:")] + line % ("x" * 200) + "\n"
    terminal = {"FORCE_COLOR": "1", "TERM": "xterm", "NO_COLOR": "1"}
    shown = _without_styles(desk.run("validate", "-", stdin=text, env=terminal).stdout).splitlines()
    caret = next(index for index, one in enumerate(shown) if one.endswith("^"))
    assert shown[caret - 1][shown[caret].index("^") :].startswith("99")
    assert len(shown[caret - 1]) < 140


def _without_styles(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text)
