"""The resources that fetching attachments needs."""

from __future__ import annotations

import random
from typing import Protocol

import httpx

from shared.channels.base import Platform
from shared.clock import Clock
from shared.resilience.egress import Egress
from shared.resilience.loop import Loop
from shared.resilience.outside import Outside
from shared.settings import Settings
from shared.store.db.objects import Objects
from shared.store.db.pool import Database
from shared.store.db.vault import Vault


class InboxResources(Protocol):
    """What fetching attachments needs. shared.resources.Resources is one."""

    @property
    def clock(self) -> Clock: ...

    @property
    def db(self) -> Database: ...

    @property
    def egress(self) -> Egress: ...

    @property
    def egress_ours(self) -> Egress: ...

    @property
    def http(self) -> httpx.AsyncClient: ...

    @property
    def loop(self) -> Loop: ...

    @property
    def outside(self) -> Outside: ...

    @property
    def objects(self) -> Objects: ...

    @property
    def platforms(self) -> dict[str, Platform]: ...

    @property
    def rng(self) -> random.Random: ...

    @property
    def settings(self) -> Settings: ...

    @property
    def vault(self) -> Vault: ...
