"""Encrypts stored credentials with Fernet keys, newest first, so that keys can be rotated."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from shared.errors import SettingsError


class Vault:
    def __init__(self, keys: Sequence[str]) -> None:
        """keys: url-safe base64 Fernet keys; the first one encrypts, all decrypt."""
        if not keys:
            raise SettingsError(
                "ENCRYPTION_KEYS is not set: ./switchboard up makes one in DATA_DIR, or set your own Fernet key"
            )
        self._newest = Fernet(keys[0])
        self._fernet = MultiFernet([self._newest, *(Fernet(key) for key in keys[1:])])

    def seal(self, value: Any) -> bytes:
        return self._fernet.encrypt(orjson.dumps(value))

    def is_newest(self, sealed: bytes) -> bool:
        """Whether the newest key sealed it."""
        try:
            self._newest.decrypt(bytes(sealed))
        except InvalidToken:
            return False
        return True

    def open_credentials(self, sealed: bytes) -> dict[str, str]:
        """A channel's credentials by name. Raises SettingsError when none of the keys fits."""
        opened = self.open(sealed)
        return {str(name): str(value) for name, value in opened.items()} if isinstance(opened, dict) else {}

    def open(self, sealed: bytes) -> Any:
        """Raises SettingsError when none of the keys fits."""
        try:
            return orjson.loads(self._fernet.decrypt(bytes(sealed)))
        except InvalidToken:
            raise SettingsError(
                "ENCRYPTION_KEYS: no key opens what is stored; put the key that sealed it back into the list"
            ) from None
