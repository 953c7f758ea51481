-- Scheduled jobs: what the timetable owes, who is at it, where it goes on, and what became of every run.

-- A row for each job that was ever due. slot: the newest hour of its timetable that was done. phase: its place in
-- the jitter, so that installations on one server do not all begin at the same second. cursor: where the next run goes
-- on, null: from the beginning. run_id, leased_until: who is at it; the run's id fences.
CREATE TABLE jobs (
    name         text PRIMARY KEY,
    phase        double precision NOT NULL DEFAULT random(),
    slot         timestamptz NOT NULL,
    cursor       jsonb,
    run_id       bigint,
    leased_until timestamptz,
    failures     int NOT NULL DEFAULT 0,         -- in a row
    retry_at     timestamptz
) WITH (fillfactor = 50);

-- running: or killed, if its job is no longer leased to it. more: its time was over, and the next run goes on.
CREATE TABLE job_runs (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name        text NOT NULL,
    started_by  text NOT NULL CHECK (started_by IN ('timetable', 'hand')),
    started_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_at timestamptz,
    outcome     text NOT NULL DEFAULT 'running' CHECK (outcome IN ('running', 'done', 'more', 'failed', 'lost')),
    batches     bigint NOT NULL DEFAULT 0,
    rows        bigint NOT NULL DEFAULT 0,
    bytes       bigint NOT NULL DEFAULT 0,
    error       text,                            -- a class, never content
    resumed     jsonb,                           -- the cursor it began with
    cursor      jsonb                            -- the one it left
);
CREATE INDEX job_runs_of_job ON job_runs (name, id DESC);

-- Operators' tables without a word of a customer's: the processes may read them.
REVOKE INSERT, UPDATE, DELETE ON jobs, job_runs FROM switchboard_app;
