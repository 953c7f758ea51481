"""How channels are connected, by platform. The widget has a command of its own: nobody is asked about it."""

from __future__ import annotations

from typing import Protocol

from shared.channels.connect.base import Connector
from shared.channels.connect.graph import InstagramConnector, MessengerConnector, WhatsAppConnector
from shared.channels.connect.slack import SlackConnector
from shared.channels.connect.standard import StandardConnector
from shared.channels.connect.telegram import TelegramConnector


class ConnectSettings(Protocol):
    @property
    def telegram_api_url(self) -> str: ...
    @property
    def graph_api_url(self) -> str: ...
    @property
    def slack_api_url(self) -> str: ...


def connectors(settings: ConnectSettings) -> dict[str, Connector]:
    graph = settings.graph_api_url
    found: tuple[Connector, ...] = (
        TelegramConnector(settings.telegram_api_url),
        MessengerConnector(graph),
        InstagramConnector(graph),
        WhatsAppConnector(graph),
        SlackConnector(settings.slack_api_url),
        StandardConnector(),
    )
    return {connector.platform: connector for connector in found}
