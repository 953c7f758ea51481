"""Backup jobs: make one every hour, delete those no longer kept, and restore the newest as a test every day."""

from __future__ import annotations

from dataclasses import replace

from shared.settings import Settings
from shared.store.lifecycle import backups as store
from shared.store.operations.jobs import Cursor
from tasks.lifecycle.backup import dump, prove
from tasks.lifecycle.backup.folder import NONE_YET, Backup, BackupFolder, Tiers, superfluous
from tasks.operations.jobs import Batch, Job, Preview, Work


def tiers_of(settings: Settings) -> Tiers:
    return Tiers(
        settings.backup.keep_hourly, settings.backup.keep_daily, settings.backup.keep_weekly,
        settings.backup.keep_monthly,
    )  # fmt: skip


def kept(backup: Backup) -> store.Kept:
    facts = backup.manifest.get("facts", {})
    rows = sum(facts.get("rows", {}).values())
    seconds = float(backup.manifest.get("seconds", 0))
    made = store.Kept(backup.name, backup.made_at, seconds, backup.size, rows)
    return made if backup.proof is None else replace(made, proved_at=backup.proof.at, proof=backup.proof.found)


def to_thin(work: Work, place: BackupFolder) -> list[Backup]:
    """Return the backups that no tier keeps, without the newest one that was restored as a test."""
    restored = next((k.name for k in store.all_kept(work.conn) if k.proof == "restored"), None)
    found = {backup.name: backup for backup in place.all()}
    return [found[name] for name in superfluous(list(found), tiers_of(work.settings)) if name != restored]


def _make(work: Work, cursor: Cursor | None) -> Batch:
    """Make a backup, after deleting old ones to make room. size: its bytes."""
    place = BackupFolder(work.settings.backup_folder)
    with place.held():
        for old in to_thin(work, place):
            place.remove(old)
        made = dump.make(work, place)
        for old in to_thin(work, place):
            place.remove(old)
        store.sync(work.conn, [kept(backup) for backup in place.all()])
    return Batch(kept(made).rows, made.size)


def _would_make(work: Work) -> Preview:
    place = BackupFolder(work.settings.backup_folder)
    lines = [f"would make one in {place.path}", *(f"would delete {old.name}" for old in to_thin(work, place))]
    newest = next(iter(place.all()), None)
    return Preview(0, newest.size if newest else 0, tuple(lines))


def _prove(work: Work, cursor: Cursor | None) -> Batch:
    """Prove the newest backup by restoring it. Without one there is nothing to prove; a health check reports that."""
    place = BackupFolder(work.settings.backup_folder)
    with place.held():
        newest = next(iter(place.all()), None)
        if newest is None:
            return Batch(lacking=NONE_YET)
        store.sync(work.conn, [kept(backup) for backup in place.all()])
        prove.prove(work, place, newest)
    return Batch(kept(newest).rows, newest.size)


def _would_prove(work: Work) -> Preview:
    newest = next(iter(BackupFolder(work.settings.backup_folder).all()), None)
    if newest is None:
        return Preview(0, 0, (NONE_YET,))
    return Preview(kept(newest).rows, newest.size, (f"would restore {newest.name} and count",))


MAKE = Job("lifecycle.make_backup", _make, _would_make)
PROVE = Job("lifecycle.prove_backup", _prove, _would_prove)

__all__ = ["MAKE", "PROVE", "Backup", "BackupFolder", "kept", "to_thin"]
