"""bridgectl schema: the JSON Schema of manifests, for editors and other tools."""

from __future__ import annotations

from bridge_operator.cli.output import write_json
from bridge_operator.manifest_schema import manifest_schema


def schema() -> None:
    """Print the JSON Schema of manifests, for editors and other tools.

    manifests/schema.json is what this prints; the manifests beside it name it in their first line.

    \b
    Examples:
      bridgectl schema > manifests/schema.json
    """
    write_json(manifest_schema())
