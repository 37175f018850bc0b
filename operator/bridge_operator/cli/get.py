"""bridgectl get: bridges and clusters as objects, as kubectl gives them: what is wanted, and how it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.text import Text

from bridge_operator.accepted import Accepted
from bridge_operator.cli.drafts import kind_of
from bridge_operator.cli.output import (
    EXIT_NO,
    EXIT_UNKNOWN,
    OutputForm,
    say_error,
    state_text,
    table,
    warn,
    write_data,
    write_line,
)
from bridge_operator.cli.picture import Picture, take_picture
from bridge_operator.cli.tools import tools_of
from bridge_operator.cli.words import NONE, UNKNOWN, one_line, state_word
from bridge_operator.model import API_VERSION, KafkaBridge, KafkaCluster
from bridge_operator.report import BridgeReport
from bridge_operator.state_files import StateFiles

Object = dict[str, Any]
BRIDGE_HEADER = ("NAME", "SOURCE", "TARGET", "DESIRED", "READY", "STATUS")
CLUSTER_HEADER = ("NAME", "BOOTSTRAP SERVERS", "NETWORK", "SECRET", "USED BY")


class GetForm(StrEnum):
    """The forms of `-o`."""

    TABLE = "table"
    NAME = "name"
    JSON = "json"
    YAML = "yaml"


def get(
    context: typer.Context,
    what: Annotated[str, typer.Argument(metavar="KIND[/NAME]", help="bridges or clusters, or one: bridge/orders.")],
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="Show these alone.")] = None,
    output: Annotated[GetForm, typer.Option("--output", "-o", help="Form of the output.")] = GetForm.TABLE,
) -> None:
    """Show bridges or clusters: the manifests that are in force, and with -o json or yaml how the bridges are.

    \b
    Examples:
      bridgectl get bridges
      bridgectl get bridge orders -o yaml
      bridgectl get clusters -o name
    """
    word, slash, name = what.partition("/")
    kind = kind_of(word)
    tools = tools_of(context)
    picture = take_picture(tools)
    accepted = StateFiles(tools.settings.stateDir).read_accepted()
    known = bridge_objects(accepted, picture) if kind == "KafkaBridge" else cluster_objects(accepted)
    wanted = list(dict.fromkeys([*([name] if slash else []), *(names or ())]))
    shown = {one: known[one] for one in wanted if one in known} if wanted else known
    if output is GetForm.NAME:
        for one in shown:
            write_line(f"{kind.lower()}/{one}")
    elif output is GetForm.TABLE:
        # Who asked by name is told of each that is not there.
        if shown or not wanted:
            _write_table(kind, shown, picture)
    elif shown or not wanted:
        isOne = len(wanted) == 1
        listed = {"apiVersion": "v1", "kind": "List", "items": list(shown.values())}
        write_data(next(iter(shown.values())) if isOne else listed, OutputForm(output.value))
    warn(picture.warnings)
    missing = [one for one in wanted if one not in known]
    for one in missing:
        say_error(f'from operator (NotFound): {kind.lower()}s "{one_line(one)}" not found')
    if missing:
        raise typer.Exit(EXIT_UNKNOWN if picture.seenBy == "Nobody" else EXIT_NO)


def bridge_objects(accepted: Accepted, picture: Picture) -> dict[str, Object]:
    """By name. A bridge of which only containers are known has no spec."""
    reports = {bridge.name: bridge for bridge in picture.bridges}
    objects = {}
    for name in sorted({*accepted.bridges, *reports}):
        one = accepted.bridges.get(name)
        base = _manifest(one.bridge) if one else _nothing("KafkaBridge", name)
        if one is not None:
            base["metadata"]["generation"] = one.generation
        objects[name] = base | ({"status": _status(reports[name])} if name in reports else {})
    return objects


def cluster_objects(accepted: Accepted) -> dict[str, Object]:
    """Those that bridges use, as they are in force; `usedBy` names the bridges."""
    objects: dict[str, Object] = {}
    for name, one in sorted(accepted.bridges.items()):
        for cluster in (one.source, one.target):
            known = objects.setdefault(cluster.metadata.name, _manifest(cluster) | {"status": {"usedBy": []}})
            known["status"]["usedBy"].append(name)
    return dict(sorted(objects.items()))


def _manifest(manifest: KafkaBridge | KafkaCluster) -> Object:
    """With its defaults, as kubectl shows them."""
    written = manifest.model_dump(mode="json", exclude_none=True)
    written["metadata"] = {field: value for field, value in written["metadata"].items() if value}
    return written


def _nothing(kind: str, name: str) -> Object:
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": name}}


def _status(report: BridgeReport) -> Object:
    """What the report says beside the manifest's own."""
    return report.model_dump(mode="json", exclude={"name", "source", "target", "generation", "suspended", "paused"})


def _write_table(kind: str, objects: Mapping[str, Object], picture: Picture) -> None:
    if not objects:
        write_line(f"No {'bridges' if kind == 'KafkaBridge' else 'clusters'} found.")
        return
    header = BRIDGE_HEADER if kind == "KafkaBridge" else CLUSTER_HEADER
    rows = _bridge_rows(picture, objects) if kind == "KafkaBridge" else _cluster_rows(objects.items())
    for line in table(header, list(rows)):
        write_line(line)


def _bridge_rows(picture: Picture, objects: Mapping[str, Object]) -> Iterable[list[str | Text]]:
    reports = {bridge.name: bridge for bridge in picture.bridges}
    for name, one in objects.items():
        spec, report = one.get("spec"), reports.get(name)
        yield [
            name,
            spec["source"]["cluster"] if spec else UNKNOWN,
            spec["target"]["cluster"] if spec else UNKNOWN,
            str(report.replicas) if report else UNKNOWN,
            str(report.readyReplicas) if report else UNKNOWN,
            state_text(state_word(report)) if report else UNKNOWN,
        ]


def _cluster_rows(objects: Iterable[tuple[str, Object]]) -> Iterable[list[str | Text]]:
    for name, one in objects:
        spec = one["spec"]
        used = ",".join(one["status"]["usedBy"]) or NONE
        yield [name, spec["bootstrapServers"], spec["network"], spec["tls"]["secret"], used]
