"""Many uploads at once, few in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from queue import SimpleQueue

from publisher.ports import Created, Upload


def create_in_parallel(
    uploads: Iterable[Upload], create: Callable[[Upload], Created], threads: int
) -> Iterator[tuple[Upload, Created]]:
    """`BulkStore.create_all` from `create`, which is called from `threads` threads.

    `uploads` is read only a little ahead. At the first error, and where the caller stops, what has begun is awaited and
    nothing more begins.
    """
    coming = iter(uploads)
    waiting: dict[Future[Created], Upload] = {}
    ended: SimpleQueue[Future[Created]] = SimpleQueue()
    with ThreadPoolExecutor(threads, thread_name_prefix="upload") as pool:
        try:
            while True:
                for upload in islice(coming, 2 * threads - len(waiting)):
                    future = pool.submit(create, upload)
                    waiting[future] = upload
                    future.add_done_callback(ended.put)
                if not waiting:
                    return
                future = ended.get()
                yield waiting.pop(future), future.result()
        finally:
            for future in waiting:
                future.cancel()
