"""What the manifest folder says, after reading: good objects, and problems with their place.

Plain data, passed from the reader of files to the rest; nothing here touches a file.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from bridge_operator.model import KafkaBridge, KafkaCluster


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake in a manifest, with all that is needed to mend it.

    `line` and `column` count from 1; `fieldPath` is written as `spec.topics[0].name`. `kind` and `name` tell whose
    manifest it is where that much could be read, and are empty where it could not.
    """

    file: str
    line: int
    column: int
    fieldPath: str
    found: str
    expected: str
    kind: str = ""
    name: str = ""
    reason: str = "InvalidManifest"

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}:{self.column}"
        subject = f"{self.fieldPath}: " if self.fieldPath else ""
        return f"{where}: {subject}found {self.found}, expected {self.expected}"


@dataclass(frozen=True, slots=True)
class Catalog:
    """Everything that could be read from the manifest folder in one pass.

    `folderFault` is a sentence where the folder itself could not be read or is empty. A bridge or cluster with a
    problem is not in `bridges` or `clusters`.
    """

    bridges: dict[str, KafkaBridge] = field(default_factory=dict)
    clusters: dict[str, KafkaCluster] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    folderFault: str = ""
