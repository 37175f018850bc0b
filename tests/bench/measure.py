"""What a container has used, read on its host: CPU time by its cgroup (v1 and v2), memory by its processes."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

CGROUPS = Path("/sys/fs/cgroup")
EVERY_SECONDS = 0.02


class Unreadable(Exception):
    """A container's cgroup is not where it is on known machines."""


def cgroup_of(pid: int, controller: str, root: Path = CGROUPS, processes: Path = Path("/proc")) -> Path:
    """The folder of a process in the hierarchy that has `controller`: its own under v1, the one under v2."""
    unified = None
    for line in (processes / str(pid) / "cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if controller in controllers.split(","):
            for mounted in (controller, controllers):
                folder = root / mounted / path.lstrip("/")
                if folder.is_dir():
                    return folder
        if not controllers:
            unified = root / path.lstrip("/")
    if unified is not None and (unified / "cgroup.procs").exists() and (unified / "cpu.stat").exists():
        return unified
    raise Unreadable(f"process {pid} has no cgroup with {controller} below {root}")


def cpu_seconds(folder: Path) -> float:
    """CPU time of all that ever ran in a cgroup."""
    usage = folder / "cpuacct.usage"
    if usage.exists():
        return int(usage.read_text()) / 1e9
    for line in (folder / "cpu.stat").read_text().splitlines():
        name, value = line.split()
        if name == "usage_usec":
            return int(value) / 1e6
    raise Unreadable(f"{folder} has neither cpuacct.usage nor cpu.stat with usage_usec")


def peak_memory(pids: Sequence[int]) -> int:
    """Bytes: the highest resident set of each process in the containers of `pids`, added up.

    The cgroup's own peak counts the page cache too, which is what the machine can spare and no need of the program.
    """
    total = 0
    for pid in pids:
        everyone = (cgroup_of(pid, "cpuacct") / "cgroup.procs").read_text().split()
        for one in everyone:
            try:
                status = Path("/proc", one, "status").read_text()
            except OSError:  # it has ended
                continue
            found = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")]
            total += int(found[0]) * 1024 if found else 0
    return total


class CpuClock:
    """CPU time of containers over time, sampled beside a copy, so that it can be told for any span afterwards."""

    def __init__(self, pids: Sequence[int]) -> None:
        self._folders = [cgroup_of(pid, "cpuacct") for pid in pids]
        self._samples: list[tuple[float, float]] = []
        self._isOver = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._sample()
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._isOver.set()
        self._thread.join(5)

    def between(self, began: float, ended: float) -> float:
        """CPU seconds used between two times of the wall clock."""
        return self._at(ended) - self._at(began)

    def _run(self) -> None:
        while not self._isOver.wait(EVERY_SECONDS):
            try:
                self._sample()
            except OSError:  # the container has ended; what it used until then is known
                return

    def _sample(self) -> None:
        self._samples.append((time.time(), sum(cpu_seconds(folder) for folder in self._folders)))

    def _at(self, moment: float) -> float:
        """Between two samples in proportion."""
        before = self._samples[0]
        for sample in self._samples:
            if sample[0] >= moment:
                span = sample[0] - before[0]
                return before[1] + (sample[1] - before[1]) * ((moment - before[0]) / span if span > 0 else 0.0)
            before = sample
        return before[1]
