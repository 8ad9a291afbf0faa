"""A way to a server on loopback that can fall silent, trickle, or reset: what networks do between two programs."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from contextlib import suppress
from enum import Enum
from typing import Self

CHUNK = 64 * 1024
TRICKLE_BYTES = 1024
TRICKLE_SECONDS = 0.1
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Mode(Enum):
    """What happens to bytes. A connection that fell silent stays so, also when the way is open again."""

    OPEN = "open"
    TRICKLE = "trickle"
    SILENT = "silent"
    RESET = "reset"


class Proxy:
    """Runs from `with` to its end: clients connect to `port`, and are led to `target`, both of loopback."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._mode = Mode.OPEN
        self._ways: set[_Way] = set()
        self._loop = asyncio.new_event_loop()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = int(self._listener.getsockname()[1])
        self._thread = threading.Thread(target=self._run, name="proxy", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def become(self, mode: Mode) -> None:
        """Treat all connections so, those that there are and those to come."""
        self._loop.call_soon_threadsafe(self._become, mode)

    def _become(self, mode: Mode) -> None:
        self._mode = mode
        for way in list(self._ways):
            way.become(mode)

    def _run(self) -> None:
        server = self._loop.run_until_complete(asyncio.start_server(self._serve, sock=self._listener))
        self._loop.run_forever()
        server.close()
        self._loop.run_until_complete(_end_others())
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client = _End(reader, writer)
        try:
            server = _End(*await asyncio.open_connection("127.0.0.1", self._target))
        except OSError:
            client.reset()
            return
        way = _Way(client, server)
        self._ways.add(way)
        way.become(self._mode)
        try:
            await way.run()
        finally:
            self._ways.discard(way)


async def _end_others() -> None:
    """All that is still carried is dropped."""
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


class _End:
    """One side of a connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def read(self) -> bytes:
        """What comes; nothing at its end, however that came."""
        with suppress(OSError):
            return await self.reader.read(CHUNK)
        return b""

    async def write(self, data: bytes) -> None:
        with suppress(OSError):
            self.writer.write(data)
            await self.writer.drain()

    def reset(self) -> None:
        """End it without a good-bye."""
        with suppress(OSError):
            self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self.writer.transport.abort()


class _Way:
    """One connection through the proxy, in both directions."""

    def __init__(self, client: _End, server: _End) -> None:
        self._client, self._server = client, server
        self._mode = Mode.OPEN

    def become(self, mode: Mode) -> None:
        if self._mode is not Mode.SILENT:
            self._mode = mode
        if mode is Mode.RESET:
            self._client.reset()

    async def run(self) -> None:
        """Until the client has left, or the server has and the client may know it."""
        there = asyncio.ensure_future(self._carry(self._client, self._server))
        back = asyncio.ensure_future(self._carry(self._server, self._client))
        try:
            await asyncio.wait((there, back), return_when=asyncio.FIRST_COMPLETED)
            if self._mode is Mode.SILENT:
                await there
        finally:
            there.cancel()
            back.cancel()
            self._client.writer.close()
            self._server.writer.close()

    async def _carry(self, source: _End, sink: _End) -> None:
        while data := await source.read():
            if self._mode is Mode.TRICKLE:
                await self._trickle(data, sink)
            elif self._mode is not Mode.SILENT:
                await sink.write(data)

    async def _trickle(self, data: bytes, sink: _End) -> None:
        for start in range(0, len(data), TRICKLE_BYTES):
            await sink.write(data[start : start + TRICKLE_BYTES])
            await asyncio.sleep(TRICKLE_SECONDS)
