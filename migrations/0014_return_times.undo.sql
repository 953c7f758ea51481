DROP FUNCTION IF EXISTS quiet_handovers;
ALTER TABLE conversations DROP COLUMN return_after_s, DROP COLUMN opens_at;
