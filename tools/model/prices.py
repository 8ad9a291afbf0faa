"""What is paid for, in dollars, as public price lists state it. Nothing here was asked of a network."""

from __future__ import annotations

from dataclasses import dataclass

MONTH = 730 * 3600
"""Seconds. Price lists count a month as 730 hours."""


@dataclass(frozen=True, slots=True)
class Prices:
    """Flat prices: the first tier for all of it, so that large volumes cost less than what is computed."""

    base: float = 35.0
    """Front Door Standard, a month."""
    edge_request: float = 0.009 / 10_000
    """One request of a client to an edge, in the cheapest zone."""
    edge_byte: float = 0.083 / 1e9
    """One byte from an edge to a client, in the cheapest zone; the list starts there. A GB is taken as 10^9 bytes."""
    origin_request: float = 0.0044 / 10_000
    """One read of a blob (hot, locally redundant). Bytes from an Azure origin to Front Door are free."""


LIST = Prices()
