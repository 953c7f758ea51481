DROP FUNCTION IF EXISTS price_names, price_of, model_cost;
DELETE FROM retention_policies WHERE subject IN ('model_prices', 'model_price_overrides');
DROP TABLE model_price_overrides;
-- The table of before has room for one price a model: the one that holds and was set by hand.
DELETE FROM model_prices WHERE valid_until IS NOT NULL OR provider <> '' OR source <> 'manual';
DROP INDEX model_prices_holding;
ALTER TABLE model_prices DROP CONSTRAINT model_prices_pkey;
ALTER TABLE model_prices
    DROP COLUMN provider,
    DROP COLUMN source,
    DROP COLUMN valid_until,
    DROP COLUMN cached_in_micros,
    DROP COLUMN reasoning_micros,
    DROP COLUMN request_micros,
    ALTER COLUMN valid_from SET DEFAULT now(),
    ADD PRIMARY KEY (model);
ALTER TABLE model_prices RENAME COLUMN valid_from TO updated_at;
