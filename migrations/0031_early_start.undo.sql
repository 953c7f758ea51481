DROP FUNCTION IF EXISTS claim_turns(bigint, int, double precision, bigint[], int, int);
DROP FUNCTION IF EXISTS claim_early_turn;
DROP FUNCTION IF EXISTS writes_in_bursts;
DROP INDEX turns_early;
ALTER TABLE turns DROP COLUMN quiet_until;
ALTER TABLE turns DROP COLUMN early;
ALTER TABLE contacts DROP COLUMN turn_history;
