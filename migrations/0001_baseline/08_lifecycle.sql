-- Lifecycle: how long logs are kept, the archive, proof of deletions, backups.

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
    ('job_runs', 400),           -- what was done to data and when: longer than a year, so that two can be compared
    ('table_sizes', 800),        -- two years and a bit, to compare months
    ('daily_uses', 90);
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

-- ------------------------------------------------------------------ the archive
-- Old messages of quiet conversations, with all that belongs to them, compressed and still readable.
--
-- Always a conversation's oldest ones: up to conversations.archived_seq they are in the archive (or were deleted from
-- there), behind it they are in their tables. So whoever reads by seq meets a gap and knows where to look.

-- messages, rows: moved, of all kinds. bytes_before: of the rows written out. bytes_after: of their segments.
CREATE TABLE archive_runs (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    started_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_at  timestamptz,
    messages     bigint NOT NULL DEFAULT 0,
    rows         bigint NOT NULL DEFAULT 0,
    bytes_before bigint NOT NULL DEFAULT 0,
    bytes_after  bigint NOT NULL DEFAULT 0,
    restored     bigint NOT NULL DEFAULT 0       -- messages that came back since
);
REVOKE ALL ON archive_runs FROM switchboard_app;

-- Rows of one table that belong to a stretch of one conversation, as row objects: a column that is added to the table
-- later comes along, and takes its default when an older segment is restored. As JSON text instead of jsonb: half the
-- work to make, and no more to read (decision 0007). Wider than 2 kB, so compressed by TOAST with the server's
-- default_toast_compression. Hash partitions: what is done here is done company by company.
CREATE TABLE archive_segments (
    company_id      bigint NOT NULL REFERENCES companies,
    conversation_id bigint NOT NULL,
    kind            text NOT NULL CHECK (kind IN ('messages', 'turns', 'receipts', 'outbound')),
    last_seq        bigint NOT NULL,             -- the stretch; one segment a kind
    first_seq       bigint NOT NULL,
    run_id          bigint NOT NULL,
    from_at         timestamptz NOT NULL,        -- when its oldest and newest row were made
    to_at           timestamptz NOT NULL,
    rows            int NOT NULL,
    hot_bytes       bigint NOT NULL,             -- of its rows, written out
    body            json NOT NULL,
    PRIMARY KEY (company_id, conversation_id, kind, last_seq),
    FOREIGN KEY (company_id, conversation_id) REFERENCES conversations
) PARTITION BY HASH (company_id);
SELECT switchboard_isolate('archive_segments');
REVOKE INSERT, UPDATE, DELETE ON archive_segments FROM switchboard_app;

-- A partition reached directly would not ask the parent's policy, so the application role may not.
DO $$
DECLARE
    child text;
BEGIN
    FOR part IN 0..7 LOOP
        child := format('archive_segments_%s', part);
        EXECUTE format('CREATE TABLE %I PARTITION OF archive_segments FOR VALUES WITH (MODULUS 8, REMAINDER %s)',
                       child, part);
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', child);
        EXECUTE format('REVOKE ALL ON %I FROM switchboard_app', child);
    END LOOP;
END $$;

-- A line a company, for operators.
CREATE VIEW archive_statistics AS
    SELECT company_id, count(DISTINCT conversation_id) AS conversations,
           coalesce(sum(rows) FILTER (WHERE kind = 'messages'), 0)::bigint AS messages, sum(rows)::bigint AS rows,
           count(*) AS segments, sum(hot_bytes)::bigint AS hot_bytes, sum(pg_column_size(body))::bigint AS bytes,
           min(from_at) AS oldest_at, max(to_at) AS newest_at
    FROM archive_segments GROUP BY company_id;
REVOKE ALL ON archive_statistics FROM switchboard_app;

-- What a late repetition of an archived message meets: messages' unique key, by 16 bytes of its SHA-256.
-- Grows by inserts alone: vacuumed after a twentieth of it is new, as messages.
CREATE TABLE archived_keys (
    company_id bigint NOT NULL,
    channel_id bigint NOT NULL,
    key_hash   uuid NOT NULL,
    message_id bigint NOT NULL,
    PRIMARY KEY (company_id, channel_id, key_hash)
) WITH (autovacuum_vacuum_insert_scale_factor = 0.05);
SELECT switchboard_isolate('archived_keys');
REVOKE INSERT, UPDATE, DELETE ON archived_keys FROM switchboard_app;

-- ------------------------------------------------------------------ proof
-- Proof that something was deleted, without what it was. subject: a hash where it names a person. counts: rows by
-- table. Never deleted by a job.
CREATE TABLE deletion_receipts (
    company_id   bigint NOT NULL REFERENCES companies,
    id           bigint GENERATED ALWAYS AS IDENTITY,
    kind         text NOT NULL CHECK (kind IN ('archive', 'contact')),
    subject      text NOT NULL,
    requested_by text NOT NULL,
    counts       jsonb NOT NULL,
    first_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    last_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (company_id, id),
    UNIQUE (company_id, kind, subject)
);
SELECT switchboard_isolate('deletion_receipts');
REVOKE INSERT, UPDATE, DELETE ON deletion_receipts FROM switchboard_app;

-- Which backups there are, and whether the newest restores. The folder of backups is the truth; these rows are what a
-- gateway on another machine sees of it.
CREATE TABLE backups (
    name      text PRIMARY KEY,                  -- 20261125T210700Z: when its snapshot was taken
    made_at   timestamptz NOT NULL,
    seconds   double precision NOT NULL,
    bytes     bigint NOT NULL,
    rows      bigint NOT NULL,
    proved_at timestamptz,                       -- when somebody tried whether it restores
    proof     text                               -- unproven: the operator's own tool made it
        CHECK (proof IN ('restored', 'differs', 'failed', 'unproven')),
    CHECK ((proved_at IS NULL) = (proof IS NULL))
);
REVOKE INSERT, UPDATE, DELETE ON backups FROM switchboard_app;
