"""docs/FORMAT.md: every rule is there, and its examples are what the code does."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from artifact.documents import canonical
from artifact.fields import format_time, parse_time
from artifact.paths import check_path, check_paths
from artifact.versions import Version, check_feature_id
from tests import format_bundle as bundle
from tests import format_checks as checks
from tests import format_storage as storage
from tests.format_story import EXAMPLES, TEXT, bundle_tar, files, history, key, manifest, remote_history

VECTOR_KEYS = Path(__file__).parent / "vectors" / "foreign" / "keys"
RULES = {"F": 5, "S": 6, "P": 4, "M": 4, "R": 7, "I": 4, "B": 5, "W": 4, "L": 15, "C": 7}

CHECKS: dict[str, Callable[[str], str]] = {
    "keys": checks.judge_keys,
    "f1-bytes": checks.lines(lambda left: checks.parsed(bytes.fromhex(left))),
    "f1-nesting": checks.lines(checks.judge_nesting),
    "f2-texts": checks.lines(lambda left: checks.parsed(left.encode())),
    "f3-unknown": checks.lines(checks.judge_unknown),
    "f4-canonical": checks.lines(lambda left: canonical(checks.parsed(left.encode())).decode()),
    "f4-hex": checks.made(lambda: canonical({"\ufb33": 1, "\U0001f600": 2, "\u20ac": 3}).hex(" ")),
    "f5-times": checks.lines(lambda left: format_time(parse_time(left))),
    "s1-message": checks.made(lambda: canonical(checks.unsigned(manifest("1.0.0")))),
    "s1-signature": checks.made(lambda: key("build-2026").sign(canonical(checks.unsigned(manifest("1.0.0")))).hex()),
    "s2-signature": checks.made(lambda: canonical(json.loads(manifest("1.0.0"))["signature"])),
    "s2-refused": checks.lines(checks.judge_signature_member),
    "s3-trust": checks.judge_trust,
    "s3-refused": checks.lines(checks.judge_trust_entry),
    "s4-scope": checks.listed(checks.judge_scope),
    "s5-revoked": checks.lines(checks.judge_revoked),
    "s6-retired": checks.listed(checks.judge_retired),
    "p1-ids": checks.lines(lambda left: check_feature_id(left, where="") and None),
    "p2-order": checks.judge_order,
    "p2-refused": checks.lines(Version),
    "p3-paths": checks.lines(lambda left: check_path(left, where="") and None),
    "p3-sets": checks.listed(lambda words: check_paths(words, where="")),
    "p4-limits": checks.judge_limits,
    "files-1.0.0": checks.same,
    "files-1.1.0": checks.same,
    "draft-1.0.0": checks.same,
    "draft-1.1.0": checks.same,
    "manifest-1.0.0": checks.made(lambda: manifest("1.0.0")),
    "m2-integrity": checks.made(checks.integrity),
    "m3-sizes": checks.made(lambda: canonical({path: len(data) for path, data in files("1.0.0").items()})),
    "m4-entrypoints": checks.lines(checks.judge_entrypoints),
    "releases-1": checks.made(lambda: history()[0].data),
    "r2-manifests": checks.made(checks.manifest_hashes),
    "releases-2": checks.made(lambda: history()[1].data),
    "r3-chain": checks.made(lambda: checks.chain(history())),
    "r4-sequence": checks.listed(checks.judge_r4),
    "releases-4": checks.made(lambda: history()[3].data),
    "r6-story": checks.made(checks.story),
    "r6-refused": checks.lines(checks.judge_action),
    "r7-window": checks.made(checks.window),
    "remote-index-2": checks.made(lambda: remote_history()[1].data),
    "i2-urls": checks.made(checks.urls),
    "b4-published": checks.made(lambda: storage.receipt("published")),
    "b4-rejected": checks.made(lambda: storage.receipt("rejected")),
    "i2-refused": checks.lines(checks.judge_remote_entry),
    "i3-chain": checks.made(lambda: checks.chain(remote_history())),
    "i4-times": checks.made(checks.times),
    "b1-layout": checks.made(bundle.layout),
    "b1-header": checks.made(lambda: "\n".join(bundle.hexdump(bundle_tar()[:512]))),
    "b1-pax": checks.made(bundle.pax),
    "b1-gzip": checks.made(bundle.gzip_ends),
    "b2-refused": checks.lines(bundle.judge_bundle),
    "b5-orders": checks.listed(checks.judge_orders),
    "w2-order": checks.made(storage.order_of_writes),
    "w3-headers": checks.lines(storage.judge_headers),
    "l3-tree": checks.made(checks.tree),
    "l5-reused": checks.made(checks.reused),
    "l7-floor": checks.lines(checks.judge_floor),
    "l13-expiry": checks.lines(checks.judge_expired),
    "c2-pem": checks.made(lambda: key("build-2026").pem().rstrip()),
    "c5-codes": checks.made(checks.codes),
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_example_is_what_the_code_does(name: str) -> None:
    assert CHECKS[name](EXAMPLES[name]) == EXAMPLES[name]


def test_every_example_is_there_once() -> None:
    assert re.findall(r"<!-- example: (\S+) -->", TEXT) == list(EXAMPLES)
    assert EXAMPLES.keys() == CHECKS.keys()


def test_every_rule_has_its_heading_in_order() -> None:
    expected = [f"{letter}{number}" for letter, last in RULES.items() for number in range(1, last + 1)]
    assert re.findall(r"^### ([A-Z]\d+)\. ", TEXT, re.MULTILINE) == expected


def test_every_link_inside_the_document_leads_somewhere() -> None:
    titles = re.findall(r"^#+ (.+)$", TEXT, re.MULTILINE)
    anchors = {re.sub(r"[^a-z0-9 _-]", "", title.lower()).replace(" ", "-") for title in titles}
    assert set(re.findall(r"\]\(#([^)]+)\)", TEXT)) <= anchors


@pytest.mark.parametrize("key_id", ["build-2026", "release-2026", "other-2026"])
def test_keys_are_those_of_the_vectors(key_id: str) -> None:
    pem = (VECTOR_KEYS / f"{key_id}.pem").read_text("ascii")
    assert key(key_id).pem() == pem
