"""One GET: a fetch with its redirects and attempts, the reused curl handle that carries it, and what an answer means.

Only 200 is an answer (304 where it was asked for); everything else, and a body in an encoding that was not asked for,
is a fault of the transport (L9, T13-T15).
"""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import pycurl

from artifact.errors import Code, ConfigurationError, ContentError, DeliveryError, TransientError
from loader_cdn.authorities import Authorities
from loader_cdn.origin import redirected, shown
from loader_cdn.receivers import Receiver

REDIRECTS = 5
HEADER_BYTES = 64 * 1024
"""Of all heads and trailers of one exchange together, interim answers included."""
SKIPPED_BYTES = 64 * 1024
"""How much of a body that nobody reads is received to keep the connection."""
BUFFER_BYTES = 256 * 1024

# For which pycurl has no names: CURLOPT_SUPPRESS_CONNECT_HEADERS, and CURLE_TOO_LARGE, libcurl's own cap on headers.
_SUPPRESS_CONNECT_HEADERS = 265
_TOO_LARGE = 100

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_NOT_FOUND = frozenset({404, 410})
_UNAUTHORIZED = frozenset({401, 403, 407})
_RETRIED = frozenset({Code.TRANSPORT_FAILED, Code.TRANSPORT_SLOW})
_READ_FIELDS = frozenset(
    {b"content-encoding", b"content-length", b"etag", b"location", b"retry-after", b"transfer-encoding"}
)
_ETAG = re.compile(r'(?:W/)?"[\x21\x23-\x7e]{0,1024}"')  # RFC 9110, 8.8.3; ASCII only, since it is stored and sent


T = TypeVar("T")


class Fetch(Generic[T]):
    """One URL to bring to one receiver, for a `subject` of the caller's.

    When it has ended, `error` is None where it was brought, or is `unchanged`. One that has an error from the start is
    not asked.
    """

    def __init__(
        self, subject: T, url: str, receiver: Receiver, *, etag: str | None = None, error: DeliveryError | None = None
    ) -> None:
        self.subject = subject
        self.url = url
        self.location = url
        self.receiver = receiver
        self.etag = etag if etag is not None and _ETAG.fullmatch(etag) else None
        self.attempts = 0
        self.redirects = 0
        self.ends = 0.0
        """When its total deadline is, on the engine's clock."""
        self.error = error
        self.unchanged = False
        self.answer_etag: str | None = None

    def restart(self) -> None:
        """Begin a new attempt at the URL that was asked for: the base does not move."""
        self.location = self.url
        self.redirects = 0

    def redirect(self, location: str) -> None:
        """Go on at `location`. ContentError `limit_exceeded` where it may not go there, or went often enough."""
        target = redirected(self.location, location)
        self.redirects += 1
        if self.redirects > REDIRECTS:
            raise ContentError(
                Code.LIMIT_EXCEEDED,
                "L9",
                "too many redirects",
                where=shown(self.url),
                expected=f"at most {REDIRECTS}",
                seen=f"one more, from {shown(self.location)} to {shown(target)}",
            )
        self.location = target


