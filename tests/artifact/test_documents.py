"""F: strict JSON in, canonical JSON out."""

from __future__ import annotations

import json
from typing import Any

import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from artifact.documents import MANIFEST_LIMIT, REMOTE_INDEX_LIMIT, canonical, parse
from artifact.errors import Code, ContentError
from tests.artifact.strategies import documents
from tests.vectors.judge import JSON, accepted, content, load

MIB = 1024 * 1024


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _parse(data: bytes) -> dict[str, Any]:
    return parse(data, limit=REMOTE_INDEX_LIMIT, where="test")


@pytest.mark.parametrize("vector", accepted("documents.json"), ids=lambda v: v["name"])
def test_a_document_has_one_canonical_form(vector: JSON) -> None:
    assert canonical(parse(content(vector), limit=vector["limit"], where="test")) == vector["canonical"].encode()


@pytest.mark.parametrize("vector", load("foreign/canonical.json")["accepted"], ids=lambda v: v["text"])
def test_the_other_implementation_has_the_same_canonical_form(vector: JSON) -> None:
    assert canonical(_parse(vector["text"].encode())) == vector["canonical"].encode()


@pytest.mark.parametrize("vector", load("foreign/canonical.json")["refused"], ids=lambda v: v["text"][:20])
def test_what_the_other_implementation_refuses_is_refused(vector: JSON) -> None:
    """T04."""
    with pytest.raises(ContentError) as refusal:
        _parse(vector["text"].encode())
    assert refusal.value.code == vector["code"]


@given(documents)
@settings(deadline=None)
def test_the_canonical_form_is_that_of_rfc_8785(document: dict[str, Any]) -> None:
    assert canonical(document) == rfc8785.dumps(document)


@given(documents, st.sampled_from([None, 0, 3]), st.booleans())
@settings(deadline=None)
def test_any_layout_of_a_document_is_the_same_document(
    document: dict[str, Any], indent: int | None, ascii: bool
) -> None:
    text = json.dumps(document, indent=indent, ensure_ascii=ascii)
    assert canonical(_parse(text.encode())) == canonical(document)


@given(documents)
@settings(deadline=None)
def test_the_canonical_form_is_read_back_unchanged(document: dict[str, Any]) -> None:
    assert _parse(canonical(document)) == document


@given(st.binary(max_size=60) | st.text(alphabet='{}[]",:\\u0123456789-.eEntrfalsd \n\ud800', max_size=40).map(_bytes))
@settings(deadline=None, max_examples=500)
def test_anything_else_is_refused_with_a_code(data: bytes) -> None:
    """T04."""
    try:
        document = _parse(data)
    except ContentError:
        return
    assert _parse(canonical(document)) == document


def test_the_length_is_judged_before_anything_else() -> None:
    """F1, T04."""
    with pytest.raises(ContentError) as refusal:
        parse(b"\xff" * (MANIFEST_LIMIT + 1), limit=MANIFEST_LIMIT, where="test")
    assert refusal.value.code == Code.LIMIT_EXCEEDED


@pytest.mark.parametrize(
    "data",
    [
        b"[" * (4 * MIB),
        b"[" * MIB + b"]" * MIB,
        b'{"a":' * MIB + b"1" + b"}" * MIB,
        b'{"a":' + b"9" * (4 * MIB) + b"}",
        b'{"a":1.' + b"9" * (4 * MIB) + b"}",
        b'{"' + b"a" * MIB + b'":1,"' + b"a" * MIB + b'":1}',
        b"{" + b"".join(b'"%d":1,' % number for number in range(500_000)) + b'"499999":1}',
        b'{"a":"' + b"\\ud83d" * MIB + b'"}',
        b"[" + b"{}," * MIB + b"{}]",
    ],
    ids=["brackets", "nesting", "objects", "digits", "fraction", "long names", "many members", "surrogates", "empties"],
)  # fmt: skip
def test_a_hostile_document_is_refused_in_linear_time_and_with_a_short_message(data: bytes) -> None:
    """T04: what grows with the square of the length would not end within this suite's time limit."""
    with pytest.raises(ContentError) as refusal:
        _parse(data)
    assert len(str(refusal.value)) < 300


def test_what_cannot_be_written_as_utf_8_is_refused_by_the_writer_too() -> None:
    """F2: a reason that came in by the command line may hold a lone surrogate."""
    with pytest.raises(ContentError) as refusal:
        canonical({"reason": "\udcff"})
    assert refusal.value.code == Code.DOCUMENT_INVALID
