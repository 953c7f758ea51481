-- How long logs are kept. What customers and companies wrote is no log and stands in no row here.

CREATE TABLE retention_policies (
    subject    text PRIMARY KEY,
    days       int NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now(),
    CHECK (days >= 1),
    -- platforms repeat a request for a week; the ledger is what tells an entry that was stored already
    CHECK (subject <> 'webhook_events' OR days >= 7)
);
INSERT INTO retention_policies (subject, days) VALUES
    ('webhook_raw', 7),          -- request bodies: for redriving and for finding out what a platform sent
    ('webhook_events', 90),      -- the ledger
    ('delivery_attempts', 90),
    ('llm_calls', 90),           -- what they came to in a day stays in usage_daily
    ('balance_checks', 90),
    ('job_runs', 400);           -- what was done to data and when: longer than a year, so that two can be compared
REVOKE INSERT, UPDATE, DELETE ON retention_policies FROM switchboard_app;

-- A company's own term: shorter deletes its rows earlier, longer keeps them when everybody else's day is dropped.
-- purged_before: up to this day a shorter one has been carried out.
CREATE TABLE retention_overrides (
    company_id    bigint NOT NULL REFERENCES companies,
    subject       text NOT NULL REFERENCES retention_policies
        CHECK (subject IN ('webhook_raw', 'webhook_events', 'delivery_attempts', 'llm_calls')),
    days          int NOT NULL CHECK (days >= 1),
    purged_before date,
    updated_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (company_id, subject),
    CHECK (subject <> 'webhook_events' OR days >= 7)
);
SELECT switchboard_isolate('retention_overrides');
REVOKE INSERT, UPDATE, DELETE ON retention_overrides FROM switchboard_app;
