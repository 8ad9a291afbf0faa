"""What stands is verified again, repaired, remembered, and left alone where it is somebody else's (L6, L7, L15)."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from artifact.errors import Code
from loader_cdn.report import Result
from tests.publisher.world import FEATURE
from tests.simulator.environment import Delivery, assert_refused, row_of
from tests.versions import FILES

VERSION = f"{FEATURE}/1.0.0"
CHANGED = {**FILES, "index.js": b"changed\n"}


@pytest.fixture
def standing(site: Delivery) -> Delivery:
    """Versions 1.0.0 and 1.1.0 stand, with different files but for the empty one."""
    site.publish("1.0.0")
    site.publish("1.1.0", files={path: data + b"2" if data else data for path, data in FILES.items()})
    site.sync()
    return site


def _edit(folder: Path) -> None:
    (folder / "index.js").write_bytes(b"export const mount = () => { };\n")


def _edit_keeping_the_size(folder: Path) -> None:
    (folder / "index.js").write_bytes(FILES["index.js"].replace(b"m", b"n", 1))


def _delete(folder: Path) -> None:
    (folder / "assets/app.css").unlink()


def _add(folder: Path) -> None:
    (folder / "assets/extra.js").write_bytes(b"")


def _add_folder(folder: Path) -> None:
    (folder / "more").mkdir()


def _link(folder: Path) -> None:
    (folder / "index.js").rename(folder.parent.parent / "moved.js")
    (folder / "index.js").symlink_to("../../moved.js")


def _truncate_manifest(folder: Path) -> None:
    (folder / "manifest.json").write_bytes((folder / "manifest.json").read_bytes()[:-1])


def _replace_by_a_file(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.write_bytes(b"")


def _delete_all(folder: Path) -> None:
    shutil.rmtree(folder)


def _swap_for_another_version(folder: Path) -> None:
    shutil.rmtree(folder)
    shutil.copytree(folder.with_name("1.1.0"), folder)


def _identities(folder: Path) -> dict[Path, tuple[int, int]]:
    """Which files and folders these are, and when they were last written."""
    found = {path: path.stat() for path in [folder, *folder.rglob("*")]}
    return {path: (status.st_ino, status.st_mtime_ns) for path, status in found.items()}


DAMAGES = [
    _edit,
    _edit_keeping_the_size,
    _delete,
    _add,
    _add_folder,
    _link,
    _truncate_manifest,
    _replace_by_a_file,
    _delete_all,
    _swap_for_another_version,
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_somebody_changed_on_disk_is_found_and_repaired(
    standing: Delivery, damage: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    """T34."""
    damage(standing.root / VERSION)

    report = standing.sync()

    assert row_of(report).result is Result.UPDATED
    assert "wrong on disk" in caplog.text
    (standing.root / "moved.js").unlink(missing_ok=True)
    assert standing.tree() == standing.published("1.0.0", "1.1.0")
    assert report.exit_status() == 0


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_is_wrong_is_not_served_while_it_cannot_be_repaired(
    standing: Delivery, damage: Callable[[Path], None]
) -> None:
    """L6, T34: and it is back when the source is."""
    damage(standing.root / VERSION)
    standing.cdn.switches.offline = True

    assert_refused(standing.row(features=[FEATURE]), Code.TRANSPORT_FAILED, Result.FAILED)
    assert not (standing.root / FEATURE / "releases.json").exists()
    assert not (standing.root / VERSION).exists()

    standing.cdn.heal()
    assert standing.row(features=[FEATURE]).result is Result.UPDATED
    (standing.root / "moved.js").unlink(missing_ok=True)
    assert standing.tree() == standing.published("1.0.0", "1.1.0")


def test_a_repair_fetches_only_what_is_wrong(standing: Delivery) -> None:
    """L5, L6."""
    _edit(standing.root / VERSION)

    with standing.cdn.watched() as asked:
        standing.sync()

    assert {request.path for request in asked} == {
        "remote-index.json",
        f"{VERSION}/manifest.json",
        f"{VERSION}/index.js",
    }


def test_a_version_that_verifies_is_never_touched(standing: Delivery) -> None:
    """L3."""
    intact = standing.root / FEATURE / "1.1.0"
    before = _identities(intact)
    _edit(standing.root / VERSION)

    standing.sync()

    assert _identities(intact) == before


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"\x00\xff"])
def test_a_damaged_index_is_repaired(standing: Delivery, content: bytes) -> None:
    """L6."""
    (standing.root / FEATURE / "releases.json").write_bytes(content)
    assert standing.row().result is Result.UPDATED
    assert standing.tree() == standing.published("1.0.0", "1.1.0")


def test_an_older_index_that_somebody_put_in_place_is_replaced(standing: Delivery) -> None:
    """L6, R4."""
    (standing.root / FEATURE / "releases.json").write_bytes(standing.world.objects()[f"{FEATURE}/releases.1.json"])
    assert standing.row().result is Result.UPDATED
    assert standing.tree() == standing.published("1.0.0", "1.1.0")


def test_a_refused_index_does_not_keep_from_repairing_what_was_accepted_before(standing: Delivery) -> None:
    """L6, L8."""
    standing.cdn.tamper(f"{FEATURE}/releases.json")
    _edit(standing.root / VERSION)

    row = standing.row(features=[FEATURE])

    assert_refused(row, Code.DOCUMENT_INVALID)
    assert standing.tree() == standing.published("1.0.0", "1.1.0")


def test_a_bad_update_does_not_keep_from_repairing_what_was_accepted_before(standing: Delivery) -> None:
    """L6, L8."""
    old = standing.tree()
    standing.publish("1.2.0", files=CHANGED)
    standing.cdn.tamper(f"{FEATURE}/1.2.0/index.js")
    _edit(standing.root / VERSION)

    row = standing.row(features=[FEATURE])

    assert_refused(row, Code.INTEGRITY_MISMATCH)
    assert standing.tree() == old
    standing.cdn.heal()
    assert standing.row(features=[FEATURE]).result is Result.UPDATED


# L7: the memory


@pytest.mark.parametrize("loss", ["deleted", "damaged", "emptied", "all of it deleted"])
def test_with_the_memory_lost_the_floor_is_what_stands(
    standing: Delivery, loss: str, caplog: pytest.LogCaptureFixture
) -> None:
    """L7, T07."""
    old = standing.cdn.state()
    standing.publish("1.2.0", files=CHANGED)
    standing.sync()
    stood = standing.tree()
    state = standing.root / ".loader/state.json"
    if loss == "deleted":
        state.unlink()
    elif loss == "all of it deleted":
        shutil.rmtree(state.parent)
    else:
        state.write_bytes(b"" if loss == "emptied" else b'{"schemaVersion":1,"features":7}')
    standing.cdn.replay(old)

    assert_refused(standing.row(features=[FEATURE]), Code.SEQUENCE_ROLLBACK)
    assert standing.tree() == stood
    assert "lost or damaged" in caplog.text or loss == "all of it deleted"


def test_the_memory_holds_where_the_disk_was_emptied(standing: Delivery) -> None:
    """L7."""
    old = standing.cdn.state()
    standing.publish("1.2.0", files=CHANGED)
    standing.sync()
    shutil.rmtree(standing.root / FEATURE)
    standing.cdn.replay(old)
    assert_refused(standing.row(features=[FEATURE]), Code.SEQUENCE_ROLLBACK, Result.FAILED)


def test_a_hostile_memory_leads_nowhere_else(standing: Delivery, tmp_path: Path) -> None:
    """What the loader wrote down becomes paths that it deletes: another name than a feature's is not followed."""
    precious = tmp_path / "precious" / "1.0.0"
    precious.mkdir(parents=True)
    brought = standing.root / ".loader/brought.json"
    document = json.loads(brought.read_bytes())
    document["features"]["../precious"] = {"origin": "flag", "versions": ["1.0.0"], "releases": []}
    brought.write_text(json.dumps(document))

    standing.sync()

    assert precious.exists()


