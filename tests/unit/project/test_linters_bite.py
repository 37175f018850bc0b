"""Each linter, with the project's own configuration, finds what it is there for."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from support.project_files import PROJECT_ROOT

BIN = Path(sys.executable).parent


def lint(tool: str, *arguments: str | Path, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(BIN / tool), *map(str, arguments)],
        cwd=PROJECT_ROOT,
        env=os.environ | env,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def written(folder: Path, name: str, text: str) -> Path:
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return file


GOOD_NAMES = '''"""Names as they should be."""

from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

MOST_TRIES = 3
Pair = tuple[int, int]


@dataclass
class Place:
    topicName: str
    LIMIT = 4


class Manifest(BaseModel):
    model_config = ConfigDict(frozen=True)
    apiVersion: str


def count_records(batchSize: int, *others: int, keepOrder: bool = True) -> int:
    totalCount = batchSize
    for each in others:
        totalCount += each
    return totalCount if keepOrder else MOST_TRIES
'''

BAD_NAMES = {
    "local variable": ("def work() -> int:\n    record_count = 1\n    return record_count\n", "record_count"),
    "loop variable": ("def work() -> None:\n    for each_one in ():\n        print(each_one)\n", "each_one"),
    "parameter": ("def work(batch_size: int) -> int:\n    return batch_size\n", "batch_size"),
    "keyword-only parameter": ("def work(*, batch_size: int) -> int:\n    return batch_size\n", "batch_size"),
    "positional-only parameter": ("def work(batch_size: int, /) -> int:\n    return batch_size\n", "batch_size"),
    "rest of parameters": ("def work(*all_others: int) -> None:\n    print(all_others)\n", "all_others"),
    "rest of keywords": ("def work(**all_others: int) -> None:\n    print(all_others)\n", "all_others"),
    "parameter of a lambda": ("CALL = print(lambda each_one: each_one)\n", "each_one"),
    "comprehension": ("def work() -> list[int]:\n    return [each_one for each_one in ()]\n", "each_one"),
    "attribute": ("class Lane:\n    def __init__(self) -> None:\n        self.last_beat = 0\n", "last_beat"),
    "attribute from outside": ("def work(lane: object) -> None:\n    lane.last_beat = 0\n", "last_beat"),
    "model field": ("from pydantic import BaseModel\n\n\nclass Spec(BaseModel):\n    topic_name: str\n", "topic_name"),
    "model field with a default": (
        "from pydantic import BaseModel\n\n\nclass Spec(BaseModel):\n    topic_name: str = 'x'\n",
        "topic_name",
    ),
    "dataclass field": (
        "from dataclasses import dataclass\n\n\n@dataclass\nclass Spec:\n    topic_name: str\n",
        "topic_name",
    ),
    "module variable": ("lane_names = ['a']\nlane_names.append('b')\n", "lane_names"),
    "function": ("def doWork() -> None:\n    pass\n", "doWork"),
    "method": ("class Lane:\n    def doWork(self) -> None:\n        pass\n", "doWork"),
    "class": ("class lane_state:\n    pass\n", "lane_state"),
    "constant": ("mostTries = 3\n", "mostTries"),
}


@pytest.fixture(name="complaints", scope="module")
def complaints_of_pylint(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """Pylint's lines about each of the sources above, by what the source is named; one call, since a call is slow."""
    folder = tmp_path_factory.mktemp("names")
    sources = {"good": GOOD_NAMES} | {what: source for what, (source, _) in BAD_NAMES.items()}
    files = {
        what: written(folder, f"source{number}.py", source) for number, (what, source) in enumerate(sources.items())
    }
    done = lint("pylint", *files.values())
    assert done.returncode != 0, "pylint found no wrong name at all"
    assert done.stderr == ""
    return {
        what: [line for line in done.stdout.splitlines() if line.startswith(f"{file}:")] for what, file in files.items()
    }


def test_pylint_lets_good_names_pass(complaints: dict[str, list[str]]) -> None:
    assert complaints["good"] == []


@pytest.mark.parametrize("what", BAD_NAMES)
def test_pylint_finds_the_wrong_name(complaints: dict[str, list[str]], what: str) -> None:
    name = BAD_NAMES[what][1]
    assert [line for line in complaints[what] if f'"{name}"' in line] != []


