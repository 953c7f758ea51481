-- Answers: turns, how each answer came to be and what it cost, and how far replies are behind.

-- waiting: due at due_at. answering: leased until due_at, fenced by epoch. So one index finds both what is due
-- and what was abandoned. no_reply: the customer's words want no answer ("ok", a thumb), and none was sent.
--
-- Claims, sweeps and leases read turns and parts through partial indexes whose entries die with each state that a row
-- passes; a vacuum of one in a hundred keeps the walk short, and its cost stays that of the few pages that changed.
CREATE TABLE turns (
    company_id      bigint NOT NULL REFERENCES companies,
    id              bigint GENERATED ALWAYS AS IDENTITY,
    conversation_id bigint NOT NULL,
    channel_id      bigint NOT NULL,
    state           text NOT NULL DEFAULT 'waiting'
        CHECK (state IN ('waiting', 'answering', 'answered', 'handed_over', 'cancelled', 'no_reply')),
    epoch           int NOT NULL DEFAULT 0,
    cancels         int NOT NULL DEFAULT 0,
    attempts        int NOT NULL DEFAULT 0,
    first_seq       bigint NOT NULL,
    last_seq        bigint NOT NULL,
    first_at        timestamptz NOT NULL DEFAULT now(),
    received_at     timestamptz NOT NULL,        -- when the gateway accepted the newest message
    due_at          timestamptz NOT NULL,
    error           text,                        -- class of the last failure, never content
    created_at      timestamptz NOT NULL DEFAULT now(),
    finished_at     timestamptz,
    wanted_at       timestamptz,                 -- when the turn's quiet was over (and it waited for a worker only)
    claimed_at      timestamptz,                 -- when a worker last took it
    request_id      text,                        -- of the newest message that the turn answers
    PRIMARY KEY (company_id, id),
    FOREIGN KEY (company_id, conversation_id) REFERENCES conversations
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000,
        autovacuum_analyze_scale_factor = 0.02);
CREATE INDEX turns_due ON turns (company_id, due_at) WHERE state IN ('waiting', 'answering');
-- What stands before a turn in its conversation, and which turn a new message belongs to: asked with every claim
-- and every batch of messages, and without this index answered by reading all open turns of the company.
CREATE INDEX turns_open ON turns (company_id, conversation_id, id) WHERE state IN ('waiting', 'answering');
CREATE INDEX turns_of_conversation ON turns (company_id, conversation_id, id);
CREATE UNIQUE INDEX turns_one_waiting ON turns (company_id, conversation_id) WHERE state = 'waiting';
CREATE UNIQUE INDEX turns_one_answering ON turns (company_id, conversation_id) WHERE state = 'answering';
SELECT switchboard_isolate('turns');

-- How an answer came to be. It names its turn without a constraint, as parts and messages do: a receipt is written in
-- the transaction that ends its turn, and leaves before it (shared/store/lifecycle); asking receipts for each turn that
-- is deleted was an eighth of what moving a message to the archive costs.
CREATE TABLE receipts (
    company_id  bigint NOT NULL REFERENCES companies,
    turn_id     bigint NOT NULL,
    message_id  bigint,                          -- null: of a turn that wanted no reply
    step        text NOT NULL,
    reason      text NOT NULL,
    passages    jsonb NOT NULL,
    citations   jsonb NOT NULL,
    attempts    jsonb NOT NULL,
    tokens_in   int NOT NULL DEFAULT 0,
    tokens_out  int NOT NULL DEFAULT 0,
    ms          jsonb NOT NULL,                  -- time per stage
    created_at  timestamptz NOT NULL DEFAULT now(),
    ladder      jsonb NOT NULL DEFAULT '[]',     -- the steps that were tried, [{"step", "left"}], the last one held
    cost_micros bigint,                          -- millionths of the currency that the prices are in; null where a
                                                 -- model has no price
    stored_at   timestamptz DEFAULT clock_timestamp(),  -- the end of the transaction, near enough
    space       text,                            -- which space ranked the passages: its model, empty where the words
                                                 -- were searched alone
    PRIMARY KEY (company_id, turn_id)
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.05);
SELECT switchboard_isolate('receipts');

-- Per million tokens, in millionths of a currency.
CREATE TABLE model_prices (
    model      text PRIMARY KEY CHECK (model <> ''),
    in_micros  bigint NOT NULL CHECK (in_micros >= 0),
    out_micros bigint NOT NULL CHECK (out_micros >= 0),
    updated_at timestamptz NOT NULL DEFAULT now()
);
REVOKE INSERT, UPDATE, DELETE ON model_prices FROM switchboard_app;

-- Every attempt to have a model answer, also those whose answer was overtaken by a newer message.
CREATE TABLE llm_calls (
    company_id  bigint NOT NULL,
    turn_id     bigint NOT NULL,
    epoch       int NOT NULL,                    -- which attempt to answer the turn it belongs to
    attempt     int NOT NULL,                    -- from 1
    day         date NOT NULL,
    at          timestamptz NOT NULL DEFAULT now(),
    provider    text NOT NULL,
    model       text NOT NULL,
    step        text NOT NULL,
    outcome     text NOT NULL,
    duration_ms int NOT NULL,
    tokens_in   int NOT NULL,
    tokens_out  int NOT NULL,
    cost_micros bigint,
    PRIMARY KEY (company_id, turn_id, epoch, attempt, day)
) PARTITION BY RANGE (day);
SELECT switchboard_isolate('llm_calls');

-- A company's day (UTC): as hot as its totals, so it is touched once an answer and last.
CREATE TABLE usage_daily (
    company_id  bigint NOT NULL REFERENCES companies,
    day         date NOT NULL,
    calls       bigint NOT NULL DEFAULT 0,
    tokens_in   bigint NOT NULL DEFAULT 0,
    tokens_out  bigint NOT NULL DEFAULT 0,
    cost_micros bigint NOT NULL DEFAULT 0,       -- of the calls whose price is known
    PRIMARY KEY (company_id, day)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 500);
SELECT switchboard_isolate('usage_daily');

-- ------------------------------------------------------------------ overload
-- How far replies are behind: what each worker could answer a second, and for each company that is too far behind the
-- step of the ladder that its answers are made on. Ids and numbers; the fleet's, so no company's policy stands on them.
CREATE TABLE reply_paces (
    process text PRIMARY KEY,
    per_s   double precision NOT NULL,            -- turns a second with all its slots busy
    told_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);

-- One row, which is also the lock of whoever looks.
CREATE TABLE overload (
    only_one  boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    next_at   timestamptz NOT NULL DEFAULT now(),
    per_s     double precision NOT NULL DEFAULT 0,
    clear_s   double precision NOT NULL DEFAULT 0, -- of the company that waits longest
    companies jsonb NOT NULL DEFAULT '{}'          -- company → [level, calm since, calm_s, left at], in s since 1970
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);
INSERT INTO overload DEFAULT VALUES;
REVOKE INSERT, DELETE ON overload FROM switchboard_app;
