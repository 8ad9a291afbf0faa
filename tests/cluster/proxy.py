"""A TCP proxy before the API server which can fall silent: connections stay open and no byte passes, as behind a load
balancer that has forgotten them.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
from typing import Self


class Proxy:
    """Listens on loopback; `url` replaces the API server's."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._server = socket.create_server(("127.0.0.1", 0))
        self._selector = selectors.DefaultSelector()
        self._peers: dict[socket.socket, socket.socket] = {}
        self._silenced: set[socket.socket] = set()
        self._wake, self._woken = socket.socketpair()
        self._is_over = False
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.connections = 0

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self._server.getsockname()[1]}"

    def silence(self) -> None:
        """No byte passes any more through the connections that are open now. New ones work."""
        with self._lock:
            self._silenced |= self._peers.keys()

    def __enter__(self) -> Self:
        self._selector.register(self._server, selectors.EVENT_READ)
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over = True
        self._wake.send(b"x")
        self._thread.join()
        for one in [*self._peers, self._server, self._wake, self._woken]:
            one.close()
        self._selector.close()

    def _run(self) -> None:
        while not self._is_over:
            for key, _ in self._selector.select():
                if key.fileobj is self._server:
                    self._accept()
                elif key.fileobj is not self._woken:
                    assert isinstance(key.fileobj, socket.socket)
                    self._pass_on(key.fileobj)

    def _accept(self) -> None:
        client, _ = self._server.accept()
        try:
            server = socket.create_connection(("127.0.0.1", self._target))
        except OSError:
            client.close()
            return
        with self._lock:
            self._peers |= {client: server, server: client}
            self.connections += 1
        for one in (client, server):
            self._selector.register(one, selectors.EVENT_READ)

    def _pass_on(self, source: socket.socket) -> None:
        try:
            data = source.recv(65536)
        except OSError:
            data = b""
        if source in self._silenced:
            if not data:
                self._selector.unregister(source)
            return
        if data:
            self._peers[source].sendall(data)
            return
        self._selector.unregister(source)
        with contextlib.suppress(OSError):
            self._peers[source].shutdown(socket.SHUT_WR)
