"""bridgectl version: which version this is, and since when the operator runs."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

import typer

from bridge_operator.cli.output import write_line
from bridge_operator.cli.tools import tools_of
from bridge_operator.cli.words import age, age_since
from bridge_operator.report_reader import read_report

PACKAGE = "kafka-bridge-operator"


def package_version() -> str:
    try:
        return version(PACKAGE)
    except PackageNotFoundError:
        return f"unknown ({PACKAGE} runs from its sources)"


def show_version(context: typer.Context) -> None:
    """Show the version, and since when the operator runs."""
    tools = tools_of(context)
    now = tools.clock()
    reading = read_report(tools.settings.stateDir, now)
    write_line(f"bridgectl: {package_version()}")
    if reading.report is None or reading.fault:
        write_line(f"operator: unknown ({reading.fault})")
    elif reading.silentSeconds is not None:
        write_line(f"operator: down or stuck (it has not written for {age(reading.silentSeconds)})")
    else:
        started = reading.report.startedAt
        write_line(f"operator: running for {age_since(started, now)} (since {started:%Y-%m-%dT%H:%M:%SZ})")
