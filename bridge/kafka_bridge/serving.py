"""How replicas and the operator serve HTTP: in a thread, and at no cost while nobody asks."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable

import uvicorn
from starlette.applications import Starlette

TICK_SECONDS = 1.0


class QuietServer(uvicorn.Server):
    """uvicorn looks ten times a second whether it is to end: half of the CPU of a process that has nothing to do."""

    async def main_loop(self) -> None:
        # The count tells uvicorn when a second has passed, for the header Date; here one always has.
        while not await self.on_tick(0):
            await asyncio.sleep(TICK_SECONDS)


def serve(app: Starlette, address: str, port: int) -> Callable[[], None]:
    """Serve in a thread of its own; signals stay with the caller. Returns what ends it, within TICK_SECONDS."""
    server = QuietServer(
        uvicorn.Config(app, host=address, port=port, log_level="warning", access_log=False, lifespan="off")
    )
    threading.Thread(target=server.run, name="web", daemon=True).start()
    return lambda: server.handle_exit(signal.SIGTERM, None)
