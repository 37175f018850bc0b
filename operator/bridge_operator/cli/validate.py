"""bridgectl validate: says what is wrong in manifests, before the operator has to."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from bridge_operator.catalog import Catalog, Problem
from bridge_operator.cli.output import EXIT_NO, EXIT_USAGE, DataForm, console, fail, write_json, write_line
from bridge_operator.cli.tools import Tools, tools_of
from bridge_operator.cli.words import count, one_line

STDIN, STDIN_NAME = "-", "<stdin>"
# Of a long line, so much is shown to each side of the mistake.
EXCERPT_REACH = 60


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read from `root`, a file or a folder. `prefix` stands before a problem's file in the folder."""

    catalog: Catalog
    root: Path
    prefix: str = ""

    def place_of(self, problem: Problem) -> Path:
        return self.root / problem.file.removeprefix(self.prefix) if self.root.is_dir() else self.root


def validate(
    context: typer.Context,
    path: Annotated[
        str | None,
        typer.Argument(metavar="[PATH]", help="A folder, a file, or - for standard input. [default: the manifests]"),
    ] = None,
    output: Annotated[DataForm, typer.Option("--output", "-o", help="Form of the output.")] = DataForm.TEXT,
    name: Annotated[str | None, typer.Option("--name", help="What to call PATH in messages.")] = None,
) -> None:
    """Check manifests and name every mistake by file, line, column and field.

    A folder is checked as a whole, with what its documents say of each other. A single file is checked by itself.
    Exit code 0: all are valid. 1: there are problems. 2: there is nothing to check.

    \b
    Examples:
      bridgectl validate
      bridgectl validate manifests/bridges/orders.yaml
      bridgectl validate - < orders.yaml
    """
    with _read(tools_of(context), path, name) as reading:
        if output is DataForm.JSON:
            _write_data(reading.catalog)
        else:
            _write_text(reading)
        if not _is_valid(reading.catalog):
            raise typer.Exit(EXIT_NO)


@contextmanager
def _read(tools: Tools, path: str | None, name: str | None) -> Iterator[Reading]:
    # Loaded here, since no other command needs the YAML library.
    from bridge_operator.manifests import load_file, load_folder

    schemasDir = tools.settings.schemasDir
    if path is None:
        folder = tools.settings.manifestsDir
        # Paths start at the folder, as in the operator's own messages.
        yield Reading(load_folder(folder, schemasDir), folder)
        return
    if path == STDIN:
        with tempfile.TemporaryDirectory() as temporary:
            file = Path(temporary) / "stdin.yaml"
            file.write_bytes(sys.stdin.buffer.read())
            yield _called(name or STDIN_NAME, load_file(file), file)
        return
    given = Path(path)
    if not given.exists():
        fail(f"the path {path} does not exist, expected a file or a folder of manifests", EXIT_USAGE)
    yield _called(name or path, load_folder(given, schemasDir) if given.is_dir() else load_file(given), given)


def _called(label: str, catalog: Catalog, root: Path) -> Reading:
    """With every name as the user gave it."""
    prefix = f"{label.rstrip('/')}/" if root.is_dir() else ""

    def renamed(problem: Problem) -> Problem:
        return replace(
            problem,
            file=prefix + problem.file if prefix else label,
            found=problem.found.replace(str(root), label),
        )

    fault = catalog.folderFault.replace(str(root), label)
    return Reading(replace(catalog, problems=tuple(map(renamed, catalog.problems)), folderFault=fault), root, prefix)


def _is_valid(catalog: Catalog) -> bool:
    return not catalog.problems and not catalog.folderFault


def _write_text(reading: Reading) -> None:
    catalog, showExcerpt = reading.catalog, console().is_terminal
    for problem in catalog.problems:
        place, _, rest = str(problem).partition(": ")
        write_line(Text(place, style="bold").append(f": {one_line(rest)}", style="not bold"))
        for line in _excerpt(problem, reading.place_of(problem)) if showExcerpt else ():
            write_line(line)
    if catalog.folderFault:
        write_line(one_line(catalog.folderFault))
    if catalog.problems:
        files = len({problem.file for problem in catalog.problems})
        write_line(f"{count(len(catalog.problems), 'problem')} in {count(files, 'file')}")
    elif not catalog.folderFault:
        good = [count(len(catalog.bridges), "bridge"), count(len(catalog.clusters), "cluster")]
        verb = "is" if len(catalog.bridges) + len(catalog.clusters) == 1 else "are"
        write_line(f"{' and '.join(text for text in good if not text.startswith('0 '))} {verb} valid")


def _write_data(catalog: Catalog) -> None:
    write_json(
        {
            "valid": _is_valid(catalog),
            "folderFault": catalog.folderFault,
            "bridges": sorted(catalog.bridges),
            "clusters": sorted(catalog.clusters),
            "problems": [asdict(problem) for problem in catalog.problems],
        }
    )


def _excerpt(problem: Problem, file: Path) -> list[Text]:
    """The line with a caret below the mistake; nothing where the line cannot be read."""
    try:
        lines = file.read_text(encoding="utf-8-sig", errors="replace").splitlines()
        line = lines[problem.line - 1]
    except (OSError, IndexError):
        return []
    start = max(0, problem.column - 1 - EXCERPT_REACH)
    shown = "".join(one if one.isprintable() else " " for one in line[start : problem.column + EXCERPT_REACH])
    margin = f"{problem.line:>6} | "
    caret = " " * (len(margin) - 2) + "| " + " " * (problem.column - 1 - start)
    return [Text(margin, style="dim").append(shown), Text(caret, style="dim").append("^", style="red")]
