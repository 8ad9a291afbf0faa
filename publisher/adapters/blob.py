"""Azure Blob Storage: one container."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from typing import Any, BinaryIO, TypeVar

from azure.core import MatchConditions
from azure.core.exceptions import AzureError, HttpResponseError, ResourceExistsError
from azure.core.paging import ItemPaged
from azure.storage.blob import BlobClient, BlobPrefix, BlobProperties, ContainerClient

from artifact.errors import ContentError
from publisher.adapters.backoff import Backoff, UnansweredError
from publisher.adapters.blob_account import BlobAccount
from publisher.adapters.blob_errors import CONDITION_FAILED, NO_OBJECT, NO_SOURCE, code_of, from_library
from publisher.adapters.blob_requests import ABSENT, ANYTHING, BlobRequests, Properties, unchanged
from publisher.adapters.blob_upload import BulkUpload
from publisher.adapters.bodies import exact_chunks
from publisher.adapters.names import check_name
from publisher.ports import ContentSettings, Created, ObjectData, ObjectInfo, StreamStore, Upload

T = TypeVar("T")


class BlobStore:
    """A BulkStore and StreamStore over one container. `page_size` is that of listings.

    An object is written by one Put Blob, so it is at most 5,000 MiB (P4 allows far less).
    """

    def __init__(
        self, account: BlobAccount, container: str, *, backoff: Backoff | None = None, page_size: int = 5000
    ) -> None:
        self._account = account
        self._container = container
        self._backoff = backoff if backoff is not None else Backoff()
        self._page_size = page_size
        self._requests = BlobRequests(account, container, self._backoff)

    def ensure(self) -> None:
        """Make the container where it is not there."""

        def make(_tried: int) -> None:
            try:
                self._client().create_container()
            except ResourceExistsError as error:
                if code_of(error) != "ContainerAlreadyExists":
                    raise

        self._ask("", make)

    def read(self, name: str, *, limit: int) -> ObjectData | None:
        return self._requests.read(check_name(name), limit)

    def create(self, name: str, data: bytes, settings: ContentSettings) -> Created:
        if self._requests.put(check_name(name), lambda: data, len(data), settings, ABSENT).etag is not None:
            return Created.NEW
        found = self._standing(name, len(data))
        return Created.SAME if found is not None and found.data == data else Created.OTHER

    def replace(self, name: str, data: bytes, settings: ContentSettings, *, etag: str | None) -> str | None:
        condition = ABSENT if etag is None else unchanged(etag)
        put = self._requests.put(check_name(name), lambda: data, len(data), settings, condition)
        if put.etag is not None or not put.is_doubtful:
            return put.etag
        found = self._standing(name, len(data))
        return found.etag if found is not None and found.data == data else None

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        client = self._client()
        for item in self._pages(prefix, lambda: client.list_blobs(prefix, results_per_page=self._page_size)):
            yield _info(item)

    def folders(self, prefix: str) -> Iterator[str]:
        client = self._client()
        for item in self._pages(prefix, lambda: client.walk_blobs(prefix, results_per_page=self._page_size)):
            if isinstance(item, BlobPrefix):
                yield str(item.name)

    def delete(self, name: str) -> bool:
        return self._delete(name, None)

    def create_all(self, uploads: Iterable[Upload]) -> Iterator[tuple[Upload, Created]]:
        return BulkUpload(self._requests).run(uploads)

    def stream(self, name: str) -> BlobStream | None:
        found = self._requests.properties(check_name(name))
        return None if found is None else BlobStream(self._requests, name, found)

    def put_file(self, name: str, source: BinaryIO, size: int, settings: ContentSettings) -> str:
        """`source` is seekable: it is read again where a try failed."""
        start = source.tell()

        def body() -> Generator[bytes, None, None]:
            source.seek(start)
            return exact_chunks(source, size, self._requests.where(name))

        put = self._requests.put(check_name(name), body, size, settings, ANYTHING)
        assert put.etag is not None  # without a condition none fails
        return put.etag

    def move(self, name: str, target: StreamStore, target_name: str, *, etag: str) -> bool:
        """The storage copies by itself: nothing of the object comes through here."""
        if not isinstance(target, BlobStore):
            raise TypeError("objects move between containers of one account")
        return self._copy(name, target._blob(target_name), etag) and self._delete(name, etag)

    def _copy(self, name: str, target: BlobClient, etag: str) -> bool:
        check_name(name)

        def once(_tried: int) -> bool:
            try:
                copy = target.start_copy_from_url(
                    self._account.signed_url_of(self._container, name),
                    source_etag=etag,
                    source_match_condition=MatchConditions.IfNotModified,
                )
            except HttpResponseError as error:
                if code_of(error) in NO_SOURCE and not self._is_at(name, etag):
                    return False
                raise
            status = copy["copy_status"]
            if status != "success":  # a later try is told so, or copies again: the same bytes
                raise UnansweredError("the copy has not ended", where=self._requests.where(name), seen=status)
            return True

        return self._ask(name, once)

    def _is_at(self, name: str, etag: str) -> bool:
        found = self._requests.properties(name)
        return found is not None and found.etag == etag

    def _delete(self, name: str, etag: str | None) -> bool:
        condition: dict[str, Any] = {}
        if etag is not None:
            condition = {"etag": etag, "match_condition": MatchConditions.IfNotModified}

        def once(tried: int) -> bool:
            try:
                self._blob(name).delete_blob(**condition)
            except HttpResponseError as error:
                if tried and code_of(error) in NO_OBJECT | CONDITION_FAILED:
                    # by the earlier try, whose answer was lost, if it is gone
                    return self._requests.properties(name) is None
                raise
            return True

        return self._find(name, once)

    def _standing(self, name: str, length: int) -> ObjectData | None:
        """What stands there, unless it is longer than `length`."""
        try:
            return self._requests.read(name, length)
        except ContentError:
            return None

    def _pages(self, prefix: str, listing: Callable[[], ItemPaged[T]]) -> Iterator[T]:
        """All that a listing of the library holds, page by page, each tried again by itself."""
        token: str | None = None
        while token != "":
            page, token = self._page(prefix, listing, token)
            yield from page

    def _page(self, prefix: str, listing: Callable[[], ItemPaged[T]], token: str | None) -> tuple[Sequence[T], str]:
        """One page of a listing, and where the next one begins; empty after the last."""

        def once(_tried: int) -> tuple[Sequence[T], str]:
            pages = listing().by_page(token)
            return list(next(pages, ())), getattr(pages, "continuation_token", None) or ""

        return self._ask(prefix, once)

    def _ask(self, name: str, call: Callable[[int], T]) -> T:
        """What `call` returns, tried again; what the library raises becomes an error of ours."""

        def once(tried: int) -> T:
            try:
                return call(tried)
            except AzureError as error:
                raise from_library(error, self._requests.where(name)) from None

        return self._backoff.run(once)

    def _find(self, name: str, call: Callable[[int], bool]) -> bool:
        """As `_ask`, but False where there is no object, or not the one that is meant."""

        def once(tried: int) -> bool:
            try:
                return call(tried)
            except HttpResponseError as error:
                if code_of(error) in NO_OBJECT | CONDITION_FAILED:
                    return False
                raise

        return self._ask(name, once)

    def _client(self) -> ContainerClient:
        return self._account.container(self._container)

    def _blob(self, name: str) -> BlobClient:
        return self._client().get_blob_client(check_name(name))


class BlobStream:
    """A Stream of a BlobStore's object; it may be read again."""

    def __init__(self, requests: BlobRequests, name: str, found: Properties) -> None:
        self.etag = found.etag
        self.size = found.size
        self.last_modified = found.last_modified
        self._requests = requests
        self._name = name

    def __iter__(self) -> Iterator[bytes]:
        return self._requests.chunks(self._name, self.size, self.etag)


def _info(item: BlobProperties) -> ObjectInfo:
    md5 = item.content_settings.content_md5
    etag = str(item.etag).strip('"')  # with or without quotes, as the server likes it
    return ObjectInfo(item.name, item.size, None if md5 is None else bytes(md5), etag, item.last_modified)
