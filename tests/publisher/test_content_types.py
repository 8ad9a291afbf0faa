"""W3: content types and cache control."""

from __future__ import annotations

import pytest

from publisher.content_types import content_type, immutable, pointer, private


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("f/1.0.0/index.js", "text/javascript; charset=utf-8"),
        ("f/1.0.0/INDEX.JS", "text/javascript; charset=utf-8"),
        ("f/1.0.0/chunk.mjs", "text/javascript; charset=utf-8"),
        ("f/1.0.0/app.css", "text/css; charset=utf-8"),
        ("f/1.0.0/index.html", "text/html; charset=utf-8"),
        ("f/1.0.0/notes.txt", "text/plain; charset=utf-8"),
        ("f/1.0.0/logo.svg", "image/svg+xml; charset=utf-8"),
        ("f/1.0.0/manifest.json", "application/json; charset=utf-8"),
        ("f/1.0.0/app.js.map", "application/json; charset=utf-8"),
        ("f/1.0.0/photo.png", "image/png"),
        ("f/1.0.0/photo.webp", "image/webp"),
        ("f/1.0.0/font.woff2", "font/woff2"),
        ("f/1.0.0/module.wasm", "application/wasm"),
        ("f/1.0.0.tar.gz", "application/gzip"),
        ("f/1.0.0/LICENSE", "application/octet-stream"),
        ("f/1.0.0/js", "application/octet-stream"),
        ("js", "application/octet-stream"),
        ("f/1.0.js/data", "application/octet-stream"),
        ("f/1.0.0/x.unheard-of", "application/octet-stream"),
    ],
)
def test_w3_the_extension_says_the_content_type_with_utf_8_for_text(name: str, expected: str) -> None:
    assert content_type(name) == expected


def test_w3_what_never_changes_may_be_kept_for_a_year() -> None:
    assert immutable("x.js").cache_control == "public, max-age=31536000, immutable"


def test_w3_pointers_may_be_kept_for_their_max_age_only() -> None:
    assert pointer("releases.json", 30).cache_control == "public, max-age=30, s-maxage=30"


def test_what_no_edge_serves_is_kept_by_nobody() -> None:
    assert private("f/1.0.0.tar.gz").cache_control == "no-store"
