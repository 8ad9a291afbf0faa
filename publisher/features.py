"""All features of an environment: whoever has a folder in storage."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from artifact.errors import ContentError, DeliveryError
from artifact.versions import check_feature_id
from publisher.environment import Environment

T = TypeVar("T")

WORKERS = 16


def all_features(env: Environment) -> Iterator[str]:
    """The ids of all features that have objects, published or not, in order."""
    return (folder.removesuffix("/") for folder in env.artifacts.folders("") if _is_feature(folder))


def unknown_folders(env: Environment) -> Iterator[str]:
    """The folders that are nobody's: readers never look there."""
    return (folder for folder in env.artifacts.folders("") if not _is_feature(folder))


def _is_feature(folder: str) -> bool:
    try:
        check_feature_id(folder.removesuffix("/"), where=folder)
    except ContentError:
        return False
    return True


def for_each(feature_ids: Iterator[str], work: Callable[[str], T]) -> Iterator[tuple[str, T | DeliveryError]]:
    """What `work` returns for each feature, or the error it raised: one feature's fault harms no other.

    Several at a time; yielded in the order of `feature_ids`.
    """

    def one(feature_id: str) -> tuple[str, T | DeliveryError]:
        try:
            return feature_id, work(feature_id)
        except DeliveryError as error:
            return feature_id, error

    with ThreadPoolExecutor(WORKERS, thread_name_prefix="feature") as pool:
        yield from pool.map(one, feature_ids)
