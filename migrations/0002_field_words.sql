-- The field's own words in states and names: a request that could not be handled is a dead letter, an import that
-- cannot be read has failed, a send that may or may not have arrived has an unknown outcome, and what is tried for an
-- answer are fallback steps.

-- Functions whose results or names changed; migrations/functions makes them anew under the new ones.
DROP FUNCTION IF EXISTS
    ledger_unpark(date, text, text, int, text, text, bigint, bigint),
    ops_parked(text, text, bigint, int),
    ops_parked_one(date, text, text, int),
    ops_uncertain(int),
    operations_state(int);

-- ------------------------------------------------------------------ inbound
ALTER TABLE webhook_events DROP CONSTRAINT webhook_events_outcome_check;
UPDATE webhook_events SET outcome = 'dead_letter' WHERE outcome = 'parked';
ALTER TABLE webhook_events ADD CONSTRAINT webhook_events_outcome_check
    CHECK (outcome IN ('effected', 'dropped', 'dead_letter'));
DROP INDEX webhook_events_parked;
CREATE INDEX webhook_events_dead_letters ON webhook_events (day, stream, entry_id) WHERE outcome = 'dead_letter';

-- A standing alert goes on under its new key, so that nobody is told that it is over and began.
UPDATE alerts SET key = 'rows.dead_letters' WHERE key = 'rows.parked';
UPDATE alerts SET key = 'rows.unknown_outcomes' WHERE key = 'rows.uncertain';

-- ------------------------------------------------------------------ knowledge
ALTER TABLE imports DROP CONSTRAINT imports_state_check;
UPDATE imports SET state = 'failed' WHERE state = 'parked';
ALTER TABLE imports ADD CONSTRAINT imports_state_check
    CHECK (state IN ('queued', 'done', 'failed'));

-- ------------------------------------------------------------------ delivery
ALTER TABLE outbound RENAME COLUMN uncertain_at TO unknown_since;
ALTER TABLE outbound DROP CONSTRAINT outbound_state_check;
UPDATE outbound SET state = 'unknown_outcome' WHERE state = 'uncertain';
ALTER TABLE outbound ADD CONSTRAINT outbound_state_check
    CHECK (state IN ('queued', 'sending', 'sent', 'unknown_outcome', 'failed', 'cancelled'));
UPDATE delivery_attempts SET status = 'unknown_outcome' WHERE status = 'uncertain';
DROP INDEX outbound_open, outbound_uncertain;
CREATE INDEX outbound_open ON outbound (company_id, conversation_id, id)
    WHERE state IN ('queued', 'sending', 'unknown_outcome');
CREATE INDEX outbound_unknown_outcome ON outbound (unknown_since) WHERE state = 'unknown_outcome';

-- ------------------------------------------------------------------ answers
ALTER TABLE receipts RENAME COLUMN ladder TO fallback_steps;
