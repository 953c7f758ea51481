"""When quiet conversations go to the archive."""

from __future__ import annotations

from tasks.operations.job_task import job

move_messages = job("archive.move_messages", "Move old messages of quiet conversations, company by company.")
delete_old = job("archive.delete_old", "Delete archives older than their bound, where there is one.")
