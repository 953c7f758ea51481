DROP FUNCTION IF EXISTS
    ledger_resolve(date, text, text, int, text, text, bigint, bigint),
    ops_dead_letters(text, text, bigint, int),
    ops_dead_letter(date, text, text, int),
    ops_unknown_outcomes(int),
    operations_state(int);

ALTER TABLE webhook_events DROP CONSTRAINT webhook_events_outcome_check;
UPDATE webhook_events SET outcome = 'parked' WHERE outcome = 'dead_letter';
ALTER TABLE webhook_events ADD CONSTRAINT webhook_events_outcome_check
    CHECK (outcome IN ('effected', 'dropped', 'parked'));
DROP INDEX webhook_events_dead_letters;
CREATE INDEX webhook_events_parked ON webhook_events (day, stream, entry_id) WHERE outcome = 'parked';

UPDATE alerts SET key = 'rows.parked' WHERE key = 'rows.dead_letters';
UPDATE alerts SET key = 'rows.uncertain' WHERE key = 'rows.unknown_outcomes';

ALTER TABLE imports DROP CONSTRAINT imports_state_check;
UPDATE imports SET state = 'parked' WHERE state = 'failed';
ALTER TABLE imports ADD CONSTRAINT imports_state_check
    CHECK (state IN ('queued', 'done', 'parked'));

ALTER TABLE outbound RENAME COLUMN unknown_since TO uncertain_at;
ALTER TABLE outbound DROP CONSTRAINT outbound_state_check;
UPDATE outbound SET state = 'uncertain' WHERE state = 'unknown_outcome';
ALTER TABLE outbound ADD CONSTRAINT outbound_state_check
    CHECK (state IN ('queued', 'sending', 'sent', 'uncertain', 'failed', 'cancelled'));
UPDATE delivery_attempts SET status = 'uncertain' WHERE status = 'unknown_outcome';
DROP INDEX outbound_open, outbound_unknown_outcome;
CREATE INDEX outbound_open ON outbound (company_id, conversation_id, id)
    WHERE state IN ('queued', 'sending', 'uncertain');
CREATE INDEX outbound_uncertain ON outbound (uncertain_at) WHERE state = 'uncertain';

ALTER TABLE receipts RENAME COLUMN fallback_steps TO ladder;