class HandleSettings(Protocol):
    """What a handle needs to know of the transfer's settings."""

    @property
    def connect_seconds(self) -> float: ...
    @property
    def user_agent(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Ended:
    """How one exchange ended: well (both None), by a redirect that was followed, or by an error."""

    error: DeliveryError | None = None
    redirected: bool = False
    retry_after: float | None = None
    """Seconds that the server asked for."""

    @property
    def may_retry(self) -> bool:
        return self.error is not None and self.error.code in _RETRIED


class Lane:
    """A curl handle, used for one exchange after another, and what it has seen of the present one."""

    def __init__(self, settings: HandleSettings, authorities: Authorities) -> None:
        self.curl = _handle(settings, authorities)
        self.curl.setopt(pycurl.HEADERFUNCTION, self._head)
        self.curl.setopt(pycurl.WRITEFUNCTION, self._body)
        self._conditional = False
        self.fetch: Fetch[Any]

    def begin(self, fetch: Fetch[Any]) -> None:
        """Make the handle ready for the fetch's next exchange."""
        self.fetch = fetch
        self.received = 0
        """Decoded bytes of the body, plus the head's: what the least rate counts."""
        self._status = 0
        self._lines: list[bytes] = []
        self._head_bytes = 0
        self._fields: dict[bytes, bytes] = {}
        self._refusal: DeliveryError | None = None
        self.curl.setopt(pycurl.URL, fetch.location)
        if fetch.etag is not None:
            self.curl.setopt(pycurl.HTTPHEADER, [f"If-None-Match: {fetch.etag}"])
        elif self._conditional:
            self.curl.unsetopt(pycurl.HTTPHEADER)
        self._conditional = fetch.etag is not None

    @property
    def body_bytes(self) -> int:
        """Decoded bytes of the body so far."""
        return self.received - self._head_bytes

    @property
    def is_connected(self) -> bool:
        """Whether a connection stands; until then libcurl's own deadline for connecting holds."""
        return int(self.curl.getinfo(pycurl.PRETRANSFER_TIME_T)) > 0

    def end(self, code: int, message: str) -> Ended:
        """Judge the exchange that libcurl ended with `code` (0: well), and settle the receiver."""
        try:
            ended = self._judge(code, message)
        except DeliveryError as error:
            ended = Ended(error)
        except OSError as error:
            ended = Ended(_unwritable(error))
        if ended.error is not None:
            self.discard()
        return ended

    def discard(self) -> None:
        """Throw away what came. What cannot be removed now is staging's to clear away."""
        with contextlib.suppress(OSError):
            self.fetch.receiver.restart()

    def _judge(self, code: int, message: str) -> Ended:
        if self._refusal is not None:
            return Ended(self._refusal)
        if self._status not in (0, 200):  # the rest of its body, if any, was of no interest
            return self._judge_status()
        if code != pycurl.E_OK:
            return Ended(_failed(code, message, self._where))
        framed = b"content-length" in self._fields or b"chunked" in self._fields.get(b"transfer-encoding", b"").lower()
        self.fetch.receiver.finish(framed=framed)
        etag = self._text(b"etag")
        self.fetch.answer_etag = etag if _ETAG.fullmatch(etag) else None
        return Ended()

    def _judge_status(self) -> Ended:
        status = self._status
        if status == 304 and self._conditional:
            self.fetch.unchanged = True
            return Ended()
        if status in _REDIRECTS and b"location" in self._fields:
            self.fetch.redirect(self._text(b"location"))
            return Ended(redirected=True)
        if status in _NOT_FOUND:
            return Ended(TransientError(Code.NOT_FOUND, "C5", "it is not there", where=self._where, seen=status))
        if status in _UNAUTHORIZED:
            who = "the proxy" if status == 407 else "the server"
            what = f"{who} does not permit it"
            return Ended(TransientError(Code.UNAUTHORIZED, "C5", what, where=self._where, seen=status))
        expected = "200 or 304" if self._conditional else "200"
        error = _transport_failed("the answer is not usable", self._where, expected, f"status {status}")
        return Ended(error, retry_after=self._retry_after())

    def _retry_after(self) -> float | None:
        seconds = self._text(b"retry-after")
        return float(seconds) if re.fullmatch(r"[0-9]{1,6}", seconds) else None

    @property
    def _where(self) -> str:
        return shown(self.fetch.location)

    def _text(self, field: bytes) -> str:
        return self._fields.get(field, b"").decode("latin-1")

    # Called by libcurl. None takes the bytes, -1 ends the exchange. Nothing but KeyboardInterrupt and its like may be
    # raised here: pycurl hands those on to the loop's caller, and prints any other.

    def _head(self, line: bytes) -> int | None:
        self._head_bytes += len(line)
        self.received += len(line)
        if self._head_bytes > HEADER_BYTES:
            self._refusal = _head_too_long(self._where)
            return -1
        if self._status:  # a trailer: it changes nothing
            return None
        if line not in (b"\r\n", b"\n"):
            self._lines.append(line)
            return None
        return self._head_ended()

    def _head_ended(self) -> int | None:
        status = re.match(rb"HTTP/\S+ +([0-9]{3})", self._lines[0]) if self._lines else None
        if status is None or status[1] < b"200":  # an interim answer: the final one follows
            self._lines = []
            return None
        self._status = int(status[1])
        for line in self._lines[1:]:
            name, _, value = line.partition(b":")
            name = name.strip().lower()
            if name in _READ_FIELDS:
                value = value.strip()
                self._fields[name] = self._fields[name] + b"," + value if name in self._fields else value
        encoding = self._text(b"content-encoding").lower()
        if self._status == 200 and encoding not in ("", "gzip", "x-gzip", "identity"):
            what = "the body is in an encoding that was not asked for"
            self._refusal = _transport_failed(what, self._where, "gzip or none", encoding)
            return -1
        return None

    def _body(self, data: bytes) -> int | None:
        self.received += len(data)
        if self._status != 200:
            return None if self.received <= SKIPPED_BYTES else -1
        try:
            self.fetch.receiver.write(data)
        except DeliveryError as error:
            self._refusal = error
            return -1
        except OSError as error:
            self._refusal = _unwritable(error)
            return -1
        return None


def _handle(settings: HandleSettings, authorities: Authorities) -> pycurl.Curl:
    """A handle with everything that is the same for all exchanges. Proxies: libcurl reads the usual variables."""
    curl = pycurl.Curl()
    curl.setopt(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1)
    curl.setopt(pycurl.FOLLOWLOCATION, 0)
    curl.setopt(pycurl.ACCEPT_ENCODING, "gzip")
    curl.setopt(pycurl.USERAGENT, settings.user_agent)
    curl.setopt(pycurl.CONNECTTIMEOUT_MS, int(settings.connect_seconds * 1000))
    curl.setopt(_SUPPRESS_CONNECT_HEADERS, 1)
    curl.setopt(pycurl.BUFFERSIZE, BUFFER_BYTES)
    curl.setopt(pycurl.NOSIGNAL, 1)
    curl.setopt(pycurl.SSLVERSION, pycurl.SSLVERSION_TLSv1_2)
    # Only one of both: with a file alone, libcurl parses it once for all connections.
    if authorities.file is not None:
        curl.setopt(pycurl.CAINFO, authorities.file)
    elif authorities.folder is not None:
        curl.unsetopt(pycurl.CAINFO)
        curl.setopt(pycurl.CAPATH, authorities.folder)
    return curl


def _transport_failed(what: str, where: str, expected: object = None, seen: object = None) -> DeliveryError:
    return TransientError(Code.TRANSPORT_FAILED, "L9", what, where=where, expected=expected, seen=seen)


def _failed(code: int, message: str, where: str) -> DeliveryError:
    if code == pycurl.E_SSL_CACERT_BADFILE:
        return ConfigurationError("the certificate authorities cannot be read", where=where, seen=message)
    if code == pycurl.E_PEER_FAILED_VERIFICATION:
        what = "the server's certificate is not trusted (SSL_CERT_FILE names other authorities)"
        return _transport_failed(what, where, seen=message)
    if code == _TOO_LARGE:
        return _head_too_long(where)
    what = "the body was cut short" if code == pycurl.E_PARTIAL_FILE else "the transfer failed"
    return _transport_failed(what, where, seen=f"{message or 'no reason'} (curl {code})")


def _head_too_long(where: str) -> DeliveryError:
    return ContentError(
        Code.LIMIT_EXCEEDED,
        "L9",
        "the answer's headers are too long",
        where=where,
        expected=f"at most {HEADER_BYTES} bytes",
        seen="more",
    )


def _unwritable(error: OSError) -> DeliveryError:
    """Full, read-only or forbidden: it passes when the disk is put right (L8, T32)."""
    where = str(error.filename or "the staging folder")
    return TransientError(Code.STORAGE_FULL, "L8", "the file cannot be written", where=where, seen=error.strerror)
