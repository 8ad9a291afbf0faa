"""Publishing to storage: Azurite, new in each round and warmed up by the floor, with an account for each contestant."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial

from azure.storage.blob import BlobServiceClient, ContainerSasPermissions, generate_container_sas

from artifact.paths import MANIFEST
from tools.bench import peers
from tools.bench.bench import PUBLISHER, Bench, Figure, Measured
from tools.bench.measure import BenchError, Contestant, race, run
from tools.bench.peers import Upload
from tools.bench.sets import FEATURE, Set
from tools.local.azurite import KEY, Account, Azurite

CONTAINER = "artifacts"
FLOOR = "curl --parallel"
AZCOPY = "azcopy"
RCLONE = "rclone"
_NAMES = (PUBLISHER, FLOOR, AZCOPY, RCLONE)
_ACCOUNTS = {name: f"bench{number}" for number, name in enumerate(_NAMES)}
_WARM_UP = "warmup"
_GOALS = {"a": {FLOOR: 2.5}, "b": {FLOOR: 1.6, AZCOPY: 0.6}, "c": {AZCOPY: 0.4}}


def publish(bench: Bench, name: str) -> Measured:
    """Sign, verify and publish a set, against those who only upload it."""
    files = bench.sets[name]
    measured = Measured(f"publish {name}: {len(files.files)} files to Azurite")
    measured.results = race(bench.runs, partial(_round, bench, files))
    measured.results.left_out |= peers.missing((AZCOPY, RCLONE))
    for peer in _NAMES[1:]:
        ratio = measured.results.ratio(PUBLISHER, [peer])
        measured.figures.append(Figure(f"publish {name}: time / {peer}", ratio, _GOALS[name].get(peer)))
    return measured


@contextmanager
def _round(bench: Bench, files: Set) -> Iterator[Sequence[Contestant]]:
    with Azurite(accounts=(*_ACCOUNTS.values(), _WARM_UP)) as server:
        for account in (*_ACCOUNTS.values(), _WARM_UP):
            with BlobServiceClient.from_connection_string(server.account(account).connection_string) as client:
                client.create_container(CONTAINER)
        run(_uploader(bench, files, server.account(_WARM_UP), FLOOR))
        absent = peers.missing((AZCOPY, RCLONE))
        yield [
            _uploader(bench, files, server.account(account), name)
            for name, account in _ACCOUNTS.items()
            if name not in absent
        ]


def _uploader(bench: Bench, files: Set, account: Account, name: str) -> Contestant:
    upload = Upload(f"{account.blob_endpoint}/{CONTAINER}", _sas(account))
    match name:
        case "cdn-release":
            commands = [bench.sign(files), bench.publish(files, account.connection_string)]
        case "azcopy":
            commands = [upload.azcopy(files)]
        case "rclone":
            commands = [upload.rclone(files)]
        case _:
            commands = [upload.curl(files, bench.work)]
    return Contestant(name, commands, peers.environment(bench.work), check=partial(_check, files, account))


def _sas(account: Account) -> str:
    return generate_container_sas(
        account.name,
        CONTAINER,
        account_key=KEY,
        permission=ContainerSasPermissions(read=True, write=True, create=True, list=True, add=True),
        expiry=datetime.now(UTC) + timedelta(hours=2),
    )


def _check(files: Set, account: Account) -> None:
    """Every file is in storage with its size. BenchError where one is not."""
    prefix = f"{FEATURE}/{files.version}/"
    with BlobServiceClient.from_connection_string(account.connection_string) as client:
        blobs = client.get_container_client(CONTAINER).list_blobs(prefix)
        there = {blob.name.removeprefix(prefix): blob.size for blob in blobs}
    if MANIFEST not in there or any(there.get(path) != size for path, size in files.files.items()):
        raise BenchError("not all files are in storage")
