-- What an answer cost and how it came to be: model calls, prices, a company's day, and the times of a turn.

-- When the turn's quiet was over (and it waited for a worker only), and when a worker last took it.
ALTER TABLE turns ADD COLUMN wanted_at timestamptz, ADD COLUMN claimed_at timestamptz;

-- ladder: the steps that were tried, [{"step", "left"}], the last one held. cost_micros: millionths of the currency
-- that the prices are in; null where a model has no price. stored_at: the end of the transaction, near enough; null
-- for receipts from before, so that adding it rewrites no table.
ALTER TABLE receipts
    ADD COLUMN ladder jsonb NOT NULL DEFAULT '[]',
    ADD COLUMN cost_micros bigint,
    ADD COLUMN stored_at timestamptz;
ALTER TABLE receipts ALTER COLUMN stored_at SET DEFAULT clock_timestamp();

ALTER TABLE companies ADD COLUMN daily_token_budget bigint CHECK (daily_token_budget >= 0);  -- null: none

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
CREATE TABLE llm_calls_default PARTITION OF llm_calls DEFAULT;
ALTER TABLE llm_calls_default ENABLE ROW LEVEL SECURITY;
REVOKE ALL ON llm_calls_default FROM switchboard_app;

-- A company's day (UTC): as hot as its totals, so it is touched once an answer and last.
CREATE TABLE usage_daily (
    company_id  bigint NOT NULL REFERENCES companies,
    day         date NOT NULL,
    calls       bigint NOT NULL DEFAULT 0,
    tokens_in   bigint NOT NULL DEFAULT 0,
    tokens_out  bigint NOT NULL DEFAULT 0,
    cost_micros bigint NOT NULL DEFAULT 0,       -- of the calls whose price is known
    PRIMARY KEY (company_id, day)
) WITH (fillfactor = 50);
SELECT switchboard_isolate('usage_daily');

-- As before, and it says when the turn was wanted and when it was taken.
CREATE OR REPLACE FUNCTION claim_turn(after_company bigint, lease_s double precision)
RETURNS TABLE (company_id bigint, id bigint, epoch int)
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
SET plan_cache_mode = force_custom_plan AS $$
    WITH due AS (
        SELECT t.company_id, t.id FROM turns t
        WHERE t.company_id > after_company AND t.state IN ('waiting', 'answering') AND t.due_at <= clock_timestamp()
          AND NOT EXISTS (SELECT 1 FROM turns earlier
                          WHERE earlier.company_id = t.company_id AND earlier.conversation_id = t.conversation_id
                            AND earlier.id < t.id AND earlier.state IN ('waiting', 'answering'))
        ORDER BY t.company_id, t.due_at LIMIT 1 FOR UPDATE SKIP LOCKED)
    UPDATE turns t SET state = 'answering', epoch = t.epoch + 1, attempts = t.attempts + 1,
           due_at = clock_timestamp() + make_interval(secs => lease_s), claimed_at = clock_timestamp(),
           wanted_at = CASE WHEN t.state = 'waiting' THEN t.due_at ELSE t.wanted_at END
    FROM due WHERE t.company_id = due.company_id AND t.id = due.id
    RETURNING t.company_id, t.id, t.epoch
$$;
