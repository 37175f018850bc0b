"""`bench_tool.py` run inside a cluster's network, as a process that this one talks to by lines."""

from __future__ import annotations

import json
import queue
import subprocess
import threading
import time
from types import TracebackType
from typing import Any, Self

from support.clusters import Clusters, Side

GRACE_SECONDS = 15


class ToolFailed(AssertionError):
    """The tool ended without the answer that was waited for; the message is what it said last."""


class Tool:
    """One command of the tool. Leaving it closes its standard input, by which it ends."""

    def __init__(self, clusters: Clusters, side: Side, *arguments: str | int | float) -> None:
        command = ("docker", "exec", "--interactive", clusters.tools[side], "python", "/tools/bench_tool.py")
        words = [*command, "--servers", clusters.servers(side), *map(str, arguments)]
        self._what = " ".join(map(str, arguments))
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self._errors: list[str] = []
        self._readers = [threading.Thread(target=one, daemon=True) for one in (self._read, self._read_errors)]
        for reader in self._readers:
            reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.let_go()
        try:
            self._process.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(GRACE_SECONDS)

    def answer(self, timeoutSeconds: float) -> dict[str, Any]:
        """The next line."""
        found = self.maybe(timeoutSeconds)
        if found is None:
            raise ToolFailed(f"bench_tool {self._what}: no answer within {timeoutSeconds:.0f} s")
        return found

    def maybe(self, timeoutSeconds: float) -> dict[str, Any] | None:
        """The next line, or None where there is none in that time."""
        try:
            line = self._lines.get(timeout=max(0.0, timeoutSeconds))
        except queue.Empty:
            return None
        if line is None:
            self._readers[1].join(2)
            raise ToolFailed(f"bench_tool {self._what} ended: {''.join(self._errors[-3:]).strip()}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def go_on(self) -> None:
        assert self._process.stdin
        self._process.stdin.write("go on\n")
        self._process.stdin.flush()

    def let_go(self) -> None:
        """Nobody waits any more: it is to end."""
        try:
            assert self._process.stdin
            self._process.stdin.close()
        except OSError:
            pass

    def _read(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put(None)

    def _read_errors(self) -> None:
        assert self._process.stderr
        for line in self._process.stderr:
            self._errors.append(line)


def tool_answer(
    clusters: Clusters, side: Side, *arguments: str | int | float, timeoutSeconds: float = 300
) -> dict[str, Any]:
    """The one line that a command says."""
    began = time.monotonic()
    with Tool(clusters, side, *arguments, "--timeout", timeoutSeconds) as tool:
        return tool.answer(timeoutSeconds + GRACE_SECONDS - (time.monotonic() - began))
