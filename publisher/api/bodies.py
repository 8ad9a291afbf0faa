"""The documents of the API as types: what is accepted, what is answered, and what OpenAPI says of both."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta, Struct

from artifact.documents import parse
from artifact.errors import Code, ContentError
from artifact.versions import FEATURE_ID, SEMVER, VERSION_LENGTH

BODY_LIMIT = 16 * 1024
"""Bytes of a request's body."""

_PRINTABLE = r"^[^\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]+$"
"""No control characters, and none that make a text look like another."""

VersionText = Annotated[
    str,
    Meta(pattern=f"^{SEMVER.pattern}$", max_length=VERSION_LENGTH, description="SemVer without build metadata (P2)"),
]
FeatureText = Annotated[str, Meta(pattern=f"^{FEATURE_ID.pattern}$", description="A feature's id (P1)")]
Reason = Annotated[
    str, Meta(pattern=_PRINTABLE, min_length=1, max_length=1000, description="Why; signed into the index")
]
Ticket = Annotated[str, Meta(pattern=_PRINTABLE, min_length=1, max_length=128, description="Signed into the index")]
PointerPath = Annotated[
    str,
    Meta(
        pattern=rf"^/(remote-index\.json|{FEATURE_ID.pattern}/releases\.json)$",
        description="The path of one of the two kinds of pointers",
    ),
]
RawVersion = Annotated[
    str, Meta(pattern="^[!-.0-~]{1,200}$", description="A version, or what the bundle's name has in its place")
]
OperationText = Annotated[str, Meta(pattern="^[0-9a-f]{32}$", description="A purge operation's id")]
Sequence = Annotated[int, Meta(ge=1)]


class Body(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a caller sends: nothing that is not named here."""

    def __post_init__(self) -> None:
        # `$` is the very end in a JSON Schema; in Python it also stands before a last line feed.
        values = (getattr(self, name) for name in self.__struct_fields__)
        texts = (text for value in values for text in (value if isinstance(value, list) else [value]))
        if any(isinstance(text, str) and text.endswith("\n") for text in texts):
            raise ValueError("a text ends in a line feed")


class Canary(Body, frozen=True):
    version: VersionText
    reason: Reason | None = None
    ticket: Ticket | None = None


class Promote(Body, frozen=True):
    """`version`, where given, must be the canary; `force` needs a `reason`."""

    version: VersionText | None = None
    force: bool = False
    reason: Reason | None = None
    ticket: Ticket | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.force and self.reason is None:
            raise ValueError("to force needs a reason")


class Rollback(Body, frozen=True):
    version: VersionText
    reason: Reason | None = None
    ticket: Ticket | None = None


class Withdraw(Body, frozen=True):
    """`successor` is the next active version, where `version` is active."""

    version: VersionText
    reason: Reason
    successor: VersionText | None = None
    ticket: Ticket | None = None


class Refresh(Body, frozen=True):
    reason: Reason | None = None
    ticket: Ticket | None = None


class Remove(Body, frozen=True):
    reason: Reason
    ticket: Ticket | None = None


class Purge(Body, frozen=True):
    """Either pointers by their paths, or a whole feature with a reason."""

    paths: Annotated[list[PointerPath], Meta(min_length=1, max_length=100)] | None = None
    featureId: FeatureText | None = None  # noqa: N815 (the document's own name)
    reason: Reason | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.paths is None) == (self.featureId is None):
            raise ValueError("either paths or a featureId")
        if self.featureId is not None and self.reason is None:
            raise ValueError("to purge a whole feature needs a reason")


class Answer(Struct, frozen=True):
    """What the API answers."""


class Fault(Answer, frozen=True):
    """What is wrong with one feature (C5)."""

    code: str
    rule: str
    message: str


class Change(Answer, frozen=True):
    """What made a sequence (R3)."""

    action: str
    version: str | None
    actor: str | None
    reason: str | None
    ticket: str | None


class Channels(Answer, frozen=True, omit_defaults=True):
    stable: str
    canary: str | None = None


class Released(Answer, frozen=True):
    """The state of a feature after an action."""

    featureId: str  # noqa: N815
    sequence: Sequence
    activeVersion: str  # noqa: N815
    channels: Channels


class Feature(Answer, frozen=True):
    """A feature as it stands in storage; `listedSequence` is what the remote index says."""

    featureId: str  # noqa: N815
    sequence: Sequence | None
    activeVersion: str | None  # noqa: N815
    channels: dict[str, str]
    versions: list[str]
    updatedAt: str | None  # noqa: N815
    expiresAt: str | None  # noqa: N815
    change: Change | None
    listedSequence: Sequence | None  # noqa: N815
    error: Fault | None


class Features(Answer, frozen=True):
    """`remoteIndexSequence` is null where nothing was ever published."""

    remoteIndexSequence: Sequence | None  # noqa: N815
    features: list[Feature]


class Receipt(Answer, frozen=True, omit_defaults=True):
    """The pipeline's answer to one bundle (B4)."""

    featureId: str  # noqa: N815
    version: str
    bundle: str
    status: str
    attempt: int
    at: str
    sequence: Sequence | None = None
    files: int | None = None
    bytes: int | None = None
    timings: dict[str, int] | None = None
    unchanged: bool | None = None
    error: Fault | None = None


class Accepted(Answer, frozen=True):
    """A purge that was asked for."""

    operation: str
    state: str


class Operation(Answer, frozen=True, omit_defaults=True):
    """`state` is `queued`, `running`, `succeeded` or `failed`; `error` is that of the last attempt. `pending`: the
    paths that are left, by endpoint of the CDN, once one of them has forgotten any.
    """

    operation: str
    state: str
    paths: list[str]
    actor: str
    requestedAt: str  # noqa: N815
    attempts: int
    reason: str | None = None
    endedAt: str | None = None  # noqa: N815
    error: str | None = None
    pending: dict[str, list[str]] | None = None


class Health(Answer, frozen=True):
    """`status` is `ok`, `degraded` or `failing`; `problems` say in words what is wrong."""

    status: str
    problems: list[str]


class Problem(Answer, frozen=True, omit_defaults=True):
    """RFC 9457, with the code of C5 and the rule that was broken."""

    type: str
    title: str
    status: int
    detail: str
    code: str | None = None
    rule: str | None = None


B = TypeVar("B", bound=Body)


def read(body: bytes, kind: type[B]) -> B:
    """The request's body: strict JSON (F2), exactly these members. Nothing at all is an empty object.

    Raises ContentError `limit_exceeded`, `document_invalid` or `schema_invalid`.
    """
    document: dict[str, Any] = parse(body or b"{}", limit=BODY_LIMIT, where="body")
    try:
        return msgspec.convert(document, kind)
    except msgspec.ValidationError as error:
        raise ContentError(Code.SCHEMA_INVALID, "C6", str(error), where="body") from None
