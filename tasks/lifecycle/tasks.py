"""Celery tasks of the lifecycle: drop old logs, archive quiet conversations, make and test backups."""

from __future__ import annotations

from tasks.lifecycle import archive, backup, retention
from tasks.operations.job_task import LONG, task_of

drop_raw = task_of(retention.DROP_RAW, "Drop request bodies whose term is over.")
drop_logs = task_of(retention.DROP_LOGS, "Drop the ledger's, attempts', calls' and runs' days that are over.")
move_messages = task_of(archive.MOVE_MESSAGES, "Move old messages of quiet conversations, company by company.")
delete_old = task_of(archive.DELETE_OLD, "Delete archives older than their bound, where there is one.")
make_backup = task_of(backup.MAKE, "Make a backup, and delete those that are no longer kept.", **LONG)
prove_backup = task_of(backup.PROVE, "Try whether the newest backup restores and balances.", **LONG)
