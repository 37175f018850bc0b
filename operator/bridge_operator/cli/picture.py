"""What is known now of all bridges, and from whom: from the operator, or from the engine while it is silent."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from bridge_operator.cli.engine_view import bridges_of_engine, without_witness
from bridge_operator.cli.tools import Tools
from bridge_operator.cli.words import age, one_line
from bridge_operator.engine import EngineError
from bridge_operator.report import BridgeReport, Condition, ManifestProblem, OperatorReport, ReportModel, StuckPass
from bridge_operator.report_reader import ReportReading, read_report


class Picture(ReportModel):
    """`seenBy` says whose word this is; Nobody: neither answers, and `bridges` is what was last known.

    `warnings` are sentences for the user, in order of importance. This model is also the form of `status -o json`.
    """

    instance: str
    seenBy: Literal["Operator", "Engine", "Nobody"]
    writtenAt: datetime | None = None
    engineReachable: bool
    folderFault: str = ""
    warnings: tuple[str, ...] = ()
    problems: tuple[ManifestProblem, ...] = ()
    stuckPasses: tuple[StuckPass, ...] = ()
    bridges: tuple[BridgeReport, ...] = ()

    def only(self, names: list[str]) -> Picture:
        """The picture of these bridges alone; of all where none is named."""
        if not names:
            return self
        return self.model_copy(update={"bridges": tuple(one for one in self.bridges if one.name in names)})

    def missing(self, names: list[str]) -> list[str]:
        """Those of `names` that are no bridge."""
        have = {bridge.name for bridge in self.bridges}
        return [name for name in dict.fromkeys(names) if name not in have]


def take_picture(tools: Tools) -> Picture:
    """Look at the operator's report, and at the engine where that is not enough."""
    now = tools.clock()
    reading = read_report(tools.settings.stateDir, now)
    if reading.isFresh and reading.report is not None:
        return _from_operator(reading.report)
    last = reading.report
    try:
        bridges = bridges_of_engine(tools.engine().containers(), last, tools.settings.instance, now)
    except EngineError as error:
        return Picture(
            instance=tools.settings.instance,
            seenBy="Nobody",
            writtenAt=last.writtenAt if last is not None else None,
            engineReachable=False,
            warnings=(
                f"{_silence(reading)}; {'showing what it wrote last' if last is not None else 'nothing is known'}",
                _engine_warning(str(error)),
            ),
            bridges=_by_name(without_witness(last, now)),
        )
    return Picture(
        instance=tools.settings.instance,
        seenBy="Engine",
        writtenAt=last.writtenAt if last is not None else None,
        engineReachable=True,
        warnings=(f"{_silence(reading)}; showing what the engine says",),
        bridges=bridges,
    )


def problem_text(problem: ManifestProblem) -> str:
    """FILE:LINE:COLUMN: field: found …, expected …"""
    field = f"{problem.fieldPath}: " if problem.fieldPath else ""
    return one_line(
        f"{problem.file}:{problem.line}:{problem.column}: {field}found {problem.found}, expected {problem.expected}"
    )


def _from_operator(report: OperatorReport) -> Picture:
    warnings = [] if report.engineReachable else [_engine_warning(report.engineMessage)]
    if report.folderFault:
        warnings.append(one_line(report.folderFault))
    warnings += [
        f"the operator's pass over {stuck.bridge} has been running for {age(stuck.seconds)}; what follows may be old"
        for stuck in report.stuckPasses
    ]
    warnings += [problem_text(problem) for problem in report.problems]
    return Picture(
        instance=report.instance,
        seenBy="Operator",
        writtenAt=report.writtenAt,
        engineReachable=report.engineReachable,
        folderFault=report.folderFault,
        warnings=tuple(warnings),
        problems=report.problems,
        stuckPasses=report.stuckPasses,
        bridges=_by_name((*report.bridges, *_never_made(report))),
    )


def _by_name(bridges: tuple[BridgeReport, ...]) -> tuple[BridgeReport, ...]:
    return tuple(sorted(bridges, key=lambda bridge: bridge.name))


def _never_made(report: OperatorReport) -> list[BridgeReport]:
    """Bridges whose manifest was wrong from the start: the user wrote them and looks for them."""
    made = {bridge.name for bridge in report.bridges}
    first: dict[str, ManifestProblem] = {}
    for problem in report.problems:
        if problem.kind == "KafkaBridge" and problem.name and problem.name not in made:
            first.setdefault(problem.name, problem)
    return [
        BridgeReport(
            name=name,
            source="",
            target="",
            generation=0,
            observedGeneration=0,
            replicas=0,
            readyReplicas=0,
            updatedReplicas=0,
            conditions=tuple(
                Condition(
                    type=conditionType,
                    status="False",
                    reason=problem.reason,
                    message=problem_text(problem),
                    lastTransitionTime=report.writtenAt,
                )
                for conditionType in ("Ready", "ManifestValid")
            ),
        )
        for name, problem in first.items()
    ]


def _silence(reading: ReportReading) -> str:
    if reading.silentSeconds is not None:
        return f"the operator has not written for {age(reading.silentSeconds)}"
    return one_line(reading.fault)


def _engine_warning(message: str) -> str:
    said = one_line(message)
    return said if said.startswith("the engine") else f"the engine does not answer{': ' if said else ''}{said}"
