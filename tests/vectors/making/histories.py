"""R3, R4, R6, L13: whether an index may follow what a reader has accepted before; and R6, R7: the actions."""

from __future__ import annotations

from typing import Any

from tests.vectors.making.forge import FEATURE, JSON, edit, entry, releases, sha256, sign, text, vector

NOW = "2026-11-23T12:00:00Z"


def _followed() -> list[JSON]:
    before = text(sign(releases("1.1.0", "1.0.0", sequence=4), "release"))
    accepted = {"sequence": 4, "sha256": sha256(before)}
    chained = {**releases("1.2.0", "1.1.0", sequence=5), "previousSha256": sha256(before)}
    lower = releases("1.1.0", "1.0.0", active="1.0.0", sequence=9)

    def follows(name: str, rule: str, code: str, document: JSON | str, **context: Any) -> JSON:
        content = document if isinstance(document, str) else sign(document, "release")
        base: JSON = {
            "trust": "full",
            "featureId": FEATURE,
            "accepted": accepted,
            "minimum": 0,
            "withdrawn": [],
            "now": NOW,
        }
        return vector(name, rule, code, content, **{**base, **context})

    expires = {**chained, "expiresAt": "2026-11-23T11:55:00Z"}
    return [
        follows("the same bytes again", "R4", "ok", before),
        follows("the next in the chain", "R3", "ok", chained),
        follows("the next, which names none before it", "R3", "ok", releases("1.2.0", sequence=5)),
        follows("later, the states between unseen", "R3", "ok", {**chained, "sequence": 9}),
        follows("a roll-back is a higher sequence", "R4", "ok", lower),
        follows("the first that is ever seen", "R4", "ok", releases(), accepted=None),
        follows("the floor itself", "L7", "ok", before, accepted=None, minimum=4),
        follows("older", "R4", "sequence_rollback", releases("1.0.0", sequence=3)),
        follows("below the floor, nothing known", "L7", "sequence_rollback", before, accepted=None, minimum=5),
        follows("below a floor higher than what is known", "L7", "sequence_rollback", chained, minimum=6),
        follows("other bytes of the same sequence", "R4", "sequence_fork", releases("1.2.0", sequence=4)),
        follows("the next of another chain", "R3", "sequence_fork", {**chained, "previousSha256": sha256("other")}),
        follows("within the clock's tolerance", "L13", "ok", expires),
        follows("expired", "L13", "expired", edit(expires, "expiresAt", to="2026-11-23T11:54:59Z")),
        follows("expires at the end of time", "L13", "ok", edit(expires, "expiresAt", to="9999-12-31T23:59:59Z")),
        follows("another version was withdrawn", "R6", "ok", chained, withdrawn=["1.0.0"]),
        follows("a withdrawn version is back", "R6", "version_withdrawn", chained, withdrawn=["1.1.0"]),
    ]


def _publish(version: str, channel: str = "stable", manifest: str | None = None) -> JSON:
    digest = entry(version)["manifestSha256"] if manifest is None else sha256(manifest)
    return {"action": "publish", "version": version, "channel": channel, "manifestSha256": digest}


def _act(action: str, version: str | None = None, **more: Any) -> JSON:
    return {"action": action, **({} if version is None else {"version": version}), **more}


def _step(minute: int, action: JSON, expected: str) -> JSON:
    """`expected` is a code, or "active canary listed,… withdrawn,…"; `=` alone: nothing changes."""
    if expected == "=" or " " not in expected:
        return {"minute": minute, **action, "code": "ok" if expected == "=" else expected, "changed": False}
    active, canary, listed, withdrawn = expected.split(" ")
    return {
        "minute": minute, **action, "code": "ok", "changed": True, "active": active,
        "canary": None if canary == "-" else canary, "listed": listed.split(","),
        "withdrawn": [] if withdrawn == "-" else withdrawn.split(","),
    }  # fmt: skip


