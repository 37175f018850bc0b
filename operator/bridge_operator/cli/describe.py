"""bridgectl describe: all that is known of a bridge, for a person."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer
from rich.text import Text

from bridge_operator.cli.completion import bridge_argument
from bridge_operator.cli.output import EXIT_NO, EXIT_UNKNOWN, say_not_found, state_text, table, warn, write_line
from bridge_operator.cli.picture import Picture, problem_text, take_picture
from bridge_operator.cli.tools import tools_of
from bridge_operator.cli.words import NONE, age_since, known, one_line, state_word
from bridge_operator.report import BridgeReport, Event
from bridge_operator.report_reader import read_events

EVENTS_SHOWN = 20
LABEL_WIDTH = 20


def describe(
    context: typer.Context,
    bridges: Annotated[list[str], bridge_argument("BRIDGE...", "Names of bridges.")],
) -> None:
    """Show one bridge in full: conditions, replicas, wrong manifests, the last events.

    \b
    Examples:
      bridgectl describe orders
    """
    tools = tools_of(context)
    picture = take_picture(tools)
    for position, bridge in enumerate(picture.only(bridges).bridges):
        if position:
            write_line("")
        events = read_events(tools.settings.stateDir, (bridge.name,), EVENTS_SHOWN)
        for line in description(bridge, picture, events, tools.clock()):
            write_line(line)
    # What concerns this bridge stands in its description; what concerns all is warned of.
    own = {problem_text(problem) for problem in picture.problems}
    warn(sentence for sentence in picture.warnings if sentence not in own)
    missing = picture.missing(bridges)
    say_not_found(missing)
    if picture.seenBy == "Nobody":
        raise typer.Exit(EXIT_UNKNOWN)
    if missing:
        raise typer.Exit(EXIT_NO)


def description(bridge: BridgeReport, picture: Picture, events: list[Event], now: datetime) -> list[Text]:
    """The lines about one bridge."""
    operatorSays = picture.seenBy == "Operator"
    updated = f"{bridge.updatedReplicas} updated | " if operatorSays else ""
    generation = str(bridge.generation)
    if bridge.observedGeneration != bridge.generation:
        generation += f" (observed {bridge.observedGeneration})"
    problems = [problem_text(problem) for problem in picture.problems if problem.name == bridge.name]
    return [
        _field("Name", bridge.name),
        _field("Status", state_text(state_word(bridge))),
        _field("Source", known(bridge.source)),
        _field("Target", known(bridge.target)),
        _field("Generation", generation),
        _field("Suspended", _yes_no(bridge.suspended)),
        _field("Paused", _yes_no(bridge.paused)),
        _field("Replicas", f"{bridge.replicas} desired | {updated}{bridge.readyReplicas} ready"),
        _field("Lag", known(bridge.lag)),
        _field("Records copied", known(bridge.recordsCopied)),
        *_section("Conditions", ("Type", "Status", "Reason", "Since", "Message"), _conditions(bridge, now)),
        *_section(
            "Replicas",
            ("Container", "State", "Health", "Updated", "Ready", "Restarts", "Age", "Message"),
            _replicas(bridge, now, operatorSays),
        ),
        *([Text("Manifest problems:"), *(Text(f"  {one}") for one in problems)] if problems else []),
        *_section("Events", ("Type", "Reason", "Age", "Message"), _events(events, now)),
    ]


def _field(label: str, value: str | Text) -> Text:
    return Text(f"{label}:".ljust(LABEL_WIDTH)).append_text(value if isinstance(value, Text) else Text(value))


def _section(title: str, header: tuple[str, ...], rows: list[list[str]]) -> list[Text]:
    if not rows:
        return [_field(title, NONE)]
    ruled = [["-" * len(name) for name in header], *rows]
    return [Text(f"{title}:"), *table(header, ruled, indent=2)]


def _conditions(bridge: BridgeReport, now: datetime) -> list[list[str]]:
    return [
        [one.type, one.status, one.reason, age_since(one.lastTransitionTime, now), one_line(one.message)]
        for one in bridge.conditions
    ]


def _replicas(bridge: BridgeReport, now: datetime, operatorSays: bool) -> list[list[str]]:
    return [
        [
            one.container,
            one.state,
            one.health or "-",
            _yes_no(one.updated) if operatorSays else "-",
            _yes_no(one.ready),
            str(one.restarts) if operatorSays else "-",
            age_since(one.startedAt, now) if one.startedAt is not None else "-",
            one_line(one.message),
        ]
        for one in bridge.replicaReports
    ]


def _events(events: list[Event], now: datetime) -> list[list[str]]:
    return [[one.type, one.reason, age_since(one.time, now), one_line(one.message)] for one in events]


def _yes_no(value: bool) -> str:
    return "yes" if value else "no"
