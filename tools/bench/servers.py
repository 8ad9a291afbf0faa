"""The real servers: nginx for what is fetched, Azurite (tools/local/azurite.py) for what is published."""

from __future__ import annotations

import gzip
import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tools.bench.measure import BenchError
from tools.bench.tls import Certificates
from tools.local.ports import free_port

START_SECONDS = 10
SYSTEM = ":/usr/sbin:/sbin"
"""Where servers are that are not on a user's PATH."""

_CONFIGURATION = """
{user}
daemon off;
worker_processes auto;
pid nginx.pid;
error_log error.log warn;
events {{ worker_connections 1024; }}
http {{
    default_type application/octet-stream;
    log_format counted '$request_method $status $body_bytes_sent $uri';
    access_log {log};
    sendfile on;
    tcp_nopush on;
    keepalive_requests 100000;
    gzip_static {gzip};
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    ssl_certificate {certificate};
    ssl_certificate_key {key};
    ssl_session_cache shared:tls:4m;
    server {{
        listen {address}:{http};
        listen {address}:{https} ssl http2;
        root {tree};
        autoindex on;
    }}
}}
"""


@dataclass(frozen=True, slots=True)
class Request:
    """One line of the server's log: what was asked, and the bytes of the body that went out, as they went out."""

    method: str
    status: int
    body_bytes: int
    path: str


class Nginx:
    """A server of the files below `tree`, from `with` to its end, by HTTP/1.1 and, over TLS, HTTP/2.

    `within` is put before its command (a network namespace, in which `address` is). With `gzip` it sends `FILE.gz` for
    `FILE` to those who take it; with `counted` it logs every request.
    """

    def __init__(
        self,
        tree: Path,
        work: Path,
        tls: Certificates,
        *,
        address: str = "127.0.0.1",
        within: Sequence[str] = (),
        gzip: bool = False,
        counted: bool = False,
    ) -> None:
        self._work = work
        self._within = within
        self._log = work / "access.log"
        ports = (8080, 8443) if within else (free_port(), free_port())
        self.http, self.https = f"http://{address}:{ports[0]}", f"https://{address}:{ports[1]}"
        self._text = _CONFIGURATION.format(
            user="user root;" if os.geteuid() == 0 else "",
            tree=_quoted(tree),
            log="access.log counted" if counted else "off",
            gzip="on" if gzip else "off",
            certificate=_quoted(tls.certificate),
            key=_quoted(tls.key),
            address=address,
            http=ports[0],
            https=ports[1],
        )

    def __enter__(self) -> Self:
        """Start, and return when it listens. BenchError where it does not."""
        program = shutil.which("nginx", path=os.environ.get("PATH", os.defpath) + SYSTEM)
        if program is None:
            raise BenchError("nginx is not installed: apt-get install nginx-light")
        self._work.mkdir(parents=True, exist_ok=True)
        configuration = self._work / "nginx.conf"
        configuration.write_text(self._text, encoding="utf-8")
        errors = self._work / "error.log"
        command = [*self._within, program, "-c", str(configuration), "-p", str(self._work), "-e", str(errors)]
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + START_SECONDS
        while not (self._work / "nginx.pid").exists():  # written when it listens
            if self._process.poll() is not None or time.monotonic() >= deadline:
                self.stop()
                raise BenchError(f"nginx did not start: {errors.read_text('utf-8').strip()}")
            time.sleep(0.02)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End it, and wait for its end."""
        self._process.terminate()
        self._process.wait()

    @contextmanager
    def counting(self) -> Iterator[list[Request]]:
        """The requests that were answered within the block; they are there after it."""
        before = self._log.stat().st_size
        requests: list[Request] = []
        yield requests
        with self._log.open("rb") as file:
            file.seek(before)
            for line in file.read().decode().splitlines():
                method, status, size, path = line.split(" ", 3)
                requests.append(Request(method, int(status), int(size), path))


def compressed_copy(tree: Path, copy: Path) -> None:
    """`tree` again, by links, with a `.gz` beside each file that is smaller for it."""
    for file in sorted(path for path in tree.rglob("*") if path.is_file()):
        target = copy / file.relative_to(tree)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.hardlink_to(file)
        packed = gzip.compress(file.read_bytes(), compresslevel=6, mtime=0)
        if len(packed) < file.stat().st_size:
            target.with_name(target.name + ".gz").write_bytes(packed)


def _quoted(path: Path) -> str:
    return '"' + str(path).replace("\\", "\\\\").replace('"', '\\"') + '"'
