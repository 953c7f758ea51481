-- The archive: old messages of quiet conversations, with all that belongs to them, compressed and still readable.
--
-- Always a conversation's oldest ones: up to conversations.archived_seq they are in the archive (or were deleted from
-- there), behind it they are in their tables. So whoever reads by seq meets a gap and knows where to look.

ALTER TABLE conversations ADD COLUMN archived_seq bigint NOT NULL DEFAULT 0;
-- Null: as the settings say. A company that keeps its archive for ever has no archive_delete_after_days.
ALTER TABLE companies
    ADD COLUMN archive_after_days int CHECK (archive_after_days >= 30),
    ADD COLUMN archive_delete_after_days int CHECK (archive_delete_after_days >= 60);

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

-- Rows of one table that belong to a stretch of one conversation, as to_jsonb made them: a column that is added to the
-- table later comes along, and takes its default when an older segment is restored. Wider than 2 kB, so compressed by
-- TOAST with the server's default_toast_compression. Hash partitions: what is done here is done company by company.
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
    body            jsonb NOT NULL,
    PRIMARY KEY (company_id, conversation_id, kind, last_seq),
    FOREIGN KEY (company_id, conversation_id) REFERENCES conversations
) PARTITION BY HASH (company_id);
SELECT switchboard_isolate('archive_segments');
REVOKE INSERT, UPDATE, DELETE ON archive_segments FROM switchboard_app;

-- What a late repetition of an archived message meets: messages' unique key, by 16 bytes of its SHA-256.
CREATE TABLE archived_keys (
    company_id bigint NOT NULL,
    channel_id bigint NOT NULL,
    key_hash   uuid NOT NULL,
    message_id bigint NOT NULL,
    PRIMARY KEY (company_id, channel_id, key_hash)
);
SELECT switchboard_isolate('archived_keys');
REVOKE INSERT, UPDATE, DELETE ON archived_keys FROM switchboard_app;

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

CREATE FUNCTION dedupe_key_hash(key text) RETURNS uuid
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT encode(substring(sha256(convert_to(key, 'UTF8')) FROM 1 FOR 16), 'hex')::uuid
$$;
GRANT EXECUTE ON FUNCTION dedupe_key_hash TO switchboard_app;

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

-- A line a company, for operators.
CREATE VIEW archive_statistics AS
    SELECT company_id, count(DISTINCT conversation_id) AS conversations,
           coalesce(sum(rows) FILTER (WHERE kind = 'messages'), 0)::bigint AS messages, sum(rows)::bigint AS rows,
           count(*) AS segments, sum(hot_bytes)::bigint AS hot_bytes, sum(pg_column_size(body))::bigint AS bytes,
           min(from_at) AS oldest_at, max(to_at) AS newest_at
    FROM archive_segments GROUP BY company_id;
REVOKE ALL ON archive_statistics FROM switchboard_app;

-- Attachments' rows are narrow and stay where they are when their messages go to the archive: an address that was
-- shown before shows them still. So they refer to no row any more (whoever deletes messages for good forgets their
-- attachments, whose bytes would otherwise stay for ever), and know the name that stood in the message.
ALTER TABLE media DROP CONSTRAINT media_company_id_message_id_fkey, ADD COLUMN name text;
