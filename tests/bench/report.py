"""What has been measured: as a table of medians for people, as single figures in JSON for everything else."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

# Of these more is better; of all others less.
MORE_IS_BETTER = ("throughput", "bandwidth")


@dataclass(frozen=True)
class Figure:
    """One value of one round. The rounds in which a copier got warm stand under a name of their own."""

    copier: str
    case: str
    metric: str
    unit: str
    round: int
    value: float


def write_json(figures: Sequence[Figure], file: Path) -> None:
    file.write_text("[\n" + ",\n".join(f"  {json.dumps(asdict(one))}" for one in figures) + "\n]\n")


@dataclass(frozen=True)
class Row:
    """Medians of one metric in one case, with their spread."""

    case: str
    metric: str
    unit: str
    values: dict[str, str]
    ratio: float | None


def rows(figures: Sequence[Figure], families: Sequence[str]) -> Iterator[Row]:
    """By family of copiers, which is what --copiers names: of several in one case the one with the best throughput."""
    for case in dict.fromkeys(one.case for one in figures):
        mine = [one for one in figures if one.case == case]
        best = {family: found for family in families if (found := _best(mine, family))}
        for metric, unit in dict.fromkeys((one.metric, one.unit) for one in mine):
            measured = [one for one in mine if one.metric == metric]
            medians = {family: _values(measured, copier) for family, copier in best.items()}
            told = {family: _told(values, best[family], family) for family, values in medians.items() if values}
            cold = {family: _values(measured, f"{copier} (cold)") for family, copier in best.items()}
            told |= {
                f"{family} (cold)": _number(statistics.median(values)) for family, values in cold.items() if values
            }
            yield Row(case, metric, unit, told, _ratio(medians, families))


def _best(figures: Sequence[Figure], family: str) -> str | None:
    members = dict.fromkeys(
        one.copier for one in figures if one.copier.startswith(family) and not one.copier.endswith(")")
    )

    def throughput(copier: str) -> float:
        found = [one.value for one in figures if one.copier == copier and one.metric == "throughput"]
        return statistics.median(found) if found else 0.0

    return max(members, key=throughput, default=None)


def _values(figures: Sequence[Figure], copier: str) -> list[float]:
    return [one.value for one in figures if one.copier == copier]


def _ratio(medians: dict[str, list[float]], families: Sequence[str]) -> float | None:
    found = [statistics.median(medians[family]) for family in families if medians.get(family)]
    return found[0] / found[1] if len(found) == 2 and found[1] else None


def _told(values: list[float], copier: str, family: str) -> str:
    spread = "" if len(values) < 2 else f" ({_number(min(values))} to {_number(max(values))})"
    return f"{_number(statistics.median(values))}{spread}{copier.removeprefix(family).replace('-', ' ')}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:,.1f}" if value >= 10 else f"{value:,.2f}"


def print_table(figures: Sequence[Figure], families: Sequence[str], notes: Sequence[str], console: Console) -> None:
    found = list(rows(figures, families))
    columns = [
        name for family in families for name in (family, f"{family} (cold)") if any(name in row.values for row in found)
    ]
    table = Table(title="Medians, with the lowest and the highest round", title_justify="left")
    for name in ("case", "metric", "unit"):
        table.add_column(name, no_wrap=True)
    for name in columns:
        table.add_column(name, justify="right")
    if len(families) == 2:
        table.add_column(f"{families[0]}/{families[1]}", justify="right")
    last = ""
    for row in found:
        if last and row.case != last:
            table.add_section()
        cells = [row.case if row.case != last else "", row.metric, row.unit]
        cells += [row.values.get(name, "") for name in columns]
        if len(families) == 2:
            cells.append(_coloured(row))
        table.add_row(*cells)
        last = row.case
    console.print(table)
    for note in notes:
        console.print(f"- {note}", highlight=False, markup=False)


def _coloured(row: Row) -> str:
    if row.ratio is None:
        return ""
    isBetter = row.ratio > 1 if row.metric in MORE_IS_BETTER else row.ratio < 1
    return f"[{'green' if isBetter else 'red'}]{row.ratio:,.2f}[/]"
