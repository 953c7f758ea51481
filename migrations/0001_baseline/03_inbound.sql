-- Inbound: what came in, before it is anybody's message.

-- ------------------------------------------------------------------ the ledger (an operators' table)
-- Identity is the journal entry and the event's place in it: whoever dies between commit and XACK meets
-- its own row. company_id is empty where none is known. The application role appends and meets its own rows
-- through ledger_known(); operators read as the owner.
CREATE TABLE webhook_events (
    day         date NOT NULL,
    stream      text NOT NULL,
    entry_id    text NOT NULL,
    ordinal     int NOT NULL,
    received_at timestamptz NOT NULL,
    stored_at   timestamptz NOT NULL DEFAULT now(),
    platform    text NOT NULL,
    app_id      bigint NOT NULL,
    company_id  bigint,
    channel_id  bigint,
    kind        text NOT NULL,
    dedupe_key  text,
    outcome     text NOT NULL CHECK (outcome IN ('effected', 'dropped', 'parked')),
    reason      text,
    message_id  bigint,
    -- One id for a request from the edge to the reply, given by the gateway to each accepted webhook: <ms in
    -- hex>-<random>. The ms lead to the day and the journal's entries of that time, so that looking one up needs no
    -- index, which every event would pay for.
    request_id  text,
    PRIMARY KEY (day, stream, entry_id, ordinal)
) PARTITION BY RANGE (day);
CREATE INDEX webhook_events_parked ON webhook_events (day, stream, entry_id) WHERE outcome = 'parked';
ALTER TABLE webhook_events ENABLE ROW LEVEL SECURITY;
CREATE POLICY company ON webhook_events
    USING (company_id = ANY ((SELECT switchboard_companies())::bigint[]))
    WITH CHECK (company_id IS NULL OR company_id = ANY ((SELECT switchboard_companies())::bigint[]));

CREATE TABLE webhook_raw (
    day         date NOT NULL,
    stream      text NOT NULL,
    entry_id    text NOT NULL,
    platform    text NOT NULL,
    app_id      bigint NOT NULL,
    received_at timestamptz NOT NULL,
    size        int NOT NULL,                    -- bytes as received
    body        bytea NOT NULL,                  -- zlib
    delivery_id text,                            -- programs (Standard Webhooks): the sender's name for the request, the
                                                 -- same each time it comes
    PRIMARY KEY (day, stream, entry_id)
) PARTITION BY RANGE (day);
REVOKE SELECT, UPDATE, DELETE ON webhook_raw FROM switchboard_app;

-- What the journal's consumers have done, a row a stream, touched once a batch under the shard's lock.
-- requests + redrives + what still lies in the stream = the stream's entries-added.
-- Few rows, each updated many times a second: a share of them says nothing to autovacuum, a number does.
CREATE TABLE journal_progress (
    stream     text PRIMARY KEY,
    requests   bigint NOT NULL DEFAULT 0,
    redrives   bigint NOT NULL DEFAULT 0,
    repeats    bigint NOT NULL DEFAULT 0,        -- our own repetitions after a crash, not the platform's
    updated_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);

-- When the balance was last taken; one row a take, newest wins. Kept for a while by the log retention.
CREATE TABLE balance_checks (
    taken_at  timestamptz PRIMARY KEY DEFAULT now(),
    received  bigint NOT NULL,
    stored    bigint NOT NULL,
    redrives  bigint NOT NULL,
    in_flight bigint NOT NULL,
    oldest_s  double precision NOT NULL          -- since when the oldest entry in flight waits
);
REVOKE UPDATE, DELETE ON balance_checks FROM switchboard_app;

-- How an app's webhooks were answered, minute by minute: platforms that see failures only disable a subscription.
CREATE TABLE app_answers (
    app_id   bigint NOT NULL,
    minute   timestamptz NOT NULL,
    accepted bigint NOT NULL DEFAULT 0,          -- 2xx
    refused  bigint NOT NULL DEFAULT 0,          -- 4xx: a wrong secret, no JSON
    failed   bigint NOT NULL DEFAULT 0,          -- 5xx: ours
    PRIMARY KEY (app_id, minute)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);
REVOKE UPDATE, DELETE ON app_answers FROM switchboard_app;

-- What intake had to drop although somebody should know of it, by application. account: the platform's id of the page
-- or number that an event named, '' where it names none. A row is an episode: since when, how many, and the last one.
-- It begins anew after a day without.
CREATE TABLE dropped_events (
    app_id  bigint NOT NULL REFERENCES apps ON DELETE CASCADE,
    account text NOT NULL,
    reason  text NOT NULL,
    events  bigint NOT NULL,
    since   timestamptz NOT NULL DEFAULT now(),
    last_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (app_id, account, reason)
);
REVOKE ALL ON dropped_events FROM switchboard_app;
