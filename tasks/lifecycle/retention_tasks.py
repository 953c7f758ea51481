"""When logs that are over go: raw bodies first, because the ledger says which of them a person still needs."""

from __future__ import annotations

from tasks.operations.job_task import job

drop_raw = job("retention.drop_raw", "Drop request bodies whose term is over.")
drop_logs = job("retention.drop_logs", "Drop the ledger's, attempts', calls' and runs' days that are over.")
