DROP FUNCTION IF EXISTS
    ledger_resolve(date, text, text, int, text, text, bigint, bigint),
    ops_dead_letters(text, text, bigint, int),
    ops_dead_letter(date, text, text, int),
    operations_state(int);

ALTER TABLE webhook_events DROP CONSTRAINT webhook_events_outcome_check;
UPDATE webhook_events SET outcome = 'parked' WHERE outcome = 'dead_letter';
ALTER TABLE webhook_events ADD CHECK (outcome IN ('effected', 'dropped', 'parked'));
DROP INDEX webhook_events_dead_letters;
CREATE INDEX webhook_events_parked ON webhook_events (day, stream, entry_id) WHERE outcome = 'parked';

UPDATE alerts SET key = 'rows.parked' WHERE key = 'rows.dead_letters';

ALTER TABLE imports DROP CONSTRAINT imports_state_check;
UPDATE imports SET state = 'parked' WHERE state = 'failed';
ALTER TABLE imports ADD CHECK (state IN ('queued', 'done', 'parked'));
