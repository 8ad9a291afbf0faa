"""Small files are replaced as a whole, and what could not be synced is never taken for synced (L4)."""

from __future__ import annotations

from pathlib import Path

import pytest

from loader_cdn.durable import EARLY_BYTES, Syncer, write_atomic


def test_a_sync_that_failed_early_is_told_when_the_result_is_needed(tmp_path: Path) -> None:
    """The kernel tells a lost write only once, and that was earlier."""
    folder = tmp_path / "folder"
    folder.mkdir()
    syncer = Syncer(folder)
    folder.rmdir()
    syncer.wrote(EARLY_BYTES)

    with pytest.raises(OSError, match="folder"):
        syncer.persist([])

    folder.mkdir()
    syncer.persist([folder])


def test_files_few_and_many_can_be_synced(tmp_path: Path) -> None:
    paths = [tmp_path / str(number) for number in range(50)]
    for path in paths:
        path.write_bytes(b"content")
    syncer = Syncer(tmp_path)
    syncer.persist([*paths[:3], tmp_path])
    syncer.persist(paths)
    with pytest.raises(FileNotFoundError):
        syncer.persist([tmp_path / "missing"])


def test_what_a_killed_writer_left_is_not_in_the_way(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    (tmp_path / "state.json.new").write_bytes(b"half of something longer than the next")
    write_atomic(path, b"new")
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]
