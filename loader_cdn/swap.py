"""L3, L4: staged features appear: each version by one rename, then the release index by one rename.

Several features are swapped together, so that each step's syncs are shared; a reader of any one of them sees its old
state or its new one, whenever the machine stops.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from loader_cdn.brought import Brought, Inventory
from loader_cdn.durable import Syncer, disk_error
from loader_cdn.layout import Layout
from loader_cdn.stage import Staging
from loader_cdn.work import Work


@dataclass(frozen=True, slots=True)
class Ready:
    """A feature whose target can be put in place: all versions that it lists are on disk or staged, whole."""

    work: Work
    stagings: Sequence[Staging]


def swap(batch: Sequence[Ready], layout: Layout, inventory: Inventory, syncer: Syncer) -> list[Work]:
    """Put what is ready in place; the features that now stand. The others have failed, each with its error."""
    _each(batch, layout, _stage_index)
    _together(batch, layout, lambda ready: _announce(ready, layout, inventory, syncer))
    _each(batch, layout, _move_versions)
    _together(batch, layout, lambda ready: syncer.persist(_folders(ready, layout)))
    _each(batch, layout, _move_index)
    _together(batch, layout, lambda ready: syncer.persist(_folders(ready, layout)))
    return [_settled(ready) for ready in batch if ready.work.target is not None]


def _stage_index(ready: Ready, layout: Layout) -> None:
    assert ready.work.target is not None
    path = layout.staged_releases(ready.work.feature_id)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(ready.work.target.data)


def _announce(batch: Iterable[Ready], layout: Layout, inventory: Inventory, syncer: Syncer) -> None:
    """What is about to appear is ours (L15), and is on disk (L4)."""
    paths: list[str | Path] = [layout.staging]
    for ready in batch:
        work = ready.work
        assert work.target is not None
        index = layout.staged_releases(work.feature_id)
        paths += [index, index.parent]
        for staging in ready.stagings:
            paths += staging.paths()
        brought = inventory.features.setdefault(
            work.feature_id, Brought(work.registration.origin, by=work.registration.by)
        )
        brought.will_bring(
            (staging.entry.version for staging in ready.stagings),
            before=None if work.disk.releases is None else work.disk.releases.sha256,
            after=work.target.sha256,
        )
    syncer.persist(paths)
    inventory.save()


def _move_versions(ready: Ready, layout: Layout) -> None:
    layout.feature(ready.work.feature_id).mkdir(exist_ok=True)
    for staging in ready.stagings:
        staging.folder.rename(layout.version(ready.work.feature_id, staging.entry.version))


def _move_index(ready: Ready, layout: Layout) -> None:
    feature_id = ready.work.feature_id
    layout.staged_releases(feature_id).replace(layout.releases(feature_id))


def _settled(ready: Ready) -> Work:
    work = ready.work
    assert work.target is not None
    disk = work.disk
    listed = {entry.version for entry in work.target.index.entries}
    brought = {staging.entry.version: staging.manifest for staging in ready.stagings}
    disk.versions = {version: known for version, known in (disk.versions | brought).items() if version in listed}
    disk.releases = work.target
    disk.wrong_releases = None
    disk.wrong_versions.clear()
    disk.moved_aside = False
    work.updated = True
    return work


def _folders(batch: Iterable[Ready], layout: Layout) -> list[Path]:
    return [layout.root, *(layout.feature(ready.work.feature_id) for ready in batch)]


def _each(batch: Iterable[Ready], layout: Layout, act: Callable[[Ready, Layout], None]) -> None:
    """One step of each feature that has not failed yet; one that fails harms no other."""
    for ready in batch:
        if ready.work.target is not None:
            with ready.work.faults(layout.feature(ready.work.feature_id)):
                act(ready, layout)


def _together(batch: Iterable[Ready], layout: Layout, act: Callable[[list[Ready]], None]) -> None:
    """One step of all that have not failed yet; where it fails, it fails for all of them."""
    left = [ready for ready in batch if ready.work.target is not None]
    if not left:
        return
    try:
        act(left)
    except OSError as error:
        for ready in left:
            ready.work.fail(disk_error(error, layout.work))
