-- llm_calls becomes the ledger of all that models are called for: also of calls that belong to no turn, and of each with
-- its purpose and the customer it was made for. How a call is looked up by its turn needs no unique key: whoever stores
-- an attempt at a turn twice is stopped by the turn's epoch.
ALTER TABLE llm_calls DROP CONSTRAINT llm_calls_pkey;
ALTER TABLE llm_calls
    ALTER COLUMN turn_id DROP NOT NULL,                         -- null: of no turn
    ADD COLUMN contact_id    bigint,                            -- null: for no single customer, or erased
    ADD COLUMN purpose       text NOT NULL DEFAULT 'answer',
    ADD COLUMN cached_in     int NOT NULL DEFAULT 0,            -- of tokens_in
    ADD COLUMN reasoning_out int NOT NULL DEFAULT 0;            -- of tokens_out
CREATE INDEX llm_calls_of_turn ON llm_calls (company_id, turn_id);
-- For a contact who is joined with another one, exported or erased.
CREATE INDEX llm_calls_of_contact ON llm_calls (company_id, contact_id) WHERE contact_id IS NOT NULL;

-- A company's day (UTC) by what its models were called for: calls that were made, failed ones among them, and of how
-- many the cost is not known. Kept for longer than the calls; as hot as usage_daily, and written just before it.
CREATE TABLE usage_models (
    company_id    bigint NOT NULL REFERENCES companies,
    day           date NOT NULL,
    purpose       text NOT NULL,
    provider      text NOT NULL,
    model         text NOT NULL,
    calls         bigint NOT NULL DEFAULT 0,
    failed        bigint NOT NULL DEFAULT 0,
    unpriced      bigint NOT NULL DEFAULT 0,
    tokens_in     bigint NOT NULL DEFAULT 0,
    cached_in     bigint NOT NULL DEFAULT 0,
    tokens_out    bigint NOT NULL DEFAULT 0,
    reasoning_out bigint NOT NULL DEFAULT 0,
    cost_micros   bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (company_id, day, purpose, provider, model)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 500);
SELECT switchboard_isolate('usage_models');

-- What the ledger still has of before.
INSERT INTO usage_models (company_id, day, purpose, provider, model, calls, failed, unpriced, tokens_in, tokens_out,
                          cost_micros)
SELECT company_id, day, purpose, provider, model, count(*), count(*) FILTER (WHERE outcome <> 'ok'),
       count(*) FILTER (WHERE cost_micros IS NULL), sum(tokens_in), sum(tokens_out), coalesce(sum(cost_micros), 0)
FROM llm_calls WHERE outcome NOT IN ('breaker_open', 'saturated')
GROUP BY company_id, day, purpose, provider, model;

INSERT INTO retention_policies (subject, days) VALUES ('usage_models', 800);