def _stories() -> dict[str, list[JSON]]:
    first = _step(0, _publish("1.0.0"), "1.0.0 - 1.0.0 -")
    return {
        "stable versions": [
            first,
            _step(1, _publish("1.1.0"), "1.1.0 - 1.1.0,1.0.0 -"),
            _step(2, _publish("1.0.5"), "1.1.0 - 1.1.0,1.0.5,1.0.0 -"),
            _step(3, _publish("1.1.0"), "="),
            _step(4, _publish("1.1.0", manifest="other"), "version_exists"),
        ],
        "a canary": [
            first,
            _step(1, _publish("2.0.0-rc.1", "canary"), "1.0.0 2.0.0-rc.1 2.0.0-rc.1,1.0.0 -"),
            _step(2, _act("promote"), "conflict"),
            _step(2, _act("promote", force=True), "conflict"),
            _step(30, _act("promote"), "conflict"),
            _step(31, _act("promote", "1.0.0"), "conflict"),
            _step(31, _act("promote"), "2.0.0-rc.1 - 2.0.0-rc.1,1.0.0 -"),
            _step(32, _act("promote"), "conflict"),
        ],
        "a forced promotion needs a reason": [
            first,
            _step(1, _publish("2.0.0", "canary"), "1.0.0 2.0.0 2.0.0,1.0.0 -"),
            _step(2, _act("promote", force=True, reason="broken"), "2.0.0 - 2.0.0,1.0.0 -"),
        ],
        "the first version is a canary": [
            _step(0, _publish("1.0.0", "canary"), "1.0.0 1.0.0 1.0.0 -"),
            _step(1, _publish("0.9.0"), "1.0.0 1.0.0 1.0.0,0.9.0 -"),
            _step(2, _publish("0.8.0", "canary"), "1.0.0 1.0.0 1.0.0,0.9.0,0.8.0 -"),
            _step(3, _act("withdraw", "0.8.0"), "1.0.0 1.0.0 1.0.0,0.9.0 0.8.0"),
            _step(4, _publish("1.1.0"), "1.1.0 - 1.1.0,1.0.0,0.9.0 0.8.0"),
        ],
        "a canary by hand": [
            first,
            _step(1, _publish("1.1.0"), "1.1.0 - 1.1.0,1.0.0 -"),
            _step(2, _act("rollback", "1.0.0"), "1.0.0 - 1.1.0,1.0.0 -"),
            _step(3, _act("canary", "1.1.0"), "1.0.0 1.1.0 1.1.0,1.0.0 -"),
            _step(4, _act("canary", "1.1.0"), "="),
            _step(4, _act("canary", "1.0.0"), "conflict"),
            _step(4, _act("canary", "7.0.0"), "conflict"),
            _step(5, _publish("1.2.0"), "1.2.0 - 1.2.0,1.1.0,1.0.0 -"),
        ],
        "a roll-back": [
            first,
            _step(1, _publish("1.1.0"), "1.1.0 - 1.1.0,1.0.0 -"),
            _step(2, _act("rollback", "1.1.0"), "conflict"),
            _step(2, _act("rollback", "0.9.0"), "conflict"),
            _step(3, _act("rollback", "1.0.0"), "1.0.0 - 1.1.0,1.0.0 -"),
            _step(4, _publish("1.0.9"), "1.0.0 - 1.1.0,1.0.9,1.0.0 -"),
            _step(5, _act("rollback", "1.1.0"), "1.1.0 - 1.1.0,1.0.9,1.0.0 -"),
        ],
        "a withdrawal": [
            first,
            _step(1, _publish("1.1.0"), "1.1.0 - 1.1.0,1.0.0 -"),
            _step(2, _act("withdraw", "1.1.0"), "conflict"),
            _step(2, _act("withdraw", "1.1.0", successor="1.1.0"), "conflict"),
            _step(2, _act("withdraw", "1.1.0", successor="3.0.0"), "conflict"),
            _step(2, _act("withdraw", "1.0.0", successor="1.1.0"), "conflict"),
            _step(2, _act("withdraw", "3.0.0"), "conflict"),
            _step(3, _act("withdraw", "1.1.0", successor="1.0.0"), "1.0.0 - 1.0.0 1.1.0"),
            _step(4, _publish("1.1.0"), "version_withdrawn"),
            _step(4, _publish("1.1.0", manifest="other"), "version_withdrawn"),
            _step(4, _act("withdraw", "1.1.0"), "="),
            _step(5, _publish("1.0.5"), "1.0.0 - 1.0.5,1.0.0 1.1.0"),
            _step(6, _publish("1.2.0"), "1.2.0 - 1.2.0,1.0.5,1.0.0 1.1.0"),
            _step(7, _act("withdraw", "1.2.0", successor="1.0.5"), "1.0.5 - 1.0.5,1.0.0 1.1.0,1.2.0"),
        ],
        "the window": [
            first,
            _step(1, _publish("1.1.0"), "1.1.0 - 1.1.0,1.0.0 -"),
            _step(2, _publish("1.2.0"), "1.2.0 - 1.2.0,1.1.0,1.0.0 -"),
            _step(3, _publish("1.3.0"), "1.3.0 - 1.3.0,1.2.0,1.1.0,1.0.0 -"),
            _step(4, _act("rollback", "1.0.0"), "1.0.0 - 1.3.0,1.2.0,1.1.0,1.0.0 -"),
            _step(5, _publish("2.0.0-a", "canary"), "1.0.0 2.0.0-a 2.0.0-a,1.3.0,1.2.0,1.1.0,1.0.0 -"),
            _step(6, _publish("0.1.0"), "1.0.0 2.0.0-a 2.0.0-a,1.3.0,1.2.0,1.0.0,0.1.0 -"),
            _step(7, _publish("1.2.5"), "1.0.0 2.0.0-a 2.0.0-a,1.3.0,1.2.5,1.2.0,1.0.0 -"),
        ],
        "refresh and remove": [
            first,
            _step(1, _act("refresh"), "1.0.0 - 1.0.0 -"),
            _step(2, _act("remove"), "1.0.0 - 1.0.0 -"),
            _step(3, _act("remove"), "="),
            {**_step(4, _act("refresh"), "1.0.0 - 1.0.0 -"), "removed": True},
            _step(5, _publish("1.0.0"), "1.0.0 - 1.0.0 -"),
            _step(6, _publish("1.1.0"), "1.1.0 - 1.1.0,1.0.0 -"),
            _step(7, _act("remove", reason="nobody uses it"), "1.1.0 - 1.1.0,1.0.0 -"),
            {**_step(8, _act("rollback", "1.0.0"), "1.0.0 - 1.1.0,1.0.0 -"), "removed": True},
            {**_step(9, _act("withdraw", "1.1.0"), "1.0.0 - 1.0.0 1.1.0"), "removed": True},
            _step(10, _publish("1.2.0"), "1.2.0 - 1.2.0,1.0.0 1.1.0"),
        ],
    }


def files() -> dict[str, JSON]:
    stories = [
        {
            "name": name,
            "rule": "R6, R7",
            "featureId": FEATURE,
            "start": NOW,
            "window": 5,
            "soakMinutes": 30,
            "steps": steps,
        }
        for name, steps in _stories().items()
    ]
    return {"histories.json": {"vectors": _followed()}, "actions.json": {"vectors": stories}}
