"""The resources that looking after channels needs."""

from __future__ import annotations

from typing import Protocol

import httpx

from shared.channels.base import Platform
from shared.clock import Clock
from shared.resilience.loop import Loop
from shared.settings import Settings
from shared.store.db.pool import Database
from shared.store.db.vault import Vault


class TenantResources(Protocol):
    """What looking after channels needs. shared.resources.Resources is one."""

    @property
    def clock(self) -> Clock: ...

    @property
    def db(self) -> Database: ...

    @property
    def http(self) -> httpx.AsyncClient: ...

    @property
    def loop(self) -> Loop: ...

    @property
    def platforms(self) -> dict[str, Platform]: ...

    @property
    def settings(self) -> Settings: ...

    @property
    def vault(self) -> Vault: ...
