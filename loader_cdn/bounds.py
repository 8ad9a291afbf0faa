"""L9: the bounds of transfers, and what was transferred."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TransferSettings:
    """Bounds of one transfer, and of all with one origin together. Seconds are seconds, rates are bytes a second."""

    allow_http: bool = False
    """Plain http to other hosts than loopback (C3)."""
    connections: int = 64
    """Where the server is far away; near ones are kept busy by `near_connections`, and each costs a TLS handshake."""
    near_connections: int = 16
    near_seconds: float = 0.02
    """From the request to the first byte of its answer, at most, where the server is near."""
    in_flight: int = 100
    """Transfers begun and not ended, those that wait for their next attempt included."""
    attempts: int = 3
    backoff_seconds: float = 0.5
    """The first ceiling of the random pause before a retry; it doubles up to `backoff_limit`."""
    backoff_limit: float = 10.0
    retry_after_limit: float = 30.0
    """The longest pause that a server may ask for."""
    connect_seconds: float = 10.0
    least_rate: int = 1024
    least_rate_seconds: float = 10.0
    total_seconds: float = 60.0
    """The total deadline of a transfer with all its attempts is this, plus its bytes at `total_rate`: a fixed one would
    let a large file never arrive over a slow link, or a small one be dripped for as long as a large one."""
    total_rate: int = 128 * 1024
    user_agent: str = "feature-loader"


@dataclass(slots=True)
class TransferStats:
    """What was transferred so far, failures and retries included."""

    requests: int = 0
    retries: int = 0
    connections: int = 0
    decoded_bytes: int = 0
    """Of bodies, after decoding."""
    wire_bytes: int = 0
    """Of heads and bodies as HTTP carries them, encoded; without TLS."""
