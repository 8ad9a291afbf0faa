"""`/status` for people: the same value as a small page, which needs no script and fetches nothing."""

from __future__ import annotations

from html import escape
from typing import Any

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 75rem; padding: 0 1rem; color: #1d2733 }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; padding: .4rem .8rem .4rem 0; vertical-align: top }
th { border-bottom: 2px solid #1d2733 } td { border-bottom: 1px solid #d5dbe1 }
.bad { color: #a3140f } .note { color: #55606b }
code { font-size: 90% }
"""
_COLUMNS = ("feature", "result", "active", "sequence", "checked", "expires in", "updates", "failures", "error")


def page(document: dict[str, Any]) -> str:
    """HTML of what `status` answered."""
    rows = "\n".join(_row(feature, document["now"]) for feature in document["features"])
    head = "".join(f"<th>{column}</th>" for column in _COLUMNS)
    ready = "ready" if document["ready"] else "<span class=bad>not ready</span>"
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>feature-loader</title><style>{_STYLE}</style>"
        f"<h1>feature-loader</h1><p>{ready} · <code>{escape(document['root'])}</code> · since {document['startedAt']}"
        f" · <span class=note>as of {document['now']}</span></p>\n{_faults(document)}"
        f"<table><thead><tr>{head}</tr></thead><tbody>\n{rows}\n</tbody></table></html>\n"
    )


def _row(feature: dict[str, Any], now: str) -> str:
    failures = ", ".join(f"{code} {count}" for code, count in sorted(feature["failures"].items()))
    error = "" if feature["error"] is None else feature["error"]["message"]
    is_bad = feature["result"] in ("kept", "failed")
    cells = (
        feature["featureId"],
        feature["result"],
        feature["activeVersion"] or "–",
        feature["sequence"] or "–",
        feature["checkedAt"] or "never",
        _duration(feature["secondsToExpiry"]),
        feature["updates"],
        failures or "–",
        error,
    )
    marks = ["", " class=bad" if is_bad else "", "", "", "", "", "", "", " class=bad"]
    return "<tr>" + "".join(f"<td{m}>{escape(str(c))}</td>" for m, c in zip(marks, cells, strict=True)) + "</tr>"


def _faults(document: dict[str, Any]) -> str:
    """What concerns more than one feature, or a registration."""
    remote = document["remoteIndex"] or {}
    errors = [document["error"], document["registrations"]["error"], remote.get("error")]
    errors += [problem["error"] for problem in document["registrations"]["problems"]]
    told = dict.fromkeys(error["message"] for error in errors if error is not None)
    return "".join(f"<p class=bad>{escape(message)}</p>\n" for message in told)


def _duration(seconds: int | None) -> str:
    if seconds is None:
        return "–"
    if seconds < 0:
        return "expired"
    for size, name in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds // size} {name}"
    return f"{seconds} s"
