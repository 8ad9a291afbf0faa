"""Where a version goes: a destination, as people write it, becomes the containers of W1."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from artifact.errors import ConfigurationError
from publisher.adapters.folder import FolderStore
from publisher.loopback import is_loopback
from publisher.ports import BulkStore, Leases, Store, StreamStore

EXPECTED = "a storage connection string, https://ACCOUNT.blob.core.windows.net[?SAS], or file:///FOLDER"


@dataclass(frozen=True, slots=True)
class Inbox:
    """What the pipeline has beside `artifacts`: three containers of W1, and the app's own, `state`, with its leases."""

    incoming: StreamStore
    receipts: Store
    quarantine: StreamStore
    state: Store
    leases: Leases


@dataclass(frozen=True, slots=True)
class Storage:
    """The containers of W1. A folder has only `artifacts`: ConfigurationError for another one."""

    artifacts: BulkStore
    inbox: Inbox | None
    ensure_containers: Callable[[], None]
    """Makes the containers that are not there: for local pipelines and tests; deployments make them beforehand."""

    def of_account(self) -> Inbox:
        """The inbox. ConfigurationError where this is a folder, which has none."""
        if self.inbox is None:
            raise ConfigurationError(
                "a folder has no container incoming; bundles are for a storage account", rule="W1", where="destination"
            )
        return self.inbox


def open_destination(text: str) -> Storage:
    """The storage that `text` names; nothing is asked of it yet. Raises ConfigurationError.

    - a connection string, with an account key or a SAS;
    - an account's URL, with a SAS or else by the identity that runs this (managed identity, workload identity, the
      developer's own);
    - `file:///path`, a folder on this machine. It is made when the first object is written.

    Plain http is for loopback addresses.
    """
    if "://" not in text.partition("=")[0]:
        if "=" not in text:
            raise _wrong("not a destination")
        return _account(text, is_url=False)
    try:
        url = urlsplit(text)
        _ = url.port  # which is looked at only now
    except ValueError:
        raise _wrong("not a URL") from None
    match url.scheme:
        case "file":
            return _folder(url)
        case "http" | "https":
            _check_account_url(url)
            return _account(text, is_url=True)
    raise _wrong("an unknown kind of destination", f"{url.scheme}://…")


def _folder(url: SplitResult) -> Storage:
    path = Path(unquote(url.path))
    if url.netloc not in {"", "localhost"} or not path.is_absolute() or url.query or url.fragment:
        raise _wrong("not the URL of a folder", url.geturl())
    store = FolderStore(path)
    return Storage(store, None, store.ensure)


def _account(text: str, *, is_url: bool) -> Storage:
    # Imported here: a folder need not wait for azure.*
    from publisher.adapters.blob import BlobStore  # noqa: PLC0415
    from publisher.adapters.blob_account import BlobAccount  # noqa: PLC0415
    from publisher.adapters.leases import BlobLeases  # noqa: PLC0415

    account = BlobAccount.from_url(text) if is_url else BlobAccount.from_connection_string(text)
    incoming, artifacts, receipts, quarantine, state = (
        BlobStore(account, name) for name in ("incoming", "artifacts", "receipts", "quarantine", "state")
    )

    def ensure() -> None:
        for store in (incoming, artifacts, receipts, quarantine, state):
            store.ensure()

    inbox = Inbox(incoming, receipts, quarantine, state, BlobLeases(account.container("state")))
    return Storage(artifacts, inbox, ensure)


def _check_account_url(url: SplitResult) -> None:
    """Messages show the URL without its query: that would be the SAS (T21)."""
    host = url.hostname or ""
    shown = f"{url.scheme}://{host}{url.path}"
    segments = len([segment for segment in url.path.split("/") if segment])
    if not host or "@" in url.netloc or url.fragment or segments != (1 if is_loopback(host) else 0):
        raise _wrong("not a storage account's URL; it names no container", shown)
    if url.query and "sig=" not in url.query:
        raise _wrong("what follows the ? is no SAS", shown)
    if url.scheme == "http" and not is_loopback(host):
        raise _wrong("plain http is for loopback addresses", shown)
    if url.scheme == "http" and not url.query:
        raise _wrong("an identity needs https; plain http takes a SAS or a connection string", shown)


def _wrong(what: str, seen: str | None = None) -> ConfigurationError:
    return ConfigurationError(what, where="destination", expected=EXPECTED, seen=seen)
