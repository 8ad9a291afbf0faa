"""`/status`: what `sync --json` answers (C4), and how it got there, as a JSON value."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from artifact.errors import DeliveryError
from artifact.fields import format_time, whole_seconds
from loader_cdn.board import Board, FeatureStatus, RemoteStatus
from loader_cdn.origin import shown


def status(board: Board, now: datetime | None = None) -> dict[str, Any]:
    """Times are RFC 3339, ages and durations seconds; null where there is none."""
    now = datetime.now(UTC) if now is None else now
    features = sorted(board.features.items())
    return {
        "root": board.root,
        "ready": board.is_ready,
        "startedAt": _time(board.started),
        "now": _time(now),
        "error": _error(board.error),
        "registrations": {
            "known": board.registrations_known,
            "error": _error(board.registrations_error),
            "heardSecondsAgo": None if (age := board.registrations_age()) is None else int(age),
            "problems": [
                {"configMap": problem.config_map.reference, "error": problem.error.as_json()}
                for problem in board.problems
            ],
        },
        "remoteIndex": None if board.remote is None else _remote(board.remote, now),
        "features": [_feature(one, now) for _, one in features],
    }


def _feature(one: FeatureStatus, now: datetime) -> dict[str, Any]:
    standing = one.row.standing
    expires = None if standing is None else standing.expires_at
    return {
        **one.row.as_json(),
        "versions": [] if standing is None else [entry.version.text for entry in standing.entries],
        "registeredBy": one.by or None,
        "checkedAt": _time(one.checked),
        "acceptedAt": _time(one.accepted),
        "expiresAt": _time(expires),
        "secondsToExpiry": _seconds(expires, now),
        "updates": one.updates,
        "failures": dict(one.failures),
        "fetchedBytes": one.bytes,
        "updateSeconds": None if one.seconds is None else round(one.seconds, 3),
    }


def _remote(remote: RemoteStatus, now: datetime) -> dict[str, Any]:
    index = remote.index
    expires = None if index is None else index.expires_at
    return {
        "url": shown(remote.url),
        "sequence": None if index is None else index.sequence,
        "checkedAt": _time(remote.checked),
        "expiresAt": _time(expires),
        "secondsToExpiry": _seconds(expires, now),
        "error": _error(remote.error),
    }


def _error(error: DeliveryError | None) -> dict[str, Any] | None:
    return None if error is None else error.as_json()


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else format_time(whole_seconds(moment))


def _seconds(until: datetime | None, now: datetime) -> int | None:
    return None if until is None else int((until - now).total_seconds())
