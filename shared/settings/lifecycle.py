"""How long conversations stay, and backups."""

from __future__ import annotations

from pydantic import Field

from shared.settings.kinds import Domain, Folder


class ArchiveSettings(Domain):
    """The archive of old conversations."""

    after_days: int = Field(default=183, alias="ARCHIVE_AFTER_DAYS", ge=30)
    """A conversation without a message for this many days is archived, unless its company has a term of its own."""
    delete_after_days: int | None = Field(default=None, alias="ARCHIVE_DELETE_AFTER_DAYS", ge=60)
    """Archives older than this are deleted for good. Unset: never."""
    messages_per_s: int = Field(default=2000, alias="ARCHIVE_MESSAGES_PER_S", ge=0)
    """Pace of moving messages to the archive; a slower one disturbs other writes less. 0: as fast as possible."""
    keep_messages: int = Field(default=100, alias="ARCHIVE_KEEP_MESSAGES", ge=1)
    """Messages of each conversation that stay out of the archive."""


class BackupSettings(Domain):
    """Backups of the database."""

    dir: Folder | None = Field(default=None, alias="BACKUP_DIR")
    """Where backups are stored; better on another disk. Unset: `DATA_DIR/backups`."""
    # How many hours, days, weeks and months that have a backup keep their newest one. What somebody had erased is gone
    # from all of them once the oldest is.
    keep_hourly: int = Field(default=24, alias="BACKUP_KEEP_HOURLY", ge=1)
    """For how many hours the newest backup of each is kept."""
    keep_daily: int = Field(default=7, alias="BACKUP_KEEP_DAILY", ge=0)
    """The same for days."""
    keep_weekly: int = Field(default=4, alias="BACKUP_KEEP_WEEKLY", ge=0)
    """The same for weeks."""
    keep_monthly: int = Field(default=0, alias="BACKUP_KEEP_MONTHLY", ge=0)
    """The same for months. What somebody had erased is gone from all backups once the oldest is."""
    deadline_s: float = Field(default=3_000.0, alias="BACKUP_DEADLINE_S", gt=0, le=6_000)
    """Time for a backup; it must be done before the next one is due."""
    alert_after_h: float = Field(default=3.0, alias="BACKUP_ALERT_AFTER_H", gt=0)
    """Hours without a backup before there is an alert."""
    proof_alert_after_h: float = Field(default=50.0, alias="BACKUP_PROOF_ALERT_AFTER_H", gt=0)
    """Hours without a backup that was restored as a test before there is an alert."""
    command: str = Field(default="", alias="BACKUP_COMMAND")
    """A backup tool of your own instead of `pg_dump`; it finds its folder in `BACKUP_FOLDER` and the database
    in `PG…`."""
    prove_command: str = Field(default="", alias="BACKUP_PROVE_COMMAND")
    """The command that checks that what is in `BACKUP_FOLDER` can be restored."""
