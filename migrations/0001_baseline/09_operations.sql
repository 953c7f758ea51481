-- Operations: the sweeper, scheduled jobs, alerts and sizes, partitions by day.

-- When the fleet's sweeper looks next; one row, which is also its lock.
CREATE TABLE sweeps (
    only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    next_at  timestamptz NOT NULL DEFAULT now(),
    pause_s  double precision NOT NULL DEFAULT 0,
    overdue  bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 10, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);
INSERT INTO sweeps DEFAULT VALUES;
REVOKE INSERT, DELETE ON sweeps FROM switchboard_app;

-- ------------------------------------------------------------------ jobs
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
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 200);

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

-- Operators' tables without a word of a customer's: the processes may read them. Some jobs run in processes that hold
-- the application role alone (switchboard_own_job); their rows are that role's to write.
REVOKE INSERT, UPDATE, DELETE ON jobs, job_runs FROM switchboard_app;
GRANT INSERT (name, slot), UPDATE (cursor, run_id, leased_until, slot, failures, retry_at) ON jobs TO switchboard_app;
GRANT INSERT (name, started_by, resumed), UPDATE (outcome, error, finished_at, batches, rows, bytes, cursor)
    ON job_runs TO switchboard_app;

ALTER TABLE jobs ENABLE ROW LEVEL SECURITY;
CREATE POLICY readable ON jobs FOR SELECT USING (true);
CREATE POLICY begun ON jobs FOR INSERT TO switchboard_app WITH CHECK (switchboard_own_job(name));
CREATE POLICY kept ON jobs FOR UPDATE TO switchboard_app
    USING (switchboard_own_job(name)) WITH CHECK (switchboard_own_job(name));

ALTER TABLE job_runs ENABLE ROW LEVEL SECURITY;
CREATE POLICY readable ON job_runs FOR SELECT USING (true);
CREATE POLICY begun ON job_runs FOR INSERT TO switchboard_app WITH CHECK (switchboard_own_job(name));
CREATE POLICY kept ON job_runs FOR UPDATE TO switchboard_app
    USING (switchboard_own_job(name)) WITH CHECK (switchboard_own_job(name));

-- Rounds that beat wakes a task for and that no row of work makes harmless to repeat: asking every platform, auditing
-- every index. Two beats wake it twice; whoever asks first begins the round.
CREATE TABLE rounds (
    name     text PRIMARY KEY,
    begun_at timestamptz NOT NULL
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 200);
REVOKE DELETE ON rounds FROM switchboard_app;

-- ------------------------------------------------------------------ health
-- What tables weighed each day.
CREATE TABLE table_sizes (
    day   date NOT NULL,
    name  text NOT NULL,                         -- a table; a partitioned one with all its partitions
    bytes bigint NOT NULL,                       -- with its indexes and TOAST
    rows  bigint NOT NULL,                       -- as the last ANALYZE saw them
    PRIMARY KEY (day, name)
);
REVOKE INSERT, UPDATE, DELETE ON table_sizes FROM switchboard_app;

-- An alert stands from the look that saw it first until one that does not see it any more. told_at: when somebody was
-- told last, null: nobody yet. cleared_at: it is over, and that is to be told; then the row goes.
CREATE TABLE alerts (
    key        text PRIMARY KEY,
    id         bigint GENERATED ALWAYS AS IDENTITY,
    words      text NOT NULL,
    since      timestamptz NOT NULL DEFAULT clock_timestamp(),
    told_at    timestamptz,
    cleared_at timestamptz
);
REVOKE INSERT, UPDATE, DELETE ON alerts FROM switchboard_app;

-- How much waited in each queue a minute and more ago: by it operators see whether a queue shrinks, and when it will be
-- empty. Noted each minute by whichever worker takes the wake-up, kept for a quarter of an hour.
CREATE TABLE queue_depths (
    queue    text NOT NULL CHECK (queue <> ''),
    noted_at timestamptz NOT NULL DEFAULT now(),
    depth    bigint NOT NULL CHECK (depth >= 0),
    PRIMARY KEY (queue, noted_at)
);
COMMENT ON TABLE queue_depths IS 'what waited in each queue in the last minutes; system-wide, without content';

-- ------------------------------------------------------------------ partitions by day
-- switchboard_make_partition() makes the days (functions/operations.sql). The default partition takes what has no day
-- of its own (a clock that jumped): nothing is refused. A partition reached directly would not ask the parent's policy,
-- so the application role may not.
DO $$
DECLARE
    parent text;
BEGIN
    FOREACH parent IN ARRAY ARRAY['webhook_events', 'webhook_raw', 'delivery_attempts', 'llm_calls'] LOOP
        EXECUTE format('CREATE TABLE %I PARTITION OF %I DEFAULT', parent || '_default', parent);
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', parent || '_default');
        EXECUTE format('REVOKE ALL ON %I FROM switchboard_app', parent || '_default');
    END LOOP;
END $$;
