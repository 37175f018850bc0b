"""bridgectl wait: until a bridge has a condition, or is gone."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, get_args

import typer

from bridge_operator.cli.completion import bridge_argument
from bridge_operator.cli.durations import parse_duration
from bridge_operator.cli.output import EXIT_NO, EXIT_UNKNOWN, fail, warn, write_line
from bridge_operator.cli.picture import Picture, take_picture
from bridge_operator.cli.tools import tools_of
from bridge_operator.cli.words import state_sentence
from bridge_operator.report import BridgeReport, ConditionType

LOOK_SECONDS = 1.0
_CONDITION = re.compile(r"condition=([A-Za-z]+)(?:=(True|False|Unknown))?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Goal:
    """What is waited for: a condition with a status, or, with an empty condition, that the bridge is gone."""

    condition: str = ""
    status: str = ""

    def is_reached(self, bridge: BridgeReport | None, picture: Picture) -> bool:
        """Whether it holds for what the manifest says now; the operator's word alone counts."""
        if picture.seenBy != "Operator":
            return False
        if not self.condition:
            return bridge is None
        found = next((one for one in bridge.conditions if one.type.lower() == self.condition), None) if bridge else None
        isCurrent = bridge is not None and bridge.observedGeneration >= bridge.generation
        return found is not None and found.status.lower() == self.status and isCurrent


def parse_goal(text: str) -> Goal:
    """`delete`, `condition=Ready` or `condition=Ready=False`, as kubectl has it."""
    if text == "delete":
        return Goal()
    match = _CONDITION.fullmatch(text)
    if match is None:
        raise typer.BadParameter(
            f"found '{text}', expected delete, condition=NAME or condition=NAME=True|False|Unknown"
        )
    known = get_args(ConditionType)
    if match[1].lower() not in map(str.lower, known):
        raise typer.BadParameter(f"found condition {match[1]}, expected one of {', '.join(known)}")
    return Goal(match[1].lower(), (match[2] or "True").lower())


def wait(
    context: typer.Context,
    bridges: Annotated[list[str], bridge_argument("BRIDGE...", "Names of bridges.")],
    goal: Annotated[
        Goal, typer.Option("--for", parser=parse_goal, metavar="GOAL", help="condition=NAME[=STATUS] or delete.")
    ],
    timeout: Annotated[
        timedelta, typer.Option(parser=parse_duration, metavar="DURATION", help="30s, 5m, 1h30m; 0 looks once.")
    ] = "30s",  # type: ignore[assignment]  # click reads a default as it reads what is typed
) -> None:
    """Wait until bridges have a condition, or are gone.

    A bridge that is not there yet is waited for. 0: it is so. 1: it was not so within the time. 2: nobody could tell,
    since the operator does not answer.

    \b
    Examples:
      bridgectl wait orders --for condition=Ready --timeout 2m
      bridgectl wait orders --for condition=TargetReachable=False
      bridgectl wait orders --for delete
    """
    tools = tools_of(context)
    deadline = tools.clock() + timeout
    left = list(dict.fromkeys(bridges))
    while True:
        picture = take_picture(tools)
        known = {bridge.name: bridge for bridge in picture.bridges}
        for name in [one for one in left if goal.is_reached(known.get(one), picture)]:
            write_line(f"kafkabridge/{name} {'condition met' if goal.condition else 'deleted'}")
            left.remove(name)
        if not left:
            return
        if tools.clock() >= deadline:
            warn(picture.warnings if picture.seenBy != "Operator" else ())
            states = {name: state_sentence(known[name]) if name in known else "not found" for name in left}
            reasons = "; ".join(f"kafkabridge/{name} ({state})" for name, state in states.items())
            fail(
                f"timed out waiting for the condition on {reasons}",
                EXIT_NO if picture.seenBy == "Operator" else EXIT_UNKNOWN,
            )
        tools.pause(min(LOOK_SECONDS, max(0.05, (deadline - tools.clock()).total_seconds())))
