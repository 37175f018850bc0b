"""A Docker engine beside the machine's own, for tests that end engines: whatever runs on the other is left alone."""

from __future__ import annotations

import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.stack import Stack, run, wait_until


class PrivateEngine:
    """A process `dockerd` with a folder, a socket and a network namespace of its own.

    Without the last, two engines would have one bridge docker0 and one firewall between them. So nobody outside can
    reach the addresses of its containers, an operator neither.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"unix://{folder}/docker.sock"

    def start(self) -> None:
        """Returns once it answers. As after a crash, a pid file of a process that is gone is no hindrance."""
        (self._folder / "docker.pid").unlink(missing_ok=True)
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    # It does not outlive the tests, however they end.
                    "setpriv", "--pdeathsig", "TERM", "unshare", "--net", "dockerd", "--host", self.url,
                    "--data-root", f"{self._folder}/data", "--exec-root", f"{self._folder}/exec",
                    "--pidfile", f"{self._folder}/docker.pid",
                ],
                stdout=log, stderr=log,
            )  # fmt: skip
        wait_until("the private engine answers", self._answers, 60, 0.1)

    def stop(self) -> None:
        """As `systemctl stop docker` does it: its containers are stopped first."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Its containers go on until the next engine finds them."""
        self._end(signal.SIGKILL)

    def remove(self) -> None:
        if self._process is not None:
            self._end(signal.SIGTERM)
        # One that was killed leaves its data folder mounted on itself.
        while run("umount", "--recursive", "--lazy", f"{self._folder}/data", wanted=None).returncode == 0:
            pass
        shutil.rmtree(self._folder, ignore_errors=True)

    def last_words(self) -> str:
        return (self._folder / "log").read_text(errors="replace")[-4000:]

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, f"the private engine has ended:\n{self.last_words()}"
        return run("docker", "--host", self.url, "version", wanted=None).returncode == 0

    def _end(self, how: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(how)
        self._process.wait(60)
        self._process = None


class StackOnPrivateEngine(Stack):
    """What tests make with `docker`, on that engine. Compose and the project's scripts are not taken there."""

    def __init__(self, instance: str, engine: PrivateEngine) -> None:
        super().__init__(instance)
        self._engine = engine

    def docker(self, *arguments: str, wanted: int | None = 0, timeoutSeconds: float = 120) -> str:
        return super().docker("--host", self._engine.url, *arguments, wanted=wanted, timeoutSeconds=timeoutSeconds)

    def engine_url(self) -> str:
        return self._engine.url

    def take_image(self, image: str, folder: Path) -> None:
        """From the machine's own engine."""
        run("docker", "save", "--output", f"{folder}/image.tar", image)
        self.docker("load", "--quiet", "--input", f"{folder}/image.tar")
        (folder / "image.tar").unlink()


@contextmanager
def private_engine() -> Iterator[PrivateEngine]:
    """In a folder of a short name: the paths of sockets may not be long."""
    engine = PrivateEngine(Path(tempfile.mkdtemp(prefix="kbo-engine-")))
    try:
        engine.start()
        yield engine
    finally:
        engine.remove()
