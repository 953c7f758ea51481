"""The control API is its owner's: whom the product posts to reaches the stand-in's receivers, and not this."""

from __future__ import annotations

import httpx
import pytest

from standin.client import ControlError, Standin
from standin.process import StandinProcess


@pytest.mark.parametrize(
    "headers", [{}, {"x-standin-token": ""}, {"x-standin-token": "another"}, {"x-standin-token": "é"}]
)
def test_a_request_without_the_token_changes_and_shows_nothing(headers: dict[str, str]) -> None:
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    with StandinProcess() as process:
        url = f"{process.base_url}/_control/"
        refused = [
            httpx.post(f"{url}keys", json={"key": "mine"}, headers=raw, trust_env=False).status_code,
            httpx.get(f"{url}effects", headers=raw, trust_env=False).status_code,
            httpx.get(f"{url}nothing", headers=raw, trust_env=False).status_code,
        ]
        models = httpx.get(
            f"{process.base_url}/v1/models", headers={"authorization": "Bearer mine"}, trust_env=False
        ).status_code

    assert (refused, models) == ([403, 403, 403], 401)


def test_two_stand_ins_have_tokens_of_their_own() -> None:
    with StandinProcess() as one, StandinProcess() as other, Standin(one.base_url, other.client.control_token) as mixed:
        with pytest.raises(ControlError, match="403"):
            mixed.register_key("mine")
        one.client.register_key("mine")
