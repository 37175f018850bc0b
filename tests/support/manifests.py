"""A folder of manifests that a test edits as a user would, and that can be put back."""

from __future__ import annotations

from pathlib import Path

# To be formatted with name and network.
CLUSTER = """
apiVersion: bridge.kafka/v1alpha1
kind: KafkaCluster
metadata: {{name: {name}}}
spec: {{bootstrapServers: "{name}-kafka:9093", network: {network}, tls: {{secret: tls-bridge-{name}}}}}
"""


class Manifests:
    """Remembers the folder's files as they were when it was made."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._original = {path: path.read_text(encoding="utf-8") for path in sorted(folder.rglob("*.yaml"))}

    def edit(self, name: str, old: str, new: str) -> None:
        """Replace `old`, which must stand there once, in the file of that name."""
        path = self.folder / name
        text = path.read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{name} holds {old!r} {text.count(old)} times, expected once"
        path.write_text(text.replace(old, new), encoding="utf-8")

    def add(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text, encoding="utf-8")

    def delete(self, name: str) -> None:
        (self.folder / name).unlink()

    def empty(self) -> None:
        for path in self.folder.rglob("*.yaml"):
            path.unlink()

    def restore(self) -> None:
        for path in self.folder.rglob("*.yaml"):
            if path not in self._original:
                path.unlink()
        for path, text in self._original.items():
            if not path.exists() or path.read_text(encoding="utf-8") != text:
                path.write_text(text, encoding="utf-8")
