"""An image whose containers do nothing, or all that a replica can do to an engine."""

from __future__ import annotations

from pathlib import Path

from support.stack import Stack

# One program for everything: it ends on SIGTERM, or does what a file tells it; a line without an end is kept in memory
# until there is none left.
DOCKERFILE = """
FROM debian:trixie-slim
CMD ["sh", "-c", "trap 'exit 0' TERM; while :; do [ -f /tmp/do ] && . /tmp/do; sleep 0.1; done"]
"""


def build_sleeper(stack: Stack, folder: Path) -> str:
    """The image's name. It has Compose's label, so that it goes with the instance."""
    (folder / "Dockerfile").write_text(DOCKERFILE, encoding="utf-8")
    name = f"{stack.instance}-sleeper"
    stack.docker(
        "build", "--quiet", "--tag", name, "--label", f"com.docker.compose.project={stack.instance}", str(folder)
    )
    return name
