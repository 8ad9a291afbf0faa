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
    for folder in env.artifacts.folders(""):
        feature_id = folder.removesuffix("/")
        try:
            yield check_feature_id(feature_id, where=folder)
        except ContentError:
            continue  # nobody's: readers never look there


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