FORBIDDEN_IMPORTS = [
    ("kafka_bridge/config.py", "import kafka_bridge.kafka", "kafka_bridge looks downward only"),
    ("bridge_operator/model.py", "import bridge_operator.docker_engine", "bridge_operator looks downward only"),
    ("kafka_bridge/lane.py", "import bridge_operator.model", "The bridge never imports the operator"),
    ("bridge_operator/cli/status.py", "import kafka_bridge.kafka", "The operator imports from the bridge"),
    ("bridge_samples/codec.py", "import kafka_bridge.avro", "The sample workload shares no code"),
    ("kafka_bridge/client_settings.py", "import confluent_kafka", "Only kafka_bridge.kafka imports confluent_kafka"),
    ("kafka_bridge/topics.py", "from confluent_kafka.admin import NewTopic", "Only kafka_bridge.kafka imports"),
    ("kafka_bridge/lane.py", "import fastavro", "Only kafka_bridge.avro imports fastavro"),
    ("bridge_operator/engine.py", "from docker.errors import APIError", "Only bridge_operator.docker_engine imports"),
    ("bridge_operator/report_reader.py", "import requests", "Only bridge_operator.docker_engine imports"),
    ("kafka_bridge/lanes.py", "import socket", "Decisions and models do no I/O"),
    ("kafka_bridge/positions.py", "import time", "Decisions and models do no I/O"),
    ("bridge_operator/desired.py", "import subprocess", "Decisions and models do no I/O"),
    ("bridge_operator/plan.py", "import threading", "Decisions and models do no I/O"),
]


@pytest.fixture(name="packages")
def copied_packages(tmp_path: Path) -> Path:
    """A folder with copies of the three packages, to break."""
    for package in ("bridge/kafka_bridge", "operator/bridge_operator", "stack/samples/bridge_samples"):
        source = PROJECT_ROOT / package
        shutil.copytree(source, tmp_path / source.name, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


@pytest.mark.parametrize(("module", "line", "contract"), FORBIDDEN_IMPORTS)
def test_import_linter_finds_the_forbidden_import(packages: Path, module: str, line: str, contract: str) -> None:
    file = packages / module
    future = "from __future__ import annotations\n"
    original = file.read_text(encoding="utf-8")
    assert future in original
    file.write_text(original.replace(future, f"{future}\n{line}\n", 1), encoding="utf-8")
    done = lint("lint-imports", "--no-cache", "--no-logo", PYTHONPATH=str(packages))
    assert done.returncode != 0
    broken = [text for text in done.stdout.splitlines() if " BROKEN" in text]
    assert any(text.startswith(contract) for text in broken), done.stdout


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("def work(count: int) -> str:\n    return count\n", "return-value"),
        ("def work(count) -> None:\n    pass\n", "no-untyped-def"),
        ("def work(counts: list) -> None:\n    pass\n", "type-arg"),
    ],
    ids=["wrong type", "parameter without a type", "generic without its parameter"],
)
def test_mypy_finds_the_mistake(tmp_path: Path, source: str, code: str) -> None:
    done = lint("mypy", "--cache-dir", tmp_path / "cache", written(tmp_path, "bad.py", source))
    assert done.returncode == 1, done.stderr
    assert f"[{code}]" in done.stdout


@pytest.mark.parametrize(
    ("source", "rule"),
    [
        ("import os\n", "F401"),
        ("def work(found=[]):\n    return found\n", "B006"),
        ("x = '" + "a" * 140 + "'\n", "E501"),
    ],
    ids=["unused import", "mutable default", "long line"],
)
def test_ruff_finds_the_mistake(tmp_path: Path, source: str, rule: str) -> None:
    file = written(tmp_path, "bad.py", source)
    done = lint("ruff", "check", "--no-cache", "--config", PROJECT_ROOT / "pyproject.toml", file)
    assert done.returncode == 1
    assert rule in done.stdout


def test_ruff_finds_the_wrong_layout(tmp_path: Path) -> None:
    file = written(tmp_path, "bad.py", "x = [ 1,2 ]\n")
    config = PROJECT_ROOT / "pyproject.toml"
    assert lint("ruff", "format", "--check", "--no-cache", "--config", config, file).returncode == 1


def run_linter_function(function: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """A function of tests/lib/linters.sh, as tests/run calls it."""
    script = 'source tests/lib/linters.sh; venv=$1; shift; "$@"'
    command = ["bash", "-c", script, "bash", str(BIN.parent), function, *map(str, arguments)]
    return subprocess.run(command, cwd=PROJECT_ROOT, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize(
    ("name", "source", "rule"),
    [
        ("bad", "#!/usr/bin/env bash\nrm $1\n", "SC2086"),
        ("bad", "#!/bin/sh\nlist=(a b)\n", "SC3030"),
        ("bad.sh", "broken() { cd $1; }\n", "SC2086"),
    ],
    ids=["script of bash", "script of sh", "sourced part"],
)
def test_shellcheck_finds_the_mistake(tmp_path: Path, name: str, source: str, rule: str) -> None:
    done = run_linter_function("lint_shell", written(tmp_path, name, source))
    assert done.returncode != 0
    assert rule in done.stdout


def test_shellcheck_sees_scripts_with_and_without_an_ending() -> None:
    found = run_linter_function("shell_scripts").stdout.split()
    assert {"stack/up", "tests/run", ".ci/run", "stack/lib/common.sh", "stack/images/python/install"} <= set(found)
    assert not [name for name in found if name.endswith((".py", ".yaml", ".md"))]
