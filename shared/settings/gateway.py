"""The edge: the gateway, the widget's visitors, and knowledge over HTTP."""

from __future__ import annotations

from pydantic import Field

from shared.settings.kinds import Domain, Limit, PerMinute


class GatewaySettings(Domain):
    """The gateway."""

    host: str = Field(default="127.0.0.1", alias="GATEWAY_HOST")
    """The address on which the gateway listens."""
    port: int = Field(default=8400, alias="GATEWAY_PORT", ge=1, le=65535)
    """Its port. If a port that was set is taken the start fails; the default port is replaced by a free one."""
    max_body_bytes: int = Field(default=4 * 1024 * 1024, alias="GATEWAY_MAX_BODY_BYTES", gt=0)
    """The largest webhook."""
    forwarded_hops: int = Field(default=0, alias="GATEWAY_FORWARDED_HOPS", ge=0, le=8)
    """Number of your proxies in front of the gateway, for limits per address."""
    bodies_max_bytes: int = Field(default=64 * 1024 * 1024, alias="GATEWAY_BODIES_MAX_BYTES", ge=25 * 1024 * 1024)
    """Bytes of unfinished requests in memory, per gateway; half of it for senders who are not known yet."""
    bodies_address_max_bytes: int = Field(
        default=32 * 1024 * 1024, alias="GATEWAY_BODIES_ADDRESS_MAX_BYTES", ge=25 * 1024 * 1024
    )
    """The same per address."""
    connections_max: int = Field(default=4_000, alias="GATEWAY_CONNECTIONS_MAX", ge=10)
    """Open connections per gateway."""
    connections_address_max: int = Field(default=1_000, alias="GATEWAY_CONNECTIONS_ADDRESS_MAX", ge=1)
    """Open connections per address; not counted behind proxies."""
    wrong_keys_limit: Limit = Field(default=PerMinute(count=60, burst=30), alias="GATEWAY_WRONG_KEYS_LIMIT")
    """Wrong API keys and wrong `OPS_TOKEN`s per address."""
    unknown_limit: Limit = Field(default=PerMinute(count=300, burst=100), alias="GATEWAY_UNKNOWN_LIMIT")
    """Requests for apps and widgets that do not exist, per address."""
    app_cache_ttl_s: float = Field(default=30.0, alias="APP_CACHE_TTL_S", ge=0)
    """How long a gateway may go on accepting a rotated or disabled secret."""

    def problems(self) -> list[str]:
        found = []
        if self.bodies_address_max_bytes > self.bodies_max_bytes:
            found.append("GATEWAY_BODIES_ADDRESS_MAX_BYTES is above GATEWAY_BODIES_MAX_BYTES")
        if self.bodies_address_max_bytes < 2 * self.max_body_bytes:
            found.append("GATEWAY_BODIES_ADDRESS_MAX_BYTES must be at least twice GATEWAY_MAX_BODY_BYTES")
        return found


class WidgetSettings(Domain):
    """The widget and its visitors."""

    token_ttl_s: float = Field(default=30 * 86_400.0, alias="WIDGET_TOKEN_TTL_S", gt=60)
    """How long a visitor's token is valid."""
    streams_max: int = Field(default=1_000, alias="WIDGET_STREAMS_MAX", ge=1)
    """Open event streams per gateway."""
    streams_address_max: int = Field(default=100, alias="WIDGET_STREAMS_ADDRESS_MAX", ge=1)
    """Open event streams per address."""
    streams_company_max: int = Field(default=500, alias="WIDGET_STREAMS_COMPANY_MAX", ge=1)
    """Open event streams per company."""
    sessions_limit: Limit = Field(default=PerMinute(count=30, burst=20), alias="WIDGET_SESSIONS_LIMIT")
    """New visitors per address."""
    attempts_limit: Limit = Field(default=PerMinute(count=60, burst=30), alias="WIDGET_ATTEMPTS_LIMIT")
    """Requests without a valid token, per address."""
    messages_limit: Limit = Field(default=PerMinute(count=20, burst=10), alias="WIDGET_MESSAGES_LIMIT")
    """Messages per visitor."""
    messages_address_limit: Limit = Field(
        default=PerMinute(count=200, burst=100), alias="WIDGET_MESSAGES_ADDRESS_LIMIT"
    )
    """Messages per address, which may be a whole office."""
    reads_limit: Limit = Field(default=PerMinute(count=120, burst=30), alias="WIDGET_READS_LIMIT")
    """Reads per visitor."""
    reads_address_limit: Limit = Field(default=PerMinute(count=1200, burst=300), alias="WIDGET_READS_ADDRESS_LIMIT")
    """Reads per address."""


class KnowledgeSettings(Domain):
    """Knowledge over HTTP."""

    search_limit: Limit = Field(default=PerMinute(count=120, burst=30), alias="KNOWLEDGE_SEARCH_LIMIT")
    """Searches over HTTP per company, all its agents together."""
    write_limit: Limit = Field(default=PerMinute(count=120, burst=60), alias="KNOWLEDGE_WRITE_LIMIT")
    """Files and sites sent over HTTP per company, all its agents together."""
