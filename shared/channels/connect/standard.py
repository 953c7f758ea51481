"""Connecting any program by Standard Webhooks. https://www.standardwebhooks.com"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Mapping
from urllib.parse import urlsplit

import httpx

from shared.channels.connect.base import ConnectRefused, Identity, Question, Registration
from shared.model import Me

SECRET_BYTES = 32


def new_secret() -> str:
    """A signing key as the specification writes it: `whsec_` and base64 of 24 to 64 bytes."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


class StandardConnector:
    platform = "standard"
    title = "a program of your own (Standard Webhooks)"
    makes_secret = True
    handshakes = False
    questions = (
        Question("name", "A name for the program", "letters, digits, - and _; you choose"),
        Question("url", "Where answers are posted", "https://… of the program"),
    )  # fmt: skip

    async def identify(self, http: httpx.AsyncClient, answers: Mapping[str, str]) -> Identity:
        try:
            parts = urlsplit(answers["url"])
            fits = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.username is None
        except ValueError:
            fits = False
        if not fits:
            raise ConnectRefused("the address should begin with https:// and hold no user name")
        notes = () if parts.scheme == "https" else ("answers go over plain http: anybody between can read them",)
        credentials = {"url": answers["url"], "secret": answers.get("secret") or new_secret()}
        return Identity(Me(answers["name"], None), credentials, answers["name"], notes)

    def new_secret(self) -> str:
        return new_secret()

    def secret_of(self, answers: Mapping[str, str]) -> str | None:
        return None

    async def register(self, http: httpx.AsyncClient, registration: Registration) -> list[str]:
        return []

    def steps(self, registration: Registration) -> list[str]:
        return [
            f"the program posts customers' messages to {registration.address}",
            f"signed with (shown once): {registration.secret}",
            f"it checks our answers with (shown once): {registration.identity.credentials['secret']}",
        ]
