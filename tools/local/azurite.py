"""A storage server of one's own: Azurite, with blobs and queues, on free ports of the loopback interface."""

from __future__ import annotations

import re
import subprocess
import threading
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Self

from tools.setup import node
from tools.setup.steps import ROOT, SetupError

ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""Azurite's own account and key: public, the same in every installation."""

PROJECT = ROOT / "tools" / "azurite"
PROGRAM = PROJECT / "node_modules" / "azurite" / "dist" / "src" / "azurite.js"
START_SECONDS = 60
STOP_SECONDS = 10
_LISTENING = re.compile(r"Azurite (Blob|Queue|Table) service is successfully listening at (\S+)")
_SERVICES = 3


@dataclass(frozen=True, slots=True)
class Account:
    """One storage account of a running server; accounts share nothing but the key."""

    name: str
    blob_endpoint: str
    """`http://127.0.0.1:PORT/NAME`, below which the containers are."""
    queue_endpoint: str
    """`http://127.0.0.1:PORT/NAME`, below which the queues are."""

    @property
    def connection_string(self) -> str:
        """As the Azure libraries and AzureWebJobsStorage take it."""
        return (
            f"DefaultEndpointsProtocol=http;AccountName={self.name};AccountKey={KEY};"
            f"BlobEndpoint={self.blob_endpoint};QueueEndpoint={self.queue_endpoint};"
        )


class Azurite:
    """One running server, from `with` to its end; it also ends with this process, however that ends.

    `folder` keeps the data (it may hold those of an earlier server); without one they are kept in memory.
    `accounts` are the names of its storage accounts.
    """

    def __init__(self, folder: Path | None = None, accounts: Iterable[str] = (ACCOUNT,)) -> None:
        self._folder = folder
        self._accounts = tuple(accounts)
        self._process: subprocess.Popen[str] | None = None
        self._said: list[str] = []
        self._addresses: dict[str, str] = {}
        self._settled = threading.Event()

    def __enter__(self) -> Self:
        """Start and return when all services listen. SetupError where it is not installed or does not start."""
        if not PROGRAM.is_file():
            raise SetupError("Azurite is not installed: run `make install`")
        chosen = node.require()
        command = [chosen.node, "--require", PROJECT / "end-with-parent.cjs", PROGRAM, *self._options()]
        self._process = subprocess.Popen(
            command,
            env=chosen.environment() | {"AZURITE_ACCOUNTS": ";".join(f"{name}:{KEY}" for name in self._accounts)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,  # Ctrl-C is for this process; it then stops the server in order
        )
        assert self._process.stdout is not None
        self._reader = threading.Thread(target=self._read, args=(self._process.stdout,), daemon=True)
        self._reader.start()
        if not self._settled.wait(START_SECONDS) or len(self._addresses) < _SERVICES:
            self.stop()
            raise SetupError("Azurite did not start; it said:\n" + "".join(self._said).rstrip())
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop the server, in order where it answers; twice is no fault."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOP_SECONDS)
        process.kill()
        process.wait()
        self._reader.join()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()

    @property
    def pid(self) -> int:
        """The server's process id. SetupError where it does not run."""
        if self._process is None:
            raise SetupError("Azurite does not run")
        return self._process.pid

    def account(self, name: str = ACCOUNT) -> Account:
        """The account of that name, which the server was started with."""
        return Account(name, f"{self._addresses['Blob']}/{name}", f"{self._addresses['Queue']}/{name}")

    @property
    def connection_string(self) -> str:
        """The connection string of the account `devstoreaccount1`."""
        return self.account().connection_string

    def _options(self) -> list[str | Path]:
        kept: list[str | Path] = ["--location", self._folder] if self._folder else ["--inMemoryPersistence"]
        ports = [word for service in ("blob", "queue", "table") for word in (f"--{service}Port", "0")]
        # The libraries speak a newer API version than Azurite knows by name.
        return [*kept, *ports, "--silent", "--skipApiVersionCheck", "--disableTelemetry"]

    def _read(self, output: IO[str]) -> None:
        """Take the addresses from what the server says, and go on reading, so that it never waits for us."""
        for line in output:
            if len(self._addresses) < _SERVICES:
                self._said.append(line)
            if match := _LISTENING.search(line):
                self._addresses[match[1]] = match[2]
                if len(self._addresses) == _SERVICES:
                    self._settled.set()
        self._settled.set()
