"""What commands write: tables as kubectl's, JSON, YAML, warnings and errors.

Colours appear on a terminal alone and obey NO_COLOR. Lines are never cut or wrapped here: a pipe gets them whole.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from enum import StrEnum
from io import StringIO
from typing import Any, NoReturn

import typer
from rich.console import Console
from rich.text import Text

from bridge_operator.cli.words import one_line

COLUMN_GAP = 3

# Exit codes, the same for every command that has something to tell.
EXIT_NO, EXIT_UNKNOWN = 1, 2
EXIT_USAGE = 2


class OutputForm(StrEnum):
    """The forms of `-o`."""

    TABLE = "table"
    WIDE = "wide"
    JSON = "json"
    YAML = "yaml"

    @property
    def isData(self) -> bool:
        return self in (OutputForm.JSON, OutputForm.YAML)


class DataForm(StrEnum):
    """The forms of `-o` where there is text or data."""

    TEXT = "text"
    JSON = "json"


def console(toErrors: bool = False) -> Console:
    """Standard output or standard error as it is now: tests replace both."""
    return Console(stderr=toErrors, highlight=False, markup=False, emoji=False, soft_wrap=True)


def write_line(line: str | Text, toErrors: bool = False) -> None:
    console(toErrors).print(line)


def warn(sentences: Iterable[str]) -> None:
    for sentence in sentences:
        write_line(warning_text(sentence), toErrors=True)


def warning_text(sentence: str) -> Text:
    return Text("Warning: ", style="yellow").append(sentence, style="default")


def say_error(sentence: str) -> None:
    write_line(Text("Error", style="red").append(f" {sentence}", style="default"), toErrors=True)


def fail(sentence: str, exitCode: int) -> NoReturn:
    """End the command with one sentence on standard error."""
    write_line(Text("error: ", style="red").append(one_line(sentence), style="default"), toErrors=True)
    raise typer.Exit(exitCode)


def say_not_found(names: Iterable[str]) -> None:
    """As kubectl says it, for each name."""
    for name in names:
        say_error(f'from operator (NotFound): bridges "{one_line(name)}" not found')


def table(header: Sequence[str], rows: Iterable[Sequence[str | Text]], indent: int = 0) -> list[Text]:
    """Lines of columns, each as wide as its widest cell; the last one as it is."""
    cells = [[Text(name) for name in header], *([_text(cell) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    lines = []
    for row in cells:
        line = Text(" " * indent)
        for cell, width in zip(row[:-1], widths, strict=False):
            line.append_text(cell).append(" " * (width - len(cell) + COLUMN_GAP))
        line.append_text(row[-1])
        line.rstrip()
        lines.append(line)
    return lines


def state_text(word: str) -> Text:
    """A bridge's state in the colour of its urgency."""
    styles = {
        "Ready": "green",
        "Suspended": "cyan",
        "ScaledToZero": "cyan",
        "Progressing": "yellow",
        "Unknown": "yellow",
    }
    return Text(word, style=styles.get(word, "yellow" if word.startswith("Ready,") else "red"))


def write_data(data: Any, form: OutputForm, streamed: bool = False) -> None:
    """JSON or YAML; where more of it follows, a line or a document each."""
    if form is OutputForm.JSON:
        write_json(data, indent=None if streamed else 2)
        return
    if streamed:
        write_line("---")
    write_yaml(data)


def write_json(data: Any, indent: int | None = 2) -> None:
    sys.stdout.write(json.dumps(data, indent=indent, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def write_yaml(data: Any) -> None:
    from ruamel.yaml import YAML

    yaml = YAML()
    # No line is folded: a message stays one line.
    yaml.width = sys.maxsize
    stream = StringIO()
    yaml.dump(data, stream)
    sys.stdout.write(stream.getvalue())
    sys.stdout.flush()


def _text(cell: str | Text) -> Text:
    return cell.copy() if isinstance(cell, Text) else Text(cell)
