"""How replicas and the operator serve HTTP: in a thread, and at no cost while nobody asks."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable
from contextlib import suppress

import uvicorn
from starlette.applications import Starlette

TICK_SECONDS = 1.0


class QuietServer(uvicorn.Server):
    """uvicorn looks ten times a second whether it is to end: half of the CPU of a process that has nothing to do."""

    _wake: Callable[[], object] | None = None

    async def main_loop(self) -> None:
        ended, loop = asyncio.Event(), asyncio.get_running_loop()
        self._wake = lambda: loop.call_soon_threadsafe(ended.set)
        # The count tells uvicorn when a second has passed, for the header Date; here one always has.
        while not await self.on_tick(0):
            with suppress(TimeoutError):
                await asyncio.wait_for(ended.wait(), TICK_SECONDS)

    def end(self) -> None:
        """Soon, from any thread."""
        self.handle_exit(signal.SIGTERM, None)
        # Without one it does not serve yet, and looks before it does; a loop that is closed has nobody to wake.
        if self._wake is not None:
            with suppress(RuntimeError):
                self._wake()


def serve(app: Starlette, address: str, port: int) -> Callable[[], None]:
    """Serve in a thread of its own; signals stay with the caller. Returns what ends it."""
    server = QuietServer(
        uvicorn.Config(app, host=address, port=port, log_level="warning", access_log=False, lifespan="off")
    )
    threading.Thread(target=server.run, name="web", daemon=True).start()
    return server.end
