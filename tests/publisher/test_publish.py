"""B2, B3, W2, W3: publishing a version."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from artifact.actions import Policy
from artifact.errors import Code, ContentError, TransientError
from artifact.paths import Limits
from artifact.versions import Version
from publisher import release
from publisher.adapters.memory import MemoryStore
from publisher.authoring import pack_directory, sign_directory
from publisher.content_types import immutable
from publisher.publish import Name, publish
from publisher.remote import commit_remote
from publisher.sources import BundleSource, DirectorySource
from publisher.spool import Spool
from tests.publisher.world import BECAUSE, FEATURE, World
from tests.versions import FILES, version_directory


def publish_bundle(world: World, folder: Path, expected: Name | None = None) -> None:
    _, chunks = pack_directory(folder, Limits())
    with Spool() as spool:
        source = BundleSource(chunks, spool, where="bundle", limits=Limits())
        publish(world.env, source, actor="tester", expected=expected)


def test_w1_a_published_version_is_its_files_its_manifest_and_two_numbered_indexes_with_pointers(world: World) -> None:
    result = world.publish("1.0.0")
    assert set(world.objects()) == {
        *(f"{FEATURE}/1.0.0/{path}" for path in [*FILES, "manifest.json"]),
        f"{FEATURE}/releases.json",
        f"{FEATURE}/releases.1.json",
        "remote-index.json",
        "remote-index.1.json",
    }
    assert (result.sequence, result.active, result.unchanged) == (1, "1.0.0", False)
    assert result.bytes == result.sent == sum(map(len, FILES.values()))


def test_a_bundle_and_its_directory_publish_the_same_objects(world: World) -> None:
    folder = world.directory("1.0.0")
    publish_bundle(world, folder, Name(FEATURE, Version("1.0.0")))
    from_bundle = world.objects()
    other = MemoryStore()
    publish(world.with_store(other), DirectorySource(folder, Limits()), actor="tester")
    assert {info.name for info in other.list("")} == from_bundle.keys()


def test_b3_the_same_version_again_is_a_no_op_that_succeeds(world: World) -> None:
    folder = world.directory("1.0.0")
    publish(world.env, DirectorySource(folder, Limits()), actor="tester")
    before = world.objects()
    again = publish(world.env, DirectorySource(folder, Limits()), actor="tester")
    assert again.unchanged
    assert again.sent == 0
    assert world.objects() == before


def test_b3_the_same_version_again_completes_what_is_missing(world: World) -> None:
    folder = world.directory("1.0.0")
    publish(world.env, DirectorySource(folder, Limits()), actor="tester")
    complete = world.objects()
    world.store.delete(f"{FEATURE}/1.0.0/index.js")
    again = publish(world.env, DirectorySource(folder, Limits()), actor="tester")
    assert again.sent == len(FILES["index.js"])
    assert world.objects() == complete


def test_t19_the_same_version_with_other_bytes_is_refused_and_the_first_one_stands(world: World) -> None:
    world.publish("1.0.0")
    before = world.objects()
    with pytest.raises(ContentError) as caught:
        world.publish("1.0.0", files={**FILES, "index.js": b"other"})
    assert caught.value.code is Code.VERSION_EXISTS
    assert world.objects() == before


def test_b3_other_bytes_in_a_files_place_are_a_conflict(world: World) -> None:
    folder = world.directory("1.0.0")
    publish(world.env, DirectorySource(folder, Limits()), actor="tester")
    name = f"{FEATURE}/1.0.0/index.js"
    found = world.store.read(name, limit=1000)
    assert found is not None
    world.store.delete(name)
    world.store.create(name, b"x" * len(FILES["index.js"]), immutable(name))
    with pytest.raises(TransientError) as caught:
        publish(world.env, DirectorySource(folder, Limits()), actor="tester")
    assert caught.value.code is Code.CONFLICT


@pytest.mark.parametrize(
    ("path", "data", "code"),
    [
        ("index.js", b"export const mount = () => [];\n", Code.INTEGRITY_MISMATCH),
        ("index.js", b"longer than the manifest says it is", Code.INTEGRITY_MISMATCH),
        ("extra.js", b"", Code.FILE_UNDECLARED),
        (".hidden", b"", Code.PATH_INVALID),
    ],
)
def test_t01_t06_nothing_is_written_before_every_file_is_verified(
    world: World, path: str, data: bytes, code: Code
) -> None:
    folder = world.directory("1.0.0")
    (folder / path).write_bytes(data)
    with pytest.raises(ContentError) as caught:
        publish(world.env, DirectorySource(folder, Limits()), actor="tester")
    assert caught.value.code is code
    assert world.objects() == {}


def test_t06_a_missing_file_is_refused(world: World) -> None:
    folder = world.directory("1.0.0")
    (folder / "empty.txt").unlink()
    with pytest.raises(ContentError) as caught:
        publish(world.env, DirectorySource(folder, Limits()), actor="tester")
    assert caught.value.code is Code.FILE_MISSING


def test_t06_a_link_in_the_directory_is_refused(world: World) -> None:
    folder = world.directory("1.0.0")
    (folder / "link.js").symlink_to("index.js")
    with pytest.raises(ContentError) as caught:
        publish(world.env, DirectorySource(folder, Limits()), actor="tester")
    assert caught.value.code is Code.PATH_INVALID


def test_t02_a_manifest_by_a_stranger_is_refused_with_the_ids_that_are_known(world: World) -> None:
    folder = version_directory(world.folder, world.keys.stranger)
    with pytest.raises(ContentError) as caught:
        publish(world.env, DirectorySource(folder, Limits()), actor="tester")
    assert caught.value.code is Code.KEY_UNKNOWN
    assert all(text in str(caught.value) for text in ("stranger", "build-test", "release-test", str(folder)))
    assert world.objects() == {}


def test_t02_a_release_key_cannot_sign_a_manifest_nor_a_build_key_a_feature_outside_its_scope(world: World) -> None:
    for signer, feature_id in ((world.keys.release, FEATURE), (world.keys.build, "other")):
        folder = version_directory(world.folder, signer, feature_id)
        with pytest.raises(ContentError) as caught:
            publish(world.env, DirectorySource(folder, Limits()), actor="tester")
        assert caught.value.code is Code.KEY_NOT_ALLOWED


def test_t03_a_bundle_under_another_features_or_versions_name_is_refused(world: World) -> None:
    folder = world.directory("1.0.0")
    for expected, code in (
        (Name("feature-other", Version("1.0.0")), Code.FEATURE_MISMATCH),
        (Name(FEATURE, Version("1.0.1")), Code.MANIFEST_MISMATCH),
    ):
        with pytest.raises(ContentError) as caught:
            publish_bundle(world, folder, expected)
        assert caught.value.code is code
    assert world.objects() == {}


def test_r6_a_withdrawn_version_cannot_come_back_even_by_the_same_bundle(world: World) -> None:
    world.publish("1.0.0")
    world.publish("1.1.0")
    release.withdraw(world.env, FEATURE, Version("1.1.0"), BECAUSE, successor=Version("1.0.0"))
    with pytest.raises(ContentError) as caught:
        world.publish("1.1.0")
    assert caught.value.code is Code.VERSION_WITHDRAWN


def test_b3_an_unlisted_claim_is_taken_over_after_its_time_and_not_before(world: World) -> None:
    first = world.directory("1.0.0", files={**FILES, "old.js": b"old"})
    publish(world.env, DirectorySource(first, Limits()), actor="tester")
    for name in (f"{FEATURE}/releases.json", f"{FEATURE}/releases.1.json"):
        world.store.delete(name)  # it died before it was listed
    second = version_directory(world.folder / "again", world.keys.build, files={**FILES, "index.js": b"new"})
    eager = replace(world.env, takeover=timedelta(days=3650))
    with pytest.raises(ContentError) as caught:
        publish(eager, DirectorySource(second, Limits()), actor="tester")
    assert caught.value.code is Code.VERSION_EXISTS
    world.clock.pass_by(hours=2)
    publish(world.env, DirectorySource(second, Limits()), actor="tester")
    objects = world.objects()
    assert objects[f"{FEATURE}/1.0.0/index.js"] == b"new"
    assert f"{FEATURE}/1.0.0/old.js" not in objects


def test_b3_a_claim_that_was_listed_once_is_never_taken_over(world: World) -> None:
    env = replace(world.env, policy=Policy(window=4), takeover=timedelta(days=-3650))
    for version in ("1.0.0", "1.1.0", "1.2.0", "1.3.0", "1.4.0"):
        publish(env, DirectorySource(world.directory(version), Limits()), actor="tester")
    assert world.index().entry(Version("1.0.0")) is None  # it left the window
    other = version_directory(world.folder / "again", world.keys.build, files={**FILES, "index.js": b"new"})
    with pytest.raises(ContentError) as caught:
        publish(env, DirectorySource(other, Limits()), actor="tester")
    assert caught.value.code is Code.VERSION_EXISTS


def test_b5_a_late_duplicate_of_a_version_that_left_the_window_changes_nothing(world: World) -> None:
    for minor in range(6):
        world.publish(f"1.{minor}.0")
    before = world.objects()
    assert world.publish("1.0.0").unchanged
    assert world.objects() == before


def test_s6_a_retired_build_key_still_vouches_for_what_was_published_before(world: World) -> None:
    folder = world.directory("1.0.0")
    publish(world.env, DirectorySource(folder, Limits()), actor="tester")
    retired = world.keys.trust().keys["build-test"]
    world.clock.pass_by(days=2)
    keys = {**world.env.trust.keys, "build-test": replace(retired, valid_until=world.clock() - timedelta(days=1))}
    env = replace(world.env, trust=replace(world.env.trust, keys=keys))
    assert publish(env, DirectorySource(folder, Limits()), actor="tester").unchanged
    with pytest.raises(ContentError) as caught:
        publish(env, DirectorySource(world.directory("1.1.0"), Limits()), actor="tester")
    assert caught.value.code is Code.KEY_NOT_ALLOWED


def test_t42_many_publishers_on_one_feature_lose_no_update(world: World) -> None:
    versions = [f"1.{minor}.0" for minor in range(8)]
    env = replace(world.env, policy=Policy(window=20))
    folders = [world.directory(version) for version in versions]

    def work(folder: Path) -> None:
        publish(env, DirectorySource(folder, Limits()), actor="tester")
        commit_remote(env, [FEATURE])

    threads = [threading.Thread(target=work, args=(folder,)) for folder in folders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    index = world.index()
    assert [entry.version.text for entry in index.entries] == versions[::-1]
    assert index.sequence == len(versions)
    assert world.remote().entries[0].sequence == index.sequence


def test_sign_completes_the_draft_and_signing_again_gives_the_same_bytes(world: World) -> None:
    folder = world.directory("1.0.0")
    first = (folder / "manifest.json").read_bytes()
    sign_directory(folder, world.keys.build, Limits())
    assert (folder / "manifest.json").read_bytes() == first


def test_r3_provenance_that_would_crowd_an_index_out_is_left_to_the_manifest(world: World) -> None:
    world.publish("1.0.0", metadata={"gitSha": "a" * 40, "buildUrl": "https://ci.example/" + "x" * 900_000})
    (entry,) = world.index().entries
    assert (entry.git_sha, entry.build_url) == ("a" * 40, None)
