-- Delivery: parts of replies on their way to a platform.

-- queued: due at due_at (a claim moves it ahead, fenced by epoch). sending: the request may have left; due_at is
-- when it becomes uncertain. uncertain: blocks its conversation until uncertain_at + a bound.
-- Vacuumed as often as turns, for the same reason.
CREATE TABLE outbound (
    company_id      bigint NOT NULL REFERENCES companies,
    id              bigint GENERATED ALWAYS AS IDENTITY,
    conversation_id bigint NOT NULL,
    channel_id      bigint NOT NULL,
    turn_id         bigint,
    message_id      bigint NOT NULL,
    part            int NOT NULL,
    text            text NOT NULL,
    state           text NOT NULL DEFAULT 'queued'
        CHECK (state IN ('queued', 'sending', 'sent', 'uncertain', 'failed', 'cancelled')),
    epoch           int NOT NULL DEFAULT 0,
    attempts        int NOT NULL DEFAULT 0,
    due_at          timestamptz NOT NULL DEFAULT now(),
    uncertain_at    timestamptz,
    meaning         text,                        -- why it is where it is: a static word
    platform_message_id text,
    created_at      timestamptz NOT NULL DEFAULT now(),
    finished_at     timestamptz,
    -- false: later parts of the conversation need not wait for it. Answers to programs (Standard Webhooks) may be sent
    -- again for days, which must hold up nothing else.
    blocks          boolean NOT NULL DEFAULT true,
    delivered_at    timestamptz,
    read_at         timestamptz,
    PRIMARY KEY (company_id, id),
    UNIQUE (company_id, message_id, part),
    FOREIGN KEY (company_id, conversation_id) REFERENCES conversations
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000,
        autovacuum_analyze_scale_factor = 0.02);
CREATE INDEX outbound_due ON outbound (company_id, due_at) WHERE state IN ('queued', 'sending');
CREATE INDEX outbound_open ON outbound (company_id, conversation_id, id)
    WHERE state IN ('queued', 'sending', 'uncertain');
-- Few rows however long the queue is: the sweeper looks for sends without a result every few seconds, operators for
-- what is uncertain.
CREATE INDEX outbound_sending ON outbound (due_at) WHERE state = 'sending';
CREATE INDEX outbound_uncertain ON outbound (uncertain_at) WHERE state = 'uncertain';
-- One turn has one reply, whatever else goes wrong.
CREATE UNIQUE INDEX outbound_one_reply ON outbound (company_id, turn_id, part) WHERE turn_id IS NOT NULL;
CREATE INDEX outbound_platform_id ON outbound (company_id, channel_id, platform_message_id, id)
    WHERE platform_message_id IS NOT NULL;
SELECT switchboard_isolate('outbound');

CREATE TABLE delivery_attempts (
    company_id  bigint NOT NULL,
    outbound_id bigint NOT NULL,
    attempt     int NOT NULL,
    day         date NOT NULL,
    started_at  timestamptz NOT NULL,
    duration_ms int,
    status      text,
    meaning     text,
    http_status int,
    PRIMARY KEY (company_id, outbound_id, attempt, day)
) PARTITION BY RANGE (day);
SELECT switchboard_isolate('delivery_attempts');

-- What a platform says of a part while its send is still under way and its id therefore unknown.
CREATE TABLE early_statuses (
    company_id  bigint NOT NULL,
    channel_id  bigint NOT NULL,
    external_id text NOT NULL,
    status      text NOT NULL,
    meaning     text,
    at          timestamptz NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (company_id, channel_id, external_id, status),
    FOREIGN KEY (company_id, channel_id) REFERENCES channels
);
SELECT switchboard_isolate('early_statuses');
