"""Ids of requests that become messages: in the answer (x-request-id), the logs, the ledger and the receipts."""

from __future__ import annotations

import random

_ids = random.Random()  # request ids are names, not secrets


def new_request_id(received_ms: int) -> str:
    """Return `<ms since 1970 in hex>-<random>`, by which the request is found in the ledger."""
    return f"{received_ms:x}-{_ids.getrandbits(40):010x}"
