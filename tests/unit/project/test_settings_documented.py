"""Every setting is in .env.example, with a comment; what stands there is used, and says what the code does."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise

import consumer
import producer
import pytest
import typer

from bridge_operator.settings import PREFIX, Settings, variable_name
from support.project_files import ASSIGNMENT, compose_environment, documented, is_shell_script, project_files, read

# Given by the way the operator's container is made: names and paths inside it, and what instance it belongs to.
WIRED_FIELDS = {
    "instance",
    "bridgeImage",
    "manifestsDir",
    "schemasDir",
    "schemasVolume",
    "stateDir",
    "engineSocket",
    "managementNetwork",
    "httpAddress",
    "httpPort",
}


def used_in_compose() -> set[str]:
    return set(re.findall(r"(?<!\$)\$\{([A-Z][A-Z0-9_]*)", read("stack/compose.yaml")))


def used_in_scripts() -> set[str]:
    """What the scripts of the stack read as `setting NAME`."""
    scripts = [path for path in project_files() if path.parts[0] == "stack" and is_shell_script(path)]
    return {name for path in scripts for name in re.findall(r"\bsetting ([A-Z][A-Z0-9_]*)", read(path))}


def options_of(main: Callable[..., None]) -> set[str]:
    """The environment variables that a program's options are read from."""
    app = typer.Typer()
    app.command()(main)
    return {str(one.envvar) for one in typer.main.get_command(app).params if one.envvar}


def operator_variables() -> dict[str, str]:
    """By field, the variables of the operator that a user may set."""
    return {name: variable_name(name) for name in Settings.model_fields if name not in WIRED_FIELDS}


def test_what_compose_reads_is_documented() -> None:
    assert used_in_compose(), "stack/compose.yaml reads no settings"
    assert used_in_compose() - documented().keys() == set()


def test_what_the_scripts_read_is_documented() -> None:
    assert used_in_scripts(), "the scripts of the stack read no settings"
    assert used_in_scripts() - documented().keys() == set()


def test_every_setting_of_the_operator_is_documented() -> None:
    assert set(operator_variables().values()) - documented().keys() == set()


def test_what_is_documented_is_used() -> None:
    assert documented().keys() - used_in_compose() - used_in_scripts() == set()


def test_each_variable_has_its_comment_right_above() -> None:
    lines = ["", *read(".env.example").splitlines()]
    bare = [line for above, line in pairwise(lines) if ASSIGNMENT.match(line) and above[:2] != "# "]
    assert bare == []


def test_compose_holds_no_default_of_its_own() -> None:
    assert re.findall(r"(?<!\$)\$\{[A-Z0-9_]+[:?+-][^}]*\}", read("stack/compose.yaml")) == []


def test_documented_defaults_of_the_operator_are_those_of_the_code(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(variable_name(name), raising=False)
    codeDefaults = Settings()
    for name, value in documented().items():
        if name.startswith(PREFIX):
            monkeypatch.setenv(name, value)
    assert Settings() == codeDefaults


def test_what_compose_gives_the_operator_is_a_setting() -> None:
    given = {name for name in compose_environment("operator") if name.startswith(PREFIX)}
    assert given - {variable_name(name) for name in Settings.model_fields} == set()


def test_compose_passes_every_setting_on_to_the_operator() -> None:
    environment = compose_environment("operator")
    assert {name: environment.get(name) for name in operator_variables().values()} == {
        name: f"${{{name}}}" for name in operator_variables().values()
    }


@pytest.mark.parametrize(("service", "main"), [("source-producer", producer.main), ("target-consumer", consumer.main)])
def test_what_compose_gives_the_samples_is_an_option(service: str, main: Callable[..., None]) -> None:
    assert compose_environment(service).keys() - options_of(main) == set()
