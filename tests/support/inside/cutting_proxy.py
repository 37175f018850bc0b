"""cutting_proxy.py HOST: passes TCP connections on port 9093 on to the same port of HOST, and cuts them at random.

A cut resets all connections at once, or shortly after one direction has been swallowed: of a commit that was under
way, then, either the request never arrives or its answer does not. Each cut that met a connection prints a line of
JSON. SIGUSR1 ends the cutting, not the passing on.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import signal
import socket
import struct
from typing import Literal

PORT = 9093
# How long one direction is swallowed before its connection is cut: several commits of a few milliseconds.
SWALLOW_SECONDS = 0.03
RESET = struct.pack("ii", 1, 0)
Loses = Literal["nothing", "requests", "answers"]
WAYS: tuple[Loses, ...] = ("nothing", "requests", "answers")


class Passage:
    """One client's connection and the one made for it to the broker."""

    def __init__(self, client: asyncio.StreamWriter, broker: asyncio.StreamWriter) -> None:
        self.ends = (client, broker)
        self.loses: Loses = "nothing"

    async def pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, what: Loses) -> None:
        try:
            while data := await reader.read(65_536):
                if self.loses != what:
                    writer.write(data)
                    await writer.drain()
        except OSError:
            pass
        finally:
            self.cut()

    def cut(self) -> None:
        """With a reset, as a firewall does; what has not been sent yet is lost."""
        for end in self.ends:
            connection = end.get_extra_info("socket")
            if connection is not None and connection.fileno() >= 0:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            end.transport.abort()


class Proxy:
    """All connections to one broker."""

    def __init__(self, host: str, chance: random.Random, shortest: float, longest: float) -> None:
        self._host = host
        self._chance = chance
        self._pause = (shortest, longest)
        self._open: set[Passage] = set()
        self._isCutting = True

    def end_cutting(self) -> None:
        self._isCutting = False

    async def take(self, reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        try:
            brokerReader, broker = await asyncio.open_connection(self._host, PORT)
        except OSError:
            client.transport.abort()
            return
        passage = Passage(client, broker)
        self._open.add(passage)
        await asyncio.gather(
            passage.pass_on(reader, broker, "requests"), passage.pass_on(brokerReader, client, "answers")
        )
        self._open.discard(passage)

    async def cut_now_and_then(self) -> None:
        while True:
            await asyncio.sleep(self._chance.uniform(*self._pause))
            if self._isCutting and self._open:
                await self._cut(self._chance.choice(WAYS))

    async def _cut(self, loses: Loses) -> None:
        hit = list(self._open)
        for passage in hit:
            passage.loses = loses
        if loses != "nothing":
            await asyncio.sleep(SWALLOW_SECONDS)
        for passage in hit:
            passage.cut()
        print(json.dumps({"connections": len(hit), "loses": loses}), flush=True)


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("host")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--shortest", type=float, default=0.5, help="seconds between cuts, at least")
    parser.add_argument("--longest", type=float, default=2.0, help="seconds between cuts, at most")
    arguments = parser.parse_args()
    chance = random.Random(arguments.seed)
    proxy = Proxy(arguments.host, chance, arguments.shortest, arguments.longest)
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, proxy.end_cutting)
    server = await asyncio.start_server(proxy.take, "0.0.0.0", PORT)
    async with server:
        await asyncio.gather(server.serve_forever(), proxy.cut_now_and_then())


if __name__ == "__main__":
    asyncio.run(main())
