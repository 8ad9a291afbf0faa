"""S3-S6: which key may sign what."""

from __future__ import annotations

import json

import pytest

from artifact.errors import Code, ConfigurationError, ContentError
from artifact.fields import parse_time
from artifact.trust import Role, TrustStore
from tests.vectors.judge import accepted, content, load, store

KEYS = load("keys.json")


def _allowed(trust: TrustStore, key_id: str, role: Role, feature_id: str | None, at: str | None = None) -> str:
    moment = None if at is None else parse_time(at)
    try:
        trust.key_for(key_id, role=role, feature_id=feature_id, at=moment, where="test")
    except ContentError as error:
        return str(error.code)
    return "ok"


@pytest.mark.parametrize("role", Role)
def test_a_plain_entry_may_sign_everything(role: Role) -> None:
    assert _allowed(store("plain"), "plain", role, "any-feature", "9999-01-01T00:00:00Z") == "ok"


@pytest.mark.parametrize(
    ("key_id", "role", "feature_id", "answer"),
    [
        ("build", Role.MANIFEST, "feature-patientlist", "ok"),
        ("build", Role.MANIFEST, "feature-", "ok"),
        ("build", Role.MANIFEST, "feature", "key_not_allowed"),
        ("build", Role.MANIFEST, "other-feature-x", "key_not_allowed"),
        ("build", Role.RELEASES, "feature-patientlist", "key_not_allowed"),
        ("build", Role.INDEX, None, "key_not_allowed"),
        ("team-lab", Role.MANIFEST, "feature-lab-results", "ok"),
        ("team-lab", Role.MANIFEST, "feature-lab-results-2", "ok"),
        ("team-lab", Role.MANIFEST, "feature-lab", "key_not_allowed"),
        ("team-release", Role.RELEASES, "feature-lab-results-2", "key_not_allowed"),
        ("release", Role.INDEX, None, "ok"),
        ("index", Role.INDEX, None, "ok"),
        ("index", Role.RELEASES, "feature-x", "key_not_allowed"),
        ("nothing", Role.MANIFEST, "feature-x", "key_not_allowed"),
        ("stranger", Role.MANIFEST, "feature-x", "key_unknown"),
        ("*", Role.MANIFEST, "feature-x", "key_unknown"),
    ],
)  # fmt: skip
def test_role_and_scope_decide_and_a_key_id_only_selects(
    key_id: str, role: Role, feature_id: str | None, answer: str
) -> None:
    """T02, T03."""
    assert _allowed(store("full"), key_id, role, feature_id) == answer


def test_a_retired_key_vouches_for_what_was_published_in_time() -> None:
    """S6: `validUntil` itself is in time; without a moment nothing is held against it."""
    full = store("full")
    answers = [
        _allowed(full, "retired", Role.MANIFEST, "feature-x", at)
        for at in ("2026-05-31T23:59:59Z", "2026-06-01T00:00:00Z", "2026-06-01T00:00:00.000001Z", None)
    ]
    assert answers == ["ok", "ok", "key_not_allowed", "ok"]


def test_an_unknown_key_is_named_with_the_store_and_the_ids_that_it_has() -> None:
    with pytest.raises(ContentError) as refusal:
        store("full").key_for("stranger", role=Role.MANIFEST, feature_id="feature-x", at=None, where="manifest.json")
    assert refusal.value.code == Code.KEY_UNKNOWN
    for word in ("manifest.json", "stranger", "build", "team-release", "(full)"):
        assert word in str(refusal.value)


def test_one_store_may_have_both_forms() -> None:
    assert set(store("mixed").keys) == {"plain", "build"}


@pytest.mark.parametrize("vector", accepted("trust.json"), ids=lambda v: v["name"])
def test_a_key_that_is_taken_out_is_unknown(vector: dict[str, str]) -> None:
    """S5: removal revokes."""
    document = json.loads(content(vector))
    removed = next(iter(document))
    del document[removed]
    if not document:
        with pytest.raises(ConfigurationError):
            TrustStore.parse(json.dumps(document).encode(), source="test")
        return
    trust = TrustStore.parse(json.dumps(document).encode(), source="test")
    assert _allowed(trust, removed, Role.MANIFEST, "feature-x") == "key_unknown"


def test_a_refused_store_says_which_entry_of_which_file() -> None:
    text = json.dumps({"good": KEYS["build"]["publicKey"], "bad": {"publicKey": "x", "roles": [], "features": []}})
    with pytest.raises(ConfigurationError, match=r"^trust\.json: bad: not a key .*S3\]$"):
        TrustStore.parse(text.encode(), source="trust.json")
