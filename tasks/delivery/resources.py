"""The resources of a process that delivery uses."""

from __future__ import annotations

import random
import threading
from typing import Protocol

import httpx

from shared.channels.base import Platform
from shared.live.publisher import Publisher
from shared.resilience.egress import Egress
from shared.resilience.lease_records import LeaseRecords
from shared.resilience.limiter import Limiter
from shared.resilience.loop import Loop
from shared.resilience.outside import Outside
from shared.settings import Settings
from shared.store.db.pool import Database
from shared.store.db.vault import Vault


class DeliveryResources(Protocol):
    """What delivery needs; shared.resources.Resources has it."""

    @property
    def db(self) -> Database: ...

    @property
    def egress(self) -> Egress: ...

    @property
    def http(self) -> httpx.AsyncClient: ...

    @property
    def lease_records(self) -> LeaseRecords: ...

    @property
    def limiter(self) -> Limiter: ...

    @property
    def live(self) -> Publisher: ...

    @property
    def loop(self) -> Loop: ...

    @property
    def outside(self) -> Outside: ...

    @property
    def platforms(self) -> dict[str, Platform]: ...

    @property
    def rng(self) -> random.Random: ...

    @property
    def settings(self) -> Settings: ...

    @property
    def stopping(self) -> threading.Event: ...

    @property
    def vault(self) -> Vault: ...
