"""The platforms that we speak with, by name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Protocol

from shared.channels.base import Platform
from shared.channels.meta.instagram import Instagram
from shared.channels.meta.messenger import Messenger
from shared.channels.slack.platform import Slack
from shared.channels.standard.platform import Standard
from shared.channels.telegram.platform import Telegram
from shared.channels.whatsapp.platform import WhatsApp
from shared.channels.widget.platform import Widget
from shared.clock import Clock, SystemClock
from shared.errors import Permanent


class ChannelSettings(Protocol):
    """What the platforms need of the settings."""

    @property
    def telegram_api_url(self) -> str: ...
    @property
    def slack_api_url(self) -> str: ...
    @property
    def graph_api_url(self) -> str: ...
    @property
    def graph_api_version(self) -> str: ...
    @property
    def instagram_api_url(self) -> str: ...


def build(settings: ChannelSettings, clock: Clock | None = None) -> dict[str, Platform]:
    """Every platform, sending to the addresses in the settings. clock: for signatures and windows."""
    clock = clock or SystemClock()
    return {
        "telegram": Telegram(settings.telegram_api_url),
        "widget": Widget(),
        "messenger": Messenger(settings.graph_api_url, settings.graph_api_version, clock),
        "instagram": Instagram(
            settings.instagram_api_url, settings.graph_api_version, clock, page_api_url=settings.graph_api_url
        ),
        "whatsapp": WhatsApp(settings.graph_api_url, settings.graph_api_version, clock),
        "slack": Slack(settings.slack_api_url, clock),
        "standard": Standard(clock),
    }


_DEFAULTS: Mapping[str, Platform] = MappingProxyType(
    {
        "telegram": Telegram(),
        "widget": Widget(),
        "messenger": Messenger(),
        "instagram": Instagram(),
        "whatsapp": WhatsApp(),
        "slack": Slack(),
        "standard": Standard(),
    }
)

NAMES: tuple[str, ...] = tuple(_DEFAULTS)


class UnknownPlatform(Permanent):
    """No platform has that name; the message lists those that there are."""

    def __init__(self, name: str) -> None:
        super().__init__("unknown_platform", f"unknown platform {name[:64]!a}: known are {', '.join(NAMES)}")


def platform(name: str) -> Platform:
    """The platform of that name, for reading webhooks: it sends to the platform's public address (see `build`).

    Raises UnknownPlatform.
    """
    found = _DEFAULTS.get(name)
    if found is None:
        raise UnknownPlatform(name)
    return found
