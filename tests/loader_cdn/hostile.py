"""An HTTP/1.1 server that does what it is told, byte by byte, and a proxy in front of it: for tests of the transfer.

A behaviour writes to a connection whatever it likes and says whether another request may follow on it. Nothing here
waits by the clock alone: everything ends when the server is closed.
"""

from __future__ import annotations

import contextlib
import datetime
import gzip
import socket
import ssl
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass(frozen=True)
class Request:
    """What the server was asked: field names are lower case."""

    method: str
    target: str
    fields: dict[str, str]


@dataclass
class Connection:
    """One connection while one request is answered."""

    socket: socket.socket
    request: Request
    closing: threading.Event

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)


Behaviour = Callable[[Connection], bool]


def answer(body: bytes = b"", *, status: str = "200 OK", fields: dict[str, str] | None = None) -> Behaviour:
    """A well-formed answer; the connection is kept."""
    head = {"Content-Length": str(len(body)), **(fields or {})}
    lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
    return raw(f"HTTP/1.1 {status}\r\n{lines}\r\n".encode("latin-1") + body, keep=True)


def raw(data: bytes, *, keep: bool = False) -> Behaviour:
    """Exactly these bytes, then the connection's end, unless it is kept."""

    def behave(connection: Connection) -> bool:
        connection.send(data)
        return keep

    return behave


def endless(head: bytes, piece: bytes) -> Behaviour:
    """A head, then the same piece as fast as it is taken, for ever."""

    def behave(connection: Connection) -> bool:
        connection.send(head)
        while not connection.closing.is_set():
            connection.send(piece)
        return False

    return behave


def drip(head: bytes, piece: bytes, seconds: float) -> Behaviour:
    """A head, then the piece every so many seconds, for ever."""

    def behave(connection: Connection) -> bool:
        connection.send(head)
        while not connection.closing.wait(seconds):
            connection.send(piece)
        return False

    return behave


def silence() -> Behaviour:
    """Not a byte."""
    return drip(b"", b"", 60.0)


def in_turn(*behaviours: Behaviour) -> Behaviour:
    """One after the other, a request each; the last one stays."""
    left = list(behaviours)
    lock = threading.Lock()

    def behave(connection: Connection) -> bool:
        with lock:
            behaviour = left.pop(0) if len(left) > 1 else left[0]
        return behaviour(connection)

    return behave


def together(number: int, behaviour: Behaviour) -> Behaviour:
    """No request is answered before so many of them are here at once."""
    here = threading.Barrier(number)

    def behave(connection: Connection) -> bool:
        here.wait(30)
        return behaviour(connection)

    return behave


def unless_matched(etag: str, otherwise: Behaviour) -> Behaviour:
    """304 where the request carries this ETag."""

    def behave(connection: Connection) -> bool:
        if connection.request.fields.get("if-none-match") == etag:
            return raw(f"HTTP/1.1 304 Not Modified\r\nETag: {etag}\r\n\r\n".encode(), keep=True)(connection)
        return otherwise(connection)

    return behave


def redirect(location: str, status: str = "302 Found") -> Behaviour:
    return answer(b"elsewhere", status=status, fields={"Location": location})


def bomb(mebibytes: int) -> bytes:
    """That many MiB of zeros, packed to a thousandth."""
    return gzip.compress(bytes(mebibytes << 20), 9, mtime=0)


class Listener(ABC):
    """A socket on loopback with a thread a connection, ended on leaving the context."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.closing = threading.Event()
        self._tls = tls
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.closing.set()
        with self._lock:
            for each in [self._listener, *self._open]:
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(10)

    @abstractmethod
    def serve(self, connection: socket.socket) -> None:
        """Talk to one client until it or this server is done."""

    def _start(self, target: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self.closing.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._start(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        with self._lock:
            self._open.add(connection)
        with contextlib.suppress(OSError), connection:
            if self.closing.is_set():
                return
            if self._tls is None:
                self.serve(connection)
            else:
                with self._tls.wrap_socket(connection, server_side=True) as secure:
                    with self._lock:
                        self._open.add(secure)
                    self.serve(secure)


class HostileServer(Listener):
    """`routes` says how each target is answered; `requests` tells what was asked, in order."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(tls)
        self.routes: dict[str, Behaviour] = {}
        self.requests: list[Request] = []
        self.connections = 0

    @property
    def base(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    def url(self, target: str, behaviour: Behaviour) -> str:
        """Answer `target` so from now on; its URL."""
        self.routes[target] = behaviour
        return self.base + target

    def serve(self, connection: socket.socket) -> None:
        self.connections += 1
        with connection.makefile("rb") as reader:
            while (request := _read_request(reader)) is not None:
                self.requests.append(request)
                behaviour = self.routes.get(request.target, answer(b"not here", status="404 Not Found"))
                if not behaviour(Connection(connection, request, self.closing)):
                    return


class Proxy(Listener):
    """A proxy that believes every name to be on this machine, at the port of `server`."""

    def __init__(self, server: HostileServer) -> None:
        super().__init__()
        self._server = server
        self.requests: list[Request] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def serve(self, connection: socket.socket) -> None:
        with connection.makefile("rb") as reader:
            request = _read_request(reader)
            if request is None:
                return
            self.requests.append(request)
            with socket.create_connection(("127.0.0.1", self._server.port)) as upstream:
                if request.method == "CONNECT":
                    connection.sendall(b"HTTP/1.1 200 Connection established\r\nX-Proxy: yes\r\n\r\n")
                else:
                    path = "/" + request.target.split("/", 3)[3]
                    upstream.sendall(
                        f"{request.method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()
                    )
                back = threading.Thread(target=_pump, args=(upstream, connection), daemon=True)
                back.start()
                _pump(connection, upstream)
                back.join(10)


def _pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


def _read_request(reader: BinaryIO) -> Request | None:
    lines: list[str] = []
    while True:
        line = reader.readline(65536)
        if not line:
            return None
        if line in (b"\r\n", b"\n"):
            break
        lines.append(line.decode("latin-1").strip())
    method, target, _ = lines[0].split(" ")
    fields = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
    return Request(method, target, fields)


@dataclass
class PrivateAuthority:
    """A certificate authority of one's own and a server certificate of it for the given names."""

    folder: Path
    names: tuple[str, ...] = ("127.0.0.1", "localhost")
    ca_file: Path = field(init=False)

    def __post_init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a private authority")])
        root = self._certificate(self._name, self._key.public_key(), authority=True)
        self.ca_file = self.folder / "authority.pem"
        self.ca_file.write_bytes(root.public_bytes(serialization.Encoding.PEM))

    def server_context(self) -> ssl.SSLContext:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a server")])
        certificate = self._certificate(subject, key.public_key(), authority=False)
        both = self.folder / "server.pem"
        both.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            + certificate.public_bytes(serialization.Encoding.PEM)
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(both)
        return context

    def _certificate(self, subject: x509.Name, key: ec.EllipticCurvePublicKey, *, authority: bool) -> x509.Certificate:
        now = datetime.datetime.now(datetime.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        )
        if not authority:
            builder = builder.add_extension(x509.SubjectAlternativeName([_alternative(n) for n in self.names]), False)
        return builder.sign(self._key, hashes.SHA256())


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


@contextlib.contextmanager
def refused_port() -> Iterator[int]:
    """A port on which nobody listens, kept from others meanwhile."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]
