-- The field's own words in states and names: a request that could not be handled is a dead letter, an import that
-- cannot be read has failed.

-- Functions whose results or names changed; migrations/functions makes them anew under the new ones.
DROP FUNCTION IF EXISTS
    ledger_unpark(date, text, text, int, text, text, bigint, bigint),
    ops_parked(text, text, bigint, int),
    ops_parked_one(date, text, text, int),
    operations_state(int);

-- ------------------------------------------------------------------ inbound
ALTER TABLE webhook_events DROP CONSTRAINT webhook_events_outcome_check;
UPDATE webhook_events SET outcome = 'dead_letter' WHERE outcome = 'parked';
ALTER TABLE webhook_events ADD CHECK (outcome IN ('effected', 'dropped', 'dead_letter'));
DROP INDEX webhook_events_parked;
CREATE INDEX webhook_events_dead_letters ON webhook_events (day, stream, entry_id) WHERE outcome = 'dead_letter';

-- A standing alert goes on under its new key, so that nobody is told that it is over and began.
UPDATE alerts SET key = 'rows.dead_letters' WHERE key = 'rows.parked';

-- ------------------------------------------------------------------ knowledge
ALTER TABLE imports DROP CONSTRAINT imports_state_check;
UPDATE imports SET state = 'failed' WHERE state = 'parked';
ALTER TABLE imports ADD CHECK (state IN ('queued', 'done', 'failed'));
