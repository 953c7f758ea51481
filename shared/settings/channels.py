"""The platforms, what requests to foreign addresses may reach, and attachments."""

from __future__ import annotations

from pydantic import Field, SecretStr

from shared.openings import Opening, parse
from shared.settings.kinds import WEB, Domain, Folder, address_problems


class ChannelsSettings(Domain):
    """Channels: the APIs of the platforms."""

    telegram_api_url: str = Field(default="https://api.telegram.org", alias="TELEGRAM_API_URL")
    """Telegram's API."""
    slack_api_url: str = Field(default="https://slack.com/api", alias="SLACK_API_URL")
    """Slack's API."""
    graph_api_url: str = Field(default="https://graph.facebook.com", alias="GRAPH_API_URL")
    """Meta's API for Messenger, WhatsApp, and Instagram through a page."""
    instagram_api_url: str = Field(default="https://graph.instagram.com", alias="INSTAGRAM_API_URL")
    """Meta's API for Instagram accounts without a page."""
    graph_api_version: str = Field(default="v23.0", alias="GRAPH_API_VERSION", pattern=r"^v[0-9]{1,3}\.[0-9]$")
    """The version of Meta's API for sending (connecting always uses v23.0); Meta supports one for about two years."""

    @property
    def api_urls(self) -> tuple[str, ...]:
        return self.telegram_api_url, self.slack_api_url, self.graph_api_url, self.instagram_api_url

    def problems(self) -> list[str]:
        return address_problems(self, TELEGRAM_API_URL=WEB, GRAPH_API_URL=WEB, SLACK_API_URL=WEB, INSTAGRAM_API_URL=WEB)


class EgressSettings(Domain):
    """Egress: requests to addresses that others give."""

    allow: str = Field(default="", alias="EGRESS_ALLOW")
    """What addresses given by others may lead to besides ports 80 and 443 of the public network:
    `purpose:host:port`, separated by commas; the purpose is `send`, `media`, `site` or
    `model`."""

    @property
    def openings(self) -> tuple[Opening, ...]:
        return parse(self.allow)

    def problems(self) -> list[str]:
        try:
            parse(self.allow)
        except ValueError as e:
            return [f"EGRESS_ALLOW: {e}"]
        return []


class MediaSettings(Domain):
    """Attachments: in a folder or an S3-compatible bucket."""

    dir: Folder | None = Field(default=None, alias="MEDIA_DIR")
    """Where attachments are stored, by their hash; shared by gateway, intake, media and maintenance. Unset:
    `DATA_DIR/media`."""
    s3_bucket: str | None = Field(default=None, alias="MEDIA_S3_BUCKET")
    """An S3-compatible bucket for attachments instead of a folder."""
    s3_endpoint: str | None = Field(default=None, alias="MEDIA_S3_ENDPOINT")
    """Its address. Unset: Amazon's."""
    s3_region: str = Field(default="us-east-1", alias="MEDIA_S3_REGION")
    """Its region."""
    s3_key_id: str = Field(default="", alias="MEDIA_S3_KEY_ID")
    """The id of its access key. Unset: what the machine's role allows."""
    s3_secret: SecretStr = Field(default=SecretStr(""), alias="MEDIA_S3_SECRET")
    """The secret of its access key."""
    max_bytes: int = Field(default=25 * 1024 * 1024, alias="MEDIA_MAX_BYTES", gt=0)
    """The largest attachment that is fetched."""
    deadline_s: float = Field(default=60.0, alias="MEDIA_DEADLINE_S", gt=0)
    """How long fetching one may take."""
    types: str = Field(
        default="image/,audio/,video/,text/plain,text/csv,text/vcard,application/pdf,application/msword,application/vnd.,"
        "application/zip,application/json",
        alias="MEDIA_TYPES",
    )
    """Which attachments are stored: beginnings of media types, separated by commas."""
    scan_command: str = Field(default="", alias="MEDIA_SCAN_COMMAND")
    """A virus scanner such as `clamdscan --no-summary -`: gets the bytes on stdin; exit code 0 means clean, 1
    infected, any other: try again."""
    url_ttl_s: float = Field(default=300.0, alias="MEDIA_URL_TTL_S", gt=0)
    """How long a link to an attachment is valid."""

    @property
    def type_prefixes(self) -> tuple[str, ...]:
        return tuple(prefix.strip().lower() for prefix in self.types.split(",") if prefix.strip())

    def problems(self) -> list[str]:
        return address_problems(self, MEDIA_S3_ENDPOINT=WEB)
