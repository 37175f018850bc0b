"""README.md names what a user can call: commands of bridgectl, scripts, suites."""

from __future__ import annotations

import re

import pytest
import typer

from bridge_operator.cli import main as cli
from support.project_files import PROJECT_ROOT, commands, read


def commands_of_bridgectl() -> list[str]:
    group = typer.main.get_command(cli.app)
    return sorted(name for name, command in getattr(group, "commands", {}).items() if not command.hidden)


def suites_of_tests() -> list[str]:
    """The words that the help of tests/run lists, each on a line of its own."""
    return re.findall(r"^#   ([a-z][a-z0-9-]*)  ", read("tests/run"), re.MULTILINE)


def reasons_of_bridges() -> list[str]:
    """The words that the bridge's own errors are told by."""
    raised = re.compile(r'\b[A-Z]\w+(?:Error|Record)\(\s*"([A-Z][A-Za-z]+)",')
    sources = (PROJECT_ROOT / "bridge").rglob("*.py")
    return sorted({reason for source in sources for reason in raised.findall(source.read_text())} | {"InvalidRecord"})


def test_there_is_something_to_document() -> None:
    assert {"LanesMismatch", "SourceStalled", "SchemaInvalid"} <= set(reasons_of_bridges())
    assert "status" in commands_of_bridgectl()
    assert suites_of_tests() == ["unit", "integration", "e2e", "chaos-selection", "chaos", "all"]


@pytest.mark.parametrize("command", commands_of_bridgectl())
def test_commands_of_bridgectl(command: str) -> None:
    assert re.search(rf"bridgectl {command}\b", read("README.md")), f"README.md does not show: bridgectl {command}"


@pytest.mark.parametrize("reason", reasons_of_bridges())
def test_reasons_of_lanes(reason: str) -> None:
    assert f"`{reason}`" in read("README.md"), f"README.md does not say what {reason} means"


@pytest.mark.parametrize("script", commands(), ids=str)
def test_scripts(script: str) -> None:
    assert re.search(rf"(?<![\w./-]){re.escape(str(script))}(?![\w-])", read("README.md")), (
        f"not in README.md: {script}"
    )


@pytest.mark.parametrize("suite", suites_of_tests())
def test_suites(suite: str) -> None:
    assert re.search(rf"tests/run[^\n]*\b{suite}\b|`{suite}`", read("README.md")), f"README.md does not name: {suite}"
