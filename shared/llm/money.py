"""Prices and costs for whoever calls models; they stand in shared/money.py, because the store needs them as well."""

from __future__ import annotations

from shared.money import FREE, Price, cost_micros

__all__ = ["FREE", "Price", "cost_micros"]
