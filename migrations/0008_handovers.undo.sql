-- What customers have silenced stays silent, as with a person; what was closed is open.
DROP FUNCTION IF EXISTS quiet_handovers;
DROP INDEX conversations_handed_over;
UPDATE conversations
SET status = CASE status WHEN 'paused' THEN 'handed_over' ELSE 'open' END
WHERE status IN ('paused', 'closed');
ALTER TABLE conversations DROP CONSTRAINT conversations_status_check;
ALTER TABLE conversations ADD CONSTRAINT conversations_status_check CHECK (status IN ('open', 'handed_over'));
ALTER TABLE conversations DROP COLUMN bot_off_reason, DROP COLUMN bot_off_at, DROP COLUMN return_untold;
ALTER TABLE receipts DROP COLUMN bot;