# L15: what was there before


@pytest.fixture
def base_image(site: Delivery) -> Delivery:
    """Version 1.0.0 stands, and the loader did not bring it."""
    site.publish("1.0.0")
    site.sync()
    shutil.rmtree(site.root / ".loader")
    return site


def test_a_feature_that_was_there_before_is_used_and_gets_newer_versions_beside(base_image: Delivery) -> None:
    """L15."""
    before = _identities(base_image.root / VERSION)
    assert base_image.row().result is Result.UNCHANGED

    base_image.publish("1.1.0", files=CHANGED)

    assert base_image.row().result is Result.UPDATED
    assert base_image.tree() == base_image.published("1.0.0", "1.1.0")
    assert _identities(base_image.root / VERSION) == before


def test_an_older_index_than_the_one_that_was_there_before_is_refused(base_image: Delivery) -> None:
    """L15, R4."""
    old = base_image.cdn.state()
    base_image.publish("1.1.0", files=CHANGED)
    base_image.sync()
    shutil.rmtree(base_image.root / ".loader")
    base_image.cdn.replay(old)
    assert_refused(base_image.row(), Code.SEQUENCE_ROLLBACK)


def test_the_same_version_with_other_bytes_that_was_there_before_is_left_alone(base_image: Delivery) -> None:
    """L15, T19."""
    _edit(base_image.root / VERSION)
    stood = base_image.tree()

    assert_refused(base_image.row(), Code.VERSION_EXISTS, Result.FAILED)

    base_image.publish("1.1.0", files=CHANGED)
    assert_refused(base_image.row(), Code.VERSION_EXISTS, Result.FAILED)
    assert base_image.tree() == stood


def test_features_that_nobody_registered_are_left_alone(base_image: Delivery) -> None:
    """L15."""
    other = base_image.root / "feature-other"
    shutil.copytree(base_image.root / FEATURE, other)
    (base_image.root / "readme.txt").write_bytes(b"not a feature")

    base_image.sync()

    assert (other / "1.0.0/index.js").read_bytes() == FILES["index.js"]
    assert (base_image.root / "readme.txt").exists()


def test_something_else_in_a_features_place_is_reported_and_left_alone(site: Delivery) -> None:
    site.publish("1.0.0")
    site.root.mkdir()
    (site.root / FEATURE).write_bytes(b"mine")
    assert_refused(site.row(), Code.CONFLICT, Result.FAILED)
    assert (site.root / FEATURE).read_bytes() == b"mine"


def test_no_feature_is_written_through_a_link(site: Delivery, tmp_path: Path) -> None:
    site.publish("1.0.0")
    site.root.mkdir()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (site.root / FEATURE).symlink_to(elsewhere)
    assert_refused(site.row(), Code.CONFLICT, Result.FAILED)
    assert list(elsewhere.iterdir()) == []
