DROP FUNCTION IF EXISTS settle_model_calls, add_model_calls, model_call_made;
DELETE FROM retention_policies WHERE subject = 'usage_models';
DROP TABLE usage_models;
DROP INDEX llm_calls_of_turn, llm_calls_of_contact;
-- The table of before has room for one call a turn, epoch and attempt, and for none without a turn.
DELETE FROM llm_calls c WHERE turn_id IS NULL OR EXISTS (
    SELECT 1 FROM llm_calls o WHERE o.company_id = c.company_id AND o.turn_id = c.turn_id AND o.epoch = c.epoch
        AND o.attempt = c.attempt AND o.day = c.day AND (o.at, o.tableoid, o.ctid) < (c.at, c.tableoid, c.ctid));
ALTER TABLE llm_calls
    DROP COLUMN contact_id,
    DROP COLUMN purpose,
    DROP COLUMN cached_in,
    DROP COLUMN reasoning_out,
    ADD PRIMARY KEY (company_id, turn_id, epoch, attempt, day);
