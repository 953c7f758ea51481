"""Prices and costs for whoever calls models; they stand in shared/money.py, because the store needs them as well."""

from __future__ import annotations

from ipaddress import ip_address

import httpx

from shared.money import FREE, Price, cost_micros

__all__ = ["FREE", "Price", "cost_micros", "is_paid"]


def is_paid(base_url: str) -> bool:
    """Whether who answers at an address may ask for money: not on this machine, in a private network, or under a name
    of one label, as in a compose file."""
    host = httpx.URL(base_url).host
    try:
        address = ip_address(host)
    except ValueError:
        return "." in host
    return not (address.is_loopback or address.is_private)
