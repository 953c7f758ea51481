-- A price has a beginning and an end from now on, so that what a call cost, or would have cost, can be told of any day.
-- It is set by hand or comes from a list (PRICES_URL), is of all providers ('') or of one, and of cached tokens, of
-- reasoning and of the call as such where they have one of their own. 0 is free; a model without a row has no price.
ALTER TABLE model_prices DROP CONSTRAINT model_prices_pkey;
ALTER TABLE model_prices RENAME COLUMN updated_at TO valid_from;
ALTER TABLE model_prices
    ALTER COLUMN valid_from SET DEFAULT clock_timestamp(),
    ADD COLUMN provider text NOT NULL DEFAULT '',
    ADD COLUMN source text NOT NULL DEFAULT 'manual' CHECK (source IN ('manual', 'sync')),
    ADD COLUMN valid_until timestamptz CHECK (valid_until >= valid_from),  -- null: it holds
    ADD COLUMN cached_in_micros bigint CHECK (cached_in_micros >= 0),      -- null: as in_micros
    ADD COLUMN reasoning_micros bigint CHECK (reasoning_micros >= 0),      -- null: as out_micros
    ADD COLUMN request_micros bigint NOT NULL DEFAULT 0 CHECK (request_micros >= 0),
    ADD PRIMARY KEY (model, provider, source, valid_from);
-- Whoever sets a price ends the one before it; of two at once the second one waits for the first.
CREATE UNIQUE INDEX model_prices_holding ON model_prices (model, provider, source) WHERE valid_until IS NULL;

-- What a company pays for a model, where that differs.
CREATE TABLE model_price_overrides (
    company_id       bigint NOT NULL REFERENCES companies,
    model            text NOT NULL CHECK (model <> ''),
    provider         text NOT NULL DEFAULT '',
    valid_from       timestamptz NOT NULL DEFAULT clock_timestamp(),
    valid_until      timestamptz CHECK (valid_until >= valid_from),
    in_micros        bigint NOT NULL CHECK (in_micros >= 0),
    out_micros       bigint NOT NULL CHECK (out_micros >= 0),
    cached_in_micros bigint CHECK (cached_in_micros >= 0),
    reasoning_micros bigint CHECK (reasoning_micros >= 0),
    request_micros   bigint NOT NULL DEFAULT 0 CHECK (request_micros >= 0),
    PRIMARY KEY (company_id, model, provider, valid_from)
);
CREATE UNIQUE INDEX model_price_overrides_holding ON model_price_overrides (company_id, model, provider)
    WHERE valid_until IS NULL;
SELECT switchboard_isolate('model_price_overrides');
REVOKE INSERT, UPDATE, DELETE ON model_price_overrides FROM switchboard_app;

-- By the day on which they ended; what holds stays.
INSERT INTO retention_policies (subject, days) VALUES ('model_prices', 800), ('model_price_overrides', 800);
