"""C5: stable codes, one exit status each, one line of text without secrets or control characters."""

from __future__ import annotations

import pytest

from artifact.errors import TRANSIENT_CODES, Code, ConfigurationError, ContentError, DeliveryError, TransientError

C5 = (
    "document_invalid schema_invalid signature_invalid key_unknown key_not_allowed feature_mismatch path_invalid "
    "limit_exceeded integrity_mismatch file_missing file_undeclared manifest_mismatch sequence_rollback sequence_fork "
    "expired bundle_invalid version_exists version_withdrawn conflict transport_failed transport_slow not_found "
    "unauthorized storage_full configuration_invalid"
)


def test_the_codes_are_those_of_c5_and_no_others() -> None:
    assert {str(code) for code in Code} == set(C5.split())


def test_what_may_succeed_later_is_exit_status_1() -> None:
    transient = {"transport_failed", "transport_slow", "not_found", "unauthorized", "storage_full", "conflict"}
    assert {str(code) for code in TRANSIENT_CODES} == transient


@pytest.mark.parametrize(("kind", "status"), [(TransientError, 1), (ConfigurationError, 2), (ContentError, 3)])
def test_blame_decides_the_exit_status(kind: type[DeliveryError], status: int) -> None:
    assert kind.exit_status == status


def test_a_message_says_where_what_expected_and_seen_with_code_and_rule() -> None:
    error = ContentError(Code.PATH_INVALID, "P3", "bad path", where="manifest.json", expected="a path", seen="../x")
    assert str(error) == "manifest.json: bad path (expected a path, saw ../x) [path_invalid, P3]"
    assert error.as_json() == {
        "code": "path_invalid",
        "rule": "P3",
        "message": "manifest.json: bad path (expected a path, saw ../x)",
    }


def test_what_an_attacker_wrote_is_shown_on_one_short_line() -> None:
    """T21: no forged log line, no screen turned over, no log filled."""
    hostile = "x\n2026-11-23 all is well\x1b[2J\u202e" + "y" * 10_000
    message = str(ContentError(Code.SCHEMA_INVALID, "M1", "wrong", seen=hostile))
    assert message.isprintable()
    assert len(message) < 300


def test_a_configuration_error_is_a_configuration_error() -> None:
    assert ConfigurationError("no such file").code == Code.CONFIGURATION_INVALID
